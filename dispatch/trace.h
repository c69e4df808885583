// Trace captures and traces of a mesh device: rules, storage, texts. For the .cc files of the
// device. Invariant: per queue at most one capture; the counter of trace bytes is what captures
// raised it to, less what released traces with storage took back (32 bits, raised before the
// check). Source: tenstorrent/tt-metal tt_metal/distributed/{mesh_trace,mesh_device}.cpp @79925a3f;
// texts of later releases as Release says.
#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "dispatch/buffer_table.h"
#include "dispatch/command_queue.h"

namespace dispatch {

class Traces {
public:
    Traces(std::int32_t device, const DeviceOptions& options, BufferTable& buffers);

    /// The trace this queue captures now.
    std::optional<TraceId> capturing(QueueId queue) const;
    bool any_capture() const;

    TraceId begin(QueueId queue, SubDeviceManagerId manager);
    void append(QueueId queue, Enqueued enqueued);
    /// Ends the capture whatever happens then; throws core::Error when its storage does not fit.
    void end(QueueId queue, TraceId trace, SubDeviceManagerId manager);
    std::shared_ptr<const TraceBody> executable(TraceId trace, SubDeviceManagerId manager) const;
    /// An unknown trace is ignored, as the real device does.
    void release(TraceId trace, SubDeviceManagerId manager);

    core::Bytes buffers_size() const { return {bytes_}; }
    bool allocations_unsafe() const { return unsafe_; }
    /// Sequence number of the buffer table at the end of the trace's capture.
    std::int64_t captured_at(TraceId trace) const;

private:
    struct Capture {
        std::shared_ptr<TraceBody> body;
        core::Bytes size;
    };
    struct Trace {
        std::shared_ptr<const TraceBody> body;  // null until the capture ends
        core::Bytes padded;
        std::optional<BufferId> storage;
        std::int64_t high_water = 0;  // of the DRAM its capture touched
        std::int64_t captured_at = 0;
        bool complete = false;
    };
    using Key = std::pair<SubDeviceManagerId, TraceId>;

    std::string must_exist_text(const char* device, TraceId trace,
                                SubDeviceManagerId manager) const;
    bool has_region() const;
    void store(Trace& trace, core::Bytes size, HighWater high_water);
    void check_overlap(std::int64_t address, HighWater high_water, std::int64_t others) const;

    std::int32_t device_;
    DeviceOptions options_;
    BufferTable& buffers_;
    std::array<std::optional<Capture>, 2> captures_;  // by queue
    std::map<Key, Trace> traces_;
    std::int32_t next_id_ = 0;
    std::uint32_t bytes_ = 0;
    bool unsafe_ = false;
};

}  // namespace dispatch
