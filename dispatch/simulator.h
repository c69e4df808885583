// The clock's reading of a command stream: host, queues, programs on chips and sub-devices,
// collectives on the fabric. Chips are not synchronised except by collectives; on one chip and
// sub-device programs run one after another; without sub-devices reads, writes and programs wait
// for all earlier programs of their queue on that chip.
// Each queue has a dispatcher per chip that works ahead of the kernels as far as the workers'
// config ring has room (dispatch/launch_time.h); the host runs ahead as far as the prefetch queue
// has. Times are picoseconds; every constant comes from topologies/. The time of an op is
// dispatch/op_time.h's, of a transfer dispatch/host_transfer.h's.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/digest.h"
#include "dispatch/launch_time.h"
#include "dispatch/op_time.h"
#include "dispatch/reader.h"
#include "fabric/mesh.h"
#include "fabric/network.h"

namespace dispatch {

struct TimelineEntry {
    std::string label;
    std::string kind;  // op or collective name
    std::int32_t chip = 0;
    QueueId queue{0};
    std::int32_t layer = 0;
    core::SimTime start;
    core::SimTime end;
    OpTime parts = {};  // zero for collectives
};

struct SimulatorOptions {
    enum class Timeline { Off, Keep } timeline = Timeline::Off;
    core::Picoseconds operation_timeout{};  // 0: none
    /// Who enqueues eager programs: C++ that holds the program, or Python calling a ttnn op.
    enum class Host { Cpp, Python } host = Host::Cpp;
    LaunchOptions launch{};
    /// Programs the host may be ahead of the dispatcher, per queue (tenstorrent/tt-metal
    /// tt_metal/impl/dispatch/dispatch_settings: prefetch_q_entries; 128 with ethernet dispatch).
    std::size_t prefetch_entries = 1534;
};

/// A queue that can never finish: the text of the real stack and what it waits for.
struct Hang {
    std::string text;
    std::string waits_for;
};

/// A prefetcher: how long it kept a chip's DRAM busy, how long products waited for it at most.
struct StreamTimes {
    core::Picoseconds busy{};
    core::Picoseconds waited{};
};

class Simulator : public Reader {
public:
    Simulator(const fabric::Mesh& mesh, SimulatorOptions options);
    ~Simulator() override;

    void run(const Enqueued& enqueued, const ChipBindings& bindings, QueueId queue,
             Origin origin) override;
    void write(const Operand& to, const HostData& data, QueueId queue) override;
    void read(const Operand& from, std::span<const std::int32_t> chips, HostData& data,
              QueueId queue) override;
    void record_event(EventId event, QueueId queue) override;
    void wait_event(EventId event, QueueId queue) override;
    void replay(TraceId trace, std::int64_t commands, QueueId queue) override;
    void finish(QueueId queue) override;
    void allocated(const DeviceBuffer& buffer) override;
    void freed(const DeviceBuffer& buffer) override;
    void set_stall_group(std::span<const SubDeviceId> group) override;
    void stuck(QueueId queue, std::string_view waits_for) override;

    core::SimTime host_now() const;
    /// When everything enqueued so far is done on every chip (SimTime::max() if never).
    core::SimTime device_done() const;
    std::optional<Hang> hang() const;

    /// Kernel time summed over the chips' critical chip 0, by op kind; for breakdowns.
    const std::map<std::string, core::Picoseconds>& time_by_kind() const;
    const std::map<std::string, core::Picoseconds>& time_by_bound() const;
    const StreamTimes& stream_times() const;
    /// Payload bytes per directed hop of the mesh.
    const std::map<fabric::Hop, core::Bytes>& bytes_carried() const;
    /// Labels of ops and collectives in the order they ran (kept with Timeline::Keep).
    const std::vector<TimelineEntry>& timeline() const;
    std::int64_t commands_run() const;
    /// Digest of (label, start, end) of every command on every chip.
    const core::Digest& digest() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace dispatch
