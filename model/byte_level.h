// The alphabet of byte-level BPE: every byte is written as one printable character.
// Printable Latin-1 bytes stand for themselves, the other 68 for U+0100 and up, in byte order.
// Source: openai/gpt-2 src/encoder.py bytes_to_unicode.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace model {

/// The character that stands for `byte`, in UTF-8.
std::string byte_character(std::uint8_t byte);

/// The bytes a vocabulary entry stands for; none when it holds a character outside the alphabet.
/// Requires: `piece` is UTF-8.
std::optional<std::string> bytes_of_piece(std::string_view piece);

}  // namespace model
