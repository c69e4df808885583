// How the executor moves bytes from chip to chip: one hop between neighbours at a time.
// In-process here; a transport over MPI ranks has the same face.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "core/units.h"
#include "fabric/network.h"

namespace dispatch {

class Transport {
public:
    virtual ~Transport() = default;
    /// Copies `from` (on hop.from) to `to` (on hop.to). Called from several threads for different
    /// hops.
    virtual void move(fabric::Hop hop, std::span<const std::byte> from, std::byte* to) = 0;
};

/// All chips in this process; counts the bytes of every directed hop.
class InProcessTransport : public Transport {
public:
    explicit InProcessTransport(std::int32_t chips);
    void move(fabric::Hop hop, std::span<const std::byte> from, std::byte* to) override;
    /// Bytes moved so far; hops never used are absent.
    std::map<fabric::Hop, core::Bytes> bytes_moved() const;

private:
    std::int32_t chips_;
    // [from][to]; a hop belongs to one group, and one thread serves a group at a time.
    std::vector<std::int64_t> moved_;
};

}  // namespace dispatch
