// Tables of what a link carries: the bandwidth of packets of one size, and round trips of one
// packet over one hop, asked of fabric/packets.h. A row's test names the routing, who sends where,
// and whether a semaphore follows the payload; its system gives neighbours and constants.
// Source of such tables: tenstorrent/tt-metal:
// tests/tt_metal/tt_metal/perf_microbenchmark/routing/golden.
#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "fabric/packets.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

constexpr std::size_t kRoutedDirections = 4;  // a router each to north, east, south and west

struct Asked {
    fabric::Stream stream;
    bool round_trip = false;
};

std::optional<fabric::PacketWrite> write_of(const std::string& ntype) {
    if (ntype == "NOC_UNICAST_WRITE") return fabric::PacketWrite::Plain;
    if (ntype == "NOC_UNICAST_SCATTER_WRITE") return fabric::PacketWrite::Scatter;
    if (ntype == "NOC_FUSED_UNICAST_ATOMIC_INC") return fabric::PacketWrite::Increment;
    return {};
}

std::optional<fabric::Routing> routing_of(const std::string& test, const std::string& topology) {
    if (topology == "Linear" || topology == "NeighborExchange") return fabric::Routing::Line;
    if (topology == "Mesh") return fabric::Routing::Mesh;
    if (topology == "Torus") return fabric::Routing::Torus;
    if (topology != "Ring") return {};
    return test.starts_with("FullRing") ? fabric::Routing::FullRing : fabric::Routing::HalfRing;
}

/// The largest number of "[2,4]" less the sender: chips behind the first hop.
std::int64_t receivers_of(const std::string& devices) {
    std::int64_t most = 0;
    std::int64_t number = 0;
    for (const char letter : devices) {
        number = letter >= '0' && letter <= '9'
                     ? std::min<std::int64_t>(number, 1 << 20) * 10 + (letter - '0')
                     : 0;
        most = std::max(most, number);
    }
    return std::max<std::int64_t>(most - 1, 1);
}

std::int64_t neighbours_of(const fabric::System& system) {
    std::size_t most = 1;
    for (std::int32_t chip = 0; chip < system.wiring.chips; ++chip) {
        most = std::max(most, system.wiring.neighbours(fabric::ChipId{chip}).size());
    }
    return static_cast<std::int64_t>(std::min(most, kRoutedDirections));
}

/// Links a worker feeds in turn. Exchange: all neighbours. Where every chip sends, the workers of
/// the busiest hop's senders share the feeding of its links.
std::int64_t fed_by_worker(const core::CsvRecord& record, const fabric::System& system) {
    const std::string& test = record.text("test_name");
    if (test.starts_with("NeighborExchange")) return neighbours_of(system);
    if (test.starts_with("SingleSender")) return 1;
    const std::int64_t links = record.optional_integer("num_links", 1, 64).value_or(1);
    return std::max<std::int64_t>(links / receivers_of(record.text("num_devices")), 1);
}

/// What a row asks; a text: why nothing.
std::variant<Asked, std::string> asked_of(const core::CsvRecord& record) {
    const std::string& test = record.text("test_name");
    const std::string& metric = record.text("metric");
    const auto write = write_of(record.text("ntype"));
    const auto routing = routing_of(test, record.text("topology"));
    const auto payload = record.optional_integer("packet_or_payload_bytes", 1, 1 << 20);
    if (!payload) throw record.unexpected("packet_or_payload_bytes", "bytes of a packet");
    if (metric != "bandwidth" && metric != "latency_roundtrip_1hop") return "metric " + metric;
    if (!write) return "packets of " + record.text("ntype");
    if (!routing) return "routing of a " + record.text("topology");
    Asked asked;
    asked.round_trip = metric != "bandwidth";
    asked.stream.routing = *routing;
    asked.stream.write = *write;
    asked.stream.payload = {*payload};
    const bool unicast =
        test.find("Unicast") != std::string::npos || test.starts_with("NeighborExchange");
    asked.stream.casting = unicast ? fabric::Casting::Unicast : fabric::Casting::Multicast;
    if (test.starts_with("Unidir")) asked.stream.directions = fabric::Directions::One;
    const bool spread = unicast && !test.starts_with("NeighborExchange");
    if (spread) asked.stream.receivers = receivers_of(record.text("num_devices"));
    return asked;
}

Answer answer(const fabric::System& system, const Asked& asked) {
    Answer answer;
    if (asked.round_trip) {
        const core::Picoseconds way = fabric::first_packet(system.link, system.chip, asked.stream);
        answer.value = 2e3 * core::to_us(way);
        answer.text = fmt::format("{:.0f} ns", answer.value);
        answer.why = "there and back";
        return answer;
    }
    const core::Picoseconds time = fabric::packet_time(system.link, system.chip, asked.stream);
    answer.value = static_cast<double>(asked.stream.payload.value) * 1e-9 / core::to_seconds(time);
    answer.text = fmt::format("{:.3f} GB/s", answer.value);
    answer.why = fmt::format("a packet every {:.1f} ns", 1e3 * core::to_us(time));
    return answer;
}

AskedRow ask(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    auto asked = asked_of(record);
    if (const auto* reason = std::get_if<std::string>(&asked)) {
        row.skipped = *reason;
        return row;
    }
    Asked& question = std::get<Asked>(asked);
    const auto value = optional_number(record, "avg");
    const char* const unit = question.round_trip ? "ns" : "GB/s";
    if (!value || *value <= 0) {
        throw record.unexpected(
            "avg", question.round_trip ? "ns of a round trip, above 0" : "GB/s of a link, above 0");
    }
    row.measured = *value;
    row.measured_text = fmt::format("{:.3f} {}", *value, unit);
    const auto found = library.group(record.text("system"), 1);
    if (const auto* unknown = std::get_if<Unknown>(&found)) {
        row.skipped = unknown->reason;
        return row;
    }
    const fabric::System& system = std::get<fabric::Mesh>(found).system;
    if (!question.round_trip) question.stream.fed = fed_by_worker(record, system);
    row.group = fmt::format("avg {} {} {}", record.text("system"), record.text("test_name"),
                            record.text("ntype"));
    row.questions.push_back(
        {fmt::format("{}: packets of {} B, {}, line {}", record.text("test_name"),
                     question.stream.payload.value, system.title, record.line()),
         [system, question] { return answer(system, question); }});
    return row;
}

}  // namespace

TableKind packets_kind() {
    return {
        "fabric packets",
        {"system", "metric", "test_name", "ntype", "topology", "packet_or_payload_bytes", "avg"},
        Scoring::Error,
        ask};
}

}  // namespace model
