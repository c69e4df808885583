// Shapes may come from files, so every one is checked where it is made: at most five axes, no
// negative extent, and a number of elements that fits 60 bits (bytes of any format stay in 64).
#include "tensor/shape.h"

#include <limits>

#include "core/error.h"

namespace tensor {
namespace {

constexpr std::int64_t kMaxElements = std::numeric_limits<std::int64_t>::max() / 8;

std::string to_text(std::span<const std::int64_t> extents) {
    std::string result = "[";
    for (std::size_t i = 0; i < extents.size(); ++i) {
        if (i > 0) result += ", ";
        result += std::to_string(extents[i]);
    }
    return result + "]";
}

void check(std::span<const std::int64_t> extents) {
    if (extents.size() > static_cast<std::size_t>(Shape::kMaxRank)) {
        throw core::Error::mismatch("shape", "rank", "at most 5 axes", to_text(extents));
    }
    std::int64_t product = 1;
    for (const std::int64_t extent : extents) {
        if (extent < 0) {
            throw core::Error::mismatch("shape", "extent", "0 or more", to_text(extents));
        }
        // An empty axis must not hide an overflow of the others: rows() leaves axes out.
        const std::int64_t factor = extent > 0 ? extent : 1;
        if (factor > kMaxElements / product) {
            throw core::Error::mismatch("shape", "elements", "fewer than 2^60", to_text(extents));
        }
        product *= factor;
    }
}

}  // namespace

Shape::Shape(std::initializer_list<std::int64_t> extents)
    : Shape(std::span<const std::int64_t>(extents.begin(), extents.size())) {}

Shape::Shape(std::span<const std::int64_t> extents) {
    check(extents);
    for (const std::int64_t extent : extents) {
        extents_[static_cast<std::size_t>(rank_++)] = extent;
    }
}

std::int64_t Shape::elements() const { return rows() * cols(); }

std::int64_t Shape::rows() const {
    std::int64_t product = 1;
    for (int axis = 0; axis < rank_ - 1; ++axis) product *= (*this)[axis];
    return product;
}

std::int64_t Shape::outer() const {
    std::int64_t product = 1;
    for (int axis = 0; axis < rank_ - 2; ++axis) product *= (*this)[axis];
    return product;
}

std::string Shape::text() const { return to_text(extents()); }

}  // namespace tensor
