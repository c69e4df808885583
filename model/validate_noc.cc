// Tables of the network on chip: cycles of transactions by pattern and size, and bytes per cycle a
// core reaches. Every row becomes traffic of mesh/noc.h; rows of kernels whose traffic the table
// does not tell, and constants of other models, are skipped by reason. Values are cycles or bytes
// per cycle. Sources of such tables: tenstorrent/tt-metal:
// tt_metal/impl/experimental/noc_estimator/latencies/noc_latencies.yaml and
// tests/tt_metal/tt_metal/data_movement/python/test_mappings/test_bounds.yaml.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/error.h"
#include "mesh/kernel_spec.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

using mesh::NocMemory;
using mesh::NocOp;
using mesh::NocSender;
using mesh::NocTraffic;

constexpr const char* kSizes[] = {"b64",   "b128",  "b256",   "b512",   "b1024", "b2048",
                                  "b4096", "b8192", "b16384", "b32768", "b65536"};
constexpr std::size_t kSizeCount = std::size(kSizes);
constexpr std::int64_t kMostTransactions = 1 << 24;
constexpr std::int64_t kMostCores = 1024;
constexpr std::int64_t kSteady = 4096;  // transactions after which the first one does not show

/// The cards that the published tables were measured on: 8x7 and 11x10 worker cores.
std::variant<mesh::ChipSpec, Unknown> chip_of(const std::string& arch,
                                              const ModelLibrary& library) {
    const auto found = library.group(arch == "wormhole_b0" ? "N300" : "P150", 1);
    if (arch != "wormhole_b0" && arch != "blackhole") return Unknown{"no card of " + arch};
    if (const auto* unknown = std::get_if<Unknown>(&found)) return *unknown;
    return std::get<fabric::Mesh>(found).system.chip;
}

bool flag(const core::CsvRecord& record, const char* column) {
    const std::string& text = record.text(column);
    if (text != "True" && text != "False") throw record.unexpected(column, "True or False");
    return text == "True";
}

/// A square of cores, or all workers with or without the one that sends.
std::optional<mesh::Grid> grid_of(std::int64_t cores, mesh::Grid workers) {
    const auto side = static_cast<std::int32_t>(std::lround(std::sqrt(static_cast<double>(cores))));
    if (side * side == cores) return mesh::Grid{side, side};
    if (cores == workers.cores() || cores == workers.cores() - 1) return workers;
    return {};
}

std::optional<mesh::Grid> targets_of(const std::string& pattern, std::int64_t cores,
                                     mesh::Grid workers) {
    const auto count = static_cast<std::int32_t>(std::max<std::int64_t>(cores, 1));
    if (cores == 0 || pattern.ends_with("_ONE")) return mesh::Grid{1, 1};
    if (pattern.ends_with("_ROW")) return mesh::Grid{count, 1};
    if (pattern.ends_with("_COLUMN")) return mesh::Grid{1, count};
    return grid_of(cores, workers);
}

std::optional<NocOp> op_of(const core::CsvRecord& record) {
    const std::string& mechanism = record.text("mechanism");
    if (mechanism == "MULTICAST") return NocOp::Multicast;
    if (mechanism == "MULTICAST_LINKED") return NocOp::MulticastLinked;
    if (mechanism != "UNICAST") return {};
    return record.text("pattern").find("_FROM_") != std::string::npos ? NocOp::Read : NocOp::Write;
}

std::optional<NocMemory> memory_of(const std::string& text) {
    if (text == "L1") return NocMemory::L1;
    if (text == "DRAM_SHARDED") return NocMemory::DramBank;
    if (text == "DRAM_INTERLEAVED") return NocMemory::DramInterleaved;
    return {};
}

std::int64_t count(const core::CsvRecord& record, const char* column, std::int64_t low,
                   std::int64_t high) {
    const auto value = record.optional_integer(column, low, high);
    if (!value) throw record.unexpected(column, "a number");
    return *value;
}

