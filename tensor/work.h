// How much an op does on one chip, counted once; every reader takes it from here.
// Multiply-accumulates are the useful ones (valid rows); tile products are what the device runs:
// 32x32x32 blocks, so one user costs a whole tile row.
#pragma once

#include <cstdint>
#include <vector>

#include "core/units.h"

namespace tensor {

struct Work {
    std::int64_t multiply_adds = 0;
    std::int64_t tile_products = 0;   // matrix unit, 32x32x32
    std::int64_t eltwise_tiles = 0;   // vector unit and copies, tiles touched
    std::vector<core::Bytes> reads;   // per input
    std::vector<core::Bytes> writes;  // per output

    core::Bytes bytes_read() const;
    core::Bytes bytes_written() const;
};

}  // namespace tensor
