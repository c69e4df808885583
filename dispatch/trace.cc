#include "dispatch/trace.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "dispatch/trace_size.h"

namespace dispatch {
namespace {

std::size_t index(QueueId queue) { return static_cast<std::size_t>(queue.value); }

tensor::Spec storage_spec(const mesh::TraceLayout& layout) {
    return {.shape = {layout.pages, layout.page / core::Bytes{4}},
            .dtype = tensor::DType::UInt32,
            .layout = tensor::Layout::RowMajor};
}

}  // namespace

Traces::Traces(std::int32_t device, const DeviceOptions& options, BufferTable& buffers)
    : device_(device), options_(options), buffers_(buffers) {}

std::optional<TraceId> Traces::capturing(QueueId queue) const {
    const std::optional<Capture>& capture = captures_[index(queue)];
    if (!capture) return std::nullopt;
    return capture->body->id;
}

bool Traces::any_capture() const { return captures_[0] || captures_[1]; }

/// Since 2026-02 (PR #36999) a region of 0 bytes means dynamic buffers; before, no room at all.
bool Traces::has_region() const {
    return options_.trace_region_size.value > 0 || options_.release == Release::R2025;
}

std::string Traces::must_exist_text(const char* device, TraceId trace,
                                    SubDeviceManagerId manager) const {
    return fmt::format("Trace instance {} must exist on {} {}'s active sub-device manager {}",
                       trace.value, device, device_, manager.value);
}

TraceId Traces::begin(QueueId queue, SubDeviceManagerId manager) {
    const TraceId trace{next_id_++};  // consumed before the check, so the text prints the new id
    if (captures_[index(queue)]) {
        throw core::Error(fmt::format("CQ {} is already being used for tracing tid {}", queue.value,
                                      trace.value));
    }
    if (!has_region()) buffers_.start_high_water();
    traces_.emplace(Key{manager, trace}, Trace{});
    captures_[index(queue)] = Capture{std::make_shared<TraceBody>(TraceBody{trace, {}}), {}};
    unsafe_ = false;
    return trace;
}

void Traces::append(QueueId queue, Enqueued enqueued) {
    std::optional<Capture>& capture = captures_[index(queue)];
    core::require(capture.has_value(), "commands are recorded during a capture");
    capture->size += trace_bytes(*enqueued.command, stream_format(buffers_.memory()));
    capture->body->commands.push_back(std::move(enqueued));
}

void Traces::end(QueueId queue, TraceId trace, SubDeviceManagerId manager) {
    std::optional<Capture>& capture = captures_[index(queue)];
    if (!capture || capture->body->id != trace) {
        throw core::Error(
            fmt::format("CQ {} is not being used for tracing tid {}", queue.value, trace.value));
    }
    const auto found = traces_.find({manager, trace});
    if (found == traces_.end()) throw core::Error(must_exist_text("device", trace, manager));

    const Capture done = *std::exchange(capture, std::nullopt);
    const HighWater high_water = has_region() ? HighWater{} : buffers_.stop_high_water();
    // An empty stream still holds the end of the replay.
    const core::Bytes size = done.size + trace_end_bytes(stream_format(buffers_.memory()));
    store(found->second, size, high_water);
    found->second.body = done.body;
    found->second.captured_at = buffers_.sequence();
    found->second.complete = true;
    unsafe_ = true;
}

void Traces::store(Trace& trace, core::Bytes size, HighWater high_water) {
    const mesh::TraceLayout layout =
        mesh::trace_layout(size, buffers_.memory().dram.banks, trace_pages(options_.release));
    trace.padded = layout.padded;
    bytes_ += static_cast<std::uint32_t>(layout.padded.value);
    if (has_region() && core::Bytes{bytes_} > options_.trace_region_size) {
        throw core::Error(mesh::trace_overflow_text({bytes_}, device_, options_.trace_region_size));
    }
    std::int64_t others = 0;
    if (options_.release == Release::R2026_09) {
        for (const auto& [key, other] : traces_) others = std::max(others, other.high_water);
    }

    const auto type = has_region() ? mesh::BufferType::Trace : mesh::BufferType::Dram;
    const auto direction =
        has_region() ? buffers_.memory().trace.direction : mesh::Direction::TopDown;
    BufferTable::Result result =
        buffers_.allocate({"trace", Owner::Trace, storage_spec(layout), {.type = type}}, direction);
    if (const auto* failure = std::get_if<mesh::Failure>(&result)) {
        throw OutOfMemory(*failure);
    }
    const auto& buffer = std::get<DeviceBuffer>(result);
    trace.storage = buffer.id;
    trace.high_water = std::max(high_water.allocation, high_water.deletion);
    if (!has_region()) check_overlap(buffer.operand.address, high_water, others);
}

void Traces::check_overlap(std::int64_t address, HighWater high_water, std::int64_t others) const {
    const bool allocation = address < high_water.allocation;
    const bool deletion = address < high_water.deletion;
    if (allocation && deletion) {
        throw core::Error(fmt::format(
            "Trace buffer at address {} overlaps with DRAM activity during trace capture. "
            "Allocation high water mark: {}, Deletion high water mark: {}. "
            "Reduce allocations during trace capture or set a non-zero trace_region_size.",
            address, high_water.allocation, high_water.deletion));
    }
    if (deletion) {
        throw core::Error(fmt::format(
            "Trace buffer at address {} overlaps with buffers deallocated during trace capture "
            "(deletion high water mark: {}). "
            "Avoid deallocating DRAM buffers during trace capture or set a non-zero "
            "trace_region_size.",
            address, high_water.deletion));
    }
    if (allocation) {
        throw core::Error(fmt::format(
            "Trace buffer at address {} overlaps with buffers allocated during trace capture "
            "(allocation high water mark: {}). "
            "Reduce allocations during trace capture or set a non-zero trace_region_size.",
            address, high_water.allocation));
    }
    if (address < others) {
        throw core::Error(fmt::format(
            "Trace buffer at address {} overlaps with DRAM activity captured by another live "
            "trace (maximum live trace high water mark: {}). "
            "Release the existing trace before capturing this trace or set a non-zero "
            "trace_region_size.",
            address, others));
    }
}

std::shared_ptr<const TraceBody> Traces::executable(TraceId trace,
                                                    SubDeviceManagerId manager) const {
    const auto found = traces_.find({manager, trace});
    if (found == traces_.end() || !found->second.complete) {
        throw core::Error(must_exist_text("Mesh device", trace, manager));
    }
    return found->second.body;
}

void Traces::release(TraceId trace, SubDeviceManagerId manager) {
    const auto found = traces_.find({manager, trace});
    if (found == traces_.end()) return;
    if (found->second.storage) {
        buffers_.free(*found->second.storage);
        // Before PR #27966 (2025-09) the counter was not lowered; no release here is that old.
        bytes_ -= static_cast<std::uint32_t>(found->second.padded.value);
    }
    traces_.erase(found);
    if (bytes_ == 0) unsafe_ = false;
}

std::int64_t Traces::captured_at(TraceId trace) const {
    const auto found = std::ranges::find_if(
        traces_, [trace](const auto& entry) { return entry.first.second == trace; });
    if (found == traces_.end() || !found->second.complete) {
        throw core::Error::mismatch("unsafe_buffers", "trace", "a captured trace",
                                    std::to_string(trace.value));
    }
    return found->second.captured_at;
}

}  // namespace dispatch
