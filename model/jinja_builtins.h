// Filters, tests, functions and methods of Jinja that chat templates use. For jinja*.cc only.
#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/jinja_expression.h"

namespace model::jinja {

/// Arguments as a call has them.
struct Given {
    std::vector<Value> values;
    std::map<std::string, Value> named;

    /// The argument at `index`, or called `name`; null when it is not given.
    const Value* find(std::size_t index, const std::string& name) const;
    /// As find; undefined when it is not given.
    Value at(std::size_t index, const std::string& name) const;
    std::int64_t integer(std::size_t index, const std::string& name, std::int64_t otherwise) const;
    bool flag(std::size_t index, const std::string& name) const;
    /// nullopt when it is not given, or none.
    std::optional<std::string> text(std::size_t index, const std::string& name) const;
};

/// What a loop over it gives: entries, keys or characters.
Value entries_of(const Value& value);
/// [key, value] of an object.
Value pairs_of(const Value& object);

/// value | name(given); nullopt: no such filter.
std::optional<Value> filtered(const std::string& name, const Value& value, const Given& given);
/// value is name(given); nullopt: no such test.
std::optional<bool> tested(const std::string& name, const Value& value, const Given& given);
/// value.name(given); nullopt: no such method of this value.
std::optional<Value> called(const std::string& name, const Value& value, const Given& given);
/// name(given) of Jinja itself or of transformers; nullopt: no such function. `day`: that of
/// strftime_now.
std::optional<Value> function(const std::string& name, const Given& given, const std::string& day);

}  // namespace model::jinja
