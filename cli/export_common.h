// What the exports of a simulation share: which steps and chips they show, what an op is called in
// the reports of the real tools, what was alive when.
// On meshes of more than eight chips only the corners are shown: chips differ by their place on an
// axis, and the files grow with every chip.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "model/estimate.h"

namespace cli {

struct SimRun {
    std::string title;  // "Llama-3.1-8B on t3k"
    const fabric::Mesh& mesh;
    const dispatch::DeviceOptions& device;
    const model::Recording& recording;
    const model::Estimate& estimate;
};

/// The names of ttnn's profiler reports: "Matmul", "AllGatherAsync", ...
std::string op_code(const dispatch::Command& command);

/// All chips of a mesh of up to eight, else its corners; ascending.
std::vector<std::int32_t> exported_chips(mesh::Shape shape);

/// The times of these are shown: prefill and one decode step (traced, if it is).
std::vector<const model::RecordedStep*> timed_steps(const model::Recording& recording);
/// The buffers of these are shown: a traced step neither allocates nor frees, so its warm-up
/// stands for it.
std::vector<const model::RecordedStep*> memory_steps(const model::Recording& recording);

/// "layer 12" for a command of a layer, else its segment's name: "prologue", "epilogue".
std::string group_name(const model::RecordedCommand& command);

/// A time of the simulation, where "never" is the end of the step.
core::SimTime end_of(const model::RecordedSpan& span, const model::RecordedStep& step);

/// Replays the memory events of a recording.
class LiveBuffers {
public:
    explicit LiveBuffers(const std::vector<model::MemoryEvent>& events) : events_(events) {}
    /// To the state after the first `count` events. Requires: not before an earlier call's.
    void advance(std::size_t count);
    const std::map<dispatch::BufferId, dispatch::DeviceBuffer>& buffers() const { return live_; }
    /// The live buffer of this memory type at an address, or null.
    const dispatch::DeviceBuffer* at(mesh::BufferType type, std::int64_t address) const;
    /// Bytes per bank.
    core::Bytes in_use(mesh::BufferType type) const;

private:
    const std::vector<model::MemoryEvent>& events_;
    std::size_t next_ = 0;
    std::map<dispatch::BufferId, dispatch::DeviceBuffer> live_;
    std::map<std::pair<mesh::BufferType, std::int64_t>, dispatch::BufferId> by_address_;
    std::map<mesh::BufferType, core::Bytes> in_use_;
};

}  // namespace cli
