#include "dispatch/chip_memory.h"

#include <hwloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
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

// Reads [begin, end) of memory from the file. False at its end or on an error.
bool read_into(std::byte* begin, const std::byte* end, FilePart from) {
    while (begin < end) {
        const ssize_t count =
            ::pread(from.descriptor, begin, static_cast<std::size_t>(end - begin), from.offset);
        if (count < 0 && errno == EINTR) continue;
        if (count <= 0) return false;
        begin += count;
        from.offset += count;
    }
    return true;
}

// Maps whole pages of the file over [begin, end); a host that refuses leaves plain memory there.
bool map_over(std::byte* begin, std::byte* end, FilePart from) {
    const auto size = static_cast<std::size_t>(end - begin);
    constexpr int kPlaced = MAP_PRIVATE | MAP_FIXED | MAP_NORESERVE;
    constexpr int kAccess = PROT_READ | PROT_WRITE;
    if (::mmap(begin, size, kAccess, kPlaced, from.descriptor, from.offset) != MAP_FAILED) {
        ::madvise(begin, size, MADV_WILLNEED);
        return true;
    }
    core::require(::mmap(begin, size, kAccess, kPlaced | MAP_ANONYMOUS, -1, 0) != MAP_FAILED,
                  "memory that was reserved can be mapped again");
    return false;
}

}  // namespace

std::int64_t page_size() { return ::sysconf(_SC_PAGESIZE); }

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

bool ChipMemory::take(const Operand& operand, FilePart from) const {
    std::byte* const begin = at(operand);
    std::byte* const end = begin + operand.spec.bytes().value;
    const auto address = reinterpret_cast<std::intptr_t>(begin);
    const std::int64_t page = page_size();
    const std::int64_t before = core::round_up(address, page) - address;
    const std::int64_t pages = (end - begin - before) / page;
    const bool lines_up = (address - from.offset) % page == 0 && pages > 0;
    if (!lines_up) return read_into(begin, end, from);
    std::byte* const first = begin + before;
    std::byte* const last = first + pages * page;
    const FilePart middle{from.descriptor, from.offset + before};
    if (!map_over(first, last, middle)) return read_into(begin, end, from);
    return read_into(begin, first, from) &&
           read_into(last, end, {from.descriptor, middle.offset + (last - first)});
}

void ChipMemory::release(const Operand& operand) const {
    const auto begin = reinterpret_cast<std::intptr_t>(at(operand));
    const std::int64_t page = page_size();
    const std::int64_t first = core::round_up(begin, page);
    const std::int64_t last = (begin + operand.spec.bytes().value) / page * page;
    if (first >= last) return;
    ::madvise(reinterpret_cast<void*>(first), static_cast<std::size_t>(last - first),
              MADV_DONTNEED);
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
