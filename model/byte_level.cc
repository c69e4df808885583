#include "model/byte_level.h"

#include <array>

#include "model/utf8.h"

namespace model {

namespace {

constexpr char32_t kFirstStandIn = 0x100;
constexpr std::size_t kStandIns = 68;

constexpr bool is_printable(std::uint8_t byte) {
    return (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
}

/// The bytes that have a stand-in, in order.
constexpr std::array<std::uint8_t, kStandIns> stand_in_bytes() {
    std::array<std::uint8_t, kStandIns> bytes{};
    std::size_t count = 0;
    for (int byte = 0; byte < 256; ++byte) {
        const auto value = static_cast<std::uint8_t>(byte);
        if (!is_printable(value)) bytes[count++] = value;
    }
    return bytes;
}

constexpr std::array<std::uint8_t, kStandIns> kStandInBytes = stand_in_bytes();

}  // namespace

std::string byte_character(std::uint8_t byte) {
    std::string text;
    if (is_printable(byte)) {
        append_utf8(text, byte);
        return text;
    }
    char32_t index = 0;
    while (kStandInBytes[index] != byte) ++index;
    append_utf8(text, kFirstStandIn + index);
    return text;
}

std::optional<std::string> bytes_of_piece(std::string_view piece) {
    std::string bytes;
    while (!piece.empty()) {
        const char32_t character = code_point(piece);
        if (character < kFirstStandIn && is_printable(static_cast<std::uint8_t>(character))) {
            bytes.push_back(static_cast<char>(character));
        } else if (character >= kFirstStandIn && character < kFirstStandIn + kStandIns) {
            bytes.push_back(static_cast<char>(kStandInBytes[character - kFirstStandIn]));
        } else {
            return std::nullopt;
        }
        piece.remove_prefix(utf8_step(piece).length);
    }
    return bytes;
}

}  // namespace model
