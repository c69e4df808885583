#include "cli/export_sim_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <nlohmann/json.hpp>

#include "cli/page.h"
#include "core/format.h"

namespace cli {
namespace {

using core::Picoseconds;
using core::SimTime;

constexpr const char* kStyle = R"(<style>
canvas { width: 100%; border: 1px solid var(--line); border-radius: 4px; cursor: grab; }
#tip { font-size: 12px; min-height: 1.4em; } svg { max-width: 100%; height: auto; }
svg text { font: 11px system-ui, sans-serif; fill: currentColor; }
.rows { display: grid; grid-template-columns: max-content 1fr max-content; gap: .15rem .7rem;
  align-items: center; font-size: 13px; max-width: 900px; }
.rows i { display: block; height: 14px; border-radius: 2px; }
.facts td { border: 0; padding: .1rem 1rem .1rem 0; }
</style>
)";

// `step` is filled in before: {kinds, colours, lanes: [{name, ops: [start, length, kind, label]}],
// labels, length}, times in nanoseconds.
constexpr const char* kScript = R"(<script>
(() => {
  const canvas = document.getElementById('lanes'), tip = document.getElementById('tip');
  const row = 26, left = 90, top = 18;
  let from = 0, to = step.length, drag = null;
  const draw = () => {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth;
    const height = top + row * step.lanes.length + 4;
    canvas.style.height = height + 'px';
    canvas.width = width * ratio; canvas.height = height * ratio;
    const g = canvas.getContext('2d');
    g.scale(ratio, ratio); g.font = '11px system-ui, sans-serif';
    const ink = getComputedStyle(document.body).color;
    const scale = (width - left) / (to - from);
    g.fillStyle = ink;
    for (let i = 0; i <= 8; ++i) {
      const at = from + (to - from) * i / 8;
      const text = (at / 1000).toFixed(to - from < 20000 ? 2 : 0) + ' us';
      g.fillText(text, left + (at - from) * scale, 12);
    }
    step.lanes.forEach((lane, n) => {
      const y = top + n * row;
      g.fillStyle = ink; g.fillText(lane.name, 4, y + 15);
      for (const [start, length, kind, label] of lane.ops) {
        if (start + length < from || start > to) continue;
        const x = Math.max(left, left + (start - from) * scale);
        const end = Math.min(width, left + (start + length - from) * scale);
        g.fillStyle = step.colours[kind];
        g.fillRect(x, y + 2, Math.max(end - x, 0.5), row - 5);
        if (end - x < 40) continue;
        g.save(); g.beginPath(); g.rect(x, y, end - x - 3, row); g.clip();
        g.fillStyle = '#fff'; g.fillText(step.labels[label], x + 3, y + 15); g.restore();
      }
    });
  };
  const at = (event) => {
    const box = canvas.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top, width: box.width };
  };
  const time = (p) => from + (p.x - left) / (p.width - left) * (to - from);
  const clamp = () => {
    const span = Math.min(to - from, step.length);
    from = Math.min(Math.max(from, 0), step.length - span); to = from + span; draw();
  };
  canvas.addEventListener('wheel', (event) => {
    event.preventDefault();
    const middle = time(at(event)), factor = event.deltaY > 0 ? 1.25 : 0.8;
    if ((to - from) * factor < 50) return;
    from = middle - (middle - from) * factor; to = middle + (to - middle) * factor; clamp();
  }, { passive: false });
  canvas.addEventListener('mousedown', (event) => { drag = time(at(event)); });
  window.addEventListener('mouseup', () => { drag = null; });
  canvas.addEventListener('dblclick', () => { from = 0; to = step.length; draw(); });
  canvas.addEventListener('mousemove', (event) => {
    const p = at(event), t = time(p);
    if (drag !== null) { from += drag - t; to += drag - t; clamp(); return; }
    const lane = step.lanes[Math.floor((p.y - top) / row)];
    const op = lane && lane.ops.find(([start, length]) => start <= t && t <= start + length);
    tip.textContent = op ? lane.name + ': ' + step.labels[op[3]] + ' (' + step.kinds[op[2]] + ') ' +
      (op[1] / 1000).toFixed(2) + ' us at ' + (op[0] / 1000).toFixed(2) + ' us' : '';
  });
  window.addEventListener('resize', draw);
  draw();
})();
</script>
)";

