// The tables of topologies/software/trace_regions.yaml. Numbers: tenstorrent/tt-metal
// models/tt_transformers/demo/trace_region_config.py, tt/model_config.py and
// models/model_trace_region_sizes.yaml, as each row of the file says.
#include "model/trace_defaults.h"

#include <set>

#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using dispatch::Release;
using Lengths = std::vector<std::int64_t>;

const TraceDefaults& shipped() {
    static const TraceDefaults defaults =
        TraceDefaults::load(project_file("topologies/software/trace_regions.yaml"));
    return defaults;
}

std::int64_t region(const char* model, const char* device, Release release) {
    return shipped().default_trace_region(model, device, release).value;
}

TEST(TraceDefaults, have_the_regions_of_trace_region_config) {
    // Looked up by base name and by the device name of one data-parallel group.
    const Release r = Release::R2025;
    EXPECT_EQ(region("Llama-3.1-8B", "N150", r), 25'000'000);
    EXPECT_EQ(region("Llama-3.1-8B", "N300", r), 38'000'000);
    EXPECT_EQ(region("Llama-3.1-8B", "T3K", r), 50'000'000);
    EXPECT_EQ(region("Llama-3.1-8B", "TG", r), 50'000'000);
    EXPECT_EQ(region("Llama-3.3-70B", "T3K", r), 90'000'000);
    EXPECT_EQ(region("Llama-3.3-70B", "TG", r), 80'000'000);
    EXPECT_EQ(region("Llama-3.3-70B", "P150x4", r), 95'000'000);
    EXPECT_EQ(region("Llama-3.3-70B", "P150x8", r), 83'000'000);
    EXPECT_EQ(region("Llama-3.2-90B", "T3K", r), 20'000'000);
    EXPECT_EQ(region("Qwen3-32B", "T3K", r), 90'000'000);
    EXPECT_EQ(region("Qwen3-32B", "TG", r), 102'000'000);
    EXPECT_EQ(region("Qwen2.5-72B", "T3K", r), 70'000'000);
    EXPECT_EQ(region("Llama-3.2-3B", "N150", r), 10'000'000);
}

TEST(TraceDefaults, change_with_the_release) {
    // 2026-05: the tree of 2026-05-23; 2026-09: model_trace_region_sizes.yaml, where 0 is dynamic.
    EXPECT_EQ(region("Llama-3.1-8B", "P150", Release::R2025), 25'000'000);
    EXPECT_EQ(region("Llama-3.1-8B", "P150", Release::R2026_05), 52'000'000);
    EXPECT_EQ(region("Llama-3.1-8B", "P150", Release::R2026_09), 0);
    EXPECT_EQ(region("Llama-3.3-70B", "P150x4", Release::R2026_05), 96'000'000);
    EXPECT_EQ(region("Llama-3.3-70B", "P150x8", Release::R2026_05), 84'000'000);
    EXPECT_EQ(region("Qwen3-32B", "TG", Release::R2026_05), 200'000'000);
    EXPECT_EQ(region("Llama-3.3-70B", "T3K", Release::R2026_09), 224'000'000);
    EXPECT_EQ(region("Qwen3-32B", "P150x4", Release::R2026_09), 100'000'000);
}

TEST(TraceDefaults, fall_back_to_the_default_of_the_demo) {
    // A pair that is not listed, a model that is not, a device that has no name.
    EXPECT_EQ(region("Llama-3.1-8B", "N150x4", Release::R2025), 25'000'000);
    EXPECT_EQ(region("TinyLlama", "N150", Release::R2026_05), 50'000'000);
    EXPECT_EQ(region("TinyLlama", "", Release::R2026_09), 50'000'000);
    EXPECT_EQ(region("Qwen2.5-32B", "P150x8", Release::R2026_05), 100'000'000);
    EXPECT_EQ(region("Qwen2.5-32B", "T3K", Release::R2026_05), 50'000'000);
}

