#include "tensor/ops/typecast.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(Typecast, converts_between_all_formats) {
    // Every pair of formats occurs in some precision preset.
    for (const DType from : {DType::Float32, DType::BFloat16, DType::BFloat8_b}) {
        for (const DType to : {DType::Float32, DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b,
                               DType::BFloat2_b}) {
            const auto out = check_numbers(Typecast{to}, {random_held(tiled({3, 33, 40}, from), 7)},
                                           {}, [](const auto& in) { return in; });
            EXPECT_EQ(out[0].spec.dtype, to);
        }
    }
}

TEST(Typecast, rounds_once) {
    // The default packer rounds to 7 bits before it knows the shared exponent; a cast does not.
    std::vector<float> values(16, 0.0F);
    values[0] = 128.0F;
    values[1] = 66.9921875F;  // to 7 bits: 67, then to steps of 2: 68; at once: 66
    const auto out = run_counted(Typecast{DType::BFloat8_b}, {hold(tiled({1, 16}), values)}, {});
    EXPECT_EQ(out[0].values()[1], 66.0F);
}

TEST(Typecast, keeps_any_placement) {
    // A cast moves nothing.
    const Held x = random_held(tiled({6, 96}), 3);
    for (const Placement p : {kWhole, along(0), along(1), kPart}) {
        check_sharded(Typecast{DType::BFloat16}, {x}, {}, {{p}, {p}});
    }
}

}  // namespace
}  // namespace tensor::testing
