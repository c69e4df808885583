// FNV-1a, 64 bit: the fingerprint of a run, of a constant table, of a program. Not cryptographic.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace core {

class Digest {
public:
    Digest& add(std::span<const std::byte> bytes) {
        for (const std::byte b : bytes) mix(static_cast<std::uint8_t>(b));
        return *this;
    }
    Digest& add(std::string_view text) {
        for (const char c : text) mix(static_cast<std::uint8_t>(c));
        return add(static_cast<std::int64_t>(text.size()));
    }
    Digest& add(std::int64_t value) {
        for (int shift = 0; shift < 64; shift += 8) {
            mix(static_cast<std::uint8_t>(static_cast<std::uint64_t>(value) >> shift));
        }
        return *this;
    }
    std::uint64_t value() const { return state_; }
    /// Sixteen lower-case hexadecimal digits.
    std::string hex() const;

private:
    void mix(std::uint8_t byte) { state_ = (state_ ^ byte) * 0x100000001b3ULL; }
    std::uint64_t state_ = 0xcbf29ce484222325ULL;
};

}  // namespace core
