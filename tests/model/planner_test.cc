#include "model/planner.h"

#include <gtest/gtest.h>

#include <string>

#include "model/fit.h"
#include "model/split.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using dispatch::Detail;
using dispatch::MemoryPlan;
using dispatch::Rounds;

// --- the search ---

/// A probe that says yes up to `boundary`; `more` is a guess that may be wrong by `off`.
Probe staircase(std::int64_t n, std::int64_t boundary, std::int64_t off) {
    return {n <= boundary, std::max<std::int64_t>(0, boundary - n + off)};
}

TEST(LargestThatFits, finds_the_boundary_whatever_the_guesses_say) {
    // The guess only says which plan to make next; the answer is always one that was made.
    for (std::int64_t most = 1; most <= 40; ++most) {
        for (std::int64_t boundary = 0; boundary <= most; ++boundary) {
            for (const std::int64_t start : {1L, most / 2, most, most + 7}) {
                for (const std::int64_t off : {-9L, -1L, 0L, 1L, 30L}) {
                    const auto probe = [&](std::int64_t n) {
                        EXPECT_GE(n, 1);
                        EXPECT_LE(n, most);
                        return staircase(n, boundary, off);
                    };
                    ASSERT_EQ(largest_that_fits(most, start, probe), boundary)
                        << most << " " << start << " " << off;
                }
            }
        }
    }
}

TEST(LargestThatFits, a_good_guess_needs_few_plans) {
    // 1024 sizes by halving alone are ten plans; free bytes that say 217 more need four.
    int plans = 0;
    const auto guessed = [&](std::int64_t n) { return ++plans, staircase(n, 218, 0); };
    EXPECT_EQ(largest_that_fits(1024, 64, guessed), 218);
    EXPECT_EQ(plans, 4);
    plans = 0;
    const auto blind = [&](std::int64_t n) { return ++plans, Probe{n <= 218, std::nullopt}; };
    EXPECT_EQ(largest_that_fits(1024, 64, blind), 218);
    EXPECT_GE(plans, 10);
}

// --- folded and unrolled plans ---

struct Case {
    const char* folder;  // under models/configs
    const char* mesh;
};

Config config_of(const Case& at) { return load_config(project_file("models/configs") / at.folder); }

Precision precision_of(const Case& at, const Config& config, std::string_view name) {
    return precision_preset(name, base_model_name(at.folder),
                            static_cast<std::int32_t>(config.num_hidden_layers));
}

void expect_same(const MemoryPlan& folded, const MemoryPlan& unrolled) {
    EXPECT_EQ(folded.fits(), unrolled.fits());
    EXPECT_EQ(folded.placed, unrolled.placed);
    EXPECT_EQ(folded.failed_buffer, unrolled.failed_buffer);
    EXPECT_EQ(folded.failure ? folded.failure->text : "",
              unrolled.failure ? unrolled.failure->text : "");
    EXPECT_EQ(folded.clash, unrolled.clash);
    EXPECT_EQ(folded.programs, unrolled.programs);
    EXPECT_EQ(folded.dram.live, unrolled.dram.live);
    EXPECT_EQ(folded.dram.held, unrolled.dram.held);
    EXPECT_EQ(folded.dram.peak, unrolled.dram.peak);
    EXPECT_EQ(folded.dram.at_peak, unrolled.dram.at_peak);
    EXPECT_EQ(folded.dram.largest_free_block, unrolled.dram.largest_free_block);
    EXPECT_EQ(folded.l1.held, unrolled.l1.held);
    EXPECT_EQ(folded.l1.buffers_peak, unrolled.l1.buffers_peak);
    EXPECT_EQ(folded.l1.circular_buffers_peak, unrolled.l1.circular_buffers_peak);
    EXPECT_EQ(folded.l1.widest_program, unrolled.l1.widest_program);
    EXPECT_EQ(folded.l1.headroom, unrolled.l1.headroom);
    EXPECT_EQ(folded.l1.tightest_program, unrolled.l1.tightest_program);
}

constexpr Case kCases[] = {
    {"Llama-3.1-405B", "galaxy"},
    {"Llama-3.1-70B-Instruct", "t3k"},
    {"Llama-3.1-70B-Instruct", "p150x8"},
    {"Llama-3.1-8B-Instruct", "n150"},
    {"Llama-3.1-8B-Instruct", "n300"},
    {"Llama-3.2-1B-Instruct", "t3k:2x4"},
    {"Qwen2.5-7B-Instruct", "n300"},
    {"Qwen3-0.6B", "galaxy"},
    {"Qwen3-8B", "p300"},
    {"Mistral-7B-Instruct-v0.3", "tg"},
    {"Phi-3-mini-128k-instruct", "n150"},
    {"Qwen3-32B", "bh-galaxy"},
};

TEST(Planner, a_folded_plan_is_the_unrolled_one) {
    // Leaving out rounds that repeat must change nothing: addresses, peaks, owners, failures.
    for (const Case& at : kCases) {
        const Config config = config_of(at);
        for (const std::int64_t context : {std::int64_t{512}, config.max_position_embeddings}) {
            for (const std::int64_t batch : {1, 32}) {
                SCOPED_TRACE(std::string(at.folder) + " on " + at.mesh + ", " +
                             std::to_string(batch) + " x " + std::to_string(context));
                DeploymentOptions options;
                options.context = context;
                options.batch = batch;
                const fabric::Mesh mesh = mesh_named(at.mesh);
                if (!split_problems(config, mesh).empty()) continue;
                Deployment deployment(config, precision_of(at, config, "performance"), mesh,
                                      options);
                expect_same(deployment.plan_memory(Detail::Addresses, Rounds::Folded),
                            deployment.plan_memory(Detail::Addresses, Rounds::Unrolled));
            }
        }
    }
}

