// A cursor over the bytes of a file from a stranger. Invariant: nothing is read past the end.
// Numbers are little-endian, as in zip archives and pickles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

#include "core/error.h"

namespace model {

class ByteReader {
public:
    /// `where` names the file in messages and must outlive the reader.
    ByteReader(std::span<const std::byte> bytes, std::string_view where, std::size_t at = 0)
        : bytes_(bytes), where_(where), at_(at) {}

    std::size_t at() const { return at_; }
    std::size_t left() const { return bytes_.size() - at_; }
    std::string_view where() const { return where_; }

    /// The next `count` bytes. Throws core::Error when there are fewer.
    std::span<const std::byte> take(std::uint64_t count) {
        if (at_ > bytes_.size() || count > left()) {
            throw core::Error::mismatch(where_, place(), std::to_string(count) + " bytes",
                                        "the end of the file")
                .hint("the file is truncated or damaged");
        }
        const std::span<const std::byte> taken =
            bytes_.subspan(at_, static_cast<std::size_t>(count));
        at_ += taken.size();
        return taken;
    }
    std::string_view text(std::uint64_t count) {
        const std::span<const std::byte> taken = take(count);
        return {reinterpret_cast<const char*>(taken.data()), taken.size()};
    }
    template <class Number>
    Number number() {
        Number value;
        std::memcpy(&value, take(sizeof value).data(), sizeof value);
        return value;
    }
    /// The text up to the next line feed, which is taken too.
    std::string_view line() {
        const std::string_view rest(reinterpret_cast<const char*>(bytes_.data()) + at_, left());
        const std::size_t end = rest.find('\n');
        const std::string_view found = text(end == rest.npos ? left() + 1 : end);
        ++at_;
        return found;
    }
    /// "byte 24".
    std::string place() const { return "byte " + std::to_string(at_); }

private:
    std::span<const std::byte> bytes_;
    std::string_view where_;
    std::size_t at_;
};

}  // namespace model
