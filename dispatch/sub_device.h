// Sub-device managers of a mesh device: which one is loaded, its local L1, and the stall group.
// Manager 0 is the default one: a single sub-device over the whole worker grid, no local memory.
// Invariant: a manager is left only when none of its local buffers lives; the bottom of the global
// L1 range is reserved for as long as a manager with local memory is loaded. Source:
// tenstorrent/tt-metal tt_metal/impl/sub_device/sub_device_manager_tracker.cpp,
// tech_reports/SubDevices/SubDevices.md.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dispatch/buffer_table.h"

namespace dispatch {

/// Completion counters are arrays of this many entries (DISPATCH_MESSAGE_ENTRIES).
inline constexpr std::size_t kMaxSubDevices = 8;

class SubDevices {
public:
    explicit SubDevices(BufferTable& buffers);

    /// Throws core::Error for no sub-devices, too many, or more cores than the worker grid has.
    SubDeviceManagerId create(std::vector<SubDevice> sub_devices);
    /// Throws core::Error with the real text for an unknown manager.
    void check_known(SubDeviceManagerId manager) const;
    /// Throws core::Error with the real text while local buffers live.
    void check_may_leave() const;
    /// Requires: check_known() and check_may_leave() passed, all programs are done.
    void load(SubDeviceManagerId manager);

    SubDeviceManagerId active() const { return active_; }
    std::int32_t count() const;
    /// Throws core::Error when the loaded manager has no such sub-device.
    void check(SubDeviceId sub_device) const;
    mesh::BankAllocator& local(SubDeviceId sub_device);

    const std::vector<SubDeviceId>& stall_group() const { return stall_group_; }
    void set_stall_group(std::vector<SubDeviceId> group);

private:
    core::Bytes largest_local(SubDeviceManagerId manager) const;
    void release_local();
    bool reserve_local(SubDeviceManagerId manager);

    BufferTable& buffers_;
    std::vector<std::vector<SubDevice>> managers_;  // by id; [0] is the default one
    SubDeviceManagerId active_{0};
    std::vector<mesh::BankAllocator> local_;  // of the loaded manager
    std::optional<std::int64_t> reserved_;    // address of the block taken from the global L1
    std::vector<SubDeviceId> stall_group_;
};

}  // namespace dispatch