// --- searches against the slow ones ---

/// Halving alone, every plan unrolled and with addresses.
class Slow {
public:
    Slow(const Config& config, Precision precision, const fabric::Mesh& mesh)
        : config_(config), precision_(std::move(precision)), mesh_(mesh) {}

    bool fits(const DeploymentOptions& options) const {
        return Deployment(config_, precision_, mesh_, options)
            .plan_memory(Detail::Addresses, Rounds::Unrolled)
            .fits();
    }
    template <class Set>
    std::int64_t largest(std::int64_t most, DeploymentOptions options, Set set) const {
        std::int64_t yes = 0;
        std::int64_t no = most + 1;
        while (no - yes > 1) {
            const std::int64_t middle = yes + (no - yes) / 2;
            set(options, middle);
            (fits(options) ? yes : no) = middle;
        }
        return yes;
    }
    std::int64_t max_context(DeploymentOptions options) const {
        const std::int64_t most = config_.max_position_embeddings;
        options.context = most;
        if (fits(options)) return most;
        return 128 * largest(most / 128, options, [](DeploymentOptions& with, std::int64_t n) {
                   with.context = 128 * n;
               });
    }
    std::int64_t max_batch(const DeploymentOptions& options) const {
        return largest(32, options,
                       [](DeploymentOptions& with, std::int64_t n) { with.batch = n; });
    }
    std::int64_t chunk(DeploymentOptions options) const {
        for (std::int64_t size = 128 * 1024; size >= 128; size /= 2) {
            if (size / 2 >= padded_prefill_length(options.context)) continue;
            options.prefill_chunk = size;
            if (fits(options)) return size;
        }
        return 0;
    }

private:
    const Config& config_;
    Precision precision_;
    const fabric::Mesh& mesh_;
};

struct Search {
    Case at;
    std::int64_t context;
    std::int64_t batch;
    const char* precision = "performance";
};

TEST(Planner, searches_find_what_halving_finds) {
    // Few plans or many: the same context, batch and chunk.
    for (const Search& search : {Search{{"Llama-3.1-8B-Instruct", "n150"}, 32768, 1},
                                 Search{{"Llama-3.1-8B-Instruct", "n150"}, 131072, 1, "accuracy"},
                                 Search{{"Llama-3.1-8B-Instruct", "t3k"}, 8192, 8},
                                 Search{{"Llama-3.1-70B-Instruct", "n300"}, 1024, 1},
                                 Search{{"Llama-3.1-70B-Instruct", "t3k"}, 32768, 3},
                                 Search{{"Qwen2.5-7B-Instruct", "n300"}, 4096, 16},
                                 Search{{"Qwen3-8B", "n150"}, 20000, 2, "bf16"}}) {
        SCOPED_TRACE(std::string(search.at.folder) + " on " + search.at.mesh);
        const Config config = config_of(search.at);
        const fabric::Mesh mesh = mesh_named(search.at.mesh);
        const Precision precision = precision_of(search.at, config, search.precision);
        DeploymentOptions options;
        options.context = search.context;
        options.batch = search.batch;
        options.device.trace_region_size = core::Bytes{50'000'000};
        const FitReport report = fit(config, precision, mesh, options);
        const Slow slow(config, precision, mesh);
        EXPECT_EQ(report.fits(), slow.fits(options));
        EXPECT_EQ(report.max_context, slow.max_context(options));
        EXPECT_EQ(report.max_batch, slow.max_batch(options));
        EXPECT_EQ(report.prefill_chunk, slow.chunk(options));
    }
}

TEST(Planner, makes_no_plan_twice) {
    // Searches meet at the same sizes; a plan is known by what changes it.
    const Case at{"Llama-3.1-8B-Instruct", "n150"};
    const Config config = config_of(at);
    const fabric::Mesh mesh = mesh_named(at.mesh);
    const Precision precision = precision_of(at, config, "performance");
    Planner planner(config, precision, mesh);
    DeploymentOptions options;
    options.context = 8192;
    const Verdict first = planner.verdict(options);
    EXPECT_EQ(planner.plans(), 1);
    EXPECT_EQ(planner.verdict(options).free, first.free);
    EXPECT_EQ(planner.plans(), 1);
    options.device.trace_region_size = core::Bytes{1'000'000};
    EXPECT_EQ(planner.verdict(options).free, first.free - core::Bytes{12'000'000});
    EXPECT_EQ(planner.plans(), 2);
}

TEST(Planner, a_pool_of_blocks_limits_context_and_users) {
    // 1024 blocks of 32 positions: one user may have all 32,768, 4 users of 8,192 share them.
    const Case at{"Llama-3.1-8B-Instruct", "n150"};
    const Config config = config_of(at);
    const fabric::Mesh mesh = mesh_named(at.mesh);
    const Precision precision = precision_of(at, config, "performance");
    Planner planner(config, precision, mesh);
    DeploymentOptions options;
    options.context = 8192;
    options.block_size = 32;
    options.max_num_blocks = 1024;
    EXPECT_EQ(planner.max_context(options), 32768);
    EXPECT_EQ(planner.max_users(options, 32), 4);
}

}  // namespace
}  // namespace model::testing
