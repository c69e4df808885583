// Which cores the kernels of a collective take: workers that read and write tiles, and per
// direction a mux through which several workers share one router.
// Sources: tenstorrent/tt-metal: ttnn/cpp/ttnn/operations/experimental/ccl
// (reduce_scatter_common/reduce_scatter_program_utils.cpp, all_gather_async), core counts of
// tenstorrent/tt-perf-report: tests/data/bh_8xp150_deepseek_v3_d_p.csv.
#pragma once

#include <cstdint>
#include <optional>

#include "ccl/request.h"

namespace ccl {

struct Workers {
    std::int32_t per_direction = 1;  // of each link
    bool mux = false;

    /// On a chip with that many neighbours along the axis. A chip at the end of a line has its
    /// workers of both directions, but no mux where nothing goes out.
    std::int32_t cores(std::int32_t links, std::int32_t neighbours) const;
    /// On the chip of so many ranks that takes the most.
    std::int32_t most_cores(std::int32_t links, std::int32_t ranks) const;
};

/// What the LLM code asks for in every call (models/tt_transformers/tt/ccl.py).
inline constexpr std::int32_t kModelWorkers = 2;

/// Of an all-gather or reduce-scatter with that many workers; nullopt for other kinds, whose
/// programs are not known.
std::optional<Workers> with_workers(Kind kind, fabric::Topology topology,
                                    std::int32_t per_direction);

/// What an all-gather or reduce-scatter takes when nothing is said: more workers for more bytes per
/// link, fewer where `available` cores are short. nullopt: other kinds, or not even one fits.
std::optional<Workers> usual_workers(const Request& request, std::int32_t available);

}  // namespace ccl
