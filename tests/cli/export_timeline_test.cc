// The trace for Perfetto: what a reader of the format insists on, and that it tells the same story
// as the simulation.
#include "cli/export_timeline.h"

#include <cmath>
#include <set>

#include "tests/cli/recorded.h"
#include "tests/core/temp_folder.h"

namespace {

constexpr const char* k8B = TESSERA_SOURCE_DIR "/models/configs/Llama-3.1-8B-Instruct";

Json trace_of(const TempFolder& folder, const std::string& model, const std::string& mesh) {
    const std::string file = (folder.path() / "trace.json").string();
    const Outcome outcome = tessera({"sim", model, "--mesh", mesh, "--timeline", file});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return Json::parse(read_file(file)).at("traceEvents");
}

// Times have six decimals of a microsecond: whole picoseconds.
std::int64_t picos(const Json& time) { return std::llround(time.get<double>() * 1e6); }

/// What a lane's slices break: empty when they nest strictly and start in order.
std::string broken_nesting(const Json& events) {
    std::map<std::pair<int, int>, std::vector<std::int64_t>> open;  // ends, by lane
    std::int64_t last = 0;
    for (const Json& event : events) {
        const std::string kind = event.at("ph");
        if (kind == "M") continue;
        if (kind != "X" && kind != "C") return "unknown ph " + kind;
        const std::int64_t start = picos(event.at("ts"));
        if (start < last) return "ts goes back at " + event.dump();
        last = start;
        if (kind != "X") continue;
        const std::int64_t end = start + picos(event.at("dur"));
        auto& ends = open[{event.at("pid"), event.at("tid")}];
        while (!ends.empty() && ends.back() <= start) ends.pop_back();
        if (!ends.empty() && end > ends.back()) return "overlaps: " + event.dump();
        ends.push_back(end);
    }
    return "";
}

TEST(ExportTimeline, slices_of_a_lane_nest_strictly_and_start_in_order) {
    // Perfetto drops slices that overlap on one lane (google/perfetto docs/faq.md).
    const TempFolder folder;
    EXPECT_EQ(broken_nesting(trace_of(folder, kDemo, "t3k")), "");
    EXPECT_EQ(broken_nesting(trace_of(folder, k8B, "galaxy")), "");
}

TEST(ExportTimeline, the_rule_of_nesting_finds_an_overlap) {
    const auto slice = [](double start, double length) {
        return Json{{"ph", "X"}, {"ts", start}, {"dur", length}, {"pid", 1}, {"tid", 0}};
    };
    EXPECT_EQ(broken_nesting({slice(0, 4), slice(0, 2), slice(2, 2)}), "");
    EXPECT_NE(broken_nesting({slice(0, 4), slice(2, 4)}), "");
    EXPECT_NE(broken_nesting({slice(4, 1), slice(2, 1)}), "");
}

TEST(ExportTimeline, every_chip_is_a_process_with_a_name_and_both_steps) {
    const TempFolder folder;
    std::set<std::string> names;
    std::map<int, std::set<std::string>> steps;
    for (const Json& event : trace_of(folder, kDemo, "t3k")) {
        if (event.at("name") == "process_name") names.insert(event["args"].at("name"));
        if (event.value("cat", "") == "step") steps[event.at("pid")].insert(event.at("name"));
    }
    EXPECT_TRUE(names.contains("host"));
    EXPECT_TRUE(names.contains("chip 0 (row 0, column 0)"));
    EXPECT_TRUE(names.contains("chip 7 (row 0, column 7)"));
    EXPECT_EQ(steps.size(), 9u);  // the host's too
    for (const auto& [process, names_of] : steps) {
        EXPECT_EQ(names_of, (std::set<std::string>{"decode", "prefill"})) << process;
    }
}

TEST(ExportTimeline, the_counter_of_a_link_adds_up_to_what_the_chip_sent) {
    // Rate times duration is bytes: the counters and the collectives are of one simulation.
    const TempFolder folder;
    std::map<std::string, std::pair<double, double>> now;  // since, GB/s
    double counted = 0;
    double sent = 0;
    for (const Json& event : trace_of(folder, kDemo, "t3k")) {
        if (event.value("cat", "") == "collective" && event.at("pid") == 1) {
            sent += event.at("args").at("sent_bytes").get<double>();
        }
        const std::string name = event.at("name");
        if (event.at("ph") != "C" || !name.starts_with("chip 0 to")) continue;
        auto& [since, rate] = now[name];
        counted += (event.at("ts").get<double>() - since) * rate * 1e3;
        since = event.at("ts");
        rate = event.at("args").at("GB/s");
    }
    EXPECT_GT(sent, 0.0);
    EXPECT_NEAR(counted, sent, 1e-5 * sent);  // rates have six digits
}

TEST(ExportTimeline, a_large_mesh_shows_its_corners) {
    // 32 chips would make the file eight times as large and say the same.
    const TempFolder folder;
    std::set<int> shown;
    for (const Json& event : trace_of(folder, k8B, "galaxy")) {
        if (event.value("cat", "") == "op") shown.insert(event.at("pid").get<int>() - 1);
    }
    EXPECT_EQ(shown, (std::set<int>{0, 3, 28, 31}));
}

TEST(ExportTimeline, slices_have_the_times_of_the_simulation) {
    // Two Adds of 1 us; the host takes 15.2 us to enqueue each.
    using namespace dispatch::testing;
    Recorded recorded{row_of(1), {}, {}, {}};
    const auto program = add_program(1);
    record(recorded, {loose(program), loose(program)});
    const Json trace = Json::parse(cli::timeline_json(recorded.run()));
    std::vector<std::pair<double, double>> ops;
    for (const Json& event : trace.at("traceEvents")) {
        if (event.value("cat", "") == "op") ops.emplace_back(event.at("ts"), event.at("dur"));
    }
    EXPECT_EQ(ops, (std::vector<std::pair<double, double>>{{15.2, 1.0}, {30.4, 1.0}}));
}

TEST(ExportTimeline, a_file_that_cannot_be_written_is_bad_input_and_nothing_stays) {
    const TempFolder folder;
    for (const char* option : {"--timeline", "--ops-csv", "--report-db", "--html"}) {
        const std::string file = (folder.path() / "none" / "file").string();
        const Outcome outcome = tessera({"sim", kDemo, "--mesh", "n150", option, file});
        EXPECT_EQ(outcome.exit_code, 2) << option;
        EXPECT_TRUE(says(outcome.err, "none/file: cannot be written")) << outcome.err;
        const std::string taken = folder.path().string();
        const Outcome onto = tessera({"sim", kDemo, "--mesh", "n150", option, taken});
        EXPECT_EQ(onto.exit_code, 2) << option;
        EXPECT_TRUE(says(onto.err, "cannot be written")) << onto.err;
        EXPECT_TRUE(std::filesystem::is_empty(folder.path())) << option;
        EXPECT_FALSE(std::filesystem::exists(taken + ".part")) << option;
    }
}

}  // namespace
