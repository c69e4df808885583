#include "model/evaluate.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace model {
namespace {

constexpr std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// What all users add to, in the order they are run.
class Scores {
public:
    Scores(const Reference& reference, EvaluateReport& report)
        : reference_(reference), report_(report), layers_(at(reference.layers())) {}

    void compare_logits(const Logits& logits, std::int64_t position, UserScore& user) {
        ++report_.positions;
        ++user.positions;
        const auto best = static_cast<std::int32_t>(std::max_element(logits.begin(), logits.end()) -
                                                    logits.begin());
        if (reference_.has_top5()) {
            const auto top = reference_.top5(position);
            if (best == top[0]) ++top1_;
            if (std::find(top.begin(), top.end(), best) != top.end()) ++top5_;
        }
        if (!reference_.has_logits()) return;
        const std::vector<float> expected = reference_.logits(position);
        logits_.add(logits, expected);
        user.max_abs_error = std::max(user.max_abs_error, model::max_abs_error(logits, expected));
    }

    // `rows` rows of a step's residual streams from `first_row` on, the first at `position`.
    void compare_hidden(const std::vector<std::vector<float>>& hidden, std::int64_t first_row,
                        std::int64_t position, std::int64_t rows, UserScore& user) {
        if (!reference_.has_hidden_states()) return;
        core::require(hidden.size() == layers_.size(), "every layer's residual stream is read");
        const std::size_t dim = at(reference_.dim());
        for (std::size_t layer = 0; layer < layers_.size(); ++layer) {
            for (std::int64_t row = 0; row < rows; ++row) {
                const std::span<const float> ours(hidden[layer].data() + at(first_row + row) * dim,
                                                  dim);
                const std::vector<float> expected =
                    reference_.hidden_state(static_cast<std::int64_t>(layer), position + row);
                layers_[layer].add(ours, expected);
                user.max_abs_error_hidden =
                    std::max(user.max_abs_error_hidden, model::max_abs_error(ours, expected));
            }
        }
    }

    void finish() {
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
    }

private:
    const Reference& reference_;
    EvaluateReport& report_;
    Comparison logits_;
    std::vector<Comparison> layers_;
    std::int64_t top1_ = 0;
    std::int64_t top5_ = 0;
};

// The users of one replica.
class Group {
public:
    Group(Replica& replica, const Reference& reference, const EvaluateOptions& options,
          Scores& scores)
        : replica_(replica),
          reference_(reference),
          options_(options),
          scores_(scores),
          users_(at(options.users)),
          tokens_(at(replica.deployment().slots()), 0),
          positions_(tokens_.size(), -1) {
        const std::int64_t lengths = reference.rows() - options.prefill + 1;
        const bool apart = options.stagger == EvaluateOptions::Stagger::Prefills;
        for (std::size_t user = 0; user < users_.size(); ++user) {
            const auto number = static_cast<std::int64_t>(user);
            users_[user].prefill = options.prefill + (apart ? number % lengths : 0);
        }
    }

    // False when something did not fit.
    bool run(const OnPosition& on_position) {
        for (std::int64_t step = 0; !is_done(); ++step) {
            if (!start(step) || !decode()) return false;
            if (on_position) on_position(least());
        }
        return true;
    }
    const std::vector<UserScore>& users() const { return users_; }

private:
    bool is_done() const { return started_ == users_.size() && active_ == 0; }

    bool start(std::int64_t step) {
        const bool all = options_.stagger == EvaluateOptions::Stagger::Prefills;
        while (started_ < users_.size() && (all || static_cast<std::int64_t>(started_) <= step)) {
            const std::size_t user = started_++;
            UserScore& score = users_[user];
            const auto ids = reference_.input_ids().first(at(score.prefill));
            const Logits first = replica_.prefill(static_cast<std::int64_t>(user), ids);
            if (first.empty()) return false;
            scores_.compare_logits(first, score.prefill - 1, score);
            scores_.compare_hidden(replica_.hidden_states(), 0, 0, score.prefill, score);
            set_position(user, score.prefill);
        }
        return true;
    }

    // A user at the end of the reference becomes an idle slot.
    void set_position(std::size_t user, std::int64_t position) {
        const bool ends = position >= reference_.rows();
        if (positions_[user] < 0 && !ends) ++active_;
        if (positions_[user] >= 0 && ends) --active_;
        positions_[user] = ends ? -1 : static_cast<std::int32_t>(position);
        if (!ends) tokens_[user] = reference_.input_ids()[at(position)];
    }

    bool decode() {
        if (active_ == 0) return true;
        const std::vector<Logits> logits = replica_.decode(tokens_, positions_);
        if (logits.empty()) return false;
        for (std::size_t user = 0; user < users_.size(); ++user) {
            const std::int64_t position = positions_[user];
            if (position < 0) continue;
            scores_.compare_logits(logits[user], position, users_[user]);
            scores_.compare_hidden(replica_.hidden_states(), static_cast<std::int64_t>(user),
                                   position, 1, users_[user]);
            set_position(user, position + 1);
        }
        return true;
    }

    std::int64_t least() const {
        if (started_ < users_.size()) return options_.prefill;
        std::int64_t least = reference_.rows();
        for (std::size_t user = 0; user < users_.size(); ++user) {
            if (positions_[user] >= 0) least = std::min<std::int64_t>(least, positions_[user]);
        }
        return least;
    }

    Replica& replica_;
    const Reference& reference_;
    const EvaluateOptions& options_;
    Scores& scores_;
    std::vector<UserScore> users_;
    std::vector<std::int32_t> tokens_;
    std::vector<std::int32_t> positions_;
    std::size_t started_ = 0;
    std::size_t active_ = 0;
};

}  // namespace

void check_reference(const Config& config, const Reference& reference, std::int64_t prefill) {
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
}

EvaluateReport evaluate(std::span<const std::unique_ptr<Replica>> replicas,
                        const Reference& reference, const EvaluateOptions& options,
                        const OnPosition& on_position) {
    core::require(!replicas.empty() && options.users >= 1, "there is a user to evaluate");
    EvaluateReport report;
    Scores scores(reference, report);
    for (const auto& replica : replicas) {
        check_reference(replica->deployment().config(), reference, options.prefill);
        Group group(*replica, reference, options, scores);
        if (!group.run(on_position)) {
            report.shortage = replica->shortage();
            return report;
        }
        report.users.insert(report.users.end(), group.users().begin(), group.users().end());
    }
    scores.finish();
    return report;
}

}  // namespace model