/// Numbers for names, in order of appearance.
class Names {
public:
    std::size_t of(const std::string& name) {
        const auto [found, is_new] = numbers_.emplace(name, names_.size());
        if (is_new) names_.push_back(name);
        return found->second;
    }
    const std::vector<std::string>& all() const { return names_; }

private:
    std::map<std::string, std::size_t> numbers_;
    std::vector<std::string> names_;
};

/// Text that ends no script element, whatever a label holds.
std::string script_text(const nlohmann::json& value) {
    std::string text = value.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    for (std::size_t at = 0; (at = text.find('<', at)) != std::string::npos;) {
        text.replace(at, 1, "\\u003c");
    }
    return text;
}

std::int64_t ns(Picoseconds time) { return time.count() / 1000; }

std::string percent(double share) { return fmt::format("{:.1f} %", 100.0 * share); }

double share_of(Picoseconds part, Picoseconds whole) {
    return whole.count() > 0 ? core::to_seconds(part) / core::to_seconds(whole) : 0.0;
}

const model::RecordedSpan* span_on(const model::RecordedCommand& command, std::int32_t chip) {
    const auto found = std::ranges::find(command.chips, chip, &model::RecordedSpan::chip);
    if (found == command.chips.end() || found->start == SimTime::max()) return nullptr;
    return &*found;
}

std::string facts(const SimRun& run) {
    const model::Estimate& estimate = run.estimate;
    const double step = core::to_seconds(estimate.decode_step);
    const auto row = [](const char* what, const std::string& value) {
        return fmt::format("<tr><td>{}</td><td>{}</td></tr>\n", what, escaped(value));
    };
    return "<table class=\"facts\">" +
           row("time to first token", core::to_text(estimate.time_to_first_token)) +
           row("decode step", core::to_text(estimate.decode_step)) +
           row("tokens per second per user", fmt::format("{:.2f}", step > 0 ? 1.0 / step : 0.0)) +
           "</table>\n";
}

std::string lanes(const SimRun& run, const model::RecordedStep& step, Names& kinds) {
    using Json = nlohmann::json;
    Names labels;
    Json all = Json::array();
    const mesh::Shape shape = run.mesh.shape;
    for (const std::int32_t chip : exported_chips(shape)) {
        Json ops = Json::array();
        for (const model::RecordedCommand& command : step.commands) {
            const model::RecordedSpan* span = span_on(command, chip);
            if (span == nullptr) continue;
            ops.push_back({ns(span->start - step.start), ns(end_of(*span, step) - span->start),
                           kinds.of(op_code(*command.item.command)),
                           labels.of(group_name(command) + " " + command.label())});
        }
        all.push_back({{"name", fmt::format("chip {}", chip)}, {"ops", std::move(ops)}});
    }
    Json colours = Json::array();
    for (std::size_t i = 0; i < kinds.all().size(); ++i) colours.push_back(page_colour(i));
    const Json data{{"length", ns(step.end - step.start)},
                    {"kinds", kinds.all()},
                    {"colours", std::move(colours)},
                    {"labels", labels.all()},
                    {"lanes", std::move(all)}};
    const bool some = shape.chips() > static_cast<std::int32_t>(exported_chips(shape).size());
    return fmt::format(
        "<h2>One decode step{}</h2>\n<canvas id=\"lanes\"></canvas><p id=\"tip\"></p>\n"
        "<script>const step = {};</script>\n{}",
        some ? ", on the corners of the mesh" : "", script_text(data), kScript);
}

std::string breakdown(const model::RecordedStep& step, Names& kinds) {
    std::map<std::string, Picoseconds> by_kind;
    Picoseconds rest = step.end - step.start;
    for (const model::RecordedCommand& command : step.commands) {
        const model::RecordedSpan* span = span_on(command, 0);
        if (span == nullptr) continue;
        const Picoseconds time = end_of(*span, step) - span->start;
        by_kind[op_code(*command.item.command)] += time;
        rest -= time;
    }
    std::vector<std::pair<std::string, Picoseconds>> rows(by_kind.begin(), by_kind.end());
    std::ranges::stable_sort(rows,
                             [](const auto& a, const auto& b) { return a.second > b.second; });
    if (rest.count() > 0) rows.emplace_back("between ops, and the host", rest);
    const Picoseconds whole = step.end - step.start;
    std::string out = "<h2>Where the time goes (chip 0)</h2>\n<div class=\"rows\">\n";
    for (const auto& [kind, time] : rows) {
        const bool is_op = by_kind.contains(kind);
        out += fmt::format(
            "<span>{}</span><i style=\"width:{:.2f}%;background:{}\"></i><span>{} ({})</span>\n",
            escaped(kind), 100.0 * share_of(time, whole),
            is_op ? page_colour(kinds.of(kind)) : "var(--line)", core::to_text(time),
            percent(share_of(time, whole)));
    }
    return out + "</div>\n";
}

