// Reading and writing rows of whole tensors: the vector kernels against the one-row rules.
// Odd sizes on purpose; every instruction set of this machine is tried.
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cstring>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include "tensor/formats.h"
#include "tensor/kernels/targets.h"
#include "tests/tensor/golden.h"

using tensor::BlockRow;
using tensor::DType;
using tensor::Layout;
using tensor::Packer;
using tensor::Spec;

namespace {

constexpr Packer kPackers[] = {Packer::Host, Packer::Device, Packer::DevicePrecise};
constexpr DType kFloats[] = {DType::Float32, DType::BFloat16, DType::BFloat8_b, DType::BFloat4_b,
                             DType::BFloat2_b};

std::vector<std::byte> zeros(const Spec& spec) {
    return std::vector<std::byte>(static_cast<std::size_t>(spec.bytes().value));
}

/// Patterns of every kind: normal numbers of many sizes, denormals, zeros, infinities, NaN.
std::vector<float> awkward(std::int64_t count, unsigned seed) {
    std::mt19937 random(seed);
    std::vector<float> values(static_cast<std::size_t>(count));
    std::size_t i = 0;
    for (float& v : values) {
        const auto pattern = static_cast<std::uint32_t>(random());
        const bool wild = i++ / 16 % 4 == 0;  // some rows of sixteen take any pattern at all
        v = wild ? std::bit_cast<float>(pattern)
                 : std::bit_cast<float>((pattern & 0x807fffff) | ((120 + pattern % 14) << 23));
        if (pattern % 29 == 0) v = (pattern & 1) != 0 ? 0.0f : -0.0f;
    }
    return values;
}

std::vector<std::uint32_t> bits_of(const std::vector<float>& values) {
    std::vector<std::uint32_t> bits(values.size());
    for (std::size_t i = 0; i < bits.size(); ++i) bits[i] = std::bit_cast<std::uint32_t>(values[i]);
    return bits;
}

/// The values that `packer` leaves of one row, by the one-value rules.
std::vector<float> stored_copy(DType dtype, Packer packer, const float* row, std::int64_t cols) {
    std::vector<float> result(static_cast<std::size_t>(cols));
    for (std::int64_t col = 0; col < cols; col += 16) {
        const auto n = static_cast<std::size_t>(std::min<std::int64_t>(16, cols - col));
        std::array<float, 16> values = {};
        std::copy_n(row + col, n, values.begin());
        if (dtype == DType::BFloat16) {
            for (float& v : values) {
                v = tensor::bf16_to_float(packer == Packer::Host ? tensor::bf16_round_host(v)
                                                                 : tensor::bf16_round_device(v));
            }
        } else if (tensor::is_block_float(dtype)) {
            const BlockRow block = tensor::pack_row(dtype, packer, values);
            tensor::unpack_row_host(dtype, block, values);
        }
        std::copy_n(values.begin(), n, result.begin() + col);
    }
    return result;
}

/// Runs `check` once per instruction set that this machine and this binary share.
template <class Check>
void on_every_target(const Check& check) {
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        SCOPED_TRACE(hwy::TargetName(target));
        hwy::SetSupportedTargetsForTest(target);
        check();
    }
    hwy::SetSupportedTargetsForTest(0);
}

}  // namespace

TEST(ReadRows, gives_back_what_the_rules_leave_of_every_row) {
    // Three matrices of 35 x 47: the padding of each comes between them.
    const std::int64_t cols = 47;
    const std::vector<float> values = awkward(3 * 35 * cols, 3);
    on_every_target([&] {
        for (const DType dtype : kFloats) {
            for (const Packer packer : kPackers) {
                const Spec spec{{3, 35, cols}, dtype};
                std::vector<std::byte> bytes = zeros(spec);
                tensor::write_rows(spec, bytes.data(), 0, 60, values.data(), packer);
                tensor::write_rows(spec, bytes.data(), 60, 45, values.data() + 60 * cols, packer);
                std::vector<float> back(values.size());
                tensor::read_rows(spec, bytes.data(), 0, 105, back.data());
                std::vector<float> expected;
                for (std::int64_t r = 0; r < 105; ++r) {
                    const auto row = stored_copy(dtype, packer, values.data() + r * cols, cols);
                    expected.insert(expected.end(), row.begin(), row.end());
                }
                ASSERT_EQ(bits_of(back), bits_of(expected)) << tensor::name(dtype);
            }
        }
    });
}

