// A Jinja template as text and tags, the tags as tokens. For jinja*.cc only.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace model::jinja {

struct Token {
    enum class Kind { Name, Number, String, Operator, End };
    Kind kind = Kind::End;
    std::string text;  // of a string: its characters
    bool is(Kind of, std::string_view what) const { return kind == of && text == what; }
};

struct Part {
    enum class Kind { Text, Output, Statement };
    Kind kind = Kind::Text;
    std::string text;           // Text
    std::vector<Token> tokens;  // the others, End last
    int line = 1;               // where it starts
};

/// Throws core::Error "where:line: ..." for a tag without end and for unknown characters.
std::vector<Part> parts_of(std::string_view text, std::string_view where);

}  // namespace model::jinja