struct Point {
    double x = 0;
    double y = 0;
};

constexpr double kPitch = 96;
constexpr double kBox = 44;

Point centre(mesh::Coord at) { return {70 + kPitch * at.col, 60 + kPitch * at.row}; }

/// A hop as a line beside that of the other direction; around the mesh where it wraps.
std::string hop_path(mesh::Coord from, mesh::Coord to) {
    const Point a = centre(from);
    const Point b = centre(to);
    const double length = std::hypot(b.x - a.x, b.y - a.y);
    const Point along{(b.x - a.x) / length, (b.y - a.y) / length};
    const Point side{-along.y * 5, along.x * 5};
    const Point start{a.x + along.x * kBox / 2 + side.x, a.y + along.y * kBox / 2 + side.y};
    const Point end{b.x - along.x * kBox / 2 + side.x, b.y - along.y * kBox / 2 + side.y};
    const bool wraps = std::abs(from.row - to.row) + std::abs(from.col - to.col) > 1;
    if (!wraps) {
        return fmt::format("M{:.1f} {:.1f}L{:.1f} {:.1f}", start.x, start.y, end.x, end.y);
    }
    // Both directions bend to the same side of the mesh, up or to the left.
    const double bend = 46 + (from.row + from.col > to.row + to.col ? 8 : 0);
    const bool horizontal = std::abs(along.x) > std::abs(along.y);
    const Point out{horizontal ? 0.0 : -kBox / 2, horizontal ? -kBox / 2 : 0.0};
    const Point middle{(a.x + b.x) / 2 - (horizontal ? 0 : bend),
                       (a.y + b.y) / 2 - (horizontal ? bend : 0)};
    return fmt::format("M{:.1f} {:.1f}Q{:.1f} {:.1f} {:.1f} {:.1f}", a.x + out.x, a.y + out.y,
                       middle.x, middle.y, b.x + out.x, b.y + out.y);
}

/// Payload over what the links of the hop could carry in that time.
double used_share(const fabric::Mesh& mesh, fabric::Hop hop, core::Bytes size, Picoseconds time) {
    const auto chip = [&](std::int32_t at) { return mesh.chips.at(static_cast<std::size_t>(at)); };
    const std::int32_t links = mesh.system.wiring.links_between(chip(hop.from), chip(hop.to));
    return share_of(size / (fabric::payload_rate(mesh.system.link) * std::max(links, 1)), time);
}

std::string hop_svg(const fabric::Mesh& mesh, fabric::Hop hop, core::Bytes size, Picoseconds time) {
    const double share = used_share(mesh, hop, size, time);
    const int hue = static_cast<int>(220.0 * (1.0 - std::min(1.0, share)));
    return fmt::format(
        "<path d=\"{}\" fill=\"none\" stroke=\"hsl({} 75% 50%)\" stroke-width=\"{:.1f}\"><title>"
        "chip {} to {}: {}, {}</title></path>\n",
        hop_path(mesh.shape.coord(hop.from), mesh.shape.coord(hop.to)), hue, 2 + 6 * share,
        hop.from, hop.to, core::to_text(size), percent(share));
}

std::string link_map(const SimRun& run, const model::RecordedStep& step) {
    const fabric::Mesh& mesh = run.mesh;
    std::map<fabric::Hop, core::Bytes> carried;
    for (const model::RecordedCommand& command : step.commands) {
        for (const auto& [hop, size] : command.carried) carried[hop] += size;
    }
    const Picoseconds time = step.end - step.start;
    double busiest = 0;
    for (const auto& [hop, size] : carried) {
        busiest = std::max(busiest, used_share(mesh, hop, size, time));
    }
    std::string out = fmt::format(
        "<h2>Links in that step</h2>\n<p>Colour and width: payload over what the links of a hop "
        "could carry in the step; blue is idle, red is full. The busiest hop: {2}.</p>\n"
        "<svg viewBox=\"0 0 {0} {1}\" width=\"{0}\" height=\"{1}\" role=\"img\">\n",
        140 + kPitch * (mesh.shape.cols - 1), 120 + kPitch * (mesh.shape.rows - 1),
        percent(busiest));
    for (const auto& [hop, size] : carried) out += hop_svg(mesh, hop, size, time);
    for (std::int32_t chip = 0; chip < mesh.chip_count(); ++chip) {
        const Point at = centre(mesh.shape.coord(chip));
        out += fmt::format(
            "<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"{}\" height=\"{}\" rx=\"5\" fill=\"#8883\" "
            "stroke=\"currentColor\"/><text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\">{}"
            "</text>\n",
            at.x - kBox / 2, at.y - kBox / 2, kBox, kBox, at.x, at.y + 4, chip);
    }
    return out + "</svg>\n";
}