TEST(TraceDefaults, know_which_prefill_lengths_are_traced) {
    // By device; Llama 3.1 has lists of its own; what is not listed is not traced, nor was 2025.
    const auto lengths = [](const char* model, const char* device, Release release) {
        return shipped().prefill_lengths(model, device, release);
    };
    const Lengths five{128, 1024, 2048, 4096, 8192};
    EXPECT_EQ(lengths("Qwen3-8B", "N150", Release::R2025), Lengths{});
    EXPECT_EQ(lengths("Llama-3.1-70B", "TG", Release::R2025), Lengths{});
    EXPECT_EQ(lengths("Qwen3-8B", "N150", Release::R2026_05), Lengths{128});
    EXPECT_EQ(lengths("Qwen3-8B", "P150x8", Release::R2026_05), (Lengths{128, 1024}));
    EXPECT_EQ(lengths("Qwen3-8B", "N150x4", Release::R2026_05), Lengths{});
    EXPECT_EQ(lengths("Llama-3.1-8B", "N300", Release::R2026_05), five);
    EXPECT_EQ(lengths("Llama-3.1-70B", "TG", Release::R2026_05), five);
    EXPECT_EQ(lengths("Llama-3.1-8B", "N150", Release::R2026_05), (Lengths{128, 1024}));
    EXPECT_EQ(lengths("Llama-3.1-8B", "P100", Release::R2026_05), (Lengths{128, 1024}));
    EXPECT_EQ(lengths("Llama-3.3-70B", "T3K", Release::R2026_05), Lengths{128});
    EXPECT_EQ(lengths("Llama-3.3-70B", "TG", Release::R2026_05), five);
    EXPECT_EQ(lengths("Llama-3.2-3B", "N150", Release::R2026_05), Lengths{});
    // No newer list was read: 2026-09 takes the one of 2026-05.
    EXPECT_EQ(lengths("Llama-3.3-70B", "T3K", Release::R2026_09), Lengths{128});
}

TEST(TraceDefaults, have_one_row_for_every_question) {
    // Two rows for the same release, model and device would make the order of the file matter.
    for (const auto* table : {&shipped().regions(), &shipped().prefill_traces()}) {
        std::set<std::string> seen;
        for (const TraceDefaults::Row& row : *table) {
            EXPECT_FALSE(row.source.empty());
            for (const std::string& model :
                 row.models.empty() ? std::vector<std::string>{"*"} : row.models) {
                for (const std::string& device :
                     row.devices.empty() ? std::vector<std::string>{"*"} : row.devices) {
                    const std::string key =
                        std::to_string(static_cast<int>(row.release)) + model + " on " + device;
                    EXPECT_TRUE(seen.insert(key).second) << key;
                }
            }
        }
    }
}

// The error of a table whose first row is `row`.
std::string error_of_row(const std::string& row) {
    const std::string text = "regions:\n  - " + row +
                             "\nprefill_traces:\n  - {release: \"2025\", lengths: [], source: s}\n";
    return error_text([&] { TraceDefaults::parse(text, "regions.yaml"); });
}

TEST(TraceDefaults, bad_rows_are_errors_with_file_line_and_key) {
    // Users may bring their own table.
    EXPECT_EQ(error_of_row("{release: \"2024\", bytes: 1, source: s}"),
              "regions.yaml:2: release: expected \"2025\", \"2026-05\" or \"2026-09\", got "
              "\"2024\"");
    EXPECT_EQ(error_of_row("{release: \"2025\", bytes: -1, source: s}"),
              "regions.yaml:2: bytes: expected an integer from 0 to 1099511627776, got \"-1\"");
    EXPECT_EQ(error_of_row("{release: \"2025\", bytes: 1}"),
              "regions.yaml: source: expected where the number comes from, got nothing");
    EXPECT_EQ(error_of_row("{release: \"2025\", bytes: 1, source: s, lengths: [1]}"),
              "regions.yaml:2: lengths: expected no such key, got \"lengths\"");
    EXPECT_EQ(error_of_row("{release: \"2025\", models: x, bytes: 1, source: s}"),
              "regions.yaml:2: models: expected a list of names, got \"x\"");
    EXPECT_NE(error_of_row("{release: [").find("regions.yaml:"), std::string::npos);
    EXPECT_NE(error_text([] { TraceDefaults::parse("[]", "regions.yaml"); }).find("prefill_traces"),
              std::string::npos);
}

}  // namespace
}  // namespace model::testing
