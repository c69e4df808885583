#include "model/jinja_operators.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "core/files.h"
#include "model/jinja_text.h"

namespace model::jinja {
namespace {

bool is_int(const Value& a, const Value& b) {
    return a.is_number_integer() && b.is_number_integer();
}

core::Error not_numbers(const Value& a, const Value& b) {
    return core::Error::mismatch("an operator", "", "two numbers or two texts",
                                 text_of(a).substr(0, 40) + " and " + text_of(b).substr(0, 40));
}

void require_numbers(const Value& a, const Value& b) {
    if (!a.is_number() || !b.is_number()) throw not_numbers(a, b);
}

// Wraps as two's complement: no template counts that far.
Value integers(const Value& a, const Value& b, std::uint64_t (*of)(std::uint64_t, std::uint64_t)) {
    return static_cast<std::int64_t>(of(static_cast<std::uint64_t>(a.get<std::int64_t>()),
                                        static_cast<std::uint64_t>(b.get<std::int64_t>())));
}

bool contains(const Value& in, const Value& what) {
    if (in.is_string()) return in.get<std::string>().find(text_of(what)) != std::string::npos;
    if (in.is_object()) return what.is_string() && in.contains(what.get<std::string>());
    return in.is_array() && std::find(in.begin(), in.end(), what) != in.end();
}

bool ordered(const std::string& op, const Value& a, const Value& b) {
    if (!(a.is_string() && b.is_string())) require_numbers(a, b);
    if (op == "<") return a < b;
    if (op == ">") return b < a;
    return op == "<=" ? !(b < a) : !(a < b);
}

}  // namespace

Value add(const Value& a, const Value& b) {
    if (a.is_string() && b.is_string()) return a.get<std::string>() + b.get<std::string>();
    if (a.is_array() && b.is_array()) {
        Value both = a;
        both.insert(both.end(), b.begin(), b.end());
        return both;
    }
    require_numbers(a, b);
    if (is_int(a, b)) return integers(a, b, [](auto x, auto y) { return x + y; });
    return a.get<double>() + b.get<double>();
}

Value subtract(const Value& a, const Value& b) {
    require_numbers(a, b);
    if (is_int(a, b)) return integers(a, b, [](auto x, auto y) { return x - y; });
    return a.get<double>() - b.get<double>();
}

Value multiply(const Value& a, const Value& b) {
    require_numbers(a, b);
    if (is_int(a, b)) return integers(a, b, [](auto x, auto y) { return x * y; });
    return a.get<double>() * b.get<double>();
}

Value divide(const Value& a, const Value& b) {
    require_numbers(a, b);
    if (b.get<double>() == 0) throw not_numbers(a, b);
    return a.get<double>() / b.get<double>();
}

Value power(const Value& a, const Value& b) {
    require_numbers(a, b);
    const double result = std::pow(a.get<double>(), b.get<double>());
    const bool whole = is_int(a, b) && b.get<std::int64_t>() >= 0 && std::abs(result) < 1e15;
    return whole ? Value(static_cast<std::int64_t>(result)) : Value(result);
}

Value formatted(const Value& text, const Value& values) {
    const auto format = text.get<std::string>();
    const Value list = values.is_array() ? values : Value::array({values});
    std::string out;
    std::size_t next = 0;
    for (std::size_t i = 0; i < format.size(); ++i) {
        const char kind = format[i] == '%' && i + 1 < format.size() ? format[i + 1] : '\0';
        if (format[i] != '%') {
            out += format[i];
            continue;
        }
        const bool is_known = kind == '%' || ((kind == 's' || kind == 'd') && next < list.size());
        if (!is_known) {
            throw core::Error::mismatch("an operator", "%", "%s or %d for every value",
                                        core::printable(format));
        }
        out += kind == '%' ? "%" : text_of(list[next++]);
        ++i;
    }
    return out;
}

Floored floored(const Value& a, const Value& b) {
    if (!is_int(a, b) || b.get<std::int64_t>() == 0) throw not_numbers(a, b);
    const std::int64_t divisor = b.get<std::int64_t>();
    if (divisor == -1)
        return {static_cast<std::int64_t>(0 - static_cast<std::uint64_t>(a.get<std::int64_t>())),
                0};
    const std::int64_t x = a.get<std::int64_t>();
    const bool down = x % divisor != 0 && (x < 0) != (divisor < 0);
    return {x / divisor - (down ? 1 : 0), x % divisor + (down ? divisor : 0)};
}

bool compared(const std::string& op, const Value& a, const Value& b) {
    // Undefined is equal to itself alone.
    const bool same =
        a.is_discarded() || b.is_discarded() ? a.is_discarded() && b.is_discarded() : a == b;
    if (op == "==") return same;
    if (op == "!=") return !same;
    return op == "in" ? contains(b, a) : ordered(op, a, b);
}

Value item_of(const Value& value, const Value& key) {
    if (value.is_discarded()) {
        throw core::Error::mismatch("an expression", core::printable(text_of(key)),
                                    "a value that has it", "an undefined one");
    }
    if (value.is_object() && key.is_string()) {
        const auto found = value.find(key.get<std::string>());
        return found == value.end() ? undefined() : *found;
    }
    const bool list = value.is_array() || value.is_string();
    if (!list || !key.is_number_integer()) return undefined();
    const std::string text = value.is_string() ? value.get<std::string>() : "";
    const std::vector<std::string_view> characters = characters_of(text);
    const auto size =
        static_cast<std::int64_t>(value.is_string() ? characters.size() : value.size());
    std::int64_t index = key.get<std::int64_t>();
    if (index < 0) index += size;
    if (index < 0 || index >= size) return undefined();
    const auto at = static_cast<std::size_t>(index);
    return value.is_string() ? Value(std::string(characters[at])) : value[at];
}

Value slice_of(const Value& value, const std::array<Value, 3>& range) {
    if (!value.is_array() && !value.is_string()) {
        throw core::Error::mismatch("an expression", "[:]", "a list or a text",
                                    core::printable(text_of(value).substr(0, 40)));
    }
    const std::string text = value.is_string() ? value.get<std::string>() : "";
    const std::vector<std::string_view> characters = characters_of(text);
    const auto size =
        static_cast<std::int64_t>(value.is_string() ? characters.size() : value.size());
    const std::int64_t step = range[2].is_number_integer() ? range[2].get<std::int64_t>() : 1;
    const bool back = step < 0;
    const auto place = [&](const Value& given, std::int64_t otherwise) {
        if (!given.is_number_integer()) return otherwise;
        const std::int64_t index = given.get<std::int64_t>();
        return std::clamp(index < 0 ? index + size : index, back ? std::int64_t{-1} : 0,
                          back ? size - 1 : size);
    };
    std::int64_t at = place(range[0], back ? size - 1 : 0);
    const std::int64_t end = place(range[1], back ? -1 : size);
    Value list = Value::array();
    std::string cut;
    for (; step != 0 && (back ? at > end : at < end); at += step) {
        if (value.is_string()) {
            cut += characters[static_cast<std::size_t>(at)];
        } else {
            list.push_back(value[static_cast<std::size_t>(at)]);
        }
    }
    return value.is_string() ? Value(cut) : list;
}

}  // namespace model::jinja
