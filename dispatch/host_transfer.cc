#include "dispatch/host_transfer.h"

#include <algorithm>

#include "core/error.h"

namespace dispatch {
namespace {

using core::Picoseconds;

Picoseconds over(core::Bytes size, core::BytesPerSecond rate) {
    return rate.value > 0 ? size / rate : Picoseconds{};
}

Picoseconds write_page(const HostTransfer& transfer, const mesh::ChipSpec& chip, Release release) {
    const mesh::HostLinkSpec& host = chip.kernels->host;
    Picoseconds page = launch_release(chip, release).page_write;
    // The host gathers scattered pages by copying, wherever they lie.
    const bool pinned = transfer.memory == HostMemory::Pinned && transfer.contiguous_pages == 0;
    page = std::max(page, over(transfer.page, pinned ? host.wire : chip.pcie.write));
    if (transfer.reach == Reach::Remote) {
        page = std::max(page, over(transfer.page, host.remote_write));
    }
    if (transfer.contiguous_pages > 0) page += host.run / transfer.contiguous_pages;
    return page;
}

Picoseconds read_page(const HostTransfer& transfer, const mesh::ChipSpec& chip, Release release) {
    const mesh::HostLinkSpec& host = chip.kernels->host;
    Picoseconds page = launch_release(chip, release).page_read + over(transfer.page, host.wire);
    if (transfer.memory == HostMemory::Staged) {
        page = std::max(page, over(transfer.page, chip.pcie.read));
    }
    if (transfer.reach == Reach::Remote) {
        page = std::max(page, over(transfer.page, host.remote_read));
    }
    return page;
}

}  // namespace

Picoseconds transfer_time(const HostTransfer& transfer, const mesh::ChipSpec& chip,
                          Release release) {
    core::require(transfer.page.value > 0, "a transfer has pages");
    const bool is_write = transfer.direction == Direction::Write;
    const Picoseconds bulk = over(transfer.size, is_write ? chip.pcie.write : chip.pcie.read);
    if (!chip.kernels) return bulk;
    const Picoseconds page =
        is_write ? write_page(transfer, chip, release) : read_page(transfer, chip, release);
    const std::int64_t pages = core::ceil_div(transfer.size.value, transfer.page.value);
    return std::max(page * pages, transfer.memory == HostMemory::Staged ? bulk : Picoseconds{});
}

Picoseconds call_time(Direction direction, const mesh::ChipSpec& chip) {
    return direction == Direction::Write ? chip.launch.host_write : chip.launch.host_read;
}

Picoseconds kernel_transfer_time(core::Bytes size, core::Bytes page, const mesh::ChipSpec& chip) {
    core::require(page.value > 0 && chip.kernels != nullptr, "a core moves pages");
    const mesh::HostLinkSpec& host = chip.kernels->host;
    const Picoseconds each =
        std::max(core::duration(host.kernel_issue, chip.clock), over(page, host.wire));
    return each * core::ceil_div(size.value, page.value);
}

}  // namespace dispatch
