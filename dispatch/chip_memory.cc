#include "dispatch/chip_memory.h"

#include <hwloc.h>
#include <sys/mman.h>

#include <utility>

#include "core/error.h"
#include "core/format.h"

namespace dispatch {
namespace {

// Loaded per call: binding happens once per chip at start-up.
class HostTopology {
public:
    HostTopology() {
        hwloc_topology_init(&topology_);
        hwloc_topology_load(topology_);
    }
    ~HostTopology() { hwloc_topology_destroy(topology_); }
    HostTopology(const HostTopology&) = delete;
    HostTopology& operator=(const HostTopology&) = delete;

    int nodes() const { return hwloc_get_nbobjs_by_type(topology_, HWLOC_OBJ_NUMANODE); }
    void bind(void* area, std::size_t size, int node) const {
        const hwloc_obj_t object =
            hwloc_get_obj_by_type(topology_, HWLOC_OBJ_NUMANODE, static_cast<unsigned>(node));
        if (object == nullptr) return;
        // Best effort: a host that refuses keeps its default policy.
        hwloc_set_area_membind(topology_, area, size, object->nodeset, HWLOC_MEMBIND_BIND,
                               HWLOC_MEMBIND_BYNODESET);
    }

private:
    hwloc_topology_t topology_{};
};

}  // namespace

int numa_nodes() {
    const int nodes = HostTopology().nodes();
    return nodes > 0 ? nodes : 1;
}

ChipMemory::Range ChipMemory::reserve(const mesh::BankConfig& config, int numa_node) {
    Range range;
    range.banks = config.banks;
    range.size = static_cast<std::size_t>((config.base + config.size.value) * config.banks);
    void* area = mmap(nullptr, range.size, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (area == MAP_FAILED) {
        throw core::Error("host memory: expected " +
                          core::to_text(core::Bytes{static_cast<std::int64_t>(range.size)}) +
                          " of address space for one simulated chip, got a refusal")
            .hint("allow overcommit (vm.overcommit_memory 0 or 1) or simulate fewer chips");
    }
    if (numa_node >= 0) HostTopology().bind(area, range.size, numa_node);
    range.base = static_cast<std::byte*>(area);
    return range;
}

ChipMemory::ChipMemory(const DeviceMemory& memory, int numa_node)
    : dram_(reserve(memory.dram, numa_node)), l1_(reserve(memory.l1, numa_node)) {}

ChipMemory::ChipMemory(ChipMemory&& other) noexcept
    : dram_(std::exchange(other.dram_, {})), l1_(std::exchange(other.l1_, {})) {}

ChipMemory::~ChipMemory() {
    for (const Range& range : {dram_, l1_}) {
        if (range.base != nullptr) munmap(range.base, range.size);
    }
}

std::byte* ChipMemory::at(const Operand& operand) const {
    const Range& range = operand.memory.type == mesh::BufferType::Dram ? dram_ : l1_;
    const auto offset = static_cast<std::size_t>(operand.address * range.banks);
    core::require(operand.address >= 0 &&
                      offset + static_cast<std::size_t>(operand.spec.bytes().value) <= range.size,
                  "a tensor lies inside the memory of its chip");
    return range.base + offset;
}

}  // namespace dispatch
