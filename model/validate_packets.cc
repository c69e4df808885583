// Tables of what a link carries: the bandwidth of one packet size, asked of fabric::packet_time.
// It is of plain writes over a line, or over the half rings a collective uses. Neighbour exchange,
// full rings, meshes, scatter writes and packets with fused semaphores are not modelled
// (docs/collectives.md) and skipped, by reason; so are round trips, for which no room has a rule.
// Source of such tables: tenstorrent/tt-metal:
// tests/tt_metal/tt_metal/perf_microbenchmark/routing/golden.
#include <fmt/format.h>

#include "core/error.h"
#include "fabric/packets.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

std::string rate_text(double giga_per_second) {
    return fmt::format("{:.3f} GB/s", giga_per_second);
}

Answer answer(const fabric::LinkSpec& link, fabric::Topology routing, core::Bytes payload) {
    const core::Picoseconds time = fabric::packet_time(link, routing, payload);
    Answer answer;
    answer.value = static_cast<double>(payload.value) * 1e-9 / core::to_seconds(time);
    answer.text = rate_text(answer.value);
    answer.why = fmt::format("a packet every {:.1f} ns", 1e3 * core::to_us(time));
    return answer;
}

// Why packet_time is no answer; empty: it is.
std::string problem_of(const core::CsvRecord& record) {
    const std::string& test = record.text("test_name");
    const std::string& topology = record.text("topology");
    if (record.text("metric") != "bandwidth") return "no bandwidth: " + record.text("metric");
    if (record.text("ntype") != "NOC_UNICAST_WRITE") return "packets of " + record.text("ntype");
    if (test.starts_with("NeighborExchange")) return "neighbour exchange";
    if (topology == "Linear" || test.starts_with("HalfRing")) return {};
    return test.starts_with("FullRing") ? "full rings" : "routing of a " + topology;
}

AskedRow ask(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    row.skipped = problem_of(record);
    if (!row.skipped.empty()) return row;
    const auto rate = optional_number(record, "avg");
    const auto payload = record.optional_integer("packet_or_payload_bytes", 1, 1 << 20);
    if (!rate || *rate <= 0) throw record.unexpected("avg", "GB/s of a link, above 0");
    if (!payload) throw record.unexpected("packet_or_payload_bytes", "bytes of a packet");
    row.measured = *rate;
    row.measured_text = rate_text(*rate);
    const auto found = library.group(record.text("system"), 1);
    if (const auto* unknown = std::get_if<Unknown>(&found)) {
        row.skipped = unknown->reason;
        return row;
    }
    const fabric::System& system = std::get<fabric::Mesh>(found).system;
    const auto routing =
        record.text("topology") == "Linear" ? fabric::Topology::Line : fabric::Topology::Ring;
    const char* const shape = routing == fabric::Topology::Line ? "line" : "ring";
    row.group =
        fmt::format("avg {} {}, {}", record.text("system"), record.text("test_name"), shape);
    row.questions.push_back(
        {fmt::format("packets of {} B over a {} of {}", *payload, shape, system.title),
         [link = system.link, routing, size = core::Bytes{*payload}] {
             return answer(link, routing, size);
         }});
    return row;
}

}  // namespace

TableKind packets_kind() {
    return {
        "fabric bandwidth",
        {"system", "metric", "test_name", "ntype", "topology", "packet_or_payload_bytes", "avg"},
        Scoring::Error,
        ask};
}

}  // namespace model
