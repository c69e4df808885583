#include "model/generate.h"

#include <algorithm>
#include <numeric>

#include "core/error.h"

namespace model {
namespace {

constexpr std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// The users of one replica while they generate.
class Group {
public:
    Group(Replica& replica, std::span<const std::vector<std::int32_t>> prompts,
          std::int64_t first_user, std::int64_t slots, const GenerateOptions& options)
        : replica_(replica),
          prompts_(prompts),
          first_user_(first_user),
          options_(options),
          tokens_(at(slots), 0),
          positions_(at(slots), -1),
          generated_(prompts.size()),
          logprobs_(prompts.size()) {
        replica_.deployment().deal_blocks();
        for (std::size_t user = 0; user < prompts.size(); ++user) {
            const std::uint64_t number = static_cast<std::uint64_t>(first_user) + user;
            SamplingParams own = options.sampling;
            if (!options.seeds.empty()) own.seed = options.seeds[number % options.seeds.size()];
            samplers_.emplace_back(own, options.seeds.empty() ? number : 0);
            samplers_.back().see_prompt(prompts[user]);
        }
    }

    bool prefill(const OnToken& on_token) {
        for (std::size_t user = 0; user < prompts_.size(); ++user) {
            cached_.push_back(share_prefix(user));
            const Logits logits =
                replica_.prefill(static_cast<std::int64_t>(user), prompts_[user], cached_.back());
            if (logits.empty()) return false;
            prefill_time_ += replica_.last_step();
            positions_[user] = static_cast<std::int32_t>(prompts_[user].size());
            take(user, logits, on_token);
        }
        return true;
    }

    bool active() const {
        return std::any_of(positions_.begin(), positions_.end(), [](auto p) { return p >= 0; });
    }

    bool step(const OnToken& on_token) {
        const std::vector<Logits> logits = replica_.decode(tokens_, positions_);
        if (logits.empty()) return false;
        step_times_.push_back(replica_.last_step());
        for (std::size_t user = 0; user < prompts_.size(); ++user) {
            if (positions_[user] < 0) continue;
            if (options_.positions == GenerateOptions::Positions::Advance) ++positions_[user];
            take(user, logits[user], on_token);
        }
        return true;
    }

    core::Picoseconds prefill_time() const {
        return prefill_time_ / static_cast<std::int64_t>(prompts_.size());
    }
    const std::vector<core::Picoseconds>& step_times() const { return step_times_; }
    const std::vector<std::int64_t>& cached() const { return cached_; }
    const std::string& shortage() const { return replica_.shortage(); }
    std::vector<std::vector<std::int32_t>>& generated() { return generated_; }
    std::vector<std::vector<TokenLogprobs>>& logprobs() { return logprobs_; }

private:
    // The longest prefix that an earlier user has in whole blocks; the last token is always run.
    std::int64_t share_prefix(std::size_t user) {
        if (options_.prefix_caching == GenerateOptions::PrefixCaching::Off) return 0;
        const std::span own(prompts_[user]);
        std::int64_t cached = 0;
        for (std::size_t from = 0; from < user; ++from) {
            const auto differ = std::ranges::mismatch(own.first(own.size() - 1), prompts_[from]);
            const std::int64_t same = differ.in1 - own.begin();
            if (same <= cached) continue;
            cached = std::max(
                cached, replica_.deployment().share_prefix(static_cast<std::int64_t>(user),
                                                           static_cast<std::int64_t>(from), same));
        }
        return cached;
    }

    // Samples the next token; a user that is done becomes an idle slot.
    void take(std::size_t user, const Logits& logits, const OnToken& on_token) {
        const std::int32_t token = samplers_[user].next(logits);
        generated_[user].push_back(token);
        if (options_.logprobs) {
            logprobs_[user].push_back(model::logprobs(logits, token, *options_.logprobs));
        }
        tokens_[user] = token;
        if (on_token) on_token(first_user_ + static_cast<std::int64_t>(user), token);
        const bool ended = std::find(options_.eos_token_ids.begin(), options_.eos_token_ids.end(),
                                     token) != options_.eos_token_ids.end();
        const auto count = static_cast<std::int64_t>(generated_[user].size());
        if (ended || count >= options_.max_new_tokens) positions_[user] = -1;
    }

    Replica& replica_;
    std::span<const std::vector<std::int32_t>> prompts_;
    std::int64_t first_user_;
    const GenerateOptions& options_;
    std::vector<std::int32_t> tokens_;
    std::vector<std::int32_t> positions_;
    std::vector<std::vector<std::int32_t>> generated_;
    std::vector<std::vector<TokenLogprobs>> logprobs_;
    std::vector<Sampler> samplers_;
    core::Picoseconds prefill_time_{};
    std::vector<core::Picoseconds> step_times_;
    std::vector<std::int64_t> cached_;
};

core::Picoseconds mean(const std::vector<core::Picoseconds>& times) {
    if (times.empty()) return {};
    return std::accumulate(times.begin(), times.end(), core::Picoseconds{}) /
           static_cast<std::int64_t>(times.size());
}

// The slowest group holds the others back.
void merge(GenerateReport& report, const std::vector<core::Picoseconds>& times) {
    report.decode_step = std::max(report.decode_step, mean(times));
    if (times.size() > report.step_times.size()) report.step_times.resize(times.size());
    for (std::size_t i = 0; i < times.size(); ++i) {
        report.step_times[i] = std::max(report.step_times[i], times[i]);
    }
    report.decode_steps = static_cast<std::int64_t>(report.step_times.size());
}

}  // namespace

double GenerateReport::tokens_per_second_per_user() const {
    const double seconds = core::to_seconds(decode_step);
    return seconds > 0 ? 1.0 / seconds : 0.0;
}

GenerateReport generate(std::span<const std::unique_ptr<Replica>> replicas,
                        const std::vector<std::vector<std::int32_t>>& prompts, std::int64_t slots,
                        const GenerateOptions& options, const OnToken& on_token) {
    core::require(!replicas.empty() && prompts.size() % replicas.size() == 0,
                  "users are dealt evenly over the replicas");
    const std::size_t each = prompts.size() / replicas.size();
    std::vector<Group> groups;
    for (std::size_t i = 0; i < replicas.size(); ++i) {
        groups.emplace_back(*replicas[i], std::span(prompts).subspan(i * each, each),
                            static_cast<std::int64_t>(i * each), slots, options);
    }
    GenerateReport report;
    const auto failed = [&report](const Group& group) {
        report.shortage = group.shortage();
        return report;
    };
    for (Group& group : groups) {
        if (!group.prefill(on_token)) return failed(group);
    }
    for (bool any = true; any;) {
        any = false;
        for (Group& group : groups) {
            if (!group.active()) continue;
            any = true;
            if (!group.step(on_token)) return failed(group);
        }
    }
    for (Group& group : groups) {
        report.time_to_first_token = std::max(report.time_to_first_token, group.prefill_time());
        merge(report, group.step_times());
        report.cached_tokens.insert(report.cached_tokens.end(), group.cached().begin(),
                                    group.cached().end());
        for (auto& tokens : group.generated()) report.token_ids.push_back(std::move(tokens));
        if (!options.logprobs) continue;
        for (auto& of_user : group.logprobs()) report.logprobs.push_back(std::move(of_user));
    }
    return report;
}

}  // namespace model
