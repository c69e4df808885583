// XXH64 of a run of bytes: tells damaged files, at memory speed. Not cryptographic.
// Algorithm: Cyan4973/xxHash: doc/xxhash_spec.md, seed 0.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace core {

std::uint64_t checksum(std::span<const std::byte> bytes);

}  // namespace core
