// Laws of whole steps, asked of random small models on random systems (seeded): tracing, clocks,
// memory and links only help, layers and positions only cost, a chip is never busy longer than the
// step, 32 rows are multiplied and sent whether one user or 32 have them, and the number of host
// threads changes nothing.
#include <gtest/gtest.h>
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <optional>

#include "model/estimate.h"
#include "tests/dispatch/random_questions.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using core::Picoseconds;
using dispatch::testing::Random;

struct Asked {
    LlamaSizes sizes{};
    fabric::Mesh mesh;
    std::int64_t batch = 1;
    dispatch::Release release = dispatch::Release::R2026_09;
    EstimateOptions options{};

    Estimate answer() const {
        DeploymentOptions deployment;
        deployment.batch = batch;
        deployment.context = 2048;
        deployment.device.release = release;
        deployment.device.trace_region_size = core::Bytes{50'000'000};
        Deployment laid(llama(sizes),
                        precision_preset("performance", "Llama-3.1-8B",
                                         static_cast<std::int32_t>(sizes.layers)),
                        mesh, deployment);
        Estimate result = estimate(laid, options);
        EXPECT_EQ(result.shortage, "");
        return result;
    }
};

/// Llamas of one to three layers; everything divides by eight chips.
Asked random_question(Random& random) {
    Asked asked;
    asked.mesh = mesh_named(random.of({"n150", "n300", "t3k", "galaxy", "p150", "p150x4"}));
    asked.sizes.dim = 1024 * random.in(1, asked.mesh.chip_count() < 8 ? 4 : 8);  // LM head in L1
    asked.sizes.ffn = asked.sizes.dim * random.in(2, 4);
    asked.sizes.layers = random.in(1, 3);
    asked.sizes.kv_heads = 8;
    asked.sizes.heads = 8 * (asked.sizes.dim / 1024);
    asked.batch = random.of<std::int64_t>({1, 8, 32});
    asked.release = random.of({dispatch::Release::R2025, dispatch::Release::R2026_09});
    asked.options.isl = random.in(1, 500);
    asked.options.osl = random.in(1, 64);
    return asked;
}

constexpr int kCases = 40;

template <class Check>
void for_questions(std::uint32_t seed, Check check) {
    Random random(seed);
    for (int i = 0; i < kCases; ++i) {
        const Asked asked = random_question(random);
        SCOPED_TRACE(std::to_string(i) + " on " + asked.mesh.system.name + ", dim " +
                     std::to_string(asked.sizes.dim) + ", batch " + std::to_string(asked.batch));
        check(random, asked);
    }
}

Picoseconds sum(const Parts& parts) {
    Picoseconds total{};
    for (const auto& [name, time] : parts) total += time;
    return total;
}

TEST(SpeedLaws, a_step_is_never_below_its_bytes_nor_below_what_a_chip_does_in_it) {
    for_questions(1, [](Random&, const Asked& question) {
        Asked asked = question;
        asked.options.osl = 1;  // the parts are those of the last position, the step is a mean
        const Estimate result = asked.answer();
        EXPECT_GE(result.decode_step, result.roofline_step);
        Parts kernels = result.by_bound;
        kernels.erase("sampling");  // after the step's programs
        EXPECT_GT(sum(kernels).count(), 0);
        EXPECT_GE(result.chips, sum(kernels));
        EXPECT_EQ(sum(result.breakdown), sum(result.by_bound));
        EXPECT_GE(result.decode_step, sum(result.breakdown));
    });
}

TEST(SpeedLaws, better_chips_and_links_are_never_slower) {
    for_questions(2, [](Random&, const Asked& asked) {
        const Estimate base = asked.answer();
        for (const auto change : {dispatch::testing::faster_clock, dispatch::testing::faster_dram,
                                  dispatch::testing::faster_l1}) {
            Asked better = asked;
            better.mesh.system.chip = change(asked.mesh.system.chip);
            const Estimate now = better.answer();
            EXPECT_LE(now.decode_step, base.decode_step);
            EXPECT_LE(now.time_to_first_token, base.time_to_first_token);
        }
        Asked wired = asked;
        wired.mesh.system.link.line_rate = asked.mesh.system.link.line_rate * 2;
        EXPECT_LE(wired.answer().decode_step, base.decode_step);
        EXPECT_LE(wired.answer().time_to_first_token, base.time_to_first_token);
    });
}

TEST(SpeedLaws, tracing_is_never_slower_and_more_layers_or_positions_never_faster) {
    for_questions(3, [](Random& random, const Asked& asked) {
        const Estimate base = asked.answer();
        Asked other = asked;
        other.options.trace = EstimateOptions::Trace::Off;
        EXPECT_GE(other.answer().decode_step, base.decode_step) << "eager";
        other = asked;
        other.sizes.layers += 1;
        EXPECT_GE(other.answer().decode_step, base.decode_step) << "layers";
        EXPECT_GE(other.answer().time_to_first_token, base.time_to_first_token) << "layers";
        other = asked;
        other.options.isl += random.in(1, 1000);
        EXPECT_GE(other.answer().decode_step, base.decode_step) << "positions";
        EXPECT_GE(other.answer().time_to_first_token, base.time_to_first_token) << "prompt";
    });
}

TEST(SpeedLaws, matmuls_and_collectives_take_as_long_for_one_user_as_for_32) {
    // One tile has 32 rows. A Galaxy splits its users over columns, eight rows each.
    for_questions(4, [](Random&, const Asked& asked) {
        Asked one = asked;
        one.batch = 1;
        one.options.sampling = EstimateOptions::Sampling::Host;
        Asked many = one;
        many.batch = 32;
        const Estimate alone = one.answer();
        const Estimate together = many.answer();
        EXPECT_GT(alone.breakdown.count("Matmul"), 0u);
        for (const char* kind : {"Matmul", "all_gather", "reduce_scatter", "all_reduce"}) {
            ASSERT_EQ(alone.breakdown.count(kind), together.breakdown.count(kind)) << kind;
            if (alone.breakdown.count(kind) == 0) continue;
            EXPECT_EQ(alone.breakdown.at(kind), together.breakdown.at(kind)) << kind;
        }
        // Where users are split over columns, one user's heads move on fewer cores.
        if (alone.breakdown.count("LayerNormPreAllGather") > 0) return;
        EXPECT_GE(together.decode_step, alone.decode_step);
    });
}

TEST(SpeedLaws, any_number_of_host_threads_gives_the_same_times) {
    for_questions(5, [](Random&, const Asked& asked) {
        std::optional<Estimate> first;
        for (const int threads : {1, 2, 8}) {
            tbb::global_control control(tbb::global_control::max_allowed_parallelism,
                                        static_cast<std::size_t>(threads));
            Estimate now;
            tbb::task_arena(threads).execute([&] { now = asked.answer(); });
            if (!first) first = now;
            EXPECT_EQ(now.digest, first->digest) << threads;
            EXPECT_EQ(now.decode_step, first->decode_step) << threads;
            EXPECT_EQ(now.step_bytes, first->step_bytes) << threads;
        }
    });
}

}  // namespace
}  // namespace model::testing
