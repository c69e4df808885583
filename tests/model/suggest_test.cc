#include "model/suggest.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <charconv>
#include <string>

#include "model/fit.h"
#include "model/optimizations.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using Kind = Suggestion::Kind;

Config config_named(const char* folder) {
    return load_config(project_file("models/configs") / folder);
}

std::int64_t number_after_space(const std::string& text) {
    std::int64_t number = 0;
    const std::string digits = text.substr(text.find(' ') + 1);
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
}

/// Types the suggestion in and plans again.
dispatch::MemoryPlan retyped(const Config& config, Precision precision, fabric::Mesh mesh,
                             DeploymentOptions options, const Suggestion& suggestion) {
    const std::string& text = suggestion.text;
    switch (suggestion.kind) {
        case Kind::PrefillChunk:
            options.prefill_chunk = number_after_space(text);
            break;
        case Kind::TraceRegion:
            options.device.trace_region_size = core::Bytes{number_after_space(text)};
            break;
        case Kind::Context:
            options.context = number_after_space(text);
            break;
        case Kind::Batch:
            options.batch = number_after_space(text);
            break;
        case Kind::Precision: {
            const std::size_t open = text.find('"');
            precision = parse_optimizations(text.substr(open + 1, text.rfind('"') - open - 1),
                                            static_cast<std::int32_t>(config.num_hidden_layers));
            break;
        }
        case Kind::System:
            mesh = mesh_named(text.substr(std::string("--mesh ").size()));
            break;
    }
    return Deployment(config, precision, mesh, options).plan_memory();
}

std::vector<NamedMesh> systems(std::initializer_list<const char*> names) {
    std::vector<NamedMesh> list;
    for (const char* name : names) list.push_back({name, mesh_named(name)});
    return list;
}

const Suggestion* of_kind(const std::vector<Suggestion>& list, Kind kind) {
    const auto found = std::ranges::find(list, kind, &Suggestion::kind);
    return found == list.end() ? nullptr : &*found;
}

struct Asked {
    const char* model;
    const char* base;
    const char* precision;
    const char* mesh;
    std::int64_t context;
    std::int64_t batch;
    std::int64_t chunk;
};

TEST(Suggest, every_suggestion_fits_when_it_is_typed_in) {
    // A suggestion that fails is worse than none.
    const std::vector<NamedMesh> others = systems({"n150", "n300", "t3k", "galaxy"});
    for (const Asked& asked :
         {Asked{"Llama-3.1-8B-Instruct", "Llama-3.1-8B", "performance", "n150", 65536, 1, 4096},
          Asked{"Llama-3.1-8B-Instruct", "Llama-3.1-8B", "bf16", "n150", 4096, 1, 4096},
          Asked{"Llama-3.1-70B-Instruct", "Llama-3.1-70B", "accuracy", "t3k", 32768, 16, 4096},
          Asked{"Llama-3.1-70B-Instruct", "Llama-3.1-70B", "performance", "t3k", 131072, 1,
                65536}}) {
        SCOPED_TRACE(std::string(asked.model) + " " + asked.precision + " on " + asked.mesh);
        const Config config = config_named(asked.model);
        const Precision precision = precision_preset(
            asked.precision, asked.base, static_cast<std::int32_t>(config.num_hidden_layers));
        const fabric::Mesh mesh = mesh_named(asked.mesh);
        DeploymentOptions options;
        options.context = asked.context;
        options.batch = asked.batch;
        options.prefill_chunk = asked.chunk;
        options.device.trace_region_size = core::Bytes{90'000'000};
        const SmallestSystem smallest = smallest_system(config, precision, others, options);
        const FitReport report = fit(config, precision, mesh, options, &smallest);
        ASSERT_FALSE(report.fits());
        ASSERT_FALSE(report.suggestions.empty());
        for (const Suggestion& suggestion : report.suggestions) {
            const dispatch::MemoryPlan plan = retyped(config, precision, mesh, options, suggestion);
            EXPECT_TRUE(plan.fits()) << suggestion.text << ": " << plan.failed_buffer;
            EXPECT_EQ(plan.dram.free, suggestion.free) << suggestion.text;
        }
    }
}

