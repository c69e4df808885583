// Where the parts of a value live along one mesh axis.
// Replicated: every chip has all of it. Sharded(dim): chip i has the i-th of n equal parts of
// axis `dim`. Partial: every chip has a summand; the value is their sum.
#pragma once

#include <string>

namespace tensor {

class Placement {
public:
    enum class Kind { Replicated, Sharded, Partial };

    static constexpr Placement replicated() { return {Kind::Replicated, -1}; }
    static constexpr Placement sharded(int dim) { return {Kind::Sharded, dim}; }
    static constexpr Placement partial() { return {Kind::Partial, -1}; }
    constexpr Placement() = default;

    constexpr Kind kind() const { return kind_; }
    constexpr bool is_replicated() const { return kind_ == Kind::Replicated; }
    constexpr bool is_partial() const { return kind_ == Kind::Partial; }
    constexpr bool is_sharded() const { return kind_ == Kind::Sharded; }
    constexpr bool is_sharded(int dim) const { return kind_ == Kind::Sharded && dim_ == dim; }
    /// The sharded axis. Requires: is_sharded().
    constexpr int dim() const { return dim_; }
    /// "Replicated", "Sharded(1)", "Partial".
    std::string text() const;

    constexpr bool operator==(const Placement&) const = default;

private:
    constexpr Placement(Kind kind, int dim) : kind_(kind), dim_(dim) {}
    Kind kind_ = Kind::Replicated;
    int dim_ = -1;
};

}  // namespace tensor
