// Tables of DRAM bandwidth: readers next to their banks, readers anywhere, matmuls, one bank. What
// banks deliver is in topologies/chips; a read that waits for the one before it pays the way over
// the network on chip (mesh/noc.h) every time; a short read pays the launch. GB/s.
// Sources of such tables: tenstorrent/tt-metal: tech_reports/Saturating_DRAM_bandwidth and
// tests/tt_metal/tt_metal/perf_microbenchmark.
#include <fmt/format.h>

#include "core/error.h"
#include "mesh/kernel_spec.h"
#include "model/validate_kinds.h"
#include "tensor/dtype.h"

namespace model {
namespace {

/// What a row says of the reading.
struct Read {
    std::string test;
    double peak = 0;   // GB/s of this card; 0: the chip's own
    double bytes = 0;  // of the whole read; 0: so many that the launch does not show
    core::Bytes packet;
    std::int64_t readers = 0;
    std::int64_t outstanding = 0;
    std::string placement;
};

double giga(core::BytesPerSecond rate) { return static_cast<double>(rate.value) * 1e-9; }

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

double one_bank(const mesh::ChipSpec& chip) {
    return chip.kernels->noc.bank_bytes_per_cycle * static_cast<double>(chip.clock.value) * 1e-9;
}

/// Readers that each wait for their packet before they ask for the next.
double one_at_a_time(const mesh::ChipSpec& chip, const Read& read) {
    const mesh::NocTraffic traffic{.op = mesh::NocOp::Read,
                                   .memory = mesh::NocMemory::DramBank,
                                   .transactions = 1,
                                   .size = read.packet};
    const core::Cycles cycles = noc_time(chip.kernels->noc, traffic).total();
    const double seconds =
        static_cast<double>(cycles.value) / static_cast<double>(chip.clock.value);
    return static_cast<double>(read.readers * read.packet.value) / seconds * 1e-9;
}

/// Of a card whose DRAM runs at another speed than the chip's file says.
double scaled(double rate, const mesh::ChipSpec& chip, const Read& read) {
    return read.peak > 0 ? rate * read.peak / giga(chip.dram.peak) : rate;
}

double with_launch(double rate, const mesh::ChipSpec& chip, const Read& read) {
    if (read.bytes <= 0) return rate;
    const double seconds = read.bytes / (rate * 1e9) + core::to_seconds(chip.launch.launch_floor);
    return read.bytes / seconds * 1e-9;
}

Answer answer(const mesh::ChipSpec& chip, const Read& read) {
    Answer answer;
    if (read.readers == 1) {
        answer.value = one_bank(chip);
        answer.why = "one bank";
    } else if (has(read.test, "matmul") || has(read.test, "prefetcher op")) {
        const bool interleaved = has(read.test, "interleaved");
        answer.value =
            scaled(giga(interleaved ? chip.dram.interleaved : chip.dram.sharded), chip, read);
        answer.why = "a matmul reads";
    } else if (read.outstanding == 1) {
        answer.value = one_at_a_time(chip, read);
        answer.why = "one read at a time";
    } else if (read.placement == "arbitrary") {
        answer.value = giga(chip.dram.interleaved);
        answer.why = "readers anywhere";
    } else {
        const double rate =
            scaled(chip.kernels->noc.dram_efficiency * giga(chip.dram.peak), chip, read);
        answer.value = with_launch(rate, chip, read);
        answer.why = "readers next to their banks";
    }
    answer.text = fmt::format("{:.1f} GB/s", answer.value);
    return answer;
}

std::string problem_of(const core::CsvRecord& record) {
    if (record.text("kind") == "spec") return "a rating, no measurement";
    if (record.text("kind") == "model constant") return "a constant of another model";
    if (record.text("unit") != "GB/s") return "unit " + record.text("unit");
    if (has(record.text("test"), "FlashDecode")) return "an attention op";
    if (has(record.text("test"), "barrier per block")) return "reads per barrier not told";
    return {};
}

double bytes_of(const core::CsvRecord& record) {
    const auto k = record.optional_integer("K", 1, 1 << 24);
    const auto n = record.optional_integer("N", 1, 1 << 24);
    const std::string& name = record.text("dtype");
    if (!k || !n || name.empty()) return 0;
    const auto dtype = tensor::parse_dtype(name);
    if (!dtype) throw record.unexpected("dtype", "a known dtype");
    const auto tile = static_cast<double>(tensor::tile_bytes(*dtype).value);
    return static_cast<double>(*k) * static_cast<double>(*n) / 1024 * tile;
}

AskedRow ask(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    row.skipped = problem_of(record);
    const auto value = optional_number(record, "value");
    if (!value || *value <= 0) throw record.unexpected("value", "a number above 0");
    row.measured = *value;
    row.measured_text = fmt::format("{:.1f} GB/s", *value);
    if (!row.skipped.empty()) return row;
    const std::string& arch = record.text("arch");
    const auto found = library.group(arch == "blackhole" ? "P150" : "N150", 1);
    if (const auto* unknown = std::get_if<Unknown>(&found)) {
        row.skipped = unknown->reason;
        return row;
    }
    Read read;
    read.test = record.text("test");
    read.peak = optional_number(record, "peak_GBps").value_or(0);
    read.bytes = bytes_of(record);
    read.packet = {record.optional_integer("packet_bytes", 1, 1 << 20).value_or(0)};
    read.readers = record.optional_integer("reader_cores", 1, 1024).value_or(0);
    read.outstanding = record.optional_integer("outstanding", 1, 1024).value_or(0);
    read.placement = record.text("placement");
    row.group = fmt::format("value {} {}", arch, record.text("kind"));
    row.questions.push_back(
        {fmt::format("{}: {}, line {}", arch, read.test, record.line()),
         [chip = std::get<fabric::Mesh>(found).system.chip, read] { return answer(chip, read); }});
    return row;
}

}  // namespace

TableKind dram_bandwidth_kind() {
    return {"DRAM bandwidth",
            {"arch", "test", "kind", "value", "unit", "peak_GBps", "reader_cores", "K", "N",
             "dtype", "packet_bytes", "outstanding", "placement"},
            Scoring::Error,
            ask};
}

}  // namespace model
