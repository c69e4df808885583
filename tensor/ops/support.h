// What the op files share: shape checks, valid rows, scratch memory, loops over row strips.
// Invariant: strips and column ranges are computed by one task each, in an order that does not
// depend on the number of threads, so results have the same bits on any machine load.
// Multiply-adds are those of matrix products (Linear and attention); elementwise work is counted
// in tiles: a tile counts once for every pass of the vector unit or copy over it.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <span>
#include <string_view>

#include "tensor/op_types.h"

namespace tensor::detail {

/// Stack of float buffers of the calling thread: buffers live until the Scratch that gave them
/// dies, memory is kept for the next op. Nesting (also by task stealing) is safe.
class Scratch {
public:
    Scratch();
    ~Scratch();
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;
    /// `count` floats, 64-byte aligned, content undefined.
    float* floats(std::int64_t count);

private:
    std::size_t chunk_ = 0;
    std::size_t used_ = 0;
};

// Shape checks of `infer`; each throws core::Error naming the op, the operand and both shapes.
void check_inputs(std::string_view op, std::span<const Spec> in, std::size_t least,
                  std::size_t most);
void check_rank(std::string_view op, std::string_view key, const Spec& spec, int rank);
void check_shape(std::string_view op, std::string_view key, const Spec& spec,
                 const Shape& expected);
void check_extent(std::string_view op, std::string_view what, std::int64_t expected,
                  std::int64_t found);
void check_tile_layout(std::string_view op, std::string_view key, const Spec& spec);

/// Throws core::Error: no input may move so that `op` can run with these placements.
[[noreturn]] void refuse(std::string_view op, std::span<const Placement> placed);
/// Throws core::Error unless there is one placement per input.
void check_placed(std::string_view op, std::span<const Spec> in, std::span<const Placement> placed);

/// What two operands of an elementwise op must both be: a shared sharding stays, a summand is
/// scattered to a sharded partner, all else is Replicated.
Placement common_placement(Placement a, Placement b);

/// Rule of ops that treat columns alike and keep the last axis: x and y are both Replicated, or
/// both sharded along the columns.
Split keep_columns(std::string_view op, std::span<const Spec> in, std::span<const Placement> placed,
                   int output_rank);

/// Tiles of a tensor, of either layout (row-major: the tiles that cover its matrix view).
std::int64_t tiles_of(const Spec& spec);
/// Bytes of `rows` rows of each outer part, in whole tiles.
core::Bytes tile_row_bytes(const Spec& spec, std::int64_t rows);

/// Rows along the second-to-last axis that hold data, and where they are.
struct ValidRows {
    std::int64_t outer = 1;  // parts: product of the axes before
    std::int64_t extent = 1;
    std::int64_t valid = 1;
    std::int64_t total() const { return outer * valid; }
};
ValidRows valid_rows(const Spec& spec, const Bindings& bindings);

/// y [rows, N] = x [rows, K] W [K, N], on several threads when it is large. The bits of a value do
/// not depend on how columns are dealt out.
void multiply(const float* x, std::int64_t rows, const View& weight, float* y);

/// Calls `body(row, count)` for strips of consecutive valid rows (at most 32, fewer where a row is
/// wide); rows of the matrix view. On several threads when the tensor is large.
template <class Body>
void for_each_strip(const Spec& spec, const Bindings& bindings, const Body& body);

/// Calls `task(i)` for i in [0, count): on several threads when `elements` in all are worth it.
template <class Task>
void for_each_task(std::int64_t count, std::int64_t elements, const Task& task);
void in_parallel(std::int64_t count, const std::function<void(std::int64_t)>& task);

// Multiply-adds (or as many elements) below which a second thread costs more than it brings.
inline constexpr std::int64_t kParallelWork = std::int64_t{1} << 21;
inline constexpr std::int64_t kStripElements = std::int64_t{1} << 15;

template <class Task>
void for_each_task(std::int64_t count, std::int64_t elements, const Task& task) {
    if (count > 1 && elements >= kParallelWork) return in_parallel(count, std::cref(task));
    for (std::int64_t i = 0; i < count; ++i) task(i);
}

template <class Body>
void for_each_strip(const Spec& spec, const Bindings& bindings, const Body& body) {
    const ValidRows rows = valid_rows(spec, bindings);
    const std::int64_t fit = kStripElements / std::max<std::int64_t>(spec.shape.cols(), 1);
    const std::int64_t height = std::clamp<std::int64_t>(fit, 1, kTileSide);
    const std::int64_t strips = core::ceil_div(rows.valid, height);
    const auto strip = [&](std::int64_t i) {
        const std::int64_t first = i % strips * height;
        body(i / strips * rows.extent + first, std::min(height, rows.valid - first));
    };
    for_each_task(rows.outer * strips, rows.total() * spec.shape.cols(), strip);
}

}  // namespace tensor::detail