TEST(Suggest, a_cache_that_is_too_long_may_be_shorter_or_elsewhere) {
    // tenstorrent/tt-metal PR #34913: 8B on an N150 runs out at 64k; N300 holds 128k.
    const Config config = config_named("Llama-3.1-8B-Instruct");
    DeploymentOptions options;
    options.context = 131072;
    options.device.trace_region_size = core::Bytes{25'000'000};
    const Precision precision = precision_preset("performance", "Llama-3.1-8B", 32);
    const SmallestSystem smallest =
        smallest_system(config, precision, systems({"n150", "n300", "t3k"}), options);
    const FitReport report = fit(config, precision, mesh_named("n150"), options, &smallest);
    const Suggestion* context = of_kind(report.suggestions, Kind::Context);
    ASSERT_NE(context, nullptr);
    EXPECT_EQ(context->text, "--context " + std::to_string(report.max_context));
    const Suggestion* system = of_kind(report.suggestions, Kind::System);
    ASSERT_NE(system, nullptr);
    EXPECT_EQ(system->text, "--mesh n300");
    EXPECT_EQ(of_kind(report.suggestions, Kind::Batch), nullptr);  // one user is the least
}

TEST(Suggest, a_trace_region_shrinks_no_further_than_the_step_needs) {
    // Under era A a region is taken from every bank; a step that is traced still needs its bytes.
    const Config config = config_named("Llama-3.1-8B-Instruct");
    const Precision precision = precision_preset("performance", "Llama-3.1-8B", 32);
    DeploymentOptions options;
    options.context = 32768;
    options.device.trace_region_size = core::Bytes{400'000'000};
    const FitReport report = fit(config, precision, mesh_named("n150"), options);
    ASSERT_FALSE(report.fits());
    const Suggestion* region = of_kind(report.suggestions, Kind::TraceRegion);
    ASSERT_NE(region, nullptr);
    const std::int64_t bytes = number_after_space(region->text);
    EXPECT_GT(bytes, 0);
    EXPECT_LT(bytes, 400'000'000);
    // One megabyte more is too much: it is the smallest change.
    options.device.trace_region_size = core::Bytes{bytes + 1'000'000};
    EXPECT_FALSE(Deployment(config, precision, mesh_named("n150"), options).plan_memory().fits());
}

TEST(Suggest, nothing_is_suggested_when_it_fits) {
    // The list answers "what to change"; a yes needs no change.
    const Config config = config_named("Llama-3.2-1B-Instruct");
    DeploymentOptions options;
    options.context = 4096;
    const Precision precision = precision_preset("performance", "Llama-3.2-1B", 16);
    const SmallestSystem smallest = smallest_system(config, precision, systems({"n150"}), options);
    const FitReport report = fit(config, precision, mesh_named("n150"), options, &smallest);
    EXPECT_TRUE(report.fits());
    EXPECT_TRUE(report.suggestions.empty());
}

TEST(NarrowerPrecisions, change_one_group_at_a_time_in_the_grammar_of_tt_transformers) {
    // Performance mode has bfp4 gate and up projections; each text keeps them.
    const std::vector<std::string> texts =
        narrower_precisions(precision_preset("performance", "Llama-3.1-70B", 80));
    EXPECT_EQ(texts, (std::vector<std::string>{
                         "precision_cfg = {ff1_3: bfp4, ff2: bfp4}",
                         "precision_cfg = {ff1_3: bfp4, wo: bfp4}",
                         "precision_cfg = {ff1_3: bfp4, wqkv: bfp4}",
                     }));
    const std::vector<std::string> wide = narrower_precisions(precision_preset("bf16", "", 4));
    ASSERT_EQ(wide.size(), 9U);
    EXPECT_EQ(wide.front(),
              "precision_cfg = {ff1_3: bf16, ff2: bf16, wqkv: bf16, wo: bf16, kv_cache: bfp8}");
    for (const std::string& text : wide) EXPECT_NO_THROW(parse_optimizations(text, 4)) << text;
}

TEST(Suggestion, kinds_have_names) {
    // JSON readers rely on them.
    EXPECT_EQ(to_text(Kind::PrefillChunk), "prefill_chunk");
    EXPECT_EQ(to_text(Kind::TraceRegion), "trace_region");
    EXPECT_EQ(to_text(Kind::Context), "context");
    EXPECT_EQ(to_text(Kind::Batch), "batch");
    EXPECT_EQ(to_text(Kind::Precision), "precision");
    EXPECT_EQ(to_text(Kind::System), "system");
}

}  // namespace
}  // namespace model::testing
