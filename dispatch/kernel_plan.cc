#include "dispatch/kernel_plan.h"

namespace dispatch {

std::string to_text(const MemoryConfig& memory) {
    std::string text = mesh::to_text(memory.type);
    switch (memory.layout) {
        case MemoryLayout::Interleaved:
            return text + "_INTERLEAVED";
        case MemoryLayout::DramWidthSharded:
        case MemoryLayout::WidthSharded:
            return text + "_WIDTH_SHARDED";
        case MemoryLayout::HeightSharded:
            return text + "_HEIGHT_SHARDED";
        case MemoryLayout::BlockSharded:
            return text + "_BLOCK_SHARDED";
    }
    return text;
}

core::Bytes KernelPlan::circular_buffer_bytes() const {
    core::Bytes total;
    for (const CircularBuffer& buffer : circular_buffers) total += buffer.size;
    return total;
}

}  // namespace dispatch
