#include "model/jinja_text.h"

#include <unicode/locid.h>
#include <unicode/unistr.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>
#include <ctime>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "model/utf8.h"

namespace model::jinja {
namespace {

constexpr std::size_t kMostText = std::size_t{1} << 24;

// str.isspace: White_Space and the separators of ASCII.
bool is_space(std::string_view character) {
    const char32_t code = code_point(character);
    return is_white_space(code) || (code >= 0x1c && code <= 0x1f);
}

std::string utf8_of(const icu::UnicodeString& text) {
    std::string out;
    return text.toUTF8String(out);
}

std::string escaped(std::string_view text, char quote) {
    std::string out(1, quote);
    for (const char c : text) {
        if (c == quote || c == '\\') {
            out.append({'\\', c});
        } else if (c == '\n' || c == '\t' || c == '\r') {
            out.append({'\\', c == '\n' ? 'n' : c == '\t' ? 't' : 'r'});
        } else {
            out += c;
        }
    }
    return out + quote;
}

std::string line_break(const JsonStyle& style, std::int64_t depth) {
    if (style.indent < 0) return "";
    return "\n" + std::string(static_cast<std::size_t>(style.indent * depth), ' ');
}

void dump(const Value& value, const JsonStyle& style, std::int64_t depth, std::string& out) {
    if (!value.is_structured() || value.empty()) {
        out += value.is_discarded() ? "null" : value.dump(-1, ' ', style.is_ascii);
        return;
    }
    std::vector<std::pair<std::string, const Value*>> items;
    for (auto item = value.begin(); item != value.end(); ++item) {
        items.emplace_back(value.is_object() ? item.key() : "", &*item);
    }
    if (style.is_sorted && value.is_object()) std::sort(items.begin(), items.end());
    out += value.is_object() ? '{' : '[';
    for (std::size_t i = 0; i < items.size(); ++i) {
        if (i > 0) out += style.between;
        out += line_break(style, depth + 1);
        if (value.is_object()) {
            out += Value(items[i].first).dump(-1, ' ', style.is_ascii) + style.colon;
        }
        dump(*items[i].second, style, depth + 1, out);
    }
    out += line_break(style, depth);
    out += value.is_object() ? '}' : ']';
}

std::string joined_from(const std::vector<std::string_view>& characters, std::size_t first,
                        std::size_t last) {
    std::string out;
    for (std::size_t i = first; i < last; ++i) out += characters[i];
    return out;
}

std::vector<std::string> split_at(std::string_view text, std::string_view separator,
                                  std::int64_t most, From from) {
    std::vector<std::string> parts;
    while (most < 0 || static_cast<std::int64_t>(parts.size()) < most) {
        const std::size_t at = from == From::Left ? text.find(separator) : text.rfind(separator);
        if (at == text.npos) break;
        const std::size_t behind = at + separator.size();
        parts.emplace_back(from == From::Left ? text.substr(0, at) : text.substr(behind));
        text = from == From::Left ? text.substr(behind) : text.substr(0, at);
    }
    parts.emplace_back(text);
    return parts;
}

std::vector<std::string> split_at_space(std::string_view text, std::int64_t most) {
    std::vector<std::string> parts;
    const std::vector<std::string_view> characters = characters_of(text);
    std::size_t at = 0;
    while (true) {
        while (at < characters.size() && is_space(characters[at])) ++at;
        if (at == characters.size()) return parts;
        const bool is_last = most >= 0 && static_cast<std::int64_t>(parts.size()) == most;
        std::size_t end = is_last ? characters.size() : at;
        while (end < characters.size() && !is_space(characters[end])) ++end;
        parts.push_back(joined_from(characters, at, end));
        at = end;
    }
}

}  // namespace

std::vector<std::string_view> characters_of(std::string_view text) {
    std::vector<std::string_view> characters;
    while (!text.empty()) {
        characters.push_back(text.substr(0, character_length(text.front())));
        text.remove_prefix(characters.back().size());
    }
    return characters;
}

std::string stripped(std::string_view text, const std::optional<std::string>& set, Ends ends) {
    const std::vector<std::string_view> characters = characters_of(text);
    const std::vector<std::string_view> wanted = characters_of(set ? *set : std::string_view());
    const auto goes = [&](std::string_view character) {
        if (!set) return is_space(character);
        return std::find(wanted.begin(), wanted.end(), character) != wanted.end();
    };
    std::size_t first = 0;
    std::size_t last = characters.size();
    while (ends != Ends::Right && first < last && goes(characters[first])) ++first;
    while (ends != Ends::Left && first < last && goes(characters[last - 1])) --last;
    return joined_from(characters, first, last);
}

std::vector<std::string> split_text(std::string_view text,
                                    const std::optional<std::string>& separator, std::int64_t most,
                                    From from) {
    if (separator && separator->empty()) {
        throw core::Error::mismatch("split", "separator", "a text that is not empty", "\"\"");
    }
    if (!separator && from == From::Left) return split_at_space(text, most);
    if (!separator) {  // counted from the end
        const std::vector<std::string> all = split_at_space(text, -1);
        const auto count = static_cast<std::int64_t>(all.size());
        if (most < 0 || count <= most + 1) return all;
        throw core::Error::mismatch("rsplit", "", "a separator, or no limit", "neither");
    }
    std::vector<std::string> parts = split_at(text, *separator, most, from);
    if (from == From::Right) std::reverse(parts.begin(), parts.end());
    return parts;
}

std::vector<std::string> lines_of(std::string_view text) {
    std::vector<std::string> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find_first_of("\r\n"), text.size());
        lines.emplace_back(text.substr(0, end));
        text.remove_prefix(end);
        if (!text.empty()) text.remove_prefix(text.starts_with("\r\n") ? 2 : 1);
    }
    return lines;
}

