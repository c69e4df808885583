// Ops that only move a value: where it is, its layout, or which rows of it stay.
#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

using Route = ToMemory::Route;

TEST(ToMemory, keeps_the_bits_of_every_format) {
    // A reshard copies pages; it never rounds.
    for (const DType dtype : {DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b}) {
        const Held x = random_held(tiled({3, 70}, dtype), 4);
        const auto out = run_counted(ToMemory{Route::Reshard, dtype}, {x}, {});
        EXPECT_EQ(out[0].bytes, x.bytes);
    }
}

TEST(ToMemory, may_change_the_format_on_the_way_to_interleaved) {
    // nlp_create_qkv_heads_decode wants bf16; bf16 holds every bfp8 value.
    check_numbers(ToMemory{Route::ShardedToInterleaved, DType::BFloat16},
                  {random_held(tiled({5, 64}, DType::BFloat8_b), 4)}, {},
                  [](const auto& in) { return std::vector<Doubles>{in[0]}; });
    EXPECT_EQ(name(Op{ToMemory{Route::ShardedToInterleaved}}), "ShardedToInterleaved");
    EXPECT_EQ(name(Op{ToMemory{Route::InterleavedToSharded}}), "InterleavedToSharded");
    EXPECT_EQ(name(Op{ToMemory{Route::Reshard}}), "Reshard");
    EXPECT_EQ(name(Op{ToMemory{Route::Copy}}), "Copy");
}

TEST(Untilize, makes_rows_of_bf16_and_keeps_the_rows_of_padding) {
    // 5 users are 32 rows on the host's side too.
    const Held x = random_held(tiled({5, 64}, DType::BFloat8_b), 7);
    const std::vector<Spec> out = infer(Untilize{}, std::vector<Spec>{x.spec});
    EXPECT_EQ(out[0].shape, (Shape{32, 64}));
    EXPECT_EQ(out[0].dtype, DType::BFloat16);
    EXPECT_EQ(out[0].layout, Layout::RowMajor);
    EXPECT_EQ(out[0].bytes().value, 32 * 64 * 2);
    const auto made = run_counted(Untilize{}, {x}, {});
    std::vector<float> want(5 * 64), got(5 * 64);
    read_rows(x.spec, x.bytes.data(), 0, 5, want.data());
    read_rows(made[0].spec, made[0].bytes.data(), 0, 5, got.data());
    EXPECT_EQ(got, want);
}

TEST(SpreadRows, gives_every_row_a_tile_row_and_first_rows_keeps_the_first) {
    // Rotary rows of 32 users, of which 3 are there.
    const Held x = random_held(tiled({32, 64}), 7);
    const auto spread = run_counted(SpreadRows{}, {x}, {});
    EXPECT_EQ(spread[0].spec.shape, (Shape{32, 1, 64}));
    const auto first = run_counted(FirstRows{3}, {spread[0]}, {});
    EXPECT_EQ(first[0].spec.shape, (Shape{3, 1, 64}));
    std::vector<float> want(3 * 64), got(3 * 64);
    read_rows(x.spec, x.bytes.data(), 0, 3, want.data());
    read_rows(first[0].spec, first[0].bytes.data(), 0, 3, got.data());
    EXPECT_EQ(got, want);
    EXPECT_EQ(infer_error(FirstRows{4}, {tiled({3, 1, 64})}),
              "FirstRows: count: expected 1 to 3, got 4");
}

}  // namespace
}  // namespace tensor::testing
