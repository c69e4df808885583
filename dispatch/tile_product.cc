#include "dispatch/tile_product.h"

#include <algorithm>

#include "mesh/kernel_spec.h"

namespace dispatch {

double product_cycles(double unpacked_bytes, mesh::Fidelity fidelity, const mesh::ChipSpec& chip) {
    const mesh::MatmulSpec& spec = chip.kernels->matmul;
    const auto phases = static_cast<double>(chip.tile_cycles[static_cast<std::size_t>(fidelity)]);
    return std::max(phases * spec.product_factor, unpacked_bytes / spec.unpack_bytes_per_cycle);
}

}  // namespace dispatch
