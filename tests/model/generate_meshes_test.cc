// All 64 tokens of the reference on every other mesh, and with a paged cache; takes its time.
#include <ostream>

#include "tests/model/generate_fixture.h"

namespace model::testing {
namespace {

struct Place {
    const char* mesh;
    std::int64_t block_size;
};

void PrintTo(const Place& place, std::ostream* out) { *out << place.mesh; }

class GenerateEverywhere : public ::testing::TestWithParam<Place> {};

INSTANTIATE_TEST_SUITE_P(Meshes, GenerateEverywhere,
                         ::testing::Values(Place{"n300", 0}, Place{"n150x4", 0},
                                           Place{"t3k:2x4", 0}, Place{"galaxy", 0},
                                           Place{"p150x8", 0}, Place{"p150", 0}, Place{"p300x2", 0},
                                           Place{"t3k", 32}, Place{"galaxy", 64}),
                         [](const auto& place) {
                             std::string text = place.param.mesh;
                             std::replace(text.begin(), text.end(), ':', '_');
                             return text + "_blocks_of_" + std::to_string(place.param.block_size);
                         });

TEST_P(GenerateEverywhere, greedy_text_is_the_references_token_by_token) {
    // The same ids wherever the model runs: margins of 0.0126 are far above sums in another order.
    const ReferenceCases cases = reference_cases();
    DemoFleet fleet(GetParam().mesh, 1, 5, GetParam().block_size);
    EXPECT_EQ(fleet.run(cases.prompts, tokens_of(64)).token_ids, cases.continuations);
}

TEST(GenerateEverywhereElse, eight_replicas_of_a_galaxy_make_the_references_text) {
    // --dp 8: a replica per row of four chips, each with its own user.
    ReferenceCases cases = reference_cases();
    for (std::size_t user = 5; user < 8; ++user) {
        cases.prompts.push_back(cases.prompts[user - 5]);
        cases.continuations.push_back(cases.continuations[user - 5]);
    }
    EXPECT_EQ(DemoFleet("galaxy", 8, 1).run(cases.prompts, tokens_of(64)).token_ids,
              cases.continuations);
}

}  // namespace
}  // namespace model::testing
