// Tables of program launches: every row names a case of tt-metal's benchmark, whose programs are
// known by its source; the case becomes dispatch::LaunchShapes, and their period is compared with
// the measured time per program. The newest rows ask the newest release, older ones theirs.
// Rows of other things (settings, memory, profiler reports, sizes of traces) are skipped by reason.
// Cases: tenstorrent/tt-metal:
// tests/tt_metal/tt_metal/perf_microbenchmark/dispatch/test_pgm_dispatch.cpp (2026).
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "core/error.h"
#include "dispatch/launch_time.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

using dispatch::Binaries;
using dispatch::LaunchShape;

// Which of a core's processors have kernels.
enum Processors : unsigned { kBrisc = 1, kNcrisc = 2, kCompute = 4, kAll = 7 };

struct Case {
    unsigned processors = kAll;
    enum class Cores { One, Column, Grid } cores = Cores::One;
    std::int64_t unique_args = 0;  // per kernel
    std::int64_t common_args = 0;  // per kernel
    std::int64_t circular_buffers = 0;
    std::int64_t semaphores = 0;
    std::int64_t kernel_groups = 1;  // 0: one for each column but the last
    std::int64_t buffer_groups = 1;
    std::int64_t fast_programs = 0;  // without run time, after each slow one
    std::int64_t slow_cycles = 0;
    bool is_cold = false;  // programs that together do not fit the prefetcher's cache
    bool is_traced = true;
    dispatch::LaunchOptions launch{};
    std::int64_t kernel_bytes = 1024;
};

// The grid that get_core_count() of the benchmark spans on a chip with workers left for it.
mesh::Grid benchmark_grid(mesh::Arch arch) {
    return arch == mesh::Arch::WormholeB0 ? mesh::Grid{8, 7} : mesh::Grid{11, 9};
}

using Cases = std::map<std::string, Case, std::less<>>;

// One group of kernels: what is written to its cores.
void add_plain_cases(Cases& all) {
    using enum Case::Cores;
    all["brisc_only"] = {.processors = kBrisc};
    all["ncrisc_only"] = {.processors = kNcrisc};
    all["trisc_only"] = {.processors = kCompute};
    all["brisc_trisc_only"] = {.processors = kBrisc | kCompute};
    all["all_processors"] = {};
    all["all_processors_all_cores"] = {.cores = Grid};
    all["all_processors_all_cores_1cb"] = {.cores = Grid, .circular_buffers = 1};
    all["all_processors_all_cores_32cb"] = {.cores = Grid, .circular_buffers = 32};
    all["all_processors_all_cores_1cb_1sem"] = {
        .cores = Grid, .circular_buffers = 1, .semaphores = 1};
    all["all_processors_1_core_1_rta"] = {.unique_args = 1};
    all["all_processors_1_core_1_crta"] = {.common_args = 1};
    all["all_processors_1_core_128_crta"] = {.common_args = 128};
    all["one_processor_all_cores_128_rta"] = {
        .processors = kBrisc, .cores = Grid, .unique_args = 128};
    all["one_processors_all_cores_1_rta"] = {.processors = kBrisc, .cores = Grid, .unique_args = 1};
    for (const std::int64_t count : {1, 32, 128}) {
        const std::string name = fmt::format("all_processors_all_cores_{}_", count);
        all[name + "rta"] = {.cores = Grid, .unique_args = count};
        all[name + "crta"] = {.cores = Grid, .common_args = count};
    }
    all["sems_1_core_1_processor"] = {.processors = kBrisc, .semaphores = 4};
    all["sems_all_cores_1_processor"] = {.processors = kBrisc, .cores = Grid, .semaphores = 4};
    all["maxed_config_params"] = {
        .cores = Grid, .unique_args = 128, .circular_buffers = 32, .semaphores = 4};
    all["eth_dispatch"] = {.processors = kBrisc, .launch = {.core = mesh::DispatchCore::Ethernet}};
}

