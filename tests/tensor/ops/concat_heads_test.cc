#include "tensor/ops/concat_heads.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(ConcatHeads, undoes_the_cut_for_both_phases) {
    // Rows of the output are tokens, whatever was outermost.
    for (const DType dtype : {DType::Float32, DType::BFloat8_b}) {
        check_numbers(ConcatHeads{Phase::Decode}, {random_held(tiled({33, 5, 32}, dtype), 1)}, {},
                      [](const auto& in) { return in; });
        check_numbers(ConcatHeads{Phase::Prefill}, {random_held(tiled({5, 33, 32}, dtype), 1)}, {},
                      [](const auto& in) {
                          Doubles y(in[0].size());
                          for (std::size_t i = 0; i < y.size(); ++i) {
                              const std::size_t head = i / (33 * 32), row = i / 32 % 33;
                              y[(row * 5 + head) * 32 + i % 32] = in[0][i];
                          }
                          return std::vector<Doubles>{y};
                      });
    }
}

TEST(ConcatHeads, heads_become_columns_and_users_rows) {
    // The output projection reads off this what it must be.
    const Held decode = random_held(tiled({6, 3, 16}), 1);
    const Held prefill = random_held(tiled({3, 6, 16}), 1);
    check_sharded(ConcatHeads{Phase::Decode}, {decode}, {}, {{along(1)}, {along(1)}});
    check_sharded(ConcatHeads{Phase::Decode}, {decode}, {}, {{along(0)}, {along(0)}});
    check_sharded(ConcatHeads{Phase::Decode}, {decode}, {}, {{kPart}, {kPart}});
    check_sharded(ConcatHeads{Phase::Prefill}, {prefill}, {}, {{along(0)}, {along(1)}});
    expect_split(ConcatHeads{Phase::Decode}, {decode.spec}, {along(2)}, {kWhole}, {kWhole});
}

TEST(ConcatHeads, wants_heads) {
    // A matrix has been concatenated already.
    EXPECT_EQ(infer_error(ConcatHeads{}, {tiled({6, 48})}),
              "ConcatHeads: x: expected 3 axes, got [6, 48]");
}

}  // namespace
}  // namespace tensor::testing
