#include <algorithm>
#include <charconv>
#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "model/jinja_builtins.h"
#include "model/jinja_operators.h"
#include "model/jinja_text.h"

namespace model::jinja {
namespace {

// "a.b" and "a.0" go into the entries.
Value attribute(Value item, const std::string& path) {
    for (const std::string& name : split_text(path, ".", -1, From::Left)) {
        const bool is_index =
            !name.empty() && name.find_first_not_of("0123456789") == name.npos && name.size() < 9;
        if (item.is_discarded()) return item;
        item = item_of(item, is_index ? Value(std::stoi(name)) : Value(name));
    }
    return item;
}

Value joined(const Value& value, const Given& given) {
    const std::string between = given.text(0, "d").value_or("");
    const auto path = given.text(1, "attribute");
    std::string text;
    bool is_first = true;
    for (const Value& item : entries_of(value)) {
        if (!is_first) text += between;
        text += text_of(path ? attribute(item, *path) : item);
        is_first = false;
    }
    return text;
}

// select and reject by a test of each entry, or of an attribute of it.
enum class Of { Entry, Attribute };
Value selected(const Value& list, const Given& given, Of of, bool wanted) {
    Value kept = Value::array();
    const std::size_t first = of == Of::Attribute ? 1 : 0;
    const std::string test = given.text(first, "").value_or("");
    Given rest;
    for (std::size_t i = first + 1; i < given.values.size(); ++i) {
        rest.values.push_back(given.values[i]);
    }
    const std::string path = of == Of::Attribute ? given.text(0, "").value_or("") : "";
    for (const Value& item : entries_of(list)) {
        const Value value = of == Of::Attribute ? attribute(item, path) : item;
        const auto holds = test.empty() ? std::optional(is_true(value)) : tested(test, value, rest);
        if (!holds)
            throw core::Error::mismatch("select", "", "a known test", core::printable(test));
        if (*holds == wanted) kept.push_back(item);
    }
    return kept;
}

// map(attribute="a", default=x), or map("filter", arguments...).
Value mapped(const Value& list, const Given& given) {
    Value all = Value::array();
    const auto found = given.named.find("attribute");
    const std::string filter = given.text(0, "").value_or("");
    Given rest;
    for (std::size_t i = 1; i < given.values.size(); ++i) rest.values.push_back(given.values[i]);
    for (const Value& item : entries_of(list)) {
        if (found != given.named.end()) {
            const Value value = attribute(item, text_of(found->second));
            const auto other = given.named.find("default");
            const bool missing = value.is_discarded() && other != given.named.end();
            all.push_back(missing ? other->second : value);
            continue;
        }
        const auto made = filtered(filter, item, rest);
        if (!made)
            throw core::Error::mismatch("map", "", "a known filter", core::printable(filter));
        all.push_back(*made);
    }
    return all;
}

// sort, unique, min and max go by an attribute, and by small letters unless told.
Value sort_key(const Value& item, const Given& given, std::size_t case_index,
               std::size_t path_index) {
    const auto path = given.text(path_index, "attribute");
    const Value value = path ? attribute(item, *path) : item;
    const bool exact = given.flag(case_index, "case_sensitive");
    return value.is_string() && !exact ? Value(lower(value.get<std::string>())) : value;
}

Value sorted(const Value& value, const Given& given) {
    const Value list = entries_of(value);
    std::vector<std::pair<Value, Value>> keyed;
    for (const Value& item : list) keyed.emplace_back(sort_key(item, given, 1, 2), item);
    const bool reverse = given.flag(0, "reverse");
    std::stable_sort(keyed.begin(), keyed.end(), [&](const auto& a, const auto& b) {
        return reverse ? compared("<", b.first, a.first) : compared("<", a.first, b.first);
    });
    Value out = Value::array();
    for (const auto& entry : keyed) out.push_back(entry.second);
    return out;
}

Value unique(const Value& value, const Given& given) {
    Value out = Value::array();
    std::vector<Value> seen;
    for (const Value& item : entries_of(value)) {
        const Value key = sort_key(item, given, 0, 1);
        if (std::find(seen.begin(), seen.end(), key) != seen.end()) continue;
        seen.push_back(key);
        out.push_back(item);
    }
    return out;
}

Value extreme(const Value& value, const Given& given, const std::string& op) {
    Value best = undefined();
    for (const Value& item : entries_of(value)) {
        const bool is_better = best.is_discarded() || compared(op, sort_key(item, given, 0, 1),
                                                               sort_key(best, given, 0, 1));
        if (is_better) best = item;
    }
    return best;
}

Value sum(const Value& list, const Given& given) {
    const auto path = given.text(0, "attribute");
    Value total = given.find(1, "start") == nullptr ? Value(0) : given.at(1, "start");
    for (const Value& item : entries_of(list)) {
        total = add(total, path ? attribute(item, *path) : item);
    }
    return total;
}

Value reversed(const Value& value) {
    Value list = entries_of(value);
    std::reverse(list.begin(), list.end());
    if (!value.is_string()) return list;
    return joined(list, {});
}

Value sorted_pairs(const Value& value) {
    Given by_key;
    by_key.named["attribute"] = "0";
    return sorted(pairs_of(value), by_key);
}

Value to_number(const Value& value, const Given& given, bool whole) {
    const Value* other = given.find(0, "default");
    const Value otherwise = other != nullptr ? *other : whole ? Value(0) : Value(0.0);
    if (value.is_boolean()) return whole ? Value(value.get<bool>() ? 1 : 0) : otherwise;
    double number = 0;
    if (value.is_string()) {
        const std::string text = stripped(value.get<std::string>(), std::nullopt, Ends::Both);
        const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
        if (error != std::errc() || end != text.data() + text.size()) return otherwise;
    } else if (value.is_number()) {
        if (whole && value.is_number_integer()) return value;
        number = value.get<double>();
    } else {
        return otherwise;
    }
    if (!whole) return number;
    return std::abs(number) < 1e18 ? Value(static_cast<std::int64_t>(number)) : otherwise;
}

Value rounded(const Value& value, const Given& given) {
    const double scale = std::pow(10.0, static_cast<double>(given.integer(0, "precision", 0)));
    const double number = value.is_number() ? value.get<double>() * scale : 0.0;
    const std::string method = given.text(1, "method").value_or("common");
    if (method == "ceil") return std::ceil(number) / scale;
    return (method == "floor" ? std::floor(number) : std::nearbyint(number)) / scale;
}

std::int64_t length_of(const Value& value) {
    if (value.is_discarded()) return 0;
    return static_cast<std::int64_t>(value.is_object() ? value.size() : entries_of(value).size());
}

// transformers' own, which does not escape for HTML: json.dumps.
Value to_json(const Value& value, const Given& given) {
    JsonStyle style;
    style.is_ascii = given.flag(0, "ensure_ascii");
    const Value* first = given.find(0, "ensure_ascii");
    // Jinja's has the indent first.
    const bool is_jinjas = first != nullptr && first->is_number_integer();
    style.indent = is_jinjas ? given.integer(0, "", -1) : given.integer(1, "indent", -1);
    if (style.indent >= 0) style.between = ",";
    const Value separators = given.at(2, "separators");
    if (separators.is_array() && separators.size() == 2) {
        style.between = text_of(separators[0]);
        style.colon = text_of(separators[1]);
    }
    style.is_sorted = given.flag(3, "sort_keys");
    if (style.indent > 64) throw core::Error::mismatch("tojson", "indent", "at most 64", "more");
    return json_text(value, style);
}

std::optional<Value> text_filter(const std::string& name, const Value& value, const Given& given) {
    const auto text = [&] { return text_of(value); };
    if (name == "trim") return stripped(text(), given.text(0, "chars"), Ends::Both);
    if (name == "string") return text();
    if (name == "safe") return value;
    if (name == "upper") return upper(text());
    if (name == "lower") return lower(text());
    if (name == "capitalize") return capitalized(text());
    if (name == "title") return titled(text());
    if (name == "replace") {
        return replaced(text(), given.text(0, "old").value_or(""),
                        given.text(1, "new").value_or(""), given.integer(2, "count", -1));
    }
    if (name == "indent") {
        const Value width = given.at(0, "width");
        const auto spaces = std::clamp<std::int64_t>(given.integer(0, "width", 4), 0, 64);
        const std::string margin =
            width.is_string() ? text_of(width) : std::string(static_cast<std::size_t>(spaces), ' ');
        return (given.flag(1, "first") ? margin : "") + indented(text(), margin);
    }
    if (name == "wordcount") {
        return static_cast<std::int64_t>(split_text(text(), std::nullopt, -1, From::Left).size());
    }
    return std::nullopt;
}

std::optional<Value> number_filter(const std::string& name, const Value& value,
                                   const Given& given) {
    if (name == "int") return to_number(value, given, true);
    if (name == "float") return to_number(value, given, false);
    if (name == "round") return rounded(value, given);
    if (name == "abs") return compared("<", value, 0) ? subtract(0, value) : value;
    if (name == "length" || name == "count") return length_of(value);
    return std::nullopt;
}

std::optional<Value> list_filter(const std::string& name, const Value& value, const Given& given) {
    if (name == "join") return joined(value, given);
    if (name == "items") return pairs_of(value);
    if (name == "dictsort") return sorted_pairs(value);
    if (name == "list") return entries_of(value);
    if (name == "first") return item_of(entries_of(value), 0);
    if (name == "last") return item_of(entries_of(value), -1);
    if (name == "selectattr") return selected(value, given, Of::Attribute, true);
    if (name == "rejectattr") return selected(value, given, Of::Attribute, false);
    if (name == "select") return selected(value, given, Of::Entry, true);
    if (name == "reject") return selected(value, given, Of::Entry, false);
    if (name == "map") return mapped(value, given);
    if (name == "sort") return sorted(value, given);
    if (name == "unique") return unique(value, given);
    if (name == "min") return extreme(value, given, "<");
    if (name == "max") return extreme(value, given, ">");
    if (name == "sum") return sum(value, given);
    if (name == "reverse") return reversed(value);
    return std::nullopt;
}

}  // namespace

Value entries_of(const Value& value) {
    if (value.is_array()) return value;
    Value list = Value::array();
    if (value.is_string()) {
        const auto text = value.get<std::string>();
        for (const std::string_view character : characters_of(text)) {
            list.push_back(std::string(character));
        }
    }
    if (value.is_object()) {
        for (const auto& [key, item] : value.items()) list.push_back(key);
    }
    return list;
}

Value pairs_of(const Value& object) {
    Value pairs = Value::array();
    if (!object.is_object()) return pairs;
    for (const auto& [key, value] : object.items()) pairs.push_back(Value::array({key, value}));
    return pairs;
}

std::optional<Value> filtered(const std::string& name, const Value& value, const Given& given) {
    if (name == "tojson") return to_json(value, given);
    if (name == "default" || name == "d") {
        const bool missing = value.is_discarded() || (given.flag(1, "boolean") && !is_true(value));
        if (!missing) return value;
        return given.find(0, "default_value") == nullptr ? Value("") : given.at(0, "default_value");
    }
    if (name == "attr") return item_of(value, given.at(0, "name"));
    if (auto made = text_filter(name, value, given)) return made;
    if (auto made = number_filter(name, value, given)) return made;
    return list_filter(name, value, given);
}

}  // namespace model::jinja
