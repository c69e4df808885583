// Values and nodes are appended in order; ids are positions, so a graph has one spelling.
#include "tensor/graph.h"

#include <utility>

#include "core/error.h"

namespace tensor {
namespace {

// In-place ops write into their first input: its value stays the same value.
bool is_in_place(const Op& op) {
    return std::holds_alternative<UpdateCache>(op) || std::holds_alternative<FillCache>(op);
}

}  // namespace

ValueId Graph::add_value(Value value) {
    values.push_back(std::move(value));
    return ValueId{static_cast<std::int32_t>(values.size() - 1)};
}

std::vector<ValueId> Graph::add_node(std::string name, const Op& op, std::vector<ValueId> inputs,
                                     std::vector<Role> roles) {
    core::require(!blocks.empty(), "a node stands in a block");
    Specs specs;
    for (const ValueId id : inputs) specs.push_back(value(id).spec);
    try {
        specs = infer(op, specs);
    } catch (core::Error& error) {
        error.within("in node \"" + name + "\" of block \"" + blocks.back().name + "\"");
        throw;
    }
    std::vector<ValueId> made;
    if (is_in_place(op)) {
        made.push_back(inputs.front());
    } else {
        core::require(roles.size() == specs.size(), "a node has one role per output");
        for (std::size_t i = 0; i < specs.size(); ++i) {
            const std::string suffix = specs.size() == 1 ? "" : "." + std::to_string(i);
            made.push_back(add_value(
                {.name = name + suffix, .spec = specs[i], .role = roles[i], .sources = {}}));
        }
    }
    blocks.back().nodes.push_back({std::move(name), op, std::move(inputs), made, 0});
    return made;
}

}  // namespace tensor
