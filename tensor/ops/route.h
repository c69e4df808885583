// Which experts a token goes to, and with what weights.
// Scores: huggingface/transformers src/transformers/models: mixtral and qwen3_moe (softmax, then
// top-k), gpt_oss (top-k, then softmax), deepseek_v3 (sigmoid, then top-k of the scores plus a
// correction; its limit to groups of experts is not here).
#pragma once

#include <cstdint>
#include <span>

#include "tensor/op_types.h"

namespace tensor {

/// Router logits [rows, experts], and optionally a correction [experts] that is added to the scores
/// for the choice alone -> weights [rows, experts], 0 where an expert is not chosen.
/// Exactly top_k weights of a row are not 0; of equal scores the lower expert is chosen.
struct Route {
    enum class Scores { SoftmaxThenTopK, TopKThenSoftmax, SigmoidThenTopK };
    /// Weights of the chosen as they are, or divided by their sum.
    enum class Normalize { No, Yes };

    std::int64_t top_k = 1;
    Scores scores = Scores::SoftmaxThenTopK;
    Normalize normalize = Normalize::Yes;
    float scale = 1.0F;
    DType out = DType::BFloat16;
    bool operator==(const Route&) const = default;
};

/// Throws core::Error when there are fewer experts than top_k, or for block float outputs: their
/// shared exponents would round small weights to 0.
Specs infer(const Route&, std::span<const Spec> in);
Split split(const Route&, std::span<const Spec> in, std::span<const Placement> placed);
core::Bytes scratch(const Route&, std::span<const Spec> in, const Bindings&);
Work work(const Route&, std::span<const Spec> in, const Bindings&);
void run(const Route&, std::span<const View> in, std::span<const View> out, const Bindings&,
         Counters&);

}  // namespace tensor
