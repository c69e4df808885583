// Runs programs on a mesh device: places persistent buffers once (shared by name between programs),
// then walks a program's commands, allocating and freeing as they say. With readers attached
// values and times come out; without any, this is the memory plan.
// A planner may have repeated segments folded: a round that begins with the memory of the round two
// before (carried values alternate) would change nothing any more, so pairs of rounds are left out.
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

/// Circular buffers of one op beside the L1 buffers that live then, all per core.
struct L1Pressure {
    core::Bytes circular_buffers;
    core::Bytes headroom;  // up to the lowest L1 buffer, or to the end of L1; negative: a clash
};

/// Watches a session walk; nothing of it changes what happens.
class Watcher {
public:
    virtual ~Watcher() = default;
    virtual void op(const Command&, const L1Pressure&) {}
    virtual void round_begins(std::int32_t /*round*/) {}
    /// `pairs` times the two rounds before this moment are not walked again.
    virtual void pairs_skipped(std::int32_t /*pairs*/) {}
    /// Called while everything that was alive then still is.
    virtual void ran_short(const Shortage&) {}
};

/// Folded: for planners. Readers do not see the rounds that are left out.
enum class Rounds { Unrolled, Folded };

class Session {
public:
    explicit Session(MeshDevice& device, Rounds rounds = Rounds::Unrolled);
    ~Session();
    Session(const Session&) = delete;
    Session& operator=(const Session&) = delete;

    void watch(Watcher& watcher) { watcher_ = &watcher; }

    /// Loads the sub-devices of `program` where it has any: they stay, and programs without run on
    /// the first. Allocates the persistent buffers of `program` that no earlier program placed.
    std::optional<Shortage> place(std::shared_ptr<const Program> program);
    /// Runs (or, during a capture, records) all commands of a placed program.
    std::optional<Shortage> run(const std::shared_ptr<const Program>& program,
                                const ChipBindings& bindings, HostTensors& host, QueueId queue);

    /// Where instance `instance` of a persistent buffer lives. Requires: placed.
    const DeviceBuffer& persistent(const std::string& name, std::int32_t instance) const;
    bool has_persistent(const std::string& name) const { return persistent_.contains(name); }
    /// All that are placed, by the name that programs share; one entry per instance.
    const std::map<std::string, std::vector<DeviceBuffer>>& persistents() const {
        return persistent_;
    }
    /// Largest end of a circular-buffer region so far, and the program it belongs to.
    core::Bytes circular_buffer_peak() const { return circular_peak_; }
    const std::string& circular_buffer_owner() const { return circular_owner_; }

private:
    struct Run;
    void use_sub_devices(const Program& program);
    std::optional<Shortage> run_segment(Run& run, const Segment& segment);
    std::optional<Shortage> step(Run& run, const Command& command, std::int32_t layer);
    std::optional<Shortage> told(std::optional<Shortage> shortage) const;

    MeshDevice& device_;
    Rounds rounds_;
    Watcher* watcher_ = nullptr;
    std::map<std::string, std::vector<DeviceBuffer>> persistent_;
    core::Bytes circular_peak_;
    std::string circular_owner_;
    std::int32_t programs_run_ = 0;
    std::vector<std::string> sub_devices_;  // names, of the manager this session has loaded
};

}  // namespace dispatch
