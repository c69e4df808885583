#include "dispatch/sub_device.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/error.h"

namespace dispatch {
namespace {

std::vector<SubDeviceId> all_of(std::size_t count) {
    std::vector<SubDeviceId> ids;
    for (std::size_t i = 0; i < count; ++i) ids.push_back({static_cast<std::int32_t>(i)});
    return ids;
}

}  // namespace

SubDevices::SubDevices(BufferTable& buffers) : buffers_(buffers), stall_group_(all_of(1)) {
    managers_.push_back({SubDevice{"workers", buffers.memory().worker_grid, {}}});
}

SubDeviceManagerId SubDevices::create(std::vector<SubDevice> sub_devices) {
    if (sub_devices.empty() || sub_devices.size() > kMaxSubDevices) {
        throw core::Error::mismatch("sub-device manager", "sub-devices",
                                    "1 to " + std::to_string(kMaxSubDevices),
                                    std::to_string(sub_devices.size()));
    }
    const mesh::Grid workers = buffers_.memory().worker_grid;
    std::int32_t cores = 0;
    for (const SubDevice& sub_device : sub_devices) {
        const mesh::Grid grid = sub_device.grid;
        const bool inside = grid.x > 0 && grid.y > 0 && grid.x <= workers.x && grid.y <= workers.y;
        cores += grid.cores();
        if (inside && cores <= workers.cores()) continue;
        throw core::Error::mismatch("sub-device \"" + sub_device.name + "\"", "grid",
                                    "cores left of the worker grid " + std::to_string(workers.x) +
                                        "x" + std::to_string(workers.y),
                                    std::to_string(grid.x) + "x" + std::to_string(grid.y));
    }
    managers_.push_back(std::move(sub_devices));
    return {static_cast<std::int32_t>(managers_.size()) - 1};
}

void SubDevices::check_known(SubDeviceManagerId manager) const {
    if (manager.value >= 0 && static_cast<std::size_t>(manager.value) < managers_.size()) return;
    throw core::Error("Sub device manager does not exist");
}

void SubDevices::check_may_leave() const {
    const bool allocated = std::ranges::any_of(
        local_, [](const mesh::BankAllocator& local) { return !local.blocks().empty(); });
    if (!allocated) return;
    throw core::Error(
        "Cannot switch sub device managers while sub devices still have local allocations");
}

void SubDevices::load(SubDeviceManagerId manager) {
    const SubDeviceManagerId before = active_;
    release_local();
    if (!reserve_local(manager)) {
        core::require(reserve_local(before), "a range that was just freed can be reserved again");
        throw core::Error::mismatch("sub-device manager", "local_l1",
                                    "a range at the bottom of L1 that no buffer uses",
                                    std::to_string(largest_local(manager).value) + " bytes")
            .hint("free the L1 buffers that reach down into the local range first");
    }
    stall_group_ = all_of(static_cast<std::size_t>(count()));
}

core::Bytes SubDevices::largest_local(SubDeviceManagerId manager) const {
    core::Bytes largest;
    for (const SubDevice& sub_device : managers_[static_cast<std::size_t>(manager.value)]) {
        largest = std::max(largest, sub_device.local_l1);
    }
    return core::round_up(largest, buffers_.memory().l1.block_alignment);
}

void SubDevices::release_local() {
    if (reserved_) buffers_.allocator(mesh::BufferType::L1).free(*reserved_);
    reserved_.reset();
    local_.clear();
}

/// Sub-devices have different cores, so their local ranges may be the same addresses.
bool SubDevices::reserve_local(SubDeviceManagerId manager) {
    mesh::BankAllocator& global = buffers_.allocator(mesh::BufferType::L1);
    const core::Bytes largest = largest_local(manager);
    if (largest.value > 0) {
        const std::int32_t banks = global.config().banks;
        const auto block =
            global.allocate_from(mesh::Direction::BottomUp, largest * banks, banks, largest);
        const auto* taken = std::get_if<mesh::Allocation>(&block);
        if (taken == nullptr) return false;
        if (taken->address != global.config().base) {
            global.free(taken->address);
            return false;
        }
        reserved_ = taken->address;
    }
    for (const SubDevice& sub_device : managers_[static_cast<std::size_t>(manager.value)]) {
        mesh::BankConfig config = global.config();
        config.banks = sub_device.grid.cores();
        config.size = core::round_up(sub_device.local_l1, config.block_alignment);
        local_.emplace_back(config);
    }
    active_ = manager;
    return true;
}

std::int32_t SubDevices::count() const {
    return static_cast<std::int32_t>(managers_[static_cast<std::size_t>(active_.value)].size());
}

void SubDevices::check(SubDeviceId sub_device) const {
    if (sub_device.value >= 0 && sub_device.value < count()) return;
    throw core::Error::mismatch("sub-device", "id",
                                "0 to " + std::to_string(count() - 1) +
                                    " (the loaded manager has " + std::to_string(count()) + ")",
                                std::to_string(sub_device.value));
}

mesh::BankAllocator& SubDevices::local(SubDeviceId sub_device) {
    check(sub_device);
    if (local_.empty()) {
        throw core::Error::mismatch("sub-device", "local memory", "a loaded manager with local L1",
                                    "the default manager");
    }
    return local_[static_cast<std::size_t>(sub_device.value)];
}

void SubDevices::set_stall_group(std::vector<SubDeviceId> group) {
    for (const SubDeviceId sub_device : group) check(sub_device);
    if (group.empty()) {
        throw core::Error::mismatch("sub-device stall group", "", "at least one sub-device",
                                    "none");
    }
    std::ranges::sort(group);
    stall_group_ = std::move(group);
}

}  // namespace dispatch
