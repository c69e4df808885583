#include "tensor/ops/experts.h"

#include <array>
#include <string>

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/kernels/vector.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "Experts";
// Rows an expert takes at a time: its weights are unpacked once per strip.
constexpr std::int64_t kRows = 128;

enum Operand : std::size_t { kX, kRouting, kW1, kW3, kW2, kB1, kB3, kB2, kOperands };

Spec output_spec(const Experts& op, const Spec& x) { return {x.shape, op.out, Layout::Tile}; }

std::int64_t width_of(std::span<const Spec> in) { return in[kW1].shape[2]; }

// The matrix of one expert.
Spec one_expert(const Spec& weights) {
    return {Shape{weights.shape[1], weights.shape[2]}, weights.dtype, weights.layout};
}

View expert_view(const View& weights, std::int64_t expert) {
    const Spec one = one_expert(weights.spec);
    return {one, weights.data + expert * one.bytes().value};
}

// What one chip's experts have to do.
struct Load {
    std::int64_t multiply_adds = 0;
    std::int64_t touched = 0;    // experts with rows
    std::int64_t tile_rows = 0;  // over all experts: each starts a tile of its own
};

Load load_of(const Experts& op, std::span<const Spec> in, const Bindings& bindings) {
    const std::int64_t local = in[kW1].shape[0];
    const std::int64_t each = 3 * in[kX].shape[1] * width_of(in);
    const std::int64_t padded = in[kX].shape[0];
    const std::int64_t rows = bindings.rows_of(padded);
    if (op.rows == Experts::Rows::All) {
        return {rows * local * each, local, local * core::ceil_div(padded, kTileSide)};
    }
    if (!bindings.expert_rows.empty()) {
        core::require(static_cast<std::int64_t>(bindings.expert_rows.size()) == local,
                      "the rows of every expert of this chip are known, or of none");
        Load load;
        for (const std::int64_t count : bindings.expert_rows) {
            load.multiply_adds += count * each;
            load.touched += count > 0 ? 1 : 0;
            load.tile_rows += core::ceil_div(count, kTileSide);
        }
        return load;
    }
    // Balanced. The device routes the padding of a prompt too, as it multiplies it elsewhere.
    const std::int64_t reached = std::min(op.experts, padded * op.top_k);
    const std::int64_t touched = core::ceil_div(reached * local, op.experts);
    const std::int64_t most = core::ceil_div(padded * op.top_k, reached);
    return {rows * op.top_k * local * each / op.experts, touched,
            touched * core::ceil_div(most, kTileSide)};
}

// Each row's expert and back: gathers what one expert gets and adds what it gives.
class Expert {
public:
    Expert(const Experts& op, std::span<const View> in, std::int64_t index)
        : op_(op), index_(index), dim_(in[kX].spec.shape[1]) {
        for (const std::size_t operand : {kW1, kW3, kW2}) {
            weights_[operand] = expert_view(in[operand], index);
        }
        width_ = weights_[kW1].spec.shape[1];
        if (in.size() <= kB1) return;
        for (const std::size_t operand : {kB1, kB3, kB2}) {
            std::vector<float>& bias = biases_[operand];
            bias.resize(static_cast<std::size_t>(in[operand].spec.shape[1]));
            read_rows(in[operand].spec, in[operand].data, index, 1, bias.data());
        }
    }

    /// x, y [rows, K], routing [rows, E]; `chosen` are rows.
    void add(std::span<const std::int64_t> chosen, const float* x, const float* routing,
             std::int64_t experts, float* y) const {
        const auto count = static_cast<std::int64_t>(chosen.size());
        detail::Scratch scratch;
        float* rows = scratch.floats(count * dim_);
        float* gate = scratch.floats(count * width_);
        float* up = scratch.floats(count * width_);
        for (std::int64_t i = 0; i < count; ++i) {
            std::copy_n(x + at(chosen, i) * dim_, dim_, rows + i * dim_);
        }
        multiply(kW1, kB1, rows, count, gate);
        multiply(kW3, kB3, rows, count, up);
        activate(op_.activation, gate, gate, count * width_);
        kernels::multiply(gate, up, gate, count * width_);
        store_hidden(gate, count);
        multiply(kW2, kB2, gate, count, rows);
        for (std::int64_t i = 0; i < count; ++i) {
            const float weight = routing[at(chosen, i) * experts + index_];
            kernels::axpy(weight, rows + i * dim_, y + at(chosen, i) * dim_, dim_);
        }
    }

private:
    static std::int64_t at(std::span<const std::int64_t> chosen, std::int64_t i) {
        return chosen[static_cast<std::size_t>(i)];
    }

    void multiply(std::size_t weight, std::size_t bias, const float* x, std::int64_t rows,
                  float* y) const {
        const View& matrix = weights_[weight];
        detail::multiply(x, rows, matrix, y);
        if (biases_[bias].empty()) return;
        const std::int64_t cols = matrix.spec.shape[1];
        for (std::int64_t r = 0; r < rows; ++r) {
            kernels::add(y + r * cols, biases_[bias].data(), y + r * cols, cols);
        }
    }

    // As values come back from the format between the products.
    void store_hidden(float* values, std::int64_t rows) const {
        if (op_.hidden == DType::Float32) return;
        const Spec spec{Shape{rows, width_}, op_.hidden, Layout::Tile};
        std::vector<std::byte> stored(static_cast<std::size_t>(spec.bytes().value));
        write_rows(spec, stored.data(), 0, rows, values, Packer::Device);
        read_rows(spec, stored.data(), 0, rows, values);
    }

    const Experts& op_;
    std::int64_t index_;
    std::int64_t dim_;
    std::int64_t width_ = 0;
    std::array<View, kOperands> weights_;
    std::array<std::vector<float>, kOperands> biases_;
};

