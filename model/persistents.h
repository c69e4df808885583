// Buffers that live as long as the model: weights, caches and inputs of a program under
// construction. Invariant: one buffer per value, segment and placement; programs that share one
// name it alike.
#pragma once

#include <map>
#include <string>
#include <utility>

#include "model/program_writer.h"
#include "tensor/graph.h"

namespace model {

class Persistents {
public:
    Persistents(const tensor::Graph& graph, ProgramWriter& writer, std::string program_name)
        : graph_(graph), writer_(writer), program_name_(std::move(program_name)) {}

    /// Where value `id` lives for the layers of `block`.
    Located place(const tensor::Block& block, tensor::ValueId id, const Placements& placed);
    /// Columns [first, first + count) of every chip's part of the LM head: split `index` of it.
    Located lm_head_split(tensor::ValueId id, const Placements& placed, std::size_t index,
                          std::int64_t first, std::int64_t count);

private:
    const tensor::Graph& graph_;
    ProgramWriter& writer_;
    std::string program_name_;
    std::map<std::pair<tensor::ValueId, std::string>, std::int32_t> persistent_;
};

}  // namespace model