// Several groups, or kernels that run for a while.
void add_group_and_time_cases(Cases& all) {
    using enum Case::Cores;
    for (const std::int64_t count : {1, 32}) {
        all[fmt::format("all_processors_all_cores_{}cb_8g", count)] = {
            .cores = Grid, .circular_buffers = count, .buffer_groups = 8};
        all[fmt::format("kernel_groups_{}_cb", count)] = {
            .cores = Grid, .circular_buffers = count, .kernel_groups = 8};
    }
    all["kernel_groups"] = {.cores = Grid, .kernel_groups = 8};
    all["kernel_groups_1_rta"] = {.cores = Grid, .unique_args = 1, .kernel_groups = 8};
    all["kernel_groups_128_rta"] = {.cores = Grid, .unique_args = 128, .kernel_groups = 8};
    for (const std::int64_t fast : {4, 5}) {
        all[fmt::format("kernel_groups_{}_shadow", fast)] = {
            .cores = Grid, .kernel_groups = 0, .fast_programs = fast, .slow_cycles = 40'000};
    }
    for (const std::int64_t cycles : {5000, 10000}) {
        all[fmt::format("{}_kernel_all_cores_all_processors_32_cbs", cycles)] = {
            .cores = Grid, .circular_buffers = 32, .slow_cycles = cycles};
    }
    all["256_bytes_brisc_only_all_processors"] = {.processors = kBrisc, .cores = Grid};
    all["256_bytes_brisc_only_left_processors_subdevices"] = {.processors = kBrisc,
                                                              .cores = Column};
    all["load_prefetcher_test"] = {.slow_cycles = 2000, .is_cold = true};
}

Cases cases() {
    Cases all;
    add_plain_cases(all);
    add_group_and_time_cases(all);
    return all;
}

LaunchShape shape_of(const Case& what, mesh::Grid grid) {
    LaunchShape shape;
    const bool column = what.cores == Case::Cores::Column;
    shape.cores = what.cores == Case::Cores::One ? 1 : column ? grid.y : grid.cores();
    const std::int64_t kernels = what.kernel_groups == 0 ? grid.x - 1 : what.kernel_groups;
    shape.groups = std::max(kernels, what.buffer_groups);
    // The first group of circular buffers is a column here, the others are one core each.
    if (what.buffer_groups > 1) shape.configured_cores = grid.y + what.buffer_groups - 1;
    std::int64_t count = 0;  // the three compute processors share one kernel and its arguments
    shape.processors = 0;
    for (const unsigned one : {kBrisc, kNcrisc, kCompute}) {
        if ((what.processors & one) == 0) continue;
        ++count;
        shape.processors += one == kCompute ? 3 : 1;
    }
    shape.unique_args = what.unique_args * count;
    shape.common_args = what.common_args * count;
    shape.circular_buffers = what.circular_buffers;
    shape.semaphores = what.semaphores;
    shape.kernel = {what.kernel_bytes};
    if ((what.processors & kNcrisc) != 0) shape.iram_kernel = shape.kernel;
    return shape;
}

// One slow program and the fast ones behind it, over and over.
core::Picoseconds shadow_period(const Case& what, const LaunchShape& shape, core::Picoseconds slow,
                                const mesh::ChipSpec& chip) {
    using dispatch::launch_period;
    const auto cost = [&](Binaries where) {
        return dispatch::launch_cost(shape, where, chip, what.launch);
    };
    const dispatch::LaunchCost resident =
        cost(what.is_traced ? Binaries::Resident : Binaries::Fetched);
    const dispatch::LaunchCost change = cost(what.is_traced ? Binaries::Cached : Binaries::Fetched);
    if (change.ring + change.ring > chip.kernels->launch.config_ring) {
        // Neither program stays when the other comes.
        return launch_period(change, slow, chip) + launch_period(change, {}, chip) +
               launch_period(resident, {}, chip) * (what.fast_programs - 1);
    }
    const core::Picoseconds busy = resident.load + chip.launch.traced_gap;
    return std::max(slow + busy * (what.fast_programs + 1),
                    resident.dispatch * (what.fast_programs + 1));
}

Answer answer(const Case& what, const mesh::ChipSpec& chip) {
    const LaunchShape shape = shape_of(what, benchmark_grid(chip.arch));
    const core::Picoseconds kernel = core::duration(core::Cycles{what.slow_cycles}, chip.clock);
    const Binaries binaries = !what.is_traced ? Binaries::Fetched
                              : what.is_cold  ? Binaries::Cached
                                              : Binaries::Resident;
    const dispatch::LaunchCost cost = dispatch::launch_cost(shape, binaries, chip, what.launch);
    const core::Picoseconds period = what.fast_programs > 0
                                         ? shadow_period(what, shape, kernel, chip)
                                         : dispatch::launch_period(cost, kernel, chip);
    Answer answer;
    answer.value = core::to_us(period);
    answer.text = fmt::format("{:.3f} us", answer.value);
    answer.why = fmt::format("{:.3f} us of dispatch, {:.3f} us of kernel and gap",
                             core::to_us(cost.dispatch),
                             core::to_us(kernel + cost.load + chip.launch.traced_gap));
    return answer;
}

std::int64_t number_of(const core::CsvRecord& record, std::string_view column,
                       std::string_view text) {
    std::int64_t number = 0;
    const auto [stop, code] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (code != std::errc{} || stop != text.data() + text.size() || number < 0 ||
        number > 1'000'000) {
        throw record.unexpected(column, "a size in bytes or a count of cycles");
    }
    return number;
}

// The part of `text` behind `key` and before the next blank or semicolon; empty: no such key.
std::string_view setting(std::string_view text, std::string_view key) {
    const std::size_t at = text.find(key);
    if (at == std::string_view::npos) return {};
    text.remove_prefix(at + key.size());
    return text.substr(0, text.find_first_of(" ;"));
}

// "all_processors_no_trace" -> the case, not traced.
std::optional<Case> named(std::string_view name) {
    static const Cases kCases = cases();
    const bool is_traced = name.find("_no_trace") == std::string_view::npos;
    for (const std::string_view tail : {"_no_trace", "_trace"}) {
        if (!name.ends_with(tail)) continue;
        name.remove_suffix(tail.size());
        break;
    }
    const auto found = kCases.find(name);
    if (found == kCases.end()) return {};
    Case what = found->second;
    what.is_traced = is_traced;
    return what;
}

AskedRow ask_case(const std::optional<Case>& what, const std::string& name,
                  const std::string& group, const core::CsvRecord& record,
                  const ModelLibrary& library) {
    AskedRow row;
    if (!what) {
        row.skipped = "no case of the benchmark: " + name;
        return row;
    }
    const std::string arch = lower_case(record.text("arch"));
    if (arch != "wormhole_b0" && arch != "blackhole") {
        throw record.unexpected("arch", "wormhole_b0 or blackhole");
    }
    const auto found = library.group(arch == "blackhole" ? "P150" : "N300", 1);
    const mesh::ChipSpec& chip = std::get<fabric::Mesh>(found).system.chip;
    row.group = arch + " " + group;
    row.questions.push_back(
        {fmt::format("{} on {}, {} B kernels, {} cycles, release {}", name, chip.name,
                     what->kernel_bytes, what->slow_cycles, static_cast<int>(what->launch.release)),
         [chip, what = *what] { return answer(what, chip); }});
    return row;
}

double measured(const core::CsvRecord& record, double us_per_unit) {
    const auto value = optional_number(record, "value");
    if (!value || *value <= 0) throw record.unexpected("value", "a time above 0");
    return *value * us_per_unit;
}

void set_measured(AskedRow& row, double us) {
    row.measured = us;
    row.measured_text = fmt::format("{:.3f} us", us);
}

dispatch::Release release_of(std::string_view date) {
    if (date < "2026") return dispatch::Release::R2025;
    return date < "2026-08" ? dispatch::Release::R2026_05 : dispatch::Release::R2026_09;
}

AskedRow ask_dispatch(const core::CsvRecord& record, const ModelLibrary& library) {
    const std::string& category = record.text("category");
    if (category == "host_device_bandwidth") return ask_host_bandwidth(record, library);
    AskedRow row;
    const bool is_launch =
        category.starts_with("program_dispatch") || category == "kernel_cycles_sweep";
    if (!is_launch) {
        const bool host = category == "host_cost";
        row.skipped = host ? "host time, architecture not stated" : "no launch: " + category;
        return row;
    }
    if (record.text("unit") != "s") throw record.unexpected("unit", "s");
    const std::string& config = record.text("config");
    const std::string name = config.substr(0, config.find_first_of(" ;"));
    std::optional<Case> what = named(name);
    if (what) {
        const std::string_view size = setting(config, "kernel_size=");
        const std::string_view cycles = setting(config, "slow_kernel_cycles=");
        what->kernel_bytes = size.empty() ? 256 : number_of(record, "config", size);
        if (!cycles.empty()) what->slow_cycles = number_of(record, "config", cycles);
        what->launch.release = release_of(record.text("source_date"));
    }
    row = ask_case(what, name, category, record, library);
    set_measured(row, measured(record, 1e6));
    return row;
}

AskedRow ask_latency(const core::CsvRecord& record, const ModelLibrary& library) {
    const std::string& name = record.text("config");
    if (record.text("unit") != "us per program") throw record.unexpected("unit", "us per program");
    const std::string& benchmark = record.text("benchmark");
    std::optional<Case> what = named(name);
    if (what) {
        const std::string_view column = "arg_kernel_bytes_or_cycles";
        const std::int64_t number = number_of(record, column, record.text(column));
        const bool is_cycles = benchmark.ends_with("vary_slow_cycles");
        what->kernel_bytes = is_cycles ? 256 : number;
        if (is_cycles) what->slow_cycles = number;
        what->launch.release = dispatch::Release::R2026_05;
    }
    AskedRow row = ask_case(what, name, benchmark, record, library);
    set_measured(row, measured(record, 1));
    return row;
}

}  // namespace

TableKind dispatch_kind() {
    return {"dispatch",
            {"category", "metric", "arch", "system", "config", "value", "unit", "source_date"},
            Scoring::Error,
            ask_dispatch};
}

TableKind dispatch_latency_kind() {
    return {"dispatch latency",
            {"arch", "benchmark", "config", "arg_kernel_bytes_or_cycles", "value", "unit"},
            Scoring::Error,
            ask_latency};
}

}  // namespace model
