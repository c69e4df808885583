// A shape of up to five axes, outermost first. The meaning of the axes stands beside each use.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

namespace tensor {

class Shape {
public:
    static constexpr int kMaxRank = 5;

    Shape() = default;
    Shape(std::initializer_list<std::int64_t> extents);
    explicit Shape(std::span<const std::int64_t> extents);

    int rank() const { return rank_; }
    /// Negative `axis` counts from the end.
    std::int64_t operator[](int axis) const { return extents_[index(axis)]; }
    void set(int axis, std::int64_t extent) { extents_[index(axis)] = extent; }
    std::int64_t elements() const;
    /// Product of all axes but the last: rows of a row-major matrix view.
    std::int64_t rows() const;
    /// The last axis; 1 for rank 0.
    std::int64_t cols() const { return rank_ == 0 ? 1 : extents_[index(-1)]; }
    /// Product of all axes but the last two.
    std::int64_t outer() const;
    std::span<const std::int64_t> extents() const {
        return {extents_.data(), static_cast<std::size_t>(rank_)};
    }
    /// "[32, 4096]".
    std::string text() const;

    bool operator==(const Shape&) const = default;

private:
    std::size_t index(int axis) const {
        return static_cast<std::size_t>(axis < 0 ? axis + rank_ : axis);
    }
    std::array<std::int64_t, kMaxRank> extents_{};
    int rank_ = 0;
};

}  // namespace tensor
