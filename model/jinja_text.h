// Texts as Python's str has them: characters are code points, and values are written as Python
// writes them. For jinja*.cc only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/jinja_expression.h"

namespace model::jinja {

/// The characters of a text, one text each.
std::vector<std::string_view> characters_of(std::string_view text);

enum class Ends { Left, Right, Both };
/// Without the characters of `set` at the ends; nullopt: white space.
std::string stripped(std::string_view text, const std::optional<std::string>& set, Ends ends);

enum class From { Left, Right };
/// At a separator (nullopt: runs of white space), at most `most` times; below 0: always.
std::vector<std::string> split_text(std::string_view text,
                                    const std::optional<std::string>& separator, std::int64_t most,
                                    From from);
std::vector<std::string> lines_of(std::string_view text);
/// At most `most` times; below 0: always. Throws core::Error above 16 MiB.
std::string replaced(std::string_view text, std::string_view from, std::string_view to,
                     std::int64_t most);

std::string upper(const std::string& text);
std::string lower(const std::string& text);
/// The first character upper, the others lower.
std::string capitalized(const std::string& text);
/// Every word capitalized.
std::string titled(const std::string& text);
/// Lines after the first moved right by `margin`; empty ones stay.
std::string indented(const std::string& text, const std::string& margin);

/// As Python's repr: 'a', True, None, ['a', 1], {'a': 1}.
std::string repr(const Value& value);

/// As json.dumps: of one line when `indent` is below 0.
struct JsonStyle {
    std::int64_t indent = -1;
    bool is_ascii = false;
    bool is_sorted = false;
    std::string between = ", ";
    std::string colon = ": ";
};
std::string json_text(const Value& value, const JsonStyle& style);

/// strftime of midnight of the day "YYYY-MM-DD". Throws core::Error when `day` is none.
std::string date_text(const std::string& format, const std::string& day);

}  // namespace model::jinja
