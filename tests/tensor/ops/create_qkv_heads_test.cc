#include "tensor/ops/create_qkv_heads.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

constexpr std::int64_t kDim = 16;
// 3 KV heads, 2 query heads each: [q 6 | k 3 | v 3] heads of 16 columns.
const Spec kQkv = tiled({5, 12 * kDim});

std::vector<Doubles> cut(const Doubles& x, Phase phase) {
    std::vector<Doubles> out;
    std::size_t first = 0;
    for (const std::size_t heads : {6u, 3u, 3u}) {
        Doubles y(5 * heads * 16);
        for (std::size_t r = 0; r < 5; ++r) {
            for (std::size_t h = 0; h < heads; ++h) {
                for (std::size_t c = 0; c < 16; ++c) {
                    const std::size_t at = phase == Phase::Decode ? r * heads + h : h * 5 + r;
                    y[at * 16 + c] = x[r * 192 + (first + h) * 16 + c];
                }
            }
        }
        first += heads;
        out.push_back(y);
    }
    return out;
}

TEST(CreateQkvHeads, cuts_rows_into_heads_for_both_phases) {
    // Decode keeps users outermost, prefill heads.
    for (const Phase phase : {Phase::Decode, Phase::Prefill}) {
        for (const DType dtype : {DType::Float32, DType::BFloat16, DType::BFloat8_b}) {
            Spec spec = kQkv;
            spec.dtype = dtype;
            const auto out = check_numbers(CreateQkvHeads{2, kDim, phase}, {random_held(spec, 1)},
                                           {}, [&](const auto& in) { return cut(in[0], phase); });
            EXPECT_EQ(out[1].spec.shape,
                      phase == Phase::Decode ? (Shape{5, 3, 16}) : (Shape{3, 5, 16}));
        }
    }
}

TEST(CreateQkvHeads, each_chip_cuts_its_own_heads) {
    // A shard of the fused columns is [q_i | k_i | v_i], not a third of the columns.
    const Held qkv = random_held(kQkv, 1);
    const auto own = [&](std::int64_t chip) {
        const std::vector<float> x = qkv.values();
        std::vector<float> y;
        for (std::int64_t r = 0; r < 5; ++r) {
            for (const auto& [first, heads] : {std::pair{0, 2}, std::pair{6, 1}, std::pair{9, 1}}) {
                const auto from = x.begin() + r * 192 + (first + heads * chip) * kDim;
                y.insert(y.end(), from, from + heads * kDim);
            }
        }
        return hold(tiled({5, 4 * kDim}), y);
    };
    check_sharded(CreateQkvHeads{2, kDim, Phase::Decode}, {qkv}, {},
                  {{along(1)}, {along(1), along(1), along(1)}, 3, {}, own});
    check_sharded(CreateQkvHeads{2, kDim, Phase::Prefill}, {qkv}, {},
                  {{along(1)}, {along(0), along(0), along(0)}, 3, {}, own});
    check_sharded(CreateQkvHeads{2, kDim, Phase::Decode}, {qkv}, {},
                  {{along(0)}, {along(0), along(0), along(0)}, 5});
    expect_split(CreateQkvHeads{2, kDim, Phase::Decode}, {kQkv}, {kPart}, {kWhole},
                 {kWhole, kWhole, kWhole});
}

TEST(CreateQkvHeads, columns_that_are_no_heads_are_reported) {
    // 14 heads on 4 chips end here.
    EXPECT_EQ(infer_error(CreateQkvHeads{2, 16, Phase::Decode}, {tiled({5, 96})}),
              "CreateQkvHeads: qkv: expected columns in multiples of 64 (2 query heads, a key and "
              "a value of 16), got [5, 96]");
}

}  // namespace
}  // namespace tensor::testing
