// Where the values of a step live on a chip, as the software's memory configs say: the cores that
// hold a sharded row, L1 or DRAM. `partition` inserts a reshard wherever a value is somewhere else.
// Decode rows are sharded over the cores of the matmul that reads them; heads over one core per
// user; prefill stays in DRAM but for the LM head.
// Source: tenstorrent/tt-metal models/tt_transformers/tt (model_config.py, attention.py, mlp.py,
// lm_head.py, decoder.py, distributed_norm.py, rope.py; tree of 2026-05-23).
#pragma once

#include <optional>
#include <string_view>

#include "dispatch/kernel_plan.h"
#include "mesh/chip_spec.h"
#include "model/profile.h"
#include "tensor/graph.h"

namespace model {

class Residence {
public:
    Residence(const tensor::Graph& graph, const Profile& profile, mesh::Grid worker_grid)
        : graph_(graph), profile_(profile), grid_(worker_grid) {}

    using Memory = std::optional<dispatch::MemoryConfig>;  // nullopt: wherever it is

    /// Where `node` must find its computed input `index`, of spec `x` on the chip.
    Memory input(const tensor::Node& node, std::size_t index, const tensor::Spec& x) const;
    /// Where the program of `node` leaves an output of spec `y`; its first input is at `first`.
    Memory output(const tensor::Node& node, const tensor::Spec& y,
                  const dispatch::MemoryConfig& first) const;
    /// Where a value must be before anything else uses it.
    Memory rest(tensor::ValueId id, const tensor::Spec& y) const;
    /// Where a value must be before it is gathered.
    Memory before_gather(tensor::ValueId id) const;

    /// Of a norm over several chips.
    Memory statistics() const;

private:
    bool decodes() const { return graph_.phase == tensor::Phase::Decode; }
    bool fuses() const { return decodes() && profile_.fuses(); }
    Memory width(std::int64_t cores, const tensor::Spec& spec) const;
    Memory by_users(const tensor::Spec& spec) const;
    Memory of_linear(const tensor::Node& node, const tensor::Spec& x) const;
    Memory of_norm(const tensor::Node& node, const tensor::Spec& x) const;
    Memory of_product(const tensor::Node& node, const tensor::Spec& y,
                      const dispatch::MemoryConfig& first) const;
    Memory of_stream(const tensor::Spec& x) const;
    std::int64_t cores_of(const tensor::Value& weight, std::int64_t k_tiles) const;
    const tensor::Value* weight_behind(tensor::ValueId id) const;
    bool is_head_norm(const tensor::Node& node) const;

    const tensor::Graph& graph_;
    const Profile& profile_;
    mesh::Grid grid_;
};

/// The program that brings a value from one place to another.
tensor::ToMemory::Route route_between(const dispatch::MemoryConfig& from,
                                      const dispatch::MemoryConfig& to);
/// ".to_sharded", ".reshard", ...: what follows the value's name in a command's label.
std::string_view suffix_of(tensor::ToMemory::Route route);

}  // namespace model
