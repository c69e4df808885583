// How the attention and cache ops find positions of a user in the paged pool.
// A cache is [blocks, kv_heads, block_size, head_dim]; position p of a user is row p % block_size
// of block page_table(user, p / block_size). A user whose first block is -1 lives on another chip.
#pragma once

#include <span>
#include <string_view>

#include "tensor/op_types.h"

namespace tensor::detail {

/// Throws core::Error unless `cache` has four axes and its heads and head_dim are those given.
void check_cache(std::string_view op, std::string_view key, const Spec& cache,
                 std::int64_t kv_heads, std::int64_t head_dim);
/// Throws core::Error unless `heads` is a multiple of `kv_heads`.
void check_groups(std::string_view op, std::int64_t heads, std::int64_t kv_heads);
/// Of queries [.., .., head_dim] whose axis `heads` counts heads, and caches of K and V.
void check_paged_attention(std::string_view op, std::span<const Spec> in, int heads);

/// Whether the user's positions are in this chip's pool. Without a page table all are.
bool is_here(const Bindings& bindings, std::int64_t user);
/// Positions [0, result) that a decode step of `user` attends to; 0 for idle and absent users.
/// Without positions: the user's whole share of the pool.
std::int64_t context_of(const Spec& cache, const Bindings& bindings, std::int64_t user,
                        std::int64_t users);
/// Users whose new position is written to this chip's pool.
std::int64_t writing_users(const Bindings& bindings, std::int64_t users);
/// Row of the cache's matrix view; -1 where the block is not on this chip.
/// Requires: the position is in the page table, the block in the pool.
std::int64_t cache_row(const Spec& cache, const Bindings& bindings, std::int64_t user,
                       std::int64_t position, std::int64_t kv_head);
/// Tiles along the sequence that hold `count` positions from 0: whole blocks and a rest.
std::int64_t sequence_tiles(const Spec& cache, std::int64_t count);

/// Along one mesh axis a cache shards by KV heads, by blocks (users), or not at all.
/// Throws core::Error for other placements.
enum class CacheSplit { None, Heads, Users };
CacheSplit cache_split(std::string_view op, std::span<const Placement> placed, Placement cache);

}  // namespace tensor::detail
