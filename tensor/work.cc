// Sums over the operands of one op.
#include "tensor/work.h"

namespace tensor {
namespace {

core::Bytes sum(const std::vector<core::Bytes>& sizes) {
    core::Bytes total;
    for (const core::Bytes size : sizes) total += size;
    return total;
}

}  // namespace

core::Bytes Work::bytes_read() const { return sum(reads); }
core::Bytes Work::bytes_written() const { return sum(writes); }

}  // namespace tensor
