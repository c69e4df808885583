#include "model/jinja_builtins.h"

#include <algorithm>
#include <cctype>

namespace model::jinja {
namespace {

using Values = std::vector<Value>;

constexpr const char* kSpace = " \t\n\r\f\v";

std::string stripped(std::string text, const Values& arguments, bool left, bool right) {
    const bool given = !arguments.empty() && arguments[0].is_string();
    const std::string set = given ? arguments[0].get<std::string>() : kSpace;
    if (left) text.erase(0, std::min(text.find_first_not_of(set), text.size()));
    if (right) text.erase(text.find_last_not_of(set) + 1);
    return text;
}

std::string cased(std::string text, int (*change)(int)) {
    for (char& c : text) c = static_cast<char>(change(static_cast<unsigned char>(c)));
    return text;
}

// Python's str.split: at a separator, or at runs of white space.
Value split(const std::string& text, const Values& arguments) {
    Value parts = Value::array();
    if (!arguments.empty() && arguments[0].is_string() && !arguments[0].empty()) {
        const std::string separator = arguments[0].get<std::string>();
        std::size_t first = 0;
        for (std::size_t at = text.find(separator); !separator.empty() && at != text.npos;
             at = text.find(separator, first)) {
            parts.push_back(text.substr(first, at - first));
            first = at + separator.size();
        }
        parts.push_back(text.substr(first));
        return parts;
    }
    for (std::size_t at = text.find_first_not_of(kSpace); at != text.npos;) {
        const std::size_t end = text.find_first_of(kSpace, at);
        parts.push_back(text.substr(at, end - at));
        at = text.find_first_not_of(kSpace, end);
    }
    return parts;
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
    if (from.empty()) return text;
    for (std::size_t at = text.find(from); at != text.npos; at = text.find(from, at + to.size())) {
        text.replace(at, from.size(), to);
    }
    return text;
}

Value pairs_of(const Value& object) {
    Value pairs = Value::array();
    for (const auto& [key, value] : object.items()) pairs.push_back(Value::array({key, value}));
    return pairs;
}

Value joined(const Value& list, const Values& arguments) {
    const std::string between = arguments.empty() ? "" : text_of(arguments[0]);
    std::string text;
    bool first = true;
    for (const Value& item : list) {
        if (!first) text += between;
        text += text_of(item);
        first = false;
    }
    return text;
}

Value attribute(const Value& item, const Values& arguments) {
    const bool has = !arguments.empty() && arguments[0].is_string() && item.is_object() &&
                     item.contains(arguments[0].get<std::string>());
    return has ? item.at(arguments[0].get<std::string>()) : undefined();
}

// select and reject by a test of each entry, or of an attribute of it.
enum class Of { Entry, Attribute };
Value selected(const Value& list, const Values& arguments, Of of, bool wanted) {
    Value kept = Value::array();
    const std::size_t first = of == Of::Attribute ? 1 : 0;
    const std::string test = arguments.size() > first ? text_of(arguments[first]) : "";
    const std::size_t more = std::min(first + 1, arguments.size());
    const Values rest(arguments.begin() + static_cast<long>(more), arguments.end());
    for (const Value& item : list) {
        const Value value = of == Of::Attribute ? attribute(item, arguments) : item;
        const bool holds =
            test.empty() ? is_true(value) : tested(test, value, rest).value_or(false);
        if (holds == wanted) kept.push_back(item);
    }
    return kept;
}

Value mapped(const Value& list, const Values& arguments) {
    Value all = Value::array();
    for (const Value& item : list) all.push_back(attribute(item, arguments));
    return all;
}

std::int64_t length_of(const Value& value) {
    if (!value.is_string()) return static_cast<std::int64_t>(value.size());
    const std::string text = value.get<std::string>();
    return std::ranges::count_if(
        text, [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
}

// json.dumps: a space after colons and commas of one line.
std::string dumped(const Value& value, int indent) {
    if (indent >= 0) return value.dump(indent);
    if (value.is_object() || value.is_array()) {
        std::string text(1, value.is_object() ? '{' : '[');
        for (auto item = value.begin(); item != value.end(); ++item) {
            if (item != value.begin()) text += ", ";
            if (value.is_object()) text += Value(item.key()).dump() + ": ";
            text += dumped(*item, indent);
        }
        return text + (value.is_object() ? '}' : ']');
    }
    return value.dump();
}

std::optional<Value> text_method(const std::string& name, const std::string& text,
                                 const Values& arguments) {
    const auto argument = [&](std::size_t index) {
        return index < arguments.size() ? text_of(arguments[index]) : std::string();
    };
    if (name == "strip") return stripped(text, arguments, true, true);
    if (name == "lstrip") return stripped(text, arguments, true, false);
    if (name == "rstrip") return stripped(text, arguments, false, true);
    if (name == "startswith") return text.starts_with(argument(0));
    if (name == "endswith") return text.ends_with(argument(0));
    if (name == "split") return split(text, arguments);
    if (name == "upper") return cased(text, std::toupper);
    if (name == "lower") return cased(text, std::tolower);
    if (name == "replace") return replaced(text, argument(0), argument(1));
    if (name == "join" && !arguments.empty()) return joined(arguments[0], {text});
    return std::nullopt;
}

std::optional<Value> list_filter(const std::string& name, const Value& value,
                                 const Values& arguments) {
    if (name == "join") return joined(value, arguments);
    if (name == "items") return pairs_of(value);
    if (name == "first") return value.empty() ? undefined() : value.front();
    if (name == "last") return value.empty() ? undefined() : value.back();
    if (name == "selectattr") return selected(value, arguments, Of::Attribute, true);
    if (name == "rejectattr") return selected(value, arguments, Of::Attribute, false);
    if (name == "select") return selected(value, arguments, Of::Entry, true);
    if (name == "reject") return selected(value, arguments, Of::Entry, false);
    if (name == "map") return mapped(value, arguments);
    return std::nullopt;
}

}  // namespace

std::optional<Value> filtered(const std::string& name, const Value& value,
                              const Values& arguments) {
    if (name == "tojson") {
        const bool given = !arguments.empty() && arguments[0].is_number_integer();
        return dumped(value, given ? arguments[0].get<int>() : -1);
    }
    if (name == "trim") return stripped(text_of(value), arguments, true, true);
    if (name == "string") return text_of(value);
    if (name == "safe" || name == "list") return value;
    if (name == "upper" || name == "lower" || name == "replace") {
        return text_method(name, text_of(value), arguments);
    }
    if (name == "length" || name == "count") return length_of(value);
    if (name == "default" || name == "d") {
        const bool also_false = arguments.size() > 1 && is_true(arguments[1]);
        const bool missing = value.is_discarded() || (also_false && !is_true(value));
        return missing && !arguments.empty() ? arguments[0] : value;
    }
    return list_filter(name, value, arguments);
}

std::optional<bool> tested(const std::string& name, const Value& value, const Values& arguments) {
    if (name == "defined") return !value.is_discarded();
    if (name == "undefined") return value.is_discarded();
    if (name == "none") return value.is_null();
    if (name == "string") return value.is_string();
    if (name == "number") return value.is_number();
    if (name == "integer") return value.is_number_integer();
    if (name == "boolean") return value.is_boolean();
    if (name == "true") return value.is_boolean() && value.get<bool>();
    if (name == "false") return value.is_boolean() && !value.get<bool>();
    if (name == "mapping") return value.is_object();
    if (name == "iterable" || name == "sequence") {
        return value.is_array() || value.is_object() || value.is_string();
    }
    const bool compares = name == "equalto" || name == "eq" || name == "==";
    if (compares && !arguments.empty()) return value == arguments[0];
    if (name == "in" && !arguments.empty()) {
        return std::ranges::find(arguments[0], value) != arguments[0].end();
    }
    return std::nullopt;
}

std::optional<Value> called(const std::string& name, const Value& value, const Values& arguments) {
    if (value.is_string()) return text_method(name, value.get<std::string>(), arguments);
    if (!value.is_object()) return std::nullopt;
    if (name == "items") return pairs_of(value);
    if (name == "get" && !arguments.empty()) {
        const auto found = value.find(text_of(arguments[0]));
        if (found != value.end()) return *found;
        return arguments.size() > 1 ? arguments[1] : Value();
    }
    Value list = Value::array();
    for (const auto& [key, item] : value.items()) {
        if (name == "keys") list.push_back(key);
        if (name == "values") list.push_back(item);
    }
    return name == "keys" || name == "values" ? std::optional(list) : std::nullopt;
}

}  // namespace model::jinja
