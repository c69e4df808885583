// Reference outputs of an independent implementation, and how far a run is from them.
// File: safetensors with input_ids I32 [T] and any of logits F32 [T, vocab] (row t follows ids
// 0..t), hidden_states F32 [layers, T, dim] (residual stream after each layer), top5_tokens
// I32 [T, 5]. Or a .refpt of tt_transformers: reference_tokens I64 [1, T], top5_tokens I64
// [T or T - 1, 5] (tenstorrent/tt-metal: models/tt_transformers/tests/generate_reference_hf.py).
// Invariant: shapes agree with T, ids are not negative, rows read are finite.
#pragma once

#include <array>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "model/safetensors.h"

namespace model {

/// Stays memory-mapped; rows are copied when asked for.
class Reference {
public:
    static constexpr int kTop = 5;

    /// Throws core::Error.
    static Reference open(const std::filesystem::path& path);

    std::int64_t positions() const { return static_cast<std::int64_t>(input_ids_.size()); }
    std::span<const std::int32_t> input_ids() const { return input_ids_; }
    /// Positions whose outputs are known: all, or all but the last in a .refpt.
    std::int64_t rows() const { return rows_; }

    bool has_logits() const { return logits_.has_value(); }
    bool has_hidden_states() const { return hidden_states_.has_value(); }
    bool has_top5() const { return top5_tokens_.has_value() || has_logits(); }
    /// 0 without logits.
    std::int64_t vocab() const { return has_logits() ? logits_->shape[1] : 0; }
    /// 0 without hidden states.
    std::int64_t layers() const { return has_hidden_states() ? hidden_states_->shape[0] : 0; }
    std::int64_t dim() const { return has_hidden_states() ? hidden_states_->shape[2] : 0; }

    /// Row `position`, [vocab]. Throws core::Error on NaN or infinity.
    /// Requires: has_logits(), position in range.
    std::vector<float> logits(std::int64_t position) const;
    /// Requires: has_hidden_states(), layer and position in range. [dim]
    std::vector<float> hidden_state(std::int64_t layer, std::int64_t position) const;
    /// The five likeliest tokens after ids 0..position, best first; from the logits when the file
    /// has no top5_tokens. Requires: has_top5(), position in range.
    std::array<std::int32_t, kTop> top5(std::int64_t position) const;

private:
    explicit Reference(Checkpoint file) : file_(std::move(file)) {}
    void read_tensors();
    void read_refpt();
    void read_ids(std::string_view name, const TensorView& view);
    void check_top5() const;
    std::optional<TensorView> optional_tensor(std::string_view name, StoredType dtype,
                                              std::size_t rank, std::size_t time_axis) const;
    void check_tokens(std::string_view name, std::span<const std::int64_t> tokens) const;
    std::vector<float> finite_row(const TensorView& view, std::string_view name, std::int64_t first,
                                  std::int64_t count) const;

    Checkpoint file_;
    std::vector<std::int32_t> input_ids_;
    std::int64_t rows_ = 0;
    std::optional<TensorView> logits_;
    std::optional<TensorView> hidden_states_;
    std::optional<TensorView> top5_tokens_;
};

/// Pearson correlation and largest difference of two value streams, added piece by piece.
class Comparison {
public:
    /// Requires: equal sizes.
    void add(std::span<const float> a, std::span<const float> b);
    /// 1 for proportional streams; when one is constant: 1 if they are equal, else 0. NaN when
    /// a value is NaN.
    double pcc() const;
    double max_abs_error() const { return max_abs_error_; }

private:
    double count_ = 0;
    double mean_a_ = 0;
    double mean_b_ = 0;
    double square_a_ = 0;  // sums of squared differences from the means
    double square_b_ = 0;
    double product_ = 0;
    double max_abs_error_ = 0;
};

/// Requires: equal sizes.
double pcc(std::span<const float> a, std::span<const float> b);
/// Requires: equal sizes. 0 when empty; NaN when a value is NaN.
double max_abs_error(std::span<const float> a, std::span<const float> b);

}  // namespace model
