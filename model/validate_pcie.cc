// Tables of host transfers: a row's bytes, pages and memory are asked of dispatch::host_transfer
// and compared as a rate. Rows of host calls include the fixed cost of the call; those of a device
// kernel are one core's transactions. Source of such tables: tenstorrent/tt-metal:
// tests/tt_metal/tt_metal/perf_microbenchmark/dispatch (benchmark_rw_buffer goldens) and
// tech_reports/PCIe_bandwidth.
#include <fmt/format.h>

#include <cstdlib>

#include "core/error.h"
#include "dispatch/host_transfer.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

using dispatch::Direction;
using dispatch::HostMemory;
using dispatch::HostTransfer;
using dispatch::Reach;
using dispatch::Release;

enum class Mover { Host, Kernel };

struct Asked {
    HostTransfer transfer;
    Mover mover = Mover::Host;
    Release release = Release::R2026_05;
};

std::string rate_text(double giga_per_second) {
    return fmt::format("{:.3f} GB/s", giga_per_second);
}

Answer answer(const Asked& asked, const mesh::ChipSpec& chip) {
    const HostTransfer& transfer = asked.transfer;
    const core::Picoseconds time =
        asked.mover == Mover::Kernel
            ? dispatch::kernel_transfer_time(transfer.size, transfer.page, chip)
            : dispatch::transfer_time(transfer, chip, asked.release) +
                  dispatch::call_time(transfer.direction, chip);
    Answer answer;
    answer.value = static_cast<double>(transfer.size.value) * 1e-9 / core::to_seconds(time);
    answer.text = rate_text(answer.value);
    answer.why = fmt::format("{:.2f} us in all", core::to_us(time));
    return answer;
}

AskedRow asked_row(const Asked& asked, const char* product, double giga_per_second,
                   const ModelLibrary& library) {
    AskedRow row;
    const auto found = library.group(product, 1);
    const mesh::ChipSpec& chip = std::get<fabric::Mesh>(found).system.chip;
    const HostTransfer& transfer = asked.transfer;
    const char* const by = asked.mover == Mover::Kernel ? "kernel" : "host";
    const std::string what =
        fmt::format("{} {}{}{}{}", transfer.direction == Direction::Write ? "write" : "read", by,
                    transfer.memory == HostMemory::Pinned ? ", pinned" : "",
                    transfer.reach == Reach::Remote ? ", remote" : "",
                    transfer.contiguous_pages > 0 ? ", sharded" : "");
    row.measured = giga_per_second;
    row.measured_text = rate_text(giga_per_second);
    row.group = fmt::format("{} {}", product, what);
    row.questions.push_back(
        {fmt::format("{} of {} B in {} B pages, runs of {}, on {}, release {}", what,
                     transfer.size.value, transfer.page.value, transfer.contiguous_pages, chip.name,
                     static_cast<int>(asked.release)),
         [chip, asked] { return answer(asked, chip); }});
    return row;
}

std::int64_t count_of(const core::CsvRecord& record, std::string_view column) {
    const auto count = record.optional_integer(column, 1, std::int64_t{1} << 40);
    if (!count) throw record.unexpected(column, "an integer above 0");
    return *count;
}

AskedRow ask(const core::CsvRecord& record, const ModelLibrary& library) {
    if (record.text("unit") != "GB/s") throw record.unexpected("unit", "GB/s");
    const auto rate = optional_number(record, "value");
    if (!rate || *rate <= 0) throw record.unexpected("value", "GB/s above 0");
    const std::string& direction = record.text("direction");
    if (direction != "H2D" && direction != "D2H") {
        throw record.unexpected("direction", "H2D or D2H");
    }
    Asked asked;
    asked.transfer.size = {count_of(record, "transfer_bytes")};
    asked.transfer.page = {count_of(record, "page_size_bytes")};
    asked.transfer.direction = direction == "H2D" ? Direction::Write : Direction::Read;
    const bool is_pinned = lower_case(record.text("host_memory")) == "pinned";
    asked.transfer.memory = is_pinned ? HostMemory::Pinned : HostMemory::Staged;
    const bool is_remote = record.text("chip").find("remote") != std::string::npos;
    asked.transfer.reach = is_remote ? Reach::Remote : Reach::Local;
    if (!record.text("contiguous_pages").empty()) {
        asked.transfer.contiguous_pages = count_of(record, "contiguous_pages");
    }
    if (record.text("level").starts_with("device kernel")) asked.mover = Mover::Kernel;
    const bool is_wormhole = record.text("arch") == "wormhole_b0";
    return asked_row(asked, is_wormhole ? "N300" : "P150", *rate, library);
}

// "page_size=32 B; size=67108864 B; buffer=DRAM; device=0": the number behind a key.
std::optional<std::int64_t> setting(const std::string& config, std::string_view key) {
    const std::size_t at = config.find(key);
    if (at == std::string::npos) return {};
    return std::strtoll(config.c_str() + at + key.size(), nullptr, 10);
}

}  // namespace

AskedRow ask_host_bandwidth(const core::CsvRecord& record, const ModelLibrary& library) {
    constexpr std::int64_t kShardedPage = 1024;  // benchmark_rw_buffer.cpp, WriteSharded
    const std::string& metric = record.text("metric");
    const std::string& config = record.text("config");
    if (record.text("unit") != "B/s") throw record.unexpected("unit", "B/s");
    const auto rate = optional_number(record, "value");
    if (!rate || *rate <= 0) throw record.unexpected("value", "B/s above 0");
    Asked asked;
    asked.release = Release::R2026_09;
    const auto size = setting(config, "; size=");
    if (!size || *size <= 0) throw record.unexpected("config", "size=BYTES B");
    const auto page = setting(config, "page_size=");
    const auto run = setting(config, "contiguity=");
    asked.transfer.size = {*size};
    asked.transfer.page = {std::max<std::int64_t>(page.value_or(kShardedPage), 1)};
    asked.transfer.contiguous_pages = run.value_or(0);
    asked.transfer.direction = metric.starts_with("Write") ? Direction::Write : Direction::Read;
    if (metric.find("Pinned") != std::string::npos) asked.transfer.memory = HostMemory::Pinned;
    if (setting(config, "device=").value_or(0) > 0) asked.transfer.reach = Reach::Remote;
    const bool is_wormhole = record.text("arch") == "wormhole_b0";
    return asked_row(asked, is_wormhole ? "N300" : "P150", *rate * 1e-9, library);
}

TableKind pcie_kind() {
    return {"host transfers",
            {"arch", "level", "direction", "chip", "page_size_bytes", "contiguous_pages",
             "transfer_bytes", "host_memory", "value", "unit"},
            Scoring::Error,
            ask};
}

}  // namespace model
