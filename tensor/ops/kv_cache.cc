#include "tensor/ops/kv_cache.h"

#include <string>

#include "core/error.h"
#include "tensor/ops/support.h"

namespace tensor::detail {

void check_cache(std::string_view op, std::string_view key, const Spec& cache,
                 std::int64_t kv_heads, std::int64_t head_dim) {
    check_rank(op, key, cache, 4);
    check_tile_layout(op, key, cache);
    check_shape(op, key, cache, Shape{cache.shape[0], kv_heads, cache.shape[2], head_dim});
}

void check_groups(std::string_view op, std::int64_t heads, std::int64_t kv_heads) {
    if (kv_heads > 0 && heads % kv_heads == 0) return;
    throw core::Error::mismatch(op, "q",
                                "heads in multiples of " + std::to_string(kv_heads) + " KV heads",
                                std::to_string(heads));
}

void check_paged_attention(std::string_view op, std::span<const Spec> in, int heads) {
    check_inputs(op, in, 3, 3);
    check_rank(op, "q", in[0], 3);
    check_rank(op, "k", in[1], 4);
    check_cache(op, "k", in[1], in[1].shape[1], in[0].shape[2]);
    check_shape(op, "v", in[2], in[1].shape);
    check_groups(op, in[0].shape[heads], in[1].shape[1]);
}

bool is_here(const Bindings& bindings, std::int64_t user) {
    if (user < 0) return false;
    return bindings.page_table.blocks.empty() || bindings.page_table.block(user, 0) >= 0;
}

std::int64_t context_of(const Spec& cache, const Bindings& bindings, std::int64_t user,
                        std::int64_t users) {
    const PageTable& table = bindings.page_table;
    if (!is_here(bindings, user)) return 0;
    if (bindings.positions.empty()) {
        return table.blocks.empty() ? cache.shape[0] * cache.shape[2] / users
                                    : table.blocks_per_user * table.block_size;
    }
    core::require(static_cast<std::int64_t>(bindings.positions.size()) == users,
                  "a decode step has one position per user of the chip");
    return bindings.positions[static_cast<std::size_t>(user)] + std::int64_t{1};
}

std::int64_t writing_users(const Bindings& bindings, std::int64_t users) {
    if (bindings.positions.empty()) return users;
    core::require(static_cast<std::int64_t>(bindings.positions.size()) == users,
                  "a decode step has one position per user of the chip");
    std::int64_t count = 0;
    for (std::int64_t user = 0; user < users; ++user) {
        const std::int32_t position = bindings.positions[static_cast<std::size_t>(user)];
        if (position < 0) continue;
        const PageTable& table = bindings.page_table;
        if (table.blocks.empty() || table.block(user, position) >= 0) ++count;
    }
    return count;
}

std::int64_t cache_row(const Spec& cache, const Bindings& bindings, std::int64_t user,
                       std::int64_t position, std::int64_t kv_head) {
    const PageTable& table = bindings.page_table;
    const std::int64_t block_size = cache.shape[2];
    core::require(table.block_size == block_size, "page table and cache have blocks of one size");
    core::require(
        position < table.blocks_per_user * block_size &&
            (user + 1) * table.blocks_per_user <= static_cast<std::int64_t>(table.blocks.size()),
        "a position lies within its user's page table");
    const std::int64_t block = table.block(user, position);
    if (block < 0) return -1;
    core::require(block < cache.shape[0], "a page table names blocks of the pool");
    return (block * cache.shape[1] + kv_head) * block_size + position % block_size;
}

std::int64_t sequence_tiles(const Spec& cache, std::int64_t count) {
    const std::int64_t block_size = cache.shape[2];
    return count / block_size * cache.tile_rows() + core::ceil_div(count % block_size, kTileSide);
}

CacheSplit cache_split(std::string_view op, std::span<const Placement> placed, Placement cache) {
    if (cache.is_replicated()) return CacheSplit::None;
    if (cache.is_sharded(1)) return CacheSplit::Heads;
    if (cache.is_sharded(0)) return CacheSplit::Users;
    refuse(op, placed);
}

}  // namespace tensor::detail