/// What a row asks but for the size; a text: why it asks nothing.
std::variant<NocTraffic, std::string> traffic_of(const core::CsvRecord& record,
                                                 mesh::Grid workers) {
    const std::string& pattern = record.text("pattern");
    const auto op = op_of(record);
    const auto memory = memory_of(record.text("memory"));
    const std::int64_t cores = count(record, "num_subordinates", 0, kMostCores);
    const auto targets = targets_of(pattern, cores, workers);
    if (!op) return "mechanism " + record.text("mechanism");
    if (!memory) return "memory " + record.text("memory");
    if (!targets) return fmt::format("no known grid of {} cores", cores);
    NocTraffic traffic;
    traffic.op = *op;
    traffic.memory = *memory;
    traffic.transactions = count(record, "num_transactions", 1, kMostTransactions);
    traffic.targets = *targets;
    if (!pattern.starts_with("ONE_")) traffic.senders = cores == 0 ? workers.cores() : cores;
    const bool alone = pattern == "ONE_TO_ONE" || pattern == "ONE_FROM_ONE";
    if (flag(record, "same_axis") && alone) traffic.path = mesh::NocPath::SameColumn;
    if (flag(record, "loopback")) traffic.sender = NocSender::AmongTargets;
    return traffic;
}

/// Sizes measured: behind the largest one the published tables repeat its value.
std::size_t measured_sizes(const core::CsvRecord& record) {
    std::size_t last = kSizeCount;
    const auto text = [&](std::size_t i) -> const std::string& { return record.text(kSizes[i]); };
    while (last >= 2 && !text(last - 1).empty() && text(last - 1) == text(last - 2)) --last;
    return kSizeCount - last < 2 ? kSizeCount : last;
}

Answer cycles_of(const mesh::ChipSpec& chip, const NocTraffic& traffic) {
    const mesh::NocTime time = mesh::noc_time(chip.kernels->noc, traffic);
    Answer answer;
    answer.value = static_cast<double>(time.total().value);
    answer.text = fmt::format("{} cycles", time.total().value);
    answer.why = fmt::format("way {:.0f}, issue {:.0f}, data {:.0f} cycles", time.way, time.issue,
                             time.data);
    return answer;
}

std::vector<AskedRow> ask_latency(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow base;
    const std::string& arch = record.text("arch");
    const auto chip = chip_of(arch, library);
    base.group = fmt::format("cycles {} {} {} {}", arch, record.text("mechanism"),
                             record.text("pattern"), record.text("memory"));
    if (const auto* unknown = std::get_if<Unknown>(&chip)) {
        base.skipped = unknown->reason;
        return {base};
    }
    const auto asked = traffic_of(record, std::get<mesh::ChipSpec>(chip).worker_grid);
    if (const auto* reason = std::get_if<std::string>(&asked)) {
        base.skipped = *reason;
        return {base};
    }
    NocTraffic traffic = std::get<NocTraffic>(asked);
    std::vector<AskedRow> rows;
    const std::size_t known = measured_sizes(record);
    for (std::size_t i = 0; i < kSizeCount; ++i) {
        const auto cycles = optional_number(record, kSizes[i]);
        if (!cycles) continue;
        if (*cycles <= 0) throw record.unexpected(kSizes[i], "cycles, above 0");
        AskedRow row = base;
        row.measured = *cycles;
        row.measured_text = fmt::format("{:.0f} cycles", *cycles);
        traffic.size = {std::int64_t{64} << i};
        if (i >= known) row.skipped = "the source repeats the value of a smaller size";
        row.questions.push_back(
            {fmt::format("{}: {} x {} B, line {}", base.group, traffic.transactions,
                         traffic.size.value, record.line()),
             [chip = std::get<mesh::ChipSpec>(chip), traffic] {
                 return cycles_of(chip, traffic);
             }});
        rows.push_back(std::move(row));
    }
    return rows;
}

