#include "model/jinja_builtins.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "core/error.h"
#include "model/jinja_operators.h"
#include "model/jinja_text.h"

namespace model::jinja {
namespace {

constexpr std::int64_t kMostRange = 100'000;  // as jinja2's sandbox

Value list_of(const std::vector<std::string>& texts) {
    Value list = Value::array();
    for (const std::string& text : texts) list.push_back(text);
    return list;
}

std::optional<bool> compared_test(const std::string& name, const Value& value, const Given& given) {
    static const std::map<std::string, std::string> kOps{
        {"equalto", "=="}, {"eq", "=="}, {"==", "=="}, {"sameas", "=="},     {"ne", "!="},
        {"!=", "!="},      {"lt", "<"},  {"<", "<"},   {"lessthan", "<"},    {"le", "<="},
        {"<=", "<="},      {"gt", ">"},  {">", ">"},   {"greaterthan", ">"}, {"ge", ">="},
        {">=", ">="},      {"in", "in"}};
    const auto op = kOps.find(name);
    if (op == kOps.end() || given.values.empty()) return std::nullopt;
    return compared(op->second, value, given.values[0]);
}

std::optional<bool> number_test(const std::string& name, const Value& value, const Given& given) {
    if (name == "number") return value.is_number() || value.is_boolean();
    if (name == "integer") return value.is_number_integer();
    if (name == "float") return value.is_number_float();
    if (name == "odd") return floored(value, 2).rest == 1;
    if (name == "even") return floored(value, 2).rest == 0;
    if (name == "divisibleby") return floored(value, given.at(0, "num")).rest == 0;
    return std::nullopt;
}

std::optional<Value> split_method(const std::string& name, const std::string& text,
                                  const Given& given) {
    const From from = name == "rsplit" ? From::Right : From::Left;
    return list_of(split_text(text, given.text(0, "sep"), given.integer(1, "maxsplit", -1), from));
}

// The place in characters; -1: nowhere.
std::int64_t place_of(const std::string& text, std::size_t at) {
    if (at == text.npos) return -1;
    return static_cast<std::int64_t>(characters_of(std::string_view(text).substr(0, at)).size());
}

std::int64_t count_of(const std::string& text, const std::string& part) {
    if (part.empty()) return static_cast<std::int64_t>(characters_of(text).size()) + 1;
    return static_cast<std::int64_t>(split_text(text, part, -1, From::Left).size()) - 1;
}

// One text, or any of a list of them.
bool any_of(const Value& given, const std::function<bool(const std::string&)>& holds) {
    if (!given.is_array()) return holds(text_of(given));
    return std::any_of(given.begin(), given.end(),
                       [&](const Value& one) { return holds(text_of(one)); });
}

bool all_are(const std::string& text, int (*kind)(int)) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [&](char c) {
        return kind(static_cast<unsigned char>(c)) != 0;
    });
}

std::optional<Value> asked_method(const std::string& name, const std::string& text,
                                  const Given& given) {
    const std::string part = text_of(given.at(0, ""));
    if (name == "startswith") {
        return any_of(given.at(0, ""), [&](const auto& start) { return text.starts_with(start); });
    }
    if (name == "endswith") {
        return any_of(given.at(0, ""), [&](const auto& end) { return text.ends_with(end); });
    }
    if (name == "find") return place_of(text, text.find(part));
    if (name == "rfind") return place_of(text, text.rfind(part));
    if (name == "count") return count_of(text, part);
    if (name == "isdigit" || name == "isnumeric") return all_are(text, std::isdigit);
    if (name == "isalpha") return all_are(text, std::isalpha);
    if (name == "isalnum") return all_are(text, std::isalnum);
    if (name == "isspace") {
        return !text.empty() && stripped(text, std::nullopt, Ends::Both).empty();
    }
    if (name == "isupper") return text != lower(text) && text == upper(text);
    if (name == "islower") return text != upper(text) && text == lower(text);
    return std::nullopt;
}

std::optional<Value> text_method(const std::string& name, const std::string& text,
                                 const Given& given) {
    if (name == "strip") return stripped(text, given.text(0, "chars"), Ends::Both);
    if (name == "lstrip") return stripped(text, given.text(0, "chars"), Ends::Left);
    if (name == "rstrip") return stripped(text, given.text(0, "chars"), Ends::Right);
    if (name == "split" || name == "rsplit") return split_method(name, text, given);
    if (name == "splitlines") return list_of(lines_of(text));
    const std::string part = text_of(given.at(0, ""));
    if (name == "removeprefix") return text.substr(text.starts_with(part) ? part.size() : 0);
    if (name == "removesuffix") {
        return text.substr(0, text.size() - (text.ends_with(part) ? part.size() : 0));
    }
    if (name == "join") {
        Given between;
        between.values.emplace_back(text);
        return filtered(name, given.at(0, ""), between);
    }
    if (auto answer = asked_method(name, text, given)) return answer;
    constexpr std::array kSame{"upper", "lower", "capitalize", "title", "replace"};
    const bool is_filter = std::find(kSame.begin(), kSame.end(), name) != kSame.end();
    return is_filter ? filtered(name, text, given) : std::nullopt;
}

