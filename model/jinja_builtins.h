// Filters, tests and methods of Jinja that chat templates use. For jinja*.cc only.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/jinja_expression.h"

namespace model::jinja {

/// value | name(arguments); nullopt: no such filter. The indent of
/// tojson and the attribute of map are arguments.
std::optional<Value> filtered(const std::string& name, const Value& value,
                              const std::vector<Value>& arguments);
/// value is name(arguments); nullopt: no such test.
std::optional<bool> tested(const std::string& name, const Value& value,
                           const std::vector<Value>& arguments);
/// value.name(arguments); nullopt: no such method of this value.
std::optional<Value> called(const std::string& name, const Value& value,
                            const std::vector<Value>& arguments);

}  // namespace model::jinja
