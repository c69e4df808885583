#include "model/token_decoder.h"

#include <charconv>

#include "model/byte_level.h"

namespace model {

namespace {

std::string run_step(const TokenDecoder::Replace& step, const std::string& piece) {
    return step.pattern.replaced(piece, step.content);
}

/// Bytes of `text` that are the last copies of `character`, at most `limit` of them.
std::size_t trailing(std::string_view text, std::string_view character, std::int64_t limit) {
    std::size_t bytes = 0;
    while (limit-- > 0 && text.ends_with(character) && !text.empty()) {
        text.remove_suffix(character.size());
        bytes += character.size();
    }
    return bytes;
}

std::string run_step(const EndStrip& step, const std::string& piece) {
    std::string_view rest = piece;
    for (std::int64_t i = 0; i < step.at_start && rest.starts_with(step.character); ++i) {
        if (rest.empty()) break;
        rest.remove_prefix(step.character.size());
    }
    rest.remove_suffix(trailing(rest, step.character, step.at_end));
    return std::string(rest);
}

std::string run_step(const TokenDecoder::ByteFallback&, const std::string& piece) {
    const std::optional<char> byte = byte_of_piece(piece);
    return byte ? std::string(1, *byte) : piece;
}

std::string run_step(const TokenDecoder::ByteLevel&, const std::string& piece) {
    return bytes_of_piece(piece).value_or(piece);
}

}  // namespace

std::optional<char> byte_of_piece(std::string_view piece) {
    if (piece.size() != 6 || !piece.starts_with("<0x") || piece[5] != '>') return std::nullopt;
    unsigned value = 0;
    const auto [end, status] = std::from_chars(piece.data() + 3, piece.data() + 5, value, 16);
    if (status != std::errc() || end != piece.data() + 5) return std::nullopt;
    return static_cast<char>(value);
}

void TokenDecoder::add(Step&& step) { steps_.push_back(std::move(step)); }

std::string TokenDecoder::bytes_of(std::string_view piece) const {
    std::string bytes(piece);
    for (const Step& step : steps_) {
        bytes = std::visit([&](const auto& known) { return run_step(known, bytes); }, step);
    }
    return bytes;
}

std::string EndStripper::push(std::string text) {
    if (!is_inside_) {
        while (ends_.at_start > 0 && !text.empty() && text.starts_with(ends_.character)) {
            text.erase(0, ends_.character.size());
            --ends_.at_start;
        }
        is_inside_ = !text.empty();
    }
    if (ends_.at_end == 0) return text;
    held_ += text;
    const std::size_t kept = trailing(held_, ends_.character, ends_.at_end);
    std::string shown = held_.substr(0, held_.size() - kept);
    held_.erase(0, shown.size());
    return shown;
}

std::string EndStripper::finish() {
    held_.erase(held_.size() - trailing(held_, ends_.character, ends_.at_end));
    return std::move(held_);
}

}  // namespace model
