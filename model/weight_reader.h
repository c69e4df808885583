// One chip's part of a weight, read from the checkpoint and packed as the chip stores it (host
// packer), a few megabytes at a time. What was read of the checkpoint is given back to the kernel
// at once: a mapped page counts as memory of this process, so the checkpoint would be held twice.
// Rotary tables are made by formula.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/units.h"
#include "dispatch/program.h"
#include "dispatch/reader.h"
#include "mesh/shape.h"
#include "model/config.h"
#include "model/safetensors.h"

namespace model {

/// What of a weight is converted at once: whole tile columns of a matrix, rows of a table, some 2
/// MiB of float32; rotary tables and vectors whole.
tensor::Spec stripe_of(const tensor::Spec& weight);

/// The part of one axis that a chip holds.
struct Range {
    std::int64_t first = 0;
    std::int64_t count = 0;
};

/// Of axis `dim` of a value, `extent` long, the part of the chip at `where`.
Range part_of(std::int64_t extent, const std::array<tensor::Placement, 2>& placed, int dim,
              mesh::Shape shape, mesh::Coord where);

/// Writes all bytes of the part that the chip at `where` of a mesh of `shape` holds of `buffer` in
/// layer `layer`. Throws core::Error naming file, tensor, expected and found shape.
void read_weight(const dispatch::Buffer& buffer, std::int32_t layer, mesh::Shape shape,
                 mesh::Coord where, const Checkpoint& checkpoint, const Config& config,
                 std::byte* target);

/// The other way round: rows of the whole value of a buffer from what every chip holds (row-major
/// floats); replicated axes are read from their first chip.
std::vector<float> assemble_rows(const dispatch::Buffer& buffer, mesh::Shape shape,
                                 const dispatch::HostData& data, Range rows);

}  // namespace model
