#include "model/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "core/error.h"

namespace model {

namespace {

using core::Error;

constexpr std::string_view kReferenceTokens = "reference_tokens";
constexpr std::string_view kTop5 = "top5_tokens";

}  // namespace

Reference Reference::open(const std::filesystem::path& path) {
    Reference reference(Checkpoint::open(path));
    if (reference.file_.find(kReferenceTokens) != nullptr) {
        reference.read_refpt();
    } else {
        reference.read_tensors();
    }
    reference.check_top5();
    return reference;
}

void Reference::read_tensors() {
    const TensorView& ids = file_.at("input_ids");
    if (ids.dtype != StoredType::I32 || ids.shape.size() != 1 || ids.shape[0] == 0) {
        throw Error::mismatch(file_.where(), "input_ids", "I32 [positions]", ids.text());
    }
    read_ids("input_ids", ids);
    rows_ = positions();
    logits_ = optional_tensor("logits", StoredType::F32, 2, 0);
    hidden_states_ = optional_tensor("hidden_states", StoredType::F32, 3, 1);
    top5_tokens_ = optional_tensor(kTop5, StoredType::I32, 2, 0);
    if (!has_logits()) return;
    if (vocab() < kTop) {
        throw Error::mismatch(file_.where(), "logits", "a vocabulary of at least 5",
                              logits_->text());
    }
    const std::vector<std::int64_t> wide(input_ids_.begin(), input_ids_.end());
    check_tokens("input_ids", wide);
}

void Reference::read_refpt() {
    const TensorView& tokens = file_.at(kReferenceTokens);
    const bool is_row = tokens.shape.size() == 2 && tokens.shape[0] == 1 && tokens.shape[1] > 1;
    if (tokens.dtype != StoredType::I64 || !is_row) {
        throw Error::mismatch(file_.where(), kReferenceTokens, "I64 [1, 2 or more positions]",
                              tokens.text());
    }
    read_ids(kReferenceTokens, tokens);
    const TensorView& top5 = file_.at(kTop5);
    const bool agrees = top5.dtype == StoredType::I64 && top5.shape.size() == 2 &&
                        (top5.shape[0] == positions() || top5.shape[0] == positions() - 1);
    if (!agrees) {
        throw Error::mismatch(file_.where(), kTop5,
                              "I64 [" + std::to_string(positions() - 1) + ", 5]", top5.text());
    }
    rows_ = top5.shape[0];
    top5_tokens_ = top5;
}

void Reference::read_ids(std::string_view name, const TensorView& view) {
    std::vector<std::int64_t> wide(static_cast<std::size_t>(view.elements()));
    to_integers(view, 0, view.elements(), wide.data());
    check_tokens(name, wide);
    for (const std::int64_t id : wide) input_ids_.push_back(static_cast<std::int32_t>(id));
}

void Reference::check_top5() const {
    if (top5_tokens_ && top5_tokens_->shape[1] != kTop) {
        throw Error::mismatch(file_.where(), kTop5, "5 tokens per position", top5_tokens_->text());
    }
}

std::optional<TensorView> Reference::optional_tensor(std::string_view name, StoredType dtype,
                                                     std::size_t rank,
                                                     std::size_t time_axis) const {
    const TensorView* view = file_.find(name);
    if (view == nullptr) return std::nullopt;
    const bool agrees = view->dtype == dtype && view->shape.size() == rank &&
                        view->shape[time_axis] == positions() &&
                        std::find(view->shape.begin(), view->shape.end(), 0) == view->shape.end();
    if (!agrees) {
        throw Error::mismatch(file_.where(), name,
                              std::string(model::name(dtype)) + " with " + std::to_string(rank) +
                                  " axes, axis " + std::to_string(time_axis) + " of " +
                                  std::to_string(positions()) + " positions",
                              view->text());
    }
    return *view;
}

void Reference::check_tokens(std::string_view name, std::span<const std::int64_t> tokens) const {
    const std::int64_t limit =
        has_logits() ? vocab() : std::int64_t{std::numeric_limits<std::int32_t>::max()};
    for (const std::int64_t token : tokens) {
        if (token >= 0 && token < limit) continue;
        throw Error::mismatch(file_.where(), name,
                              "token ids from 0 to " + std::to_string(limit - 1),
                              std::to_string(token));
    }
}

std::vector<float> Reference::finite_row(const TensorView& view, std::string_view name,
                                         std::int64_t first, std::int64_t count) const {
    std::vector<float> row(static_cast<std::size_t>(count));
    to_floats(view, first, count, row.data());
    for (std::size_t i = 0; i < row.size(); ++i) {
        if (std::isfinite(row[i])) continue;
        throw Error::mismatch(
            file_.where(), name, "finite numbers",
            "NaN or infinity at element " + std::to_string(first + static_cast<std::int64_t>(i)));
    }
    return row;
}

std::vector<float> Reference::logits(std::int64_t position) const {
    core::require(has_logits() && position >= 0 && position < positions(),
                  "reference logits exist at this position");
    return finite_row(*logits_, "logits", position * vocab(), vocab());
}

std::vector<float> Reference::hidden_state(std::int64_t layer, std::int64_t position) const {
    core::require(has_hidden_states() && layer >= 0 && layer < layers() && position >= 0 &&
                      position < positions(),
                  "reference hidden states exist at this layer and position");
    return finite_row(*hidden_states_, "hidden_states", (layer * positions() + position) * dim(),
                      dim());
}

std::array<std::int32_t, Reference::kTop> Reference::top5(std::int64_t position) const {
    core::require(has_top5() && position >= 0 && position < rows(),
                  "reference top-5 exist at this position");
    std::array<std::int32_t, kTop> top{};
    if (top5_tokens_) {
        std::array<std::int64_t, kTop> wide{};
        to_integers(*top5_tokens_, position * kTop, kTop, wide.data());
        check_tokens(kTop5, wide);
        std::transform(wide.begin(), wide.end(), top.begin(),
                       [](std::int64_t token) { return static_cast<std::int32_t>(token); });
        return top;
    }
    const std::vector<float> row = logits(position);
    std::vector<std::int32_t> order(row.size());
    std::iota(order.begin(), order.end(), 0);
    std::partial_sort(order.begin(), order.begin() + kTop, order.end(),
                      [&](std::int32_t a, std::int32_t b) {
                          const float left = row[static_cast<std::size_t>(a)];
                          const float right = row[static_cast<std::size_t>(b)];
                          return left != right ? left > right : a < b;
                      });
    std::copy_n(order.begin(), kTop, top.begin());
    return top;
}

void Comparison::add(std::span<const float> a, std::span<const float> b) {
    core::require(a.size() == b.size(), "compared values come in pairs");
    // Welford's update: no cancellation when the mean is far from zero.
    for (std::size_t i = 0; i < a.size(); ++i) {
        const auto x = static_cast<double>(a[i]);
        const auto y = static_cast<double>(b[i]);
        count_ += 1;
        const double from_a = x - mean_a_;
        const double from_b = y - mean_b_;
        mean_a_ += from_a / count_;
        mean_b_ += from_b / count_;
        square_a_ += from_a * (x - mean_a_);
        square_b_ += from_b * (y - mean_b_);
        product_ += from_a * (y - mean_b_);
        const double error = std::abs(x - y);
        // Keeps a NaN once seen.
        if (!(error <= max_abs_error_)) {
            max_abs_error_ = std::isnan(max_abs_error_) ? max_abs_error_ : error;
        }
    }
}

double Comparison::pcc() const {
    if (std::isnan(max_abs_error_)) return max_abs_error_;
    if (square_a_ == 0 || square_b_ == 0) return max_abs_error_ == 0 ? 1 : 0;
    return product_ / (std::sqrt(square_a_) * std::sqrt(square_b_));
}

double pcc(std::span<const float> a, std::span<const float> b) {
    Comparison comparison;
    comparison.add(a, b);
    return comparison.pcc();
}

double max_abs_error(std::span<const float> a, std::span<const float> b) {
    Comparison comparison;
    comparison.add(a, b);
    return comparison.max_abs_error();
}

}  // namespace model
