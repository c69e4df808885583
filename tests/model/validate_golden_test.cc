// The published tables of tests/data/measurements, whole. The figures are those of
// docs/memory-fit.md and docs/chunk-sizes.md; the bounds are the project's promises, and the number
// of judged rows is pinned from below so that a percentage cannot rise by answering less.
#include <gtest/gtest.h>

#include "tests/model/validate_fixture.h"

namespace model::testing {
namespace {

Validation published(const char* file) {
    return validate(
        core::read_csv(std::string(TESSERA_SOURCE_DIR "/tests/data/measurements/") + file),
        library());
}

std::string disagreements(const Validation& found) {
    std::string text;
    for (const JudgedRow& row : found.rows) {
        if (row.verdict != Verdict::Disagrees) continue;
        text += std::to_string(row.line) + ": " + row.asked + ": predicted " + row.predicted +
                ", measured " + row.measured + "; " + row.why + "\n";
    }
    return text;
}

TEST(Published, what_is_served_fits_and_what_ran_out_of_memory_does_not) {
    // tt-inference-server @11ac526e0 and issues of tt-metal; each row of the table names its
    // source.
    const Validation found = published("memory_fit.csv");
    EXPECT_GE(found.scores.rows, 66);
    EXPECT_GE(found.scores.agree_yes_pct.value(), 95) << disagreements(found);
    std::int64_t wrongly_fitting = 0;
    for (const JudgedRow& row : found.rows) {
        const bool is_wrong = row.verdict == Verdict::Disagrees && row.predicted == "yes";
        wrongly_fitting += is_wrong ? 1 : 0;
    }
    EXPECT_LE(wrongly_fitting, 1) << disagreements(found);
}

TEST(Published, prefill_chunks_are_within_a_factor_of_two) {
    // MAX_PREFILL_CHUNK_SIZES_DIV1024 of tt_transformers, and its README.
    const Validation found = published("chunk_sizes.csv");
    EXPECT_GE(found.scores.rows, 118);
    EXPECT_GE(found.scores.within_2x_pct.value(), 85) << disagreements(found);
    EXPECT_GE(found.scores.exact_pct.value(), 70) << disagreements(found);
}

}  // namespace
}  // namespace model::testing
