#include "model/utf8.h"

#include <unicode/uchar.h>

#include <cstdint>

#include "core/error.h"

namespace model {

namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

unsigned char byte_at(std::string_view text, std::size_t index) {
    return static_cast<unsigned char>(text[index]);
}

/// The bytes a lead byte asks for and what the second one may be (Unicode standard, table 3-7).
struct Lead {
    std::size_t length = 0;  // 0: not a lead byte
    unsigned char low = 0x80;
    unsigned char high = 0xbf;
};

Lead lead_of(unsigned char byte) {
    if (byte < 0x80) return {1};
    if (byte < 0xc2) return {0};
    if (byte < 0xe0) return {2};
    if (byte == 0xe0) return {3, 0xa0, 0xbf};
    if (byte == 0xed) return {3, 0x80, 0x9f};
    if (byte < 0xf0) return {3};
    if (byte == 0xf0) return {4, 0x90, 0xbf};
    if (byte < 0xf4) return {4};
    if (byte == 0xf4) return {4, 0x80, 0x8f};
    return {0};
}

/// Where the last character of `text` starts.
std::size_t last_character(std::string_view text) {
    std::size_t start = text.size() - 1;
    while (start > 0 && (byte_at(text, start) & 0xc0) == 0x80) --start;
    return start;
}

}  // namespace

Utf8Step utf8_step(std::string_view text) {
    using Kind = Utf8Step::Kind;
    const Lead lead = lead_of(byte_at(text, 0));
    if (lead.length == 0) return {Kind::Broken, 1};
    for (std::size_t i = 1; i < lead.length; ++i) {
        if (i == text.size()) return {Kind::Cut, i};
        const unsigned char low = i == 1 ? lead.low : 0x80;
        const unsigned char high = i == 1 ? lead.high : 0xbf;
        if (byte_at(text, i) < low || byte_at(text, i) > high) return {Kind::Broken, i};
    }
    return {Kind::Complete, lead.length};
}

std::optional<std::size_t> first_broken_byte(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size()) {
        if (byte_at(text, at) < 0x80) {
            ++at;
            continue;
        }
        const Utf8Step step = utf8_step(text.substr(at));
        if (step.kind != Utf8Step::Kind::Complete) return at;
        at += step.length;
    }
    return std::nullopt;
}

char32_t code_point(std::string_view text) {
    const std::size_t length = lead_of(byte_at(text, 0)).length;
    if (length == 1) return byte_at(text, 0);
    char32_t value = byte_at(text, 0) & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) value = (value << 6) | (byte_at(text, i) & 0x3fu);
    return value;
}

void append_utf8(std::string& out, char32_t character) {
    core::require(character <= 0x10ffff, "a character is at most U+10FFFF");
    if (character < 0x80) {
        out.push_back(static_cast<char>(character));
        return;
    }
    const int tails = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    const char32_t marker = tails == 1 ? 0xc0 : tails == 2 ? 0xe0 : 0xf0;
    out.push_back(static_cast<char>(marker | (character >> (6 * tails))));
    for (int i = tails - 1; i >= 0; --i) {
        out.push_back(static_cast<char>(0x80 | ((character >> (6 * i)) & 0x3f)));
    }
}

bool is_white_space(char32_t character) {
    switch (character) {
        case 0x20:
        case 0x85:
        case 0xa0:
        case 0x1680:
        case 0x2028:
        case 0x2029:
        case 0x202f:
        case 0x205f:
        case 0x3000:
            return true;
        default:
            return (character >= 0x09 && character <= 0x0d) ||
                   (character >= 0x2000 && character <= 0x200a);
    }
}

std::size_t leading_space(std::string_view text) {
    std::size_t at = 0;
    while (at < text.size() && is_white_space(code_point(text.substr(at)))) {
        at += utf8_step(text.substr(at)).length;
    }
    return at;
}

char32_t last_code_point(std::string_view text) {
    return code_point(text.substr(last_character(text)));
}

std::string_view without_trailing_space(std::string_view text) {
    while (!text.empty() && is_white_space(last_code_point(text))) {
        text = text.substr(0, last_character(text));
    }
    return text;
}

bool is_word_character(char32_t character) {
    const auto code = static_cast<UChar32>(character);
    constexpr std::uint32_t kCategories = U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK;
    return (U_GET_GC_MASK(code) & kCategories) != 0 ||
           u_hasBinaryProperty(code, UCHAR_ALPHABETIC) ||
           u_hasBinaryProperty(code, UCHAR_JOIN_CONTROL);
}

std::string Utf8Stream::push(std::string_view bytes) {
    pending_.append(bytes);
    std::string_view rest = pending_;
    std::string text;
    while (!rest.empty()) {
        const Utf8Step step = utf8_step(rest);
        if (step.kind == Utf8Step::Kind::Cut) break;
        const bool is_complete = step.kind == Utf8Step::Kind::Complete;
        text.append(is_complete ? rest.substr(0, step.length) : kReplacement);
        rest.remove_prefix(step.length);
    }
    pending_.erase(0, pending_.size() - rest.size());
    return text;
}

std::string Utf8Stream::finish() {
    std::string text(pending_.empty() ? std::string_view() : kReplacement);
    pending_.clear();
    return text;
}

}  // namespace model