// The biases of a row-parallel product are summands that sum to the bias.
std::array<Placement, kOperands> by_width() {
    const Placement whole = Placement::replicated();
    const Placement columns = Placement::sharded(1);
    return {whole,   whole,   Placement::sharded(2), Placement::sharded(2), columns,
            columns, columns, Placement::partial()};
}

std::array<Placement, kOperands> by_experts() {
    const Placement mine = Placement::sharded(0);
    return {Placement::replicated(), Placement::sharded(1), mine, mine, mine, mine, mine, mine};
}

}  // namespace

Specs infer(const Experts& op, std::span<const Spec> in) {
    if (in.size() != kB1) detail::check_inputs(kName, in, kOperands, kOperands);
    detail::check_rank(kName, "x", in[kX], 2);
    detail::check_rank(kName, "w1", in[kW1], 3);
    const std::int64_t experts = in[kW1].shape[0];
    const std::int64_t dim = in[kX].shape[1];
    const std::int64_t width = width_of(in);
    detail::check_shape(kName, "routing", in[kRouting], Shape{in[kX].shape[0], experts});
    detail::check_shape(kName, "w1", in[kW1], Shape{experts, dim, width});
    detail::check_shape(kName, "w3", in[kW3], Shape{experts, dim, width});
    detail::check_shape(kName, "w2", in[kW2], Shape{experts, width, dim});
    for (const std::size_t weight : {kW1, kW3, kW2}) {
        detail::check_tile_layout(kName, "weights", in[weight]);
    }
    if (in.size() > kB1) {
        detail::check_shape(kName, "b1", in[kB1], Shape{experts, width});
        detail::check_shape(kName, "b3", in[kB3], Shape{experts, width});
        detail::check_shape(kName, "b2", in[kB2], Shape{experts, dim});
    }
    if (op.experts < experts || op.top_k < 1 || op.top_k > op.experts) {
        throw core::Error::mismatch(kName, "experts",
                                    "at least the " + std::to_string(experts) +
                                        " of a chip and the " + std::to_string(op.top_k) +
                                        " of a token",
                                    std::to_string(op.experts));
    }
    return {output_spec(op, in[kX])};
}

Split split(const Experts&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    std::array<Placement, kOperands> need{};
    Placement out = Placement::partial();
    if (placed[kW1].is_sharded(2)) {
        need = by_width();
    } else if (placed[kW1].is_sharded(0)) {
        need = by_experts();
    } else {
        const bool rows = placed[kX].is_sharded(0) && placed[kRouting].is_sharded(0);
        if (rows) need[kX] = need[kRouting] = Placement::sharded(0);
        out = need[kX];
    }
    for (std::size_t i = kW1; i < placed.size(); ++i) {
        if (placed[i] != need[i]) detail::refuse(kName, placed);
    }
    const auto inputs = static_cast<std::ptrdiff_t>(placed.size());
    return {{need.begin(), need.begin() + inputs}, {out}};
}

core::Bytes scratch(const Experts& op, std::span<const Spec> in, const Bindings&) {
    const Spec hidden{Shape{in[kX].shape[0], width_of(in)}, op.hidden, Layout::Tile};
    return in[kX].bytes() + hidden.bytes() + hidden.bytes();
}

Work work(const Experts& op, std::span<const Spec> in, const Bindings& bindings) {
    const Load load = load_of(op, in, bindings);
    const std::int64_t dim_tiles = in[kW1].tile_rows();
    const std::int64_t width_tiles = in[kW1].tile_cols();
    Work work{.multiply_adds = load.multiply_adds,
              .tile_products = 3 * load.tile_rows * dim_tiles * width_tiles,
              // Rows gathered and added, activation and product.
              .eltwise_tiles = 2 * load.tile_rows * (dim_tiles + width_tiles),
              .reads = {},
              .writes = {output_spec(op, in[kX]).bytes()}};
    for (std::size_t i = 0; i < in.size(); ++i) {
        const bool weight = i == kW1 || i == kW3 || i == kW2;
        work.reads.push_back(weight ? one_expert(in[i]).bytes() * load.touched : in[i].bytes());
    }
    return work;
}

void run(const Experts& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters& counters) {
    const std::int64_t rows = bindings.rows_of(in[kX].spec.shape[0]);
    const std::int64_t dim = in[kX].spec.shape[1];
    const std::int64_t experts = in[kRouting].spec.shape[1];
    const std::int64_t each = 3 * dim * in[kW1].spec.shape[2];
    detail::Scratch scratch;
    float* x = scratch.floats(rows * dim);
    float* y = scratch.floats(rows * dim);
    float* routing = scratch.floats(rows * experts);
    read_rows(in[kX].spec, in[kX].data, 0, rows, x);
    read_rows(in[kRouting].spec, in[kRouting].data, 0, rows, routing);
    std::fill_n(y, rows * dim, 0.0F);
    std::vector<std::int64_t> chosen;
    for (std::int64_t expert = 0; expert < experts; ++expert) {
        chosen.clear();
        for (std::int64_t row = 0; row < rows; ++row) {
            const bool routed = routing[row * experts + expert] != 0.0F;
            if (routed || op.rows == Experts::Rows::All) chosen.push_back(row);
        }
        if (chosen.empty()) continue;
        const Expert one(op, in, expert);
        for (std::size_t first = 0; first < chosen.size(); first += kRows) {
            const std::size_t count = std::min<std::size_t>(kRows, chosen.size() - first);
            one.add(std::span(chosen).subspan(first, count), x, routing, experts, y);
        }
        counters.multiply_adds += static_cast<std::int64_t>(chosen.size()) * each;
    }
    write_rows(out[0].spec, out[0].data, 0, rows, y, Packer::Device);
}

}  // namespace tensor