/// A test of test_bounds.yaml: what its cores do, with as large packets as there are.
struct BoundedTest {
    std::string_view name;
    NocOp op = NocOp::Write;
    NocMemory memory = NocMemory::L1;
    mesh::Grid senders{1, 1};  // 0x0: all workers
    mesh::Grid targets{1, 1};  // 0x0: all workers
    NocSender sender = NocSender::Outside;
};
constexpr mesh::Grid kAll{0, 0};
constexpr BoundedTest kTests[] = {
    {"DRAM Directed Ideal", NocOp::Read, NocMemory::DramBank},
    {"One to One Directed Ideal"},
    {"One from One Directed Ideal", NocOp::Read},
    {"One to All Unicast Directed Ideal", NocOp::Write, NocMemory::L1, {1, 1}, kAll},
    {"One to All Multicast Directed Ideal", NocOp::Multicast, NocMemory::L1, {1, 1}, kAll},
    {"One to All Multicast Linked Directed Ideal",
     NocOp::MulticastLinked,
     NocMemory::L1,
     {1, 1},
     kAll},
    {"One to All Multicast Linked Semaphore Directed Ideal",
     NocOp::MulticastLinked,
     NocMemory::L1,
     {1, 1},
     kAll},
    {"One to All Multicast Linked Loopback Directed Ideal 2.0",
     NocOp::MulticastLinked,
     NocMemory::L1,
     {1, 1},
     kAll,
     NocSender::AmongTargets},
    {"One from All Directed Ideal", NocOp::Read, NocMemory::L1, {1, 1}, kAll},
    {"DRAM Interleaved Page Directed Ideal", NocOp::Read, NocMemory::DramInterleaved},
    {"L1 Interleaved Page Directed Ideal", NocOp::Read, NocMemory::L1, {1, 1}, kAll},
    {"One Packet Read Directed Ideal", NocOp::Read},
    {"One Packet Write Directed Ideal"},
    {"DRAM Sharded Read Directed Ideal", NocOp::Read, NocMemory::DramInterleaved},
    {"DRAM Sharded Read Transaction ID Directed Ideal", NocOp::Read, NocMemory::DramInterleaved},
    {"Multi Interleaved Read Directed Ideal", NocOp::Read, NocMemory::DramInterleaved, kAll},
    {"Multi Interleaved Write Directed Ideal", NocOp::Write, NocMemory::DramInterleaved, kAll},
    {"Multi Interleaved 2x2 Read Directed Ideal", NocOp::Read, NocMemory::DramInterleaved, {2, 2}},
    {"Multi Interleaved 2x2 Write Directed Ideal",
     NocOp::Write,
     NocMemory::DramInterleaved,
     {2, 2}},
    {"Multi Interleaved 6x6 Read Directed Ideal", NocOp::Read, NocMemory::DramInterleaved, {6, 6}},
    {"Multi Interleaved 6x6 Write Directed Ideal",
     NocOp::Write,
     NocMemory::DramInterleaved,
     {6, 6}},
    {"Loopback Directed Ideal"},
};

constexpr std::string_view kStream =
    "tt-npe steady-state bandwidth of one transfer at packet size ";

/// The path of "tt-npe read latency PATH".
std::optional<mesh::NocPath> read_path(std::string_view test) {
    if (test == "tt-npe read latency same column") return mesh::NocPath::SameColumn;
    if (test == "tt-npe read latency same row") return mesh::NocPath::SameRow;
    if (test == "tt-npe read latency different row and column") return mesh::NocPath::Turns;
    return {};
}