TEST(ReadRows, decodes_every_exponent_and_code_like_the_scalar_rule) {
    // Tiles come from files too: all 256 exponents with all codes, not only what packers produce.
    on_every_target([&] {
        for (const DType dtype : golden::kBlockFloats) {
            const Spec spec{{256 * 32, 32}, dtype};
            std::vector<std::byte> bytes = zeros(spec);
            std::mt19937 random(7);
            for (std::byte& b : bytes) b = static_cast<std::byte>(random());
            const auto tile = static_cast<std::size_t>(spec.page_bytes().value);
            for (std::size_t t = 0; t < 256; ++t) {
                std::fill_n(bytes.begin() + static_cast<std::ptrdiff_t>(t * tile), 64,
                            static_cast<std::byte>(t));
            }
            std::vector<float> row(32);
            for (std::int64_t r = 0; r < 256 * 32; ++r) {
                tensor::read_rows(spec, bytes.data(), r, 1, row.data());
                const std::byte* base = bytes.data() + static_cast<std::size_t>(r / 32) * tile;
                const std::int64_t index = r % 32 / 16 * 32 + r % 16;
                const std::int64_t code_bytes = 2 * tensor::code_bits(dtype);
                for (std::int64_t half = 0; half < 2; ++half) {
                    const std::byte* codes = base + 64 + (index + half * 16) * code_bytes;
                    std::array<float, 16> expected;
                    tensor::unpack_row_host(
                        dtype, tensor::load_codes(dtype, static_cast<std::uint8_t>(r / 32), codes),
                        expected);
                    ASSERT_EQ(0, std::memcmp(expected.data(), row.data() + half * 16, 64))
                        << tensor::name(dtype) << " exponent " << r / 32;
                }
            }
        }
    });
}

TEST(WriteRows, stores_the_bytes_of_pack_row) {
    // Values can agree while codes differ (two ways to say zero); the bytes are the contract.
    const std::vector<float> values = awkward(32 * 32, 4);
    on_every_target([&] {
        for (const DType dtype : golden::kBlockFloats) {
            for (const Packer packer : kPackers) {
                const Spec spec{{32, 32}, dtype};
                std::vector<std::byte> bytes = zeros(spec);
                tensor::write_rows(spec, bytes.data(), 0, 32, values.data(), packer);
                std::vector<std::byte> expected = zeros(spec);
                const int code_bytes = 2 * tensor::code_bits(dtype);
                for (int index = 0; index < 64; ++index) {
                    const int r = index / 32 * 16 + index % 16;
                    const int c = index / 16 % 2 * 16;
                    const BlockRow row = tensor::pack_row(
                        dtype, packer, std::span<const float, 16>(values.data() + r * 32 + c, 16));
                    expected[static_cast<std::size_t>(index)] = std::byte{row.exponent};
                    tensor::store_codes(dtype, row, expected.data() + 64 + index * code_bytes);
                }
                ASSERT_EQ(bytes, expected) << tensor::name(dtype);
            }
        }
    });
}

TEST(WriteRows, one_row_leaves_all_other_bytes_alone) {
    // A decode step writes one row of the KV cache; its neighbours hold earlier tokens.
    for (const DType dtype : kFloats) {
        const Spec spec{{2, 40, 96}, dtype};
        std::vector<std::byte> bytes = zeros(spec);
        const std::vector<float> old = awkward(80 * 96, 8);
        tensor::write_rows(spec, bytes.data(), 0, 80, old.data(), Packer::Device);
        std::vector<float> before(80 * 96), after(80 * 96);
        tensor::read_rows(spec, bytes.data(), 0, 80, before.data());
        const std::vector<float> row(96, 1.5f);
        tensor::write_rows(spec, bytes.data(), 57, 1, row.data(), Packer::Device);
        tensor::read_rows(spec, bytes.data(), 0, 80, after.data());
        std::copy(row.begin(), row.end(), before.begin() + 57 * 96);
        if (dtype == DType::BFloat2_b) std::fill_n(before.begin() + 57 * 96, 96, 1.0f);
        EXPECT_EQ(bits_of(after), bits_of(before)) << tensor::name(dtype);
    }
}

