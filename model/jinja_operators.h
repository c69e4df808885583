// Operators of Jinja on JSON values, as Python's: texts and lists add, integers stay integers.
// For jinja*.cc only.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "model/jinja_expression.h"

namespace model::jinja {

/// Throw core::Error for values that are not numbers (or, added, two texts or two lists).
Value add(const Value& a, const Value& b);
Value subtract(const Value& a, const Value& b);
Value multiply(const Value& a, const Value& b);
Value divide(const Value& a, const Value& b);
Value power(const Value& a, const Value& b);
/// text % values: %s and %d of Python.
Value formatted(const Value& text, const Value& values);

/// Rounded down, also below 0.
struct Floored {
    std::int64_t quotient = 0;
    std::int64_t rest = 0;
};
Floored floored(const Value& a, const Value& b);

/// "==", "!=", "<", "<=", ">", ">=" or "in".
bool compared(const std::string& op, const Value& a, const Value& b);

/// value[key]; undefined when there is no such entry. Throws core::Error for an undefined value.
Value item_of(const Value& value, const Value& key);
/// value[first:last:step] of a list or text; null: not given.
Value slice_of(const Value& value, const std::array<Value, 3>& range);

}  // namespace model::jinja