std::string replaced(std::string_view text, std::string_view from, std::string_view to,
                     std::int64_t most) {
    std::string out;
    while (most != 0) {
        // Between the characters, where nothing is replaced.
        const std::size_t at = from.empty() ? 0 : text.find(from);
        if (at == text.npos) break;
        out.append(text.substr(0, at)).append(to);
        text.remove_prefix(at + from.size());
        if (out.size() > kMostText) {
            throw core::Error::mismatch("replace", "", "at most 16 MiB of text", "more");
        }
        if (from.empty()) {
            if (text.empty()) return out;
            const std::size_t length = character_length(text.front());
            out.append(text.substr(0, length));
            text.remove_prefix(std::min(length, text.size()));
        }
        most -= 1;
    }
    return out.append(text);
}

std::string upper(const std::string& text) {
    return utf8_of(icu::UnicodeString::fromUTF8(text).toUpper(icu::Locale::getRoot()));
}

std::string lower(const std::string& text) {
    return utf8_of(icu::UnicodeString::fromUTF8(text).toLower(icu::Locale::getRoot()));
}

std::string capitalized(const std::string& text) {
    if (text.empty()) return text;
    const std::size_t first = character_length(text.front());
    return upper(text.substr(0, first)) + lower(text.substr(std::min(first, text.size())));
}

std::string titled(const std::string& text) {
    std::string out;
    std::string word;
    for (const std::string_view character : characters_of(text)) {
        const bool ends = is_space(character) || character == "-" || character == "(" ||
                          character == "{" || character == "[" || character == "<";
        if (!ends) {
            word += character;
            continue;
        }
        out += capitalized(std::exchange(word, {}));
        out += character;
    }
    return out + capitalized(word);
}

std::string indented(const std::string& text, const std::string& margin) {
    std::string out;
    bool is_first = true;
    for (const std::string& line : split_at(text, "\n", -1, From::Left)) {
        if (!is_first) out += line.empty() ? "\n" : "\n" + margin;
        out += line;
        is_first = false;
    }
    return out;
}

std::string repr(const Value& value) {
    if (value.is_string()) {
        const auto& text = value.get_ref<const std::string&>();
        const bool doubles = text.find('\'') != text.npos && text.find('"') == text.npos;
        return escaped(text, doubles ? '"' : '\'');
    }
    if (!value.is_structured()) return text_of(value);
    std::string out(1, value.is_object() ? '{' : '[');
    for (auto item = value.begin(); item != value.end(); ++item) {
        if (item != value.begin()) out += ", ";
        if (value.is_object()) out += repr(item.key()) + ": ";
        out += repr(*item);
    }
    return out + (value.is_object() ? '}' : ']');
}

std::string json_text(const Value& value, const JsonStyle& style) {
    std::string out;
    dump(value, style, 0, out);
    return out;
}

std::string date_text(const std::string& format, const std::string& day) {
    std::tm time{};
    int end = 0;
    const int read =
        std::sscanf(day.c_str(), "%4d-%2d-%2d%n", &time.tm_year, &time.tm_mon, &time.tm_mday, &end);
    const std::tm given = time;
    time.tm_year -= 1900;
    time.tm_mon -= 1;
    const bool is_read = read == 3 && static_cast<std::size_t>(end) == day.size();
    if (is_read) timegm(&time);  // the day of the week; another date when this is none
    const bool exists = is_read && given.tm_year == time.tm_year + 1900 &&
                        given.tm_mon == time.tm_mon + 1 && given.tm_mday == time.tm_mday;
    if (!exists) {
        throw core::Error::mismatch("--date", "", "a day as 2024-07-26", core::printable(day));
    }
    std::array<char, 1024> text{};
    return {text.data(), std::strftime(text.data(), text.size(), format.c_str(), &time)};
}

}  // namespace model::jinja
