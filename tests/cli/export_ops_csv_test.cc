// The profiler's table, read back by the rules of tenstorrent/tt-perf-report
// src/tt_perf_report/perf_report.py: what it needs, and what it would say.
#include "cli/export_ops_csv.h"

#include <memory>
#include <set>

#include "tests/cli/recorded.h"
#include "tests/core/temp_folder.h"

namespace {

using core::literals::operator""_GBps;
using core::literals::operator""_us;

constexpr const char* k8B = TESSERA_SOURCE_DIR "/models/configs/Llama-3.1-8B-Instruct";

using Line = std::map<std::string, std::string>;

std::vector<Line> lines_of(const std::string& text) {
    const core::CsvTable table = core::parse_csv(text, "ops.csv");
    std::vector<Line> lines;
    for (const core::CsvRow& row : table.rows) {
        Line line;
        for (std::size_t i = 0; i < table.columns.size(); ++i)
            line[table.columns[i]] = row.fields[i];
        lines.push_back(std::move(line));
    }
    return lines;
}

std::vector<Line> csv_of(const TempFolder& folder, std::vector<std::string> words) {
    const std::string file = (folder.path() / "ops.csv").string();
    words.insert(words.begin(), "sim");
    words.insert(words.end(), {"--ops-csv", file});
    const Outcome outcome = tessera(words);
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return lines_of(read_file(file));
}

/// Rows after the last signpost: what tt-perf-report looks at.
std::vector<Line> last_step(const std::vector<Line>& lines) {
    std::vector<Line> step;
    for (const Line& line : lines) {
        if (line.at("OP TYPE") == "signpost") {
            step.clear();
        } else {
            step.push_back(line);
        }
    }
    return step;
}

double number(const Line& line, const std::string& column) { return std::stod(line.at(column)); }

/// physical[logical]: the physical extent counts.
double elements(const Line& line, const std::string& tensor) {
    double product = 1;
    for (const char* axis : {"W", "Z", "Y", "X"}) {
        product *= std::stod(line.at(tensor + "_" + axis + "_PAD[LOGICAL]"));
    }
    return product;
}

/// The digits of the name are bits: BFLOAT8_B counts a byte.
double datatype_bytes(const std::string& name) {
    const std::size_t digit = name.find_first_of("0123456789");
    return digit == std::string::npos ? 4.0 : std::stod(name.substr(digit)) / 8;
}

/// Percent of 288 GB/s.
double dram_percent(const Line& line) {
    double bytes = 0;
    for (const char* tensor : {"INPUT_0", "INPUT_1", "OUTPUT_0"}) {
        const std::string name = tensor;
        if (!says(line.at(name + "_MEMORY"), "DRAM")) continue;
        bytes += elements(line, name) * datatype_bytes(line.at(name + "_DATATYPE"));
    }
    return bytes / number(line, "DEVICE KERNEL DURATION [ns]") / 288 * 100;
}

/// Percent of the cores' peak; DRAM-sharded matmuls count 12 cores.
double flops_percent(const Line& line) {
    const std::map<std::string, double> peak{{"HiFi4", 74}, {"HiFi2", 148}, {"LoFi", 262}};
    const bool on_banks =
        says(line.at("ATTRIBUTES"), "MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig");
    const double cores = on_banks ? 12 : number(line, "CORE COUNT");
    const double flops = 2 * elements(line, "INPUT_0") * number(line, "INPUT_1_X_PAD[LOGICAL]");
    const double tflops = flops / number(line, "DEVICE KERNEL DURATION [ns]") / 1e3;
    return tflops / (peak.at(line.at("MATH FIDELITY")) / 72 * cores) * 100;
}

std::string bound(const Line& line) {
    const bool dram = dram_percent(line) >= 65;
    const bool flop = flops_percent(line) >= 65;
    if (dram && flop) return "BOTH";
    if (dram) return "DRAM";
    return flop ? "FLOP" : "SLOW";
}

bool has_high_gap(const Line& line) { return number(line, "OP TO OP LATENCY [ns]") / 1000 > 6.5; }

TEST(ExportOpsCsv, has_the_columns_that_tt_perf_report_needs) {
    const TempFolder folder;
    const std::vector<Line> lines = csv_of(folder, {kDemo, "--mesh", "n150"});
    ASSERT_FALSE(lines.empty());
    for (const char* column : {"OP CODE",
                               "OP TYPE",
                               "GLOBAL CALL COUNT",
                               "DEVICE ID",
                               "CORE COUNT",
                               "MATH FIDELITY",
                               "ATTRIBUTES",
                               "HOST START TS",
                               "OP TO OP LATENCY [ns]",
                               "DEVICE KERNEL DURATION [ns]",
                               "INPUT_0_W_PAD[LOGICAL]",
                               "INPUT_0_LAYOUT",
                               "INPUT_0_DATATYPE",
                               "INPUT_0_MEMORY",
                               "INPUT_1_X_PAD[LOGICAL]",
                               "INPUT_1_MEMORY",
                               "OUTPUT_0_Y_PAD[LOGICAL]",
                               "OUTPUT_0_DATATYPE",
                               "OUTPUT_0_MEMORY",
                               "PM IDEAL [ns]"}) {
        EXPECT_TRUE(lines[0].contains(column)) << column;
    }
}

TEST(ExportOpsCsv, each_step_begins_with_a_signpost_and_the_last_is_decode) {
    const TempFolder folder;
    std::vector<std::string> steps;
    const std::vector<Line> lines = csv_of(folder, {kDemo, "--mesh", "n150"});
    for (const Line& line : lines) {
        if (line.at("OP TYPE") == "signpost") steps.push_back(line.at("OP CODE"));
    }
    EXPECT_EQ(steps, (std::vector<std::string>{"prefill", "decode"}));
    EXPECT_EQ(lines[0].at("OP TYPE"), "signpost");
    for (const Line& line : last_step(lines)) EXPECT_NE(line.at("METAL TRACE ID"), "");
}

TEST(ExportOpsCsv, sorting_by_host_time_keeps_the_order) {
    // tt-perf-report sorts by it, and not stably.
    const TempFolder folder;
    double last = -1;
    for (const Line& line : csv_of(folder, {kDemo, "--mesh", "t3k"})) {
        EXPECT_GT(number(line, "HOST START TS"), last);
        last = number(line, "HOST START TS");
    }
}

TEST(ExportOpsCsv, every_device_has_the_same_ops_in_the_same_order) {
    // Rows of devices are merged one by one; a row that is missing spoils all that follow.
    const TempFolder folder;
    std::map<std::string, std::vector<std::string>> ops;
    for (const Line& line : last_step(csv_of(folder, {kDemo, "--mesh", "t3k"}))) {
        ops[line.at("DEVICE ID")].push_back(line.at("OP CODE"));
    }
    ASSERT_EQ(ops.size(), 8u);
    for (const auto& [device, codes] : ops) EXPECT_EQ(codes, ops.at("0")) << device;
}

TEST(ExportOpsCsv, cells_are_spelled_as_the_profiler_does) {
    const TempFolder folder;
    std::set<std::string> codes;
    for (const Line& line : last_step(csv_of(folder, {k8B, "--mesh", "t3k"}))) {
        codes.insert(line.at("OP CODE"));
        if (line.at("DEVICE ID") != "3" || !says(line.at("ATTRIBUTES"), "'attention.wqkv'")) {
            continue;
        }
        EXPECT_EQ(line.at("INPUT_0_Y_PAD[LOGICAL]"), "32[1]");
        EXPECT_EQ(line.at("INPUT_0_X_PAD[LOGICAL]"), "4096[4096]");
        EXPECT_EQ(line.at("INPUT_1_LAYOUT"), "TILE");
        EXPECT_EQ(line.at("INPUT_1_DATATYPE"), "BFLOAT8_B");
        EXPECT_EQ(line.at("INPUT_1_MEMORY"), "DEV_3_DRAM_WIDTH_SHARDED");
        EXPECT_TRUE(says(line.at("INPUT_0_MEMORY"), "DEV_3_L1_"));
    }
    for (const char* code : {"Matmul", "LayerNorm", "ScaledDotProductAttentionDecode",
                             "AllGatherAsync", "ReduceScatterMinimalAsync", "PagedUpdateCache"}) {
        EXPECT_TRUE(codes.contains(code)) << code;
    }
}

TEST(ExportOpsCsv, a_gap_of_seven_microseconds_is_a_high_gap) {
    // Adds of 1 us, enqueued every 8 us: the device waits 7 us for the host.
    using namespace dispatch::testing;
    mesh::ChipSpec chip = small_chip();
    chip.launch.host_enqueue = 8_us;
    Recorded recorded{row_of(1, chip), {}, {}, {}};
    const auto program = add_program(1);
    record(recorded, {loose(program), loose(program), loose(program)});
    const std::vector<Line> step = last_step(lines_of(cli::ops_csv(recorded.run())));
    ASSERT_EQ(step.size(), 3u);
    EXPECT_EQ(step[0].at("OP TO OP LATENCY [ns]"), "0");  // the first op waits for none
    EXPECT_EQ(step[1].at("OP TO OP LATENCY [ns]"), "7000");
    EXPECT_FALSE(has_high_gap(step[0]));
    EXPECT_TRUE(has_high_gap(step[1]));
}

TEST(ExportOpsCsv, only_a_step_without_trace_has_high_gaps) {
    const TempFolder folder;
    const auto high = [&](const char* trace) {
        std::int64_t count = 0;
        for (const Line& line :
             last_step(csv_of(folder, {kDemo, "--mesh", "n150", "--trace", trace}))) {
            count += has_high_gap(line) ? 1 : 0;
        }
        return count;
    };
    EXPECT_EQ(high("on"), 0);
    EXPECT_GT(high("off"), 50);
}

TEST(ExportOpsCsv, a_matmul_at_seventy_percent_of_288_GBps_is_bound_by_dram) {
    // Weights of 2.25 MiB from banks that give 207.6 GB/s, and 0.34 us for the last products and
    // the output, are 201.6 GB/s; at half the rate it is neither.
    using namespace dispatch::testing;
    const auto matmul_row = [](core::BytesPerSecond rate) {
        mesh::ChipSpec chip = small_chip();
        chip.dram.sharded = rate;
        chip.eltwise_tile_cycles = 1;
        mesh::KernelSpec kernels = *chip.kernels;
        kernels.noc.flit = core::Bytes{32};
        kernels.noc.packet = core::Bytes{8192};
        chip.kernels = std::make_shared<const mesh::KernelSpec>(kernels);
        Recorded recorded{row_of(1, chip), {}, {}, {}};
        record(recorded, {loose_matmul(bank_matmul())});
        return last_step(lines_of(cli::ops_csv(recorded.run()))).at(0);
    };
    const Line fast = matmul_row(core::BytesPerSecond{207'600'000'000});
    EXPECT_NEAR(dram_percent(fast), 70.0, 1.0);
    EXPECT_EQ(bound(fast), "DRAM");
    EXPECT_EQ(bound(matmul_row(core::BytesPerSecond{103'800'000'000})), "SLOW");
}

}  // namespace
