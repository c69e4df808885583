#include "model/evaluate.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace model {
namespace {

constexpr std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

class Evaluation {
public:
    Evaluation(Replica& replica, const Deployment& deployment, const Reference& reference)
        : replica_(replica), deployment_(deployment), reference_(reference) {
        layers_.resize(at(reference.layers()));
    }

    void compare_logits(const Logits& logits, std::int64_t position) {
        ++report_.positions;
        const auto best = static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) -
                                                    logits.begin());
        if (reference_.has_top5()) {
            const auto top = reference_.top5(position);
            if (best == top[0]) ++top1_;
            if (std::find(top.begin(), top.end(), best) != top.end()) ++top5_;
        }
        if (reference_.has_logits()) logits_.add(logits, reference_.logits(position));
    }

    // `rows` rows of the last step's residual streams, the first at `position`.
    void compare_hidden(std::int64_t position, std::int64_t rows) {
        if (!reference_.has_hidden_states()) return;
        const auto& hidden = replica_.hidden_states();
        core::require(hidden.size() == layers_.size(), "every layer's residual stream is read");
        const std::size_t dim = at(reference_.dim());
        for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
            for (std::int64_t row = 0; row < rows; ++row) {
                const std::span<const float> ours(hidden[layer].data() + at(row) * dim, dim);
                layers_[layer].add(ours, reference_.hidden_state(static_cast<std::int64_t>(layer),
                                                                 position + row));
            }
        }
    }

    EvaluateReport finish() {
        const auto positions = static_cast<double>(report_.positions);
        report_.top1 = 100.0 * static_cast<double>(top1_) / positions;
        report_.top5 = 100.0 * static_cast<double>(top5_) / positions;
        report_.pcc_logits = logits_.pcc();
        report_.max_abs_error = logits_.max_abs_error();
        for (const Comparison& layer : layers_) {
            report_.pcc_hidden_states.push_back(layer.pcc());
            report_.max_abs_error_hidden =
                std::max(report_.max_abs_error_hidden, layer.max_abs_error());
        }
        return report_;
    }

    EvaluateReport run(std::int64_t prefill, const std::function<void(std::int64_t)>& progress) {
        const auto ids = reference_.input_ids();
        const Logits first = replica_.prefill(0, ids.subspan(0, at(prefill)));
        if (first.empty()) return failed();
        compare_logits(first, prefill - 1);
        compare_hidden(0, prefill);
        std::vector<std::int32_t> tokens(at(deployment_.slots()), 0);
        std::vector<std::int32_t> positions(at(deployment_.slots()), -1);
        for (std::int64_t position = prefill; position < reference_.rows(); ++position) {
            tokens[0] = ids[at(position)];
            positions[0] = static_cast<std::int32_t>(position);
            const std::vector<Logits> logits = replica_.decode(tokens, positions);
            if (logits.empty()) return failed();
            compare_logits(logits[0], position);
            compare_hidden(position, 1);
            if (progress) progress(position + 1);
        }
        return finish();
    }

private:
    EvaluateReport failed() {
        report_.shortage = replica_.shortage();
        return report_;
    }

    Replica& replica_;
    const Deployment& deployment_;
    const Reference& reference_;
    EvaluateReport report_;
    Comparison logits_;
    std::vector<Comparison> layers_;
    std::int64_t top1_ = 0;
    std::int64_t top5_ = 0;
};

}  // namespace

EvaluateReport evaluate(Replica& replica, const Deployment& deployment, const Reference& reference,
                        std::int64_t prefill, const std::function<void(std::int64_t)>& progress) {
    const Config& config = deployment.config();
    if (reference.has_logits() && reference.vocab() != config.vocab_size) {
        throw core::Error::mismatch("reference", "logits",
                                    std::to_string(config.vocab_size) + " columns",
                                    std::to_string(reference.vocab()));
    }
    if (reference.has_hidden_states() &&
        (reference.layers() != config.num_hidden_layers || reference.dim() != config.hidden_size)) {
        throw core::Error::mismatch("reference", "hidden_states",
                                    "[" + std::to_string(config.num_hidden_layers) + ", T, " +
                                        std::to_string(config.hidden_size) + "]",
                                    "[" + std::to_string(reference.layers()) + ", T, " +
                                        std::to_string(reference.dim()) + "]");
    }
    const auto ids = reference.input_ids();
    const auto unknown = std::find_if(ids.begin(), ids.end(),
                                      [&](std::int32_t id) { return id >= config.vocab_size; });
    if (unknown != ids.end()) {
        throw core::Error::mismatch("reference", "tokens",
                                    "ids below " + std::to_string(config.vocab_size),
                                    std::to_string(*unknown))
            .hint("the reference belongs to another model");
    }
    if (prefill < 1 || prefill > reference.rows()) {
        throw core::Error::mismatch("--prefill", "",
                                    "1 to " + std::to_string(reference.rows()) + " positions",
                                    std::to_string(prefill));
    }
    return Evaluation(replica, deployment, reference).run(prefill, progress);
}

}  // namespace model
