// How long the matrix unit takes for a product of two tiles, in matmuls on the worker grid and in
// attention. One core per bank takes the phases alone (dispatch/bank_time.h).
#pragma once

#include "mesh/chip_spec.h"

namespace dispatch {

/// Cycles of a tile product: its fidelity phases x `product_factor`, or what the busier unpacker
/// needs to bring in so many bytes of its operand (`matmul` of topologies/kernels).
double product_cycles(double unpacked_bytes, mesh::Fidelity fidelity, const mesh::ChipSpec& chip);

}  // namespace dispatch
