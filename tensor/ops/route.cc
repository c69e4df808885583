#include "tensor/ops/route.h"

#include <cmath>
#include <limits>
#include <numeric>
#include <string>

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/kernels/vector.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "Route";

// modeling_deepseek_v3.py adds this to the sum before it divides.
constexpr float kSigmoidFloor = 1e-20F;

Spec output_spec(const Route& op, const Spec& logits) {
    return {logits.shape, op.out, Layout::Tile};
}

// NaN is the last choice, so that the order is total.
float rank_of(float score) {
    return std::isnan(score) ? -std::numeric_limits<float>::infinity() : score;
}

class Router {
public:
    Router(const Route& op, std::int64_t experts, const float* correction)
        : op_(op),
          experts_(experts),
          correction_(correction),
          order_(static_cast<std::size_t>(experts)),
          by_(static_cast<std::size_t>(experts)) {}

    /// One row: logits become weights.
    void weigh(float* row) {
        const bool after = op_.scores == Route::Scores::TopKThenSoftmax;
        if (!after) score(row);
        choose(row);
        if (after) {
            set_others(row, -std::numeric_limits<float>::infinity());
            kernels::softmax(row, row, experts_);
        } else if (op_.normalize == Route::Normalize::Yes) {
            divide_by_sum(row);
        }
        kernels::scale(op_.scale, row, row, experts_);
        set_others(row, 0.0F);  // last: a sum of 0 or NaN reaches the chosen alone
        // A chosen expert stays chosen when its weight is too small for the format.
        for (std::int64_t i = 0; i < op_.top_k; ++i) {
            float& weight = row[order_[static_cast<std::size_t>(i)]];
            if (weight < std::numeric_limits<float>::min()) {
                weight = std::numeric_limits<float>::min();
            }
        }
    }

private:
    void score(float* row) const {
        if (op_.scores == Route::Scores::SoftmaxThenTopK)
            return kernels::softmax(row, row, experts_);
        for (std::int64_t i = 0; i < experts_; ++i) row[i] = 1.0F / (1.0F + std::exp(-row[i]));
    }

    // order_: the chosen experts first.
    void choose(const float* row) {
        for (std::size_t i = 0; i < by_.size(); ++i) {
            by_[i] = rank_of(row[i] + (correction_ == nullptr ? 0.0F : correction_[i]));
        }
        std::iota(order_.begin(), order_.end(), std::int64_t{0});
        std::partial_sort(order_.begin(), order_.begin() + op_.top_k, order_.end(),
                          [this](std::int64_t a, std::int64_t b) {
                              const float first = by_[static_cast<std::size_t>(a)];
                              const float second = by_[static_cast<std::size_t>(b)];
                              return first != second ? first > second : a < b;
                          });
    }

    void set_others(float* row, float value) const {
        for (std::size_t i = static_cast<std::size_t>(op_.top_k); i < order_.size(); ++i) {
            row[order_[i]] = value;
        }
    }

    void divide_by_sum(float* row) const {
        float sum = op_.scores == Route::Scores::SigmoidThenTopK ? kSigmoidFloor : 0.0F;
        for (std::int64_t i = 0; i < op_.top_k; ++i)
            sum += row[order_[static_cast<std::size_t>(i)]];
        kernels::scale(1.0F / sum, row, row, experts_);
    }

    const Route& op_;
    std::int64_t experts_;
    const float* correction_;
    std::vector<std::int64_t> order_;
    std::vector<float> by_;
};

}  // namespace

Specs infer(const Route& op, std::span<const Spec> in) {
    detail::check_inputs(kName, in, 1, 2);
    detail::check_rank(kName, "logits", in[0], 2);
    if (in.size() == 2) {
        detail::check_shape(kName, "correction", in[1], Shape{in[0].shape[1]});
    }
    if (op.top_k < 1 || op.top_k > in[0].shape[1]) {
        throw core::Error::mismatch(kName, "top_k",
                                    "1 to " + std::to_string(in[0].shape[1]) + " experts",
                                    std::to_string(op.top_k));
    }
    if (op.out != DType::Float32 && op.out != DType::BFloat16) {
        throw core::Error::mismatch(kName, "out", "fp32 or bf16", name(op.out));
    }
    return {output_spec(op, in[0])};
}

Split split(const Route&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    // A row is chosen from as a whole.
    const Placement rows = placed[0].is_sharded(0) ? placed[0] : Placement::replicated();
    Split result{{rows}, {rows}};
    if (placed.size() == 2) {
        if (!placed[1].is_replicated()) detail::refuse(kName, placed);
        result.inputs.push_back(placed[1]);
    }
    return result;
}

core::Bytes scratch(const Route&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const Route& op, std::span<const Spec> in, const Bindings&) {
    const Spec out = output_spec(op, in[0]);
    Work work{.eltwise_tiles = 3 * detail::tiles_of(in[0]),  // scores, choice, weights
              .reads = {},
              .writes = {out.bytes()}};
    for (const Spec& spec : in) work.reads.push_back(spec.bytes());
    return work;
}

void run(const Route& op, std::span<const View> in, std::span<const View> out,
         const Bindings& bindings, Counters&) {
    const std::int64_t experts = in[0].spec.shape[1];
    std::vector<float> correction(in.size() == 2 ? static_cast<std::size_t>(experts) : 0);
    if (in.size() == 2) read_rows(in[1].spec, in[1].data, 0, 1, correction.data());
    const float* added = correction.empty() ? nullptr : correction.data();
    detail::for_each_strip(in[0].spec, bindings, [&](std::int64_t row, std::int64_t count) {
        detail::Scratch scratch;
        Router router(op, experts, added);
        float* values = scratch.floats(count * experts);
        read_rows(in[0].spec, in[0].data, row, count, values);
        for (std::int64_t r = 0; r < count; ++r) router.weigh(values + r * experts);
        write_rows(out[0].spec, out[0].data, row, count, values, Packer::Device);
    });
}

}  // namespace tensor
