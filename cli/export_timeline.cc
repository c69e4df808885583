#include "cli/export_timeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "dispatch/sub_device.h"

namespace cli {
namespace {

using core::Picoseconds;
using core::SimTime;

std::string quoted(const std::string& text) {
    using nlohmann::json;
    return json(text).dump(-1, ' ', false, json::error_handler_t::replace);
}

// Microseconds without rounding: two slices that touch still do in the file.
std::string us(Picoseconds time) {
    constexpr std::int64_t kPicos = 1'000'000;
    return fmt::format("{}.{:06}", time.count() / kPicos, time.count() % kPicos);
}

struct Lane {
    std::int32_t process = 0;
    std::int32_t thread = 0;
    auto operator<=>(const Lane&) const = default;
};

class Timeline {
public:
    void name_process(std::int32_t process, const std::string& name) {
        names_ += fmt::format(
            ",\n{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":{0},\"tid\":0,\"args\":{{\"name\":"
            "{1}}}}},\n{{\"name\":\"process_sort_index\",\"ph\":\"M\",\"pid\":{0},\"tid\":0,"
            "\"args\":{{\"sort_index\":{0}}}}}",
            process, quoted(name));
    }
    void name_thread(Lane lane, const std::string& name) {
        names_ += fmt::format(
            ",\n{{\"name\":\"thread_name\",\"ph\":\"M\",\"pid\":{},\"tid\":{},\"args\":{{\"name\":"
            "{}}}}}",
            lane.process, lane.thread, quoted(name));
    }
    void slice(Lane lane, const std::string& name, const char* category, SimTime start, SimTime end,
               const std::string& args = {}) {
        events_.push_back(
            {start.time_since_epoch(), end - start,
             fmt::format(
                 "{{\"name\":{},\"cat\":\"{}\",\"ph\":\"X\",\"ts\":{},\"dur\":{},\"pid\":{},"
                 "\"tid\":{},\"args\":{{{}}}}}",
                 quoted(name), category, us(start.time_since_epoch()), us(end - start),
                 lane.process, lane.thread, args)});
    }
    void counter(std::int32_t process, const std::string& name, const char* unit, SimTime at,
                 double value) {
        events_.push_back(
            {at.time_since_epoch(),
             {},
             fmt::format("{{\"name\":{},\"ph\":\"C\",\"ts\":{},\"pid\":{},"
                         "\"args\":{{\"{}\":{:.6g}}}}}",
                         quoted(name), us(at.time_since_epoch()), process, unit, value)});
    }
    /// Outer slices first; what was added first where times are the same.
    std::string text(const std::string& title) {
        std::ranges::stable_sort(events_, [](const Event& a, const Event& b) {
            return a.start != b.start ? a.start < b.start : a.duration > b.duration;
        });
        std::string out = fmt::format(
            "{{\"displayTimeUnit\":\"ns\",\"otherData\":{{\"title\":{}}},\"traceEvents\":[\n"
            "{{\"name\":\"process_name\",\"ph\":\"M\",\"pid\":0,\"tid\":0,\"args\":{{\"name\":"
            "\"host\"}}}}",
            quoted(title));
        out += names_;
        for (const Event& event : events_) out.append(",\n").append(event.text);
        return out + "\n]}\n";
    }

private:
    struct Event {
        Picoseconds start;
        Picoseconds duration;
        std::string text;
    };
    std::string names_;
    std::vector<Event> events_;
};

// An enclosing slice that grows while what it holds is added.
struct Open {
    std::string name;
    SimTime start;
    SimTime end;
};

std::int32_t process_of(std::int32_t chip) { return chip + 1; }

std::string args_of(const model::RecordedCommand& command, const model::RecordedSpan& span) {
    std::string out =
        fmt::format("\"label\":{},\"layer\":{}", quoted(command.label()), command.item.layer);
    if (const dispatch::OpCommand* op = command.op(); op != nullptr) {
        const dispatch::OpTime& parts = span.parts;
        out += fmt::format(
            ",\"bound\":\"{}\",\"compute_us\":{},\"dram_us\":{},\"l1_us\":{},\"launch_us\":{},"
            "\"cores\":{},\"fidelity\":\"{}\"",
            parts.bound(), us(parts.compute), us(parts.dram), us(parts.l1), us(parts.launch),
            op->plan.cores, mesh::to_text(op->plan.fidelity));
    } else {
        core::Bytes sent;
        for (const auto& [hop, size] : command.carried) {
            if (hop.from == span.chip) sent += size;
        }
        out +=
            fmt::format(",\"sent_bytes\":{},\"axis\":{}", sent.value, command.collective()->axis);
    }
    return out;
}

class ChipLanes {
public:
    ChipLanes(Timeline& timeline, const SimRun& run) : timeline_(timeline), run_(run) {}