std::optional<Value> object_method(const std::string& name, const Value& value,
                                   const Given& given) {
    if (name == "items") return pairs_of(value);
    if (name == "keys") return entries_of(value);
    if (name == "values") {
        Value list = Value::array();
        for (const auto& [key, item] : value.items()) list.push_back(item);
        return list;
    }
    if (name == "get" && !given.values.empty()) {
        const Value found = item_of(value, given.values[0]);
        if (!found.is_discarded()) return found;
        return given.values.size() > 1 ? given.values[1] : Value();
    }
    // loop.cycle
    if (name == "cycle" && !given.values.empty() && value.contains("index0")) {
        return given.values[value["index0"].get<std::size_t>() % given.values.size()];
    }
    return std::nullopt;
}

Value range(const Given& given) {
    const bool has_start = given.values.size() > 1;
    const std::int64_t first = has_start ? given.integer(0, "", 0) : 0;
    const std::int64_t last = given.integer(has_start ? 1 : 0, "", 0);
    const std::int64_t step = given.integer(2, "", 1);
    Value list = Value::array();
    const auto is_inside = [&](std::int64_t at) { return step > 0 ? at < last : at > last; };
    for (std::int64_t at = first; step != 0 && is_inside(at); at += step) {
        list.push_back(at);
        if (static_cast<std::int64_t>(list.size()) > kMostRange) {
            throw core::Error::mismatch("range", "", "at most 100000 numbers", "more");
        }
    }
    return list;
}

}  // namespace

const Value* Given::find(std::size_t index, const std::string& name) const {
    if (index < values.size()) return &values[index];
    const auto found = named.find(name);
    return found == named.end() ? nullptr : &found->second;
}

Value Given::at(std::size_t index, const std::string& name) const {
    const Value* found = find(index, name);
    return found == nullptr ? undefined() : *found;
}

std::int64_t Given::integer(std::size_t index, const std::string& name,
                            std::int64_t otherwise) const {
    const Value* found = find(index, name);
    if (found == nullptr || !found->is_number_integer()) return otherwise;
    return std::clamp<std::int64_t>(found->get<std::int64_t>(), -(std::int64_t{1} << 40),
                                    std::int64_t{1} << 40);
}

bool Given::flag(std::size_t index, const std::string& name) const {
    const Value* found = find(index, name);
    return found != nullptr && found->is_boolean() && found->get<bool>();
}

std::optional<std::string> Given::text(std::size_t index, const std::string& name) const {
    const Value* found = find(index, name);
    if (found == nullptr || found->is_null() || found->is_discarded()) return std::nullopt;
    return text_of(*found);
}

std::optional<bool> tested(const std::string& name, const Value& value, const Given& given) {
    if (name == "defined") return !value.is_discarded();
    if (name == "undefined") return value.is_discarded();
    if (name == "none") return value.is_null();
    if (name == "string") return value.is_string();
    if (name == "boolean") return value.is_boolean();
    if (name == "true") return value.is_boolean() && value.get<bool>();
    if (name == "false") return value.is_boolean() && !value.get<bool>();
    if (name == "mapping") return value.is_object();
    if (name == "iterable" || name == "sequence") {
        return value.is_structured() || value.is_string() || value.is_discarded();
    }
    if (name == "callable") return false;
    if (name == "upper" || name == "lower") {
        const std::string text = text_of(value);
        return (name == "upper" ? lower(text) : upper(text)) != text &&
               (name == "upper" ? upper(text) : lower(text)) == text;
    }
    if (auto holds = number_test(name, value, given)) return holds;
    return compared_test(name, value, given);
}

std::optional<Value> called(const std::string& name, const Value& value, const Given& given) {
    if (value.is_string()) return text_method(name, value.get<std::string>(), given);
    if (value.is_object()) return object_method(name, value, given);
    return std::nullopt;
}

std::optional<Value> function(const std::string& name, const Given& given, const std::string& day) {
    if (name == "range") return range(given);
    if (name == "strftime_now") return date_text(text_of(given.at(0, "format")), day);
    if (name != "namespace" && name != "dict") return std::nullopt;
    Value object = Value::object();
    const Value first = given.at(0, "");
    if (first.is_object()) object = first;
    for (const auto& [key, value] : given.named) object[key] = value;
    return object;
}

}  // namespace model::jinja
