// Runs programs on a mesh device: places persistent buffers once (shared by name between programs),
// then walks a program's commands, allocating and freeing as they say. With readers attached
// values and times come out; without any, this is the memory plan.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "dispatch/mesh_device.h"
#include "dispatch/program.h"

namespace dispatch {

/// "It does not fit" while a program was placed or run.
struct Shortage {
    std::string buffer;                    // which buffer, or which command for a clash
    std::optional<mesh::Failure> failure;  // out of memory
    std::optional<std::string> clash;      // circular buffers against L1 buffers
    std::string text() const { return failure ? failure->text : clash.value_or(""); }
};

/// Host side of Write and Read commands, by tag. A Read appends to `reads[tag]`.
struct HostTensors {
    std::map<std::string, HostData> writes;
    std::map<std::string, std::vector<HostData>> reads;
};

class Session {
public:
    explicit Session(MeshDevice& device);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    /// Allocates the persistent buffers of `program` that no earlier program placed.
    std::optional<Shortage> place(std::shared_ptr<const Program> program);
    /// Runs (or, during a capture, records) all commands of a placed program.
    std::optional<Shortage> run(const std::shared_ptr<const Program>& program,
                                const ChipBindings& bindings, HostTensors& host, QueueId queue);

    /// Where instance `instance` of a persistent buffer lives. Requires: placed.
    const DeviceBuffer& persistent(const std::string& name, std::int32_t instance) const;
    bool has_persistent(const std::string& name) const { return persistent_.contains(name); }
    /// Largest end of a circular-buffer region so far, and the program it belongs to.
    core::Bytes circular_buffer_peak() const { return circular_peak_; }
    const std::string& circular_buffer_owner() const { return circular_owner_; }

private:
    struct Run;
    MeshDevice& device_;
    std::map<std::string, std::vector<DeviceBuffer>> persistent_;
    core::Bytes circular_peak_;
    std::string circular_owner_;
    std::int32_t programs_run_ = 0;
};

}  // namespace dispatch