    void add(std::int32_t chip) {
        const mesh::Coord place = run_.mesh.shape.coord(chip);
        timeline_.name_process(process_of(chip), fmt::format("chip {} (row {}, column {})", chip,
                                                             place.row, place.col));
        std::map<Lane, bool> named;
        for (const model::RecordedStep* step : timed_steps(run_.recording)) {
            std::map<Lane, std::pair<std::optional<Open>, std::optional<Open>>> open;
            for (const model::RecordedCommand& command : step->commands) {
                const auto span =
                    std::ranges::find(command.chips, chip, &model::RecordedSpan::chip);
                if (span == command.chips.end() || span->start == SimTime::max()) continue;
                const Lane lane = lane_of(command, chip);
                if (!named[lane]) name(lane, command), named[lane] = true;
                const SimTime end = end_of(*span, *step);
                auto& [whole, group] = open[lane];
                const std::string group_text = group_name(command);
                if (group && group->name != group_text) close(lane, group, "layer");
                grow(whole, step->name, span->start, end);
                grow(group, group_text, span->start, end);
                timeline_.slice(lane, op_code(*command.item.command),
                                command.op() != nullptr ? "op" : "collective", span->start, end,
                                args_of(command, *span));
            }
            for (auto& [lane, both] : open) {
                close(lane, both.second, "layer");
                close(lane, both.first, "step");
            }
        }
    }

private:
    static Lane lane_of(const model::RecordedCommand& command, std::int32_t chip) {
        const auto most = static_cast<std::int32_t>(dispatch::kMaxSubDevices);
        return {process_of(chip),
                command.queue.value * most + command.item.command->sub_device.value};
    }
    void name(Lane lane, const model::RecordedCommand& command) {
        std::string text = fmt::format("queue {}", command.queue.value);
        const std::int32_t sub_device = command.item.command->sub_device.value;
        if (sub_device != 0) text += fmt::format(", sub-device {}", sub_device);
        timeline_.name_thread(lane, text);
    }
    static void grow(std::optional<Open>& open, const std::string& name, SimTime start,
                     SimTime end) {
        if (!open) open = Open{name, start, end};
        open->end = std::max(open->end, end);
    }
    void close(Lane lane, std::optional<Open>& open, const char* category) {
        if (open) timeline_.slice(lane, open->name, category, open->start, open->end);
        open.reset();
    }

    Timeline& timeline_;
    const SimRun& run_;
};

void add_host(Timeline& timeline, const SimRun& run) {
    const Lane lane{0, 0};
    timeline.name_thread(lane, "host");
    for (const model::RecordedStep* step : timed_steps(run.recording)) {
        if (step->host.empty()) continue;
        timeline.slice(lane, step->name, "step", step->host.front().start, step->host.back().end);
        for (const model::RecordedHostCall& call : step->host) {
            timeline.slice(lane, call.name, "host", call.start, call.end);
        }
    }
}

// While a chip takes part in a collective, its hops show their mean rate; chips do so at their own
// times.
void add_links(Timeline& timeline, const SimRun& run, const model::RecordedStep& step,
               std::int32_t process) {
    const std::vector<std::int32_t> chips = exported_chips(run.mesh.shape);
    for (const model::RecordedCommand& command : step.commands) {
        for (const auto& [hop, size] : command.carried) {
            if (!std::ranges::binary_search(chips, hop.from)) continue;
            const auto span =
                std::ranges::find(command.chips, hop.from, &model::RecordedSpan::chip);
            if (span == command.chips.end() || span->start == SimTime::max()) continue;
            const SimTime end = end_of(*span, step);
            if (end <= span->start) continue;
            const std::string name = fmt::format("chip {} to {}", hop.from, hop.to);
            const double rate =
                static_cast<double>(size.value) / core::to_us(end - span->start) * 1e-3;
            timeline.counter(process, name, "GB/s", span->start, rate);
            timeline.counter(process, name, "GB/s", end, 0.0);
        }
    }
}

void add_memory(Timeline& timeline, const SimRun& run, std::int32_t process) {
    timeline.name_process(process, "memory, per bank of every chip");
    LiveBuffers live(run.recording.memory());
    std::map<mesh::BufferType, core::Bytes> shown;
    for (const model::RecordedStep& step : run.recording.steps()) {
        for (const model::RecordedCommand& command : step.commands) {
            live.advance(command.memory_events);
            for (const auto type : {mesh::BufferType::Dram, mesh::BufferType::L1}) {
                const core::Bytes now = live.in_use(type);
                const auto found = shown.find(type);
                if (found != shown.end() && found->second == now) continue;
                shown[type] = now;
                timeline.counter(process, mesh::to_text(type), "bytes", command.chips.front().start,
                                 static_cast<double>(now.value));
            }
        }
    }
}

}  // namespace

std::string timeline_json(const SimRun& run) {
    Timeline timeline;
    add_host(timeline, run);
    ChipLanes lanes(timeline, run);
    const mesh::Shape shape = run.mesh.shape;
    for (const std::int32_t chip : exported_chips(shape)) lanes.add(chip);
    const std::int32_t links = process_of(shape.chips());
    timeline.name_process(links, "links");
    for (const model::RecordedStep* step : timed_steps(run.recording)) {
        add_links(timeline, run, *step, links);
    }
    add_memory(timeline, run, links + 1);
    return timeline.text(run.title);
}

}  // namespace cli