struct MemoryCurve {
    std::string title;
    core::Bytes capacity;
    std::vector<core::Bytes> used;  // per command
};

std::string curve_svg(const MemoryCurve& curve, std::size_t prefill) {
    constexpr double kWidth = 900;
    constexpr double kHeight = 140;
    const core::Bytes peak = *std::ranges::max_element(curve.used);
    const auto whole = static_cast<double>(std::max(curve.capacity, peak).value);
    const double pitch = kWidth / static_cast<double>(curve.used.size());
    std::string points;
    core::Bytes before{-1};
    for (std::size_t i = 0; i < curve.used.size(); ++i) {
        const bool last = i + 1 == curve.used.size();
        if (curve.used[i] == before && !last) continue;
        const double y = kHeight * (1.0 - static_cast<double>(curve.used[i].value) / whole);
        points += fmt::format("{}{:.1f}{}{:.1f}", points.empty() ? "M" : "H",
                              pitch * static_cast<double>(i), points.empty() ? " " : "V", y);
        before = curve.used[i];
    }
    points += fmt::format("H{:.1f}", kWidth);
    return fmt::format(
        "<p>{}: at most {} of {}</p>\n<svg viewBox=\"0 -2 {w} {h}\" width=\"{w}\" height=\"{h}\">"
        "<rect width=\"{w}\" height=\"{top}\" fill=\"#8881\"/><path d=\"{path}\" fill=\"none\" "
        "stroke=\"{colour}\" stroke-width=\"1.5\"/><path d=\"M{at:.1f} 0V{top}\" "
        "stroke=\"currentColor\" stroke-dasharray=\"3 3\"/><text x=\"{label:.1f}\" y=\"12\">decode"
        "</text></svg>\n",
        escaped(curve.title), core::to_text(peak), core::to_text(curve.capacity),
        fmt::arg("w", kWidth), fmt::arg("h", kHeight + 4), fmt::arg("top", kHeight),
        fmt::arg("path", points), fmt::arg("colour", page_colour(0)),
        fmt::arg("at", pitch * static_cast<double>(prefill)),
        fmt::arg("label", pitch * static_cast<double>(prefill) + 5));
}

std::string memory(const SimRun& run) {
    const dispatch::DeviceMemory memory = dispatch::device_memory(run.mesh.system.chip, run.device);
    MemoryCurve dram{"DRAM, per bank", memory.dram.size, {}};
    MemoryCurve l1{"L1 with circular buffers, per core", memory.l1.size, {}};
    LiveBuffers live(run.recording.memory());
    std::size_t prefill = 0;
    for (const model::RecordedStep* step : memory_steps(run.recording)) {
        for (const model::RecordedCommand& command : step->commands) {
            live.advance(command.memory_events);
            dram.used.push_back(live.in_use(mesh::BufferType::Dram));
            core::Bytes now = live.in_use(mesh::BufferType::L1);
            if (command.op() != nullptr) now += command.op()->plan.circular_buffer_bytes();
            l1.used.push_back(now);
        }
        if (step->name == model::kPrefillStep) prefill = dram.used.size();
    }
    if (dram.used.empty()) return "";
    return "<h2>Memory over a prefill and a decode step, op by op</h2>\n"
           "<p>The same on every chip.</p>\n" +
           curve_svg(dram, prefill) + curve_svg(l1, prefill);
}

}  // namespace

std::string sim_page(const SimRun& run) {
    std::string body = kStyle + facts(run);
    if (const model::RecordedStep* step = run.recording.find(model::kDecodeStep)) {
        Names kinds;
        body += lanes(run, *step, kinds) + breakdown(*step, kinds) + link_map(run, *step);
    }
    body += memory(run);
    return html_document(run.title, "Simulated by tessera sim, not measured.", body);
}

}  // namespace cli