TEST(WriteRows, zeroes_the_padding_columns_it_passes) {
    // Garbage beside a short row would raise the exponent it shares.
    const Spec spec{{1, 33}, DType::BFloat8_b};
    std::vector<std::byte> bytes(static_cast<std::size_t>(spec.bytes().value), std::byte{0xff});
    const std::vector<float> row(33, 0.5f);
    tensor::write_rows(spec, bytes.data(), 0, 1, row.data(), Packer::Host);
    EXPECT_EQ(bytes[1088], std::byte{126});  // second tile: only column 32 is ours
    EXPECT_EQ(bytes[1088 + 64], std::byte{64});
    EXPECT_EQ(bytes[1088 + 65], std::byte{0});
    EXPECT_EQ(bytes[1088 + 16], std::byte{0});  // right face: no exponent, no codes
    EXPECT_EQ(bytes[1088 + 64 + 256], std::byte{0});
}

TEST(RowMajor, rows_are_contiguous) {
    // Embedding tables and token ids are row-major; an odd width leaves a tail after the vectors.
    const std::int64_t cols = 19;
    const std::vector<float> values = awkward(5 * cols, 9);
    for (const DType dtype : {DType::Float32, DType::BFloat16}) {
        const Spec spec{{5, cols}, dtype, Layout::RowMajor};
        std::vector<std::byte> bytes = zeros(spec);
        tensor::write_rows(spec, bytes.data(), 0, 5, values.data(), Packer::Device);
        std::vector<float> back(2 * cols);
        tensor::read_rows(spec, bytes.data(), 3, 2, back.data());
        std::vector<float> expected;
        for (std::int64_t r = 3; r < 5; ++r) {
            const auto row = stored_copy(dtype, Packer::Device, values.data() + r * cols, cols);
            expected.insert(expected.end(), row.begin(), row.end());
        }
        EXPECT_EQ(bits_of(back), bits_of(expected));
    }
}

TEST(Integers, keep_their_values_in_both_layouts) {
    // Token ids and positions travel as integers; -1 marks an inactive user.
    const std::vector<float> ids = {0.0f, 128255.0f, -1.0f, 7.0f, 31.4f};
    for (const Layout layout : {Layout::Tile, Layout::RowMajor}) {
        const Spec spec{{1, 5}, DType::Int32, layout};
        std::vector<std::byte> bytes = zeros(spec);
        tensor::write_rows(spec, bytes.data(), 0, 1, ids.data(), Packer::Host);
        std::vector<float> back(5);
        tensor::read_rows(spec, bytes.data(), 0, 1, back.data());
        EXPECT_EQ(back, (std::vector<float>{0.0f, 128255.0f, -1.0f, 7.0f, 31.0f}));
        std::int32_t second;
        std::memcpy(&second, bytes.data() + 4, 4);
        EXPECT_EQ(second, 128255);
    }
    const Spec spec{{1, 3}, DType::UInt32, Layout::RowMajor};
    std::vector<std::byte> bytes = zeros(spec);
    const float extremes[] = {-5.0f, 1e12f, std::numeric_limits<float>::quiet_NaN()};
    tensor::write_rows(spec, bytes.data(), 0, 1, extremes, Packer::Host);
    std::uint32_t stored[3];
    std::memcpy(stored, bytes.data(), 12);
    EXPECT_EQ(stored[0], 0u);
    EXPECT_EQ(stored[1], 0xffffffffu);
    EXPECT_EQ(stored[2], 0u);
}

TEST(Rows, outside_the_tensor_are_our_own_mistake) {
    // One row too many would read another tensor's bank.
    const Spec spec{{4, 32}, DType::BFloat16};
    std::vector<std::byte> bytes = zeros(spec);
    std::vector<float> out(5 * 32);
    EXPECT_THROW(tensor::read_rows(spec, bytes.data(), 0, 5, out.data()), std::logic_error);
    EXPECT_THROW(tensor::write_rows(spec, bytes.data(), -1, 1, out.data(), Packer::Host),
                 std::logic_error);
    tensor::read_rows(spec, bytes.data(), 4, 0, out.data());
}
