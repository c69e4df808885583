// Sizes that are no multiples of tiles or chips, of every architecture that runs: the same logits
// as the reference's wherever heads divide, and with padded heads where they do not.
#include "model/head_padding.h"
#include "tests/model/architectures_fixture.h"

namespace model::testing {
namespace {

/// Fixture, mesh, and the chips heads are padded for (0: as they are).
struct OddCase {
    const char* fixture;
    const char* mesh;
    std::int64_t pad_over = 0;
};

std::string text(const OddCase& odd) { return std::string(odd.fixture) + " on " + odd.mesh; }

void expect_reference(const OddCase& odd, FixtureRun run) {
    SCOPED_TRACE(text(odd));
    run.pad_over = odd.pad_over;
    const EvaluateReport report = evaluated(odd.fixture, odd.mesh, run);
    ASSERT_EQ(report.shortage, "");
    EXPECT_EQ(report.positions, 98 - run.evaluation.prefill);
    EXPECT_LE(report.max_abs_error, tolerance(odd.fixture));
    EXPECT_LE(report.max_abs_error_hidden, 2e-3);
}

constexpr OddCase kCases[] = {
    {"odd/llama-bias", "n300"},         {"odd/llama-bias", "t3k:2x4"},
    {"odd/llama-one-kv-head", "n150"},  {"odd/llama-one-kv-head", "p150x4", 4},
    {"odd/qwen2-14-heads", "n300"},     {"odd/qwen2-14-heads", "t3k", 8},
    {"odd/qwen3-wide-heads", "n300"},   {"odd/qwen3-wide-heads", "t3k:2x4", 2},
    {"odd/mistral-window-17", "n300"},  {"odd/mistral-window-17", "t3k", 8},
    {"odd/phi3-partial", "p150x4"},     {"odd/phi3-partial", "t3k", 8},
    {"odd/mixtral-six-experts", "t3k"}, {"odd/mixtral-six-experts", "t3k:2x4"},
};

TEST(OddShapes, give_the_reference_in_fp32) {
    // A prompt across the edge of a tile, then token by token.
    for (const OddCase& odd : kCases) expect_reference(odd, {.evaluation = {.prefill = 33}});
}

TEST(OddShapes, chunks_and_pages_change_nothing) {
    // Chunks of 32 over pages of 32: a window of 17 reaches back into the chunk before.
    for (const OddCase& odd : kCases) {
        expect_reference(odd, {.evaluation = {.prefill = 96}, .chunk = 32, .block_size = 32});
    }
}

}  // namespace
}  // namespace model::testing
