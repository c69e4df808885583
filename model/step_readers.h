// Readers of one step for model/estimate.cc: the bytes its ops read of weights and caches, and the
// time of its kernels by layer, both on the first chip. Internal to estimates.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "dispatch/reader.h"
#include "dispatch/simulator.h"

namespace model {

/// A reader that looks at programs only.
class ProgramReader : public dispatch::Reader {
public:
    void write(const dispatch::Operand&, const dispatch::HostData&, dispatch::QueueId) override {}
    void read(const dispatch::Operand&, std::span<const std::int32_t>, dispatch::HostData&,
              dispatch::QueueId) override {}
    void record_event(dispatch::EventId, dispatch::QueueId) override {}
    void wait_event(dispatch::EventId, dispatch::QueueId) override {}
    void replay(dispatch::TraceId, std::int64_t, dispatch::QueueId) override {}
    void finish(dispatch::QueueId) override {}
    void allocated(const dispatch::DeviceBuffer&) override {}
    void freed(const dispatch::DeviceBuffer&) override {}
};

/// Bytes of weights and caches that the ops of a step read, as work() counts them.
class Traffic : public ProgramReader {
public:
    void begin_step() { bytes_ = {}; }
    core::Bytes bytes() const { return bytes_; }
    void run(const dispatch::Enqueued& enqueued, const dispatch::ChipBindings& bindings,
             dispatch::QueueId, dispatch::Origin) override;

private:
    core::Bytes bytes_;
};

/// Attach it after the simulator whose kernels it books.
class LayerTimes : public ProgramReader {
public:
    explicit LayerTimes(const dispatch::Simulator& simulator) : simulator_(simulator) {}
    void begin_step();
    const std::map<std::string, core::Picoseconds>& times() const { return times_; }
    void run(const dispatch::Enqueued& enqueued, const dispatch::ChipBindings&, dispatch::QueueId,
             dispatch::Origin) override;

private:
    core::Picoseconds kernels() const;

    const dispatch::Simulator& simulator_;
    core::Picoseconds before_{};
    std::map<std::string, core::Picoseconds> times_;
};

}  // namespace model
