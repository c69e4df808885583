#include "model/jinja_lexer.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>

#include "core/error.h"
#include "core/files.h"
#include "model/utf8.h"

namespace model::jinja {
namespace {

constexpr std::string_view kSpace = " \t\n\r\f\v";

bool is_letter(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

class Lexer {
public:
    Lexer(std::string_view text, std::string_view where) : text_(text), where_(where) {}

    std::vector<Part> run() {
        while (at_ < text_.size()) {
            const std::size_t open = next_tag();
            add_text(open);
            if (open == text_.npos) break;
            add_tag(open);
        }
        return std::move(parts_);
    }

private:
    core::Error error(std::size_t at, std::string_view expected, std::string_view found) const {
        const auto line =
            1 + std::count(text_.begin(), text_.begin() + static_cast<long>(at), '\n');
        return core::Error::mismatch(std::string(where_) + ":" + std::to_string(line), "", expected,
                                     found);
    }

    std::size_t next_tag() const {
        for (std::size_t i = text_.find('{', at_); i != text_.npos; i = text_.find('{', i + 1)) {
            if (i + 1 == text_.size()) break;
            if (std::string_view("{%#").find(text_[i + 1]) != text_.npos) return i;
        }
        return text_.npos;
    }

    // The text up to `open`, as the tags on both sides leave it.
    void add_text(std::size_t open) {
        std::string_view piece = text_.substr(at_, open == text_.npos ? open : open - at_);
        if (strips_ == '-') {
            piece.remove_prefix(std::min(piece.find_first_not_of(kSpace), piece.size()));
        } else if (strips_ == '\n' && piece.starts_with('\n')) {
            piece.remove_prefix(1);
        }
        if (open != text_.npos && open + 2 < text_.size()) strip_end(piece, open);
        if (piece.empty()) return;
        parts_.push_back({Part::Kind::Text, std::string(piece), {}, 1});
    }

    void strip_end(std::string_view& piece, std::size_t open) const {
        if (text_[open + 2] == '-') {
            piece = piece.substr(0, piece.find_last_not_of(kSpace) + 1);
            return;
        }
        if (text_[open + 1] == '{' || text_[open + 2] == '+') return;
        const std::size_t last = piece.find_last_not_of(" \t");
        const bool line_start = last == piece.npos ? begins_line(piece) : piece[last] == '\n';
        if (line_start) piece = piece.substr(0, last == piece.npos ? 0 : last + 1);
    }

    // Whether all of `piece`, spaces alone, stands at the start of a line.
    bool begins_line(std::string_view piece) const {
        const auto first = static_cast<std::size_t>(piece.data() - text_.data());
        return first == 0 || text_[first - 1] == '\n';
    }

    void add_tag(std::size_t open) {
        const char kind = text_[open + 1];
        at_ = open + 2;
        if (at_ < text_.size() && (text_[at_] == '-' || text_[at_] == '+')) ++at_;
        strips_ = kind == '{' ? ' ' : '\n';
        if (kind == '#') {
            const std::size_t end = text_.find("#}", at_);
            if (end == text_.npos) throw error(open, "#}", "the end of the template");
            if (text_[end - 1] == '-') strips_ = '-';
            at_ = end + 2;
            return;
        }
        Part part{kind == '{' ? Part::Kind::Output : Part::Kind::Statement, {}, {}, 1};
        part.line += static_cast<int>(
            std::count(text_.begin(), text_.begin() + static_cast<long>(open), '\n'));
        const std::string_view end = kind == '{' ? "}}" : "%}";
        while (!closes(end)) part.tokens.push_back(token(open));
        part.tokens.emplace_back();
        parts_.push_back(std::move(part));
    }

    bool closes(std::string_view end) {
        at_ = std::min(text_.find_first_not_of(kSpace, at_), text_.size());
        const char sign = at_ < text_.size() ? text_[at_] : ' ';
        const std::size_t extra = sign == '-' || sign == '+' ? 1 : 0;
        if (!text_.substr(std::min(at_ + extra, text_.size())).starts_with(end)) return false;
        if (sign == '-') strips_ = '-';
        if (sign == '+') strips_ = ' ';
        at_ += end.size() + extra;
        return true;
    }

    Token token(std::size_t open) {
        if (at_ == text_.size()) throw error(open, "the end of the tag", "that of the template");
        const std::size_t first = at_;
        const char c = text_[at_];
        if (c == '"' || c == '\'') return string(c);
        if (is_letter(c)) {
            while (at_ < text_.size() && (is_letter(text_[at_]) || is_digit(text_[at_]))) ++at_;
            return {Token::Kind::Name, std::string(text_.substr(first, at_ - first))};
        }
        if (is_digit(c)) {
            while (at_ < text_.size() && (is_digit(text_[at_]) || is_point())) ++at_;
            return {Token::Kind::Number, std::string(text_.substr(first, at_ - first))};
        }
        for (const std::string_view two : {"==", "!=", "<=", ">=", "//", "**"}) {
            if (!text_.substr(at_).starts_with(two)) continue;
            at_ += 2;
            return {Token::Kind::Operator, std::string(two)};
        }
        if (std::string_view("+-*/%~<>=()[]{}.,:|").find(c) == text_.npos) {
            throw error(at_, "an expression", core::printable(text_.substr(at_, 1)));
        }
        ++at_;
        return {Token::Kind::Operator, std::string(1, c)};
    }

    bool is_point() const {
        return text_[at_] == '.' && at_ + 1 < text_.size() && is_digit(text_[at_ + 1]);
    }

    Token string(char quote) {
        const std::size_t first = at_++;
        Token token{Token::Kind::String, {}};
        for (; at_ < text_.size() && text_[at_] != quote; ++at_) {
            const bool is_escaped = text_[at_] == '\\' && at_ + 1 < text_.size();
            if (is_escaped) {
                ++at_;
                unescape(token.text);
            } else {
                token.text.push_back(text_[at_]);
            }
        }
        if (at_ == text_.size()) throw error(first, "the end of a string", "that of the template");
        ++at_;
        return token;
    }

    // As Python reads it: \n, \x41, \u2581; what is no escape keeps its backslash.
    void unescape(std::string& out) {
        constexpr std::string_view kNames = "ntrfvba0\\'\"";
        constexpr std::string_view kValues{"\n\t\r\f\v\b\a\0\\'\"", 11};
        const char c = text_[at_];
        const std::size_t found = kNames.find(c);
        if (found != kNames.npos) {
            out.push_back(kValues[found]);
            return;
        }
        const std::size_t digits = c == 'x' ? 2 : c == 'u' ? 4 : c == 'U' ? 8 : 0;
        const std::string_view number = text_.substr(at_ + 1, digits);
        std::uint32_t code = 0;
        const auto [end, error] =
            std::from_chars(number.data(), number.data() + number.size(), code, 16);
        const bool is_code = digits > 0 && number.size() == digits && error == std::errc() &&
                             end == number.data() + digits && code <= 0x10ffff &&
                             (code < 0xd800 || code > 0xdfff);
        if (!is_code) {
            out.append({'\\', c});
            return;
        }
        append_utf8(out, static_cast<char32_t>(code));
        at_ += digits;
    }

    std::string_view text_;
    std::string_view where_;
    std::size_t at_ = 0;
    char strips_ = ' ';  // what the last tag takes of the text after it: '-', one '\n', nothing
    std::vector<Part> parts_;
};

}  // namespace

std::vector<Part> parts_of(std::string_view text, std::string_view where) {
    // A single line break at the end is dropped (keep_trailing_newline is off).
    if (text.ends_with('\n')) text.remove_suffix(1);
    return Lexer(text, where).run();
}

}  // namespace model::jinja