std::optional<NocTraffic> traffic_of(std::string_view test, const mesh::ChipSpec& chip) {
    NocTraffic traffic;
    traffic.transactions = kSteady;
    traffic.size = chip.kernels->noc.packet;
    if (const auto path = read_path(test)) {
        return NocTraffic{.op = NocOp::Read, .size = chip.kernels->noc.flit, .path = *path};
    }
    if (test.starts_with(kStream)) {
        traffic.size = {std::atoll(std::string(test.substr(kStream.size())).c_str())};
        if (traffic.size.value < 1) return {};
        return traffic;
    }
    for (const BoundedTest& known : kTests) {
        if (known.name != test) continue;
        const auto grid = [&](mesh::Grid asked) {
            return asked == kAll ? chip.worker_grid : asked;
        };
        traffic.op = known.op;
        traffic.memory = known.memory;
        traffic.senders = grid(known.senders).cores();
        traffic.targets = grid(known.targets);
        traffic.sender = known.sender;
        return traffic;
    }
    return {};
}

double bytes_per_cycle(const mesh::ChipSpec& chip, const NocTraffic& traffic) {
    const auto bytes = static_cast<double>(traffic.size.value * traffic.transactions);
    return bytes / static_cast<double>(noc_time(chip.kernels->noc, traffic).total().value);
}

Answer rate_answer(double value, std::string why) {
    return {value, fmt::format("{:.2f} B/cycle", value), std::move(why), {}, {}};
}

/// Kernels of every core read and write: the banks do one after the other.
std::optional<double> both_ways(const std::string& test, const mesh::ChipSpec& chip) {
    const std::size_t end = test.find(" Directed");
    if (!test.starts_with("Multi Interleaved") || end == std::string::npos) return {};
    const auto reads = traffic_of(test.substr(0, end) + " Read Directed Ideal", chip);
    const auto writes = traffic_of(test.substr(0, end) + " Write Directed Ideal", chip);
    if (!reads || !writes) return {};
    return 1 / (1 / bytes_per_cycle(chip, *reads) + 1 / bytes_per_cycle(chip, *writes));
}

std::optional<Answer> bandwidth_answer(const std::string& test, const mesh::ChipSpec& chip) {
    if (const auto both = both_ways(test, chip)) return rate_answer(*both, "reads, then writes");
    const auto traffic = traffic_of(test, chip);
    if (!traffic) return {};
    if (read_path(test)) return cycles_of(chip, *traffic);
    return rate_answer(bytes_per_cycle(chip, *traffic), "steady");
}

AskedRow ask_bandwidth(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    const std::string& test = record.text("test");
    const bool npe = test.starts_with("tt-npe");
    const auto value = optional_number(record, "value");
    if (!value || *value <= 0) throw record.unexpected("value", "a number above 0");
    row.measured = *value;
    row.measured_text = fmt::format("{:.1f}", *value);
    row.group = fmt::format("value {} {}", record.text("arch"), npe ? "tt-npe" : "bounds");
    const auto found = chip_of(record.text("arch"), library);
    if (const auto* unknown = std::get_if<Unknown>(&found)) {
        row.skipped = unknown->reason;
        return row;
    }
    const mesh::ChipSpec& chip = std::get<mesh::ChipSpec>(found);
    const auto answer = bandwidth_answer(test, chip);
    if (!answer) {
        row.skipped = npe || test.starts_with("ISA") ? "a constant of hardware or of another model"
                                                     : "traffic the table does not tell";
        return row;
    }
    row.questions.push_back(
        {fmt::format("{} on {}", test, chip.name), [answer] { return *answer; }});
    return row;
}

}  // namespace

TableKind noc_latency_kind() {
    return {"network on chip, cycles",
            {"arch", "mechanism", "pattern", "memory", "num_transactions", "num_subordinates",
             "same_axis", "stateful", "loopback", "b64"},
            Scoring::Error,
            nullptr,
            ask_latency};
}

TableKind noc_bandwidth_kind() {
    return {"network on chip, bandwidth",
            {"test", "arch", "riscv", "value", "unit"},
            Scoring::Error,
            ask_bandwidth};
}

}  // namespace model
