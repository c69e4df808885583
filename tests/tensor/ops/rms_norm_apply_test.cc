#include "tensor/ops/rms_norm_apply.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(RmsNormApply, three_chips_norm_like_one) {
    // Statistics, gather, apply on shards must be the norm of the whole.
    const Held x = random_held(tiled({5, 99}), 1);
    const Held weight = random_held(tiled({99}), 2);
    std::vector<Held> stats;
    for (int chip = 0; chip < 3; ++chip) {
        stats.push_back(
            run_counted(RmsNormStats{DType::Float32}, {shard(x, along(1), chip, 3)}, {})[0]);
    }
    const Held gathered = hold(tiled({5, 96}), combine(stats, along(1)));
    const Held whole = run_counted(RmsNorm{1e-4F}, {x, weight}, {})[0];
    std::vector<Held> parts;
    for (int chip = 0; chip < 3; ++chip) {
        parts.push_back(run_counted(
            RmsNormApply{1e-4F},
            {shard(x, along(1), chip, 3), gathered, shard(weight, along(0), chip, 3)}, {})[0]);
    }
    const auto together = combine(parts, along(1));
    expect_close(whole, Doubles(together.begin(), together.end()), 1e-5);
}

TEST(RmsNormApply, divides_by_all_chips_columns) {
    // Two chips of 40 columns: the mean is over 80.
    for (const DType dtype : {DType::Float32, DType::BFloat16, DType::BFloat8_b}) {
        std::vector<float> stats(3 * 64, 0.0F);
        for (std::size_t r = 0; r < 3; ++r) stats[r * 64] = 8.0F, stats[r * 64 + 32] = 12.0F;
        check_numbers(RmsNormApply{},
                      {random_held(tiled({3, 40}, dtype), 1), hold(tiled({3, 64}), stats),
                       random_held(tiled({40}), 2)},
                      {}, [](const auto& in) {
                          Doubles y = in[0];
                          for (std::size_t i = 0; i < y.size(); ++i) {
                              y[i] *= in[2][i % 40] / std::sqrt(20.0 / 80.0 + 1e-5);
                          }
                          return std::vector<Doubles>{y};
                      });
    }
}

TEST(RmsNormApply, the_weight_decides_how_x_is_cut) {
    // On the axis where the width is not cut, everything is whole.
    const std::vector<Spec> specs{tiled({5, 96}), tiled({5, 32}), tiled({96})};
    expect_split(RmsNormApply{}, specs, {along(1), along(1), along(0)},
                 {along(1), kWhole, along(0)}, {along(1)});
    expect_split(RmsNormApply{}, specs, {kPart, kWhole, kWhole}, {kWhole, kWhole, kWhole},
                 {kWhole});
    expect_split(RmsNormApply{}, specs, {along(0), kWhole, kWhole}, {along(0), along(0), kWhole},
                 {along(0)});
    EXPECT_NE(split_error(RmsNormApply{}, specs, {kWhole, kWhole, kPart}), "");
}

TEST(RmsNormApply, statistics_come_in_tiles) {
    // A gather of the wrong axis shows here.
    EXPECT_EQ(infer_error(RmsNormApply{}, {tiled({5, 96}), tiled({5, 33}), tiled({96})}),
              "RmsNormApply: stats: expected [5, 32 per chip], got [5, 33]");
}

}  // namespace
}  // namespace tensor::testing
