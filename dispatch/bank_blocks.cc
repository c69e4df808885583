#include "dispatch/bank_blocks.h"

#include <algorithm>

#include "core/error.h"

namespace dispatch {
namespace {

using core::ceil_div;

constexpr std::int64_t kDeepestBlock = 8;  // find_largest_divisor's default
constexpr std::int64_t kMostCores = 64;    // find_grid_k_n: grids of at most 8 x 8
// get_matmul_subblock_params: what the destination registers hold; half of it with fp32 sums.
constexpr std::int64_t kWidestSubblock = 8;
constexpr std::int64_t kWidestFp32Subblock = 4;

std::int64_t largest_divisor(std::int64_t number, std::int64_t most) {
    std::int64_t divisor = std::min(number, most);
    while (number % divisor != 0) --divisor;
    return divisor;
}

/// Cores of the input's shards. GUESS where it has none: what find_grid_k_n would take.
std::int64_t input_cores(const BankMatmul& matmul) {
    const std::int64_t depth = matmul.weight.tile_rows();
    const MemoryConfig& place = matmul.activations;
    if (place.layout == MemoryLayout::WidthSharded && place.shards > 0) {
        return std::min<std::int64_t>(place.shards, depth);
    }
    return largest_divisor(depth, kMostCores);
}

core::Bytes buffer_bytes(const BankMatmul& matmul, const BankBlocks& blocks) {
    core::Bytes sum;
    for (const CircularBuffer& buffer : bank_buffers(matmul, blocks)) sum += buffer.size;
    return sum;
}

/// What the output's shards, on the cores of the input, leave of L1.
core::Bytes free_l1(const BankMatmul& matmul, std::int64_t shards, const mesh::ChipSpec& chip) {
    return chip.l1.size - chip.l1.unreserved_base -
           core::Bytes{ceil_div(matmul.out.bytes().value, shards)};
}

}  // namespace

std::vector<CircularBuffer> bank_buffers(const BankMatmul& matmul, const BankBlocks& blocks) {
    const auto tile = [](const tensor::Spec& spec) { return tensor::tile_bytes(spec.dtype); };
    const bool one = blocks.count == 1;
    std::vector<CircularBuffer> buffers{
        {"in0", tile(matmul.x) * ((one ? 1 : 2) * blocks.depth)},
        {"in1", tile(matmul.weight) * ((one ? 1 : 3) * blocks.depth * blocks.cols)},
        {"out", tile(matmul.out) * blocks.computed()}};
    const tensor::DType usual = one ? matmul.out.dtype : tensor::DType::BFloat16;
    const tensor::DType sums = blocks.sums == Sums::Float32 ? tensor::DType::Float32 : usual;
    if (sums != matmul.out.dtype) {
        buffers.push_back({"intermediate", tensor::tile_bytes(sums) * blocks.computed()});
    }
    return buffers;
}

BankBlocks bank_blocks(const BankMatmul& matmul, const mesh::ChipSpec& chip) {
    core::require(matmul.cores > 0, "a matmul has cores");
    const std::int64_t depth = matmul.weight.tile_rows();
    const std::int64_t shards = input_cores(matmul);
    const std::int64_t shard = ceil_div(depth, shards);
    BankBlocks blocks;
    // GUESS: sums are fp32 at HiFi4 alone; the presets also have HiFi2 with and without.
    const bool fp32 = matmul.fidelity == mesh::Fidelity::HiFi4;
    blocks.sums = fp32 ? Sums::Float32 : Sums::BFloat16;
    blocks.cols = ceil_div(matmul.weight.tile_cols(), std::int64_t{matmul.cores});
    // The widest divisor, or a wider one with padding where that makes fewer: it always does.
    blocks.subblocks = ceil_div(blocks.cols, fp32 ? kWidestFp32Subblock : kWidestSubblock);
    blocks.subblock = ceil_div(blocks.cols, blocks.subblocks);
    // GUESS: shallower where L1 has no room; the software's own configuration does not run there.
    const core::Bytes room = free_l1(matmul, shards, chip);
    for (std::int64_t most = kDeepestBlock; most > 0; most = blocks.depth - 1) {
        blocks.depth = largest_divisor(shard, most);
        blocks.count = ceil_div(depth, blocks.depth);
        if (buffer_bytes(matmul, blocks) <= room) break;
    }
    return blocks;
}

}  // namespace dispatch
