// Every architecture that runs, on the meshes its heads divide over.
#include "tests/model/architectures_cases.h"

namespace model::testing {
namespace {

INSTANTIATE_TEST_SUITE_P(OneDimensional, Architectures,
                         ::testing::Combine(::testing::Values("llama3-scaled-rope", "qwen2",
                                                              "qwen3", "mistral-sliding-window",
                                                              "phi3-longrope", "mixtral"),
                                            ::testing::Values("n150", "n300", "p150x4")));
INSTANTIATE_TEST_SUITE_P(EightHeads, Architectures,
                         ::testing::Combine(::testing::Values("llama3-scaled-rope", "qwen3",
                                                              "phi3-longrope", "mixtral"),
                                            ::testing::Values("t3k", "t3k:2x4")));
// Four KV heads over the four rows of a quarter of the Galaxy.
INSTANTIATE_TEST_SUITE_P(FourHeads, Architectures,
                         ::testing::Combine(::testing::Values("qwen2", "mistral-sliding-window",
                                                              "mixtral"),
                                            ::testing::Values("galaxy:4x4")));

}  // namespace
}  // namespace model::testing
