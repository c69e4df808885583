// What a step knows and a spec does not: positions, valid lengths, page tables, and which chip this
// is. The same object for every reader: the executor computes with it, the simulator costs with it.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace tensor {

/// Cached positions of users as fixed-size blocks of one pool; -1 means "not on this chip": the
/// write is skipped. A contiguous cache is a pool whose block holds the whole context.
struct PageTable {
    std::int64_t block_size = 0;
    std::int64_t blocks_per_user = 0;
    std::vector<std::int32_t> blocks;  // [users, blocks_per_user]

    std::int32_t block(std::int64_t user, std::int64_t position) const {
        return blocks[static_cast<std::size_t>(user * blocks_per_user + position / block_size)];
    }
};

struct Bindings {
    /// Decode: position of the token each user slot feeds; -1 is an idle slot.
    std::vector<std::int32_t> positions;
    /// Prefill: how many rows hold tokens (the rest is padding); 0 means all rows do.
    std::int64_t valid_rows = 0;
    /// Prefill: position of the first row.
    std::int64_t chunk_start = 0;
    /// Prefill: the user slot that is filled; -1 when it lives on another chip.
    std::int32_t user = 0;
    PageTable page_table;
    /// Rows that are routed to each expert on this chip, the same in all layers; empty: not known,
    /// and work is counted as if routing were balanced.
    std::vector<std::int64_t> expert_rows;
    /// This chip's place in the mesh and the mesh's extent, per axis.
    std::array<std::int32_t, 2> coord{};
    std::array<std::int32_t, 2> extent{1, 1};

    /// Rows of a [rows, ...] activation that hold data.
    std::int64_t rows_of(std::int64_t rows) const {
        return valid_rows > 0 && valid_rows < rows ? valid_rows : rows;
    }
};

}  // namespace tensor
