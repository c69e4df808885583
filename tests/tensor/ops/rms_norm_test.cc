#include "tensor/ops/rms_norm.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

std::vector<Doubles> normalise(const std::vector<Doubles>& in, double epsilon) {
    const std::size_t dim = in[1].size();
    Doubles y = in[0];
    for (std::size_t row = 0; row < y.size(); row += dim) {
        double squares = 0.0;
        for (std::size_t c = 0; c < dim; ++c) squares += y[row + c] * y[row + c];
        const double root = std::sqrt(squares / static_cast<double>(dim) + epsilon);
        for (std::size_t c = 0; c < dim; ++c) y[row + c] *= in[1][c] / root;
    }
    return {y};
}

TEST(RmsNorm, divides_by_the_root_of_the_mean_square) {
    // Odd widths: the mean divides by the columns, not by the padded tiles.
    for (const DType dtype : {DType::Float32, DType::BFloat16, DType::BFloat8_b}) {
        for (const Shape& shape : {Shape{1, 33}, Shape{33, 100}, Shape{2, 5, 64}}) {
            check_numbers(RmsNorm{1e-3F},
                          {random_held(tiled(shape, dtype), 1),
                           random_held(tiled({shape.cols()}, DType::BFloat16), 2)},
                          {}, [](const auto& in) { return normalise(in, 1e-3F); });
        }
    }
}

TEST(RmsNorm, rows_of_a_prompt_that_hold_no_token_are_skipped) {
    // Heads are outermost in prefill: the padding is in the middle axis.
    Bindings bindings;
    bindings.valid_rows = 3;
    const Spec x = tiled({2, 40, 32});
    check_numbers(RmsNorm{}, {random_held(x, 1), random_held(tiled({32}), 2)}, bindings,
                  [](const auto& in) {
                      auto y = normalise(in, 1e-5F);
                      const auto untouched = garbage(tiled({2, 40, 32})).values();
                      for (std::size_t i = 0; i < y[0].size(); ++i) {
                          if (i / 32 % 40 >= 3) y[0][i] = static_cast<double>(untouched[i]);
                      }
                      return y;
                  });
}

TEST(RmsNorm, needs_whole_rows) {
    // A row's norm depends on all of it, so only other axes may stay sharded.
    const std::vector<Held> in{random_held(tiled({6, 96}), 1), random_held(tiled({96}), 2)};
    check_sharded(RmsNorm{}, in, {}, {{kWhole, kWhole}, {kWhole}});
    check_sharded(RmsNorm{}, in, {}, {{along(0), kWhole}, {along(0)}});
    expect_split(RmsNorm{}, specs_of(in), {along(1), kWhole}, {kWhole, kWhole}, {kWhole});
    expect_split(RmsNorm{}, specs_of(in), {kPart, kWhole}, {kWhole, kWhole}, {kWhole});
    EXPECT_EQ(split_error(RmsNorm{}, specs_of(in), {kWhole, along(0)}),
              "RmsNorm: placements: expected a combination it can run on, got Replicated, "
              "Sharded(0)");
}

TEST(RmsNorm, a_weight_of_another_length_is_named) {
    // The checkpoint and the config disagree.
    EXPECT_EQ(infer_error(RmsNorm{}, {tiled({6, 96}), tiled({95})}),
              "RmsNorm: weight: expected [96], got [95]");
}

}  // namespace
}  // namespace tensor::testing
