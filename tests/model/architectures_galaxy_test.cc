// A whole Galaxy, slow to run. The fast set has half of it.
#include "tests/model/architectures_cases.h"

namespace model::testing {
namespace {

// Eight heads over the eight rows of the Galaxy; the experts share out both axes.
INSTANTIATE_TEST_SUITE_P(Galaxy, Architectures,
                         ::testing::Combine(::testing::Values("mixtral"),
                                            ::testing::Values("galaxy")));

}  // namespace
}  // namespace model::testing
