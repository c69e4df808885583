#include "model/speed_question.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/format.h"
#include "model/device_name.h"
#include "model/head_padding.h"
#include "model/optimizations.h"
#include "model/split.h"

namespace model {
namespace {

// Blocks of the demo's paged cache: simple_text_demo.py, page_block_size.
constexpr std::int64_t kBlock = 32;
constexpr std::int64_t kShortestContext = 1024;
// Chunks of a prompt, the largest that fits: MAX_PREFILL_CHUNK_SIZES_DIV1024 of model_config.py.
constexpr std::array<std::int64_t, 3> kChunks{128 * 1024, 32 * 1024, 4 * 1024};

Precision precision_of(const SpeedQuestion& question, std::int32_t layers) {
    if (is_optimizations_text(question.precision)) {
        return parse_optimizations(question.precision, layers);
    }
    return precision_preset(question.precision, question.model.base, layers);
}

DeploymentOptions options_of(const SpeedQuestion& question, std::int64_t chunk) {
    DeploymentOptions options;
    options.software = question.software;
    options.batch = question.batch;
    options.context =
        std::max(core::round_up(question.run.isl + question.run.osl, kBlock), kShortestContext);
    options.block_size = kBlock;
    options.prefill_chunk = chunk;
    options.device.release = question.release;
    options.device.trace_region_size = question.trace_region;
    options.device.dispatch_core = default_dispatch_core(question.mesh);
    return options;
}

// With the largest chunk that fits.
Estimate estimated(const SpeedQuestion& question, const Config& config) {
    const Precision precision =
        precision_of(question, static_cast<std::int32_t>(config.num_hidden_layers));
    const std::int64_t longest = padded_prefill_length(question.run.isl);
    Estimate result;
    for (const std::int64_t chunk : kChunks) {
        if (chunk > longest && chunk != kChunks.back()) continue;
        Deployment deployment(config, precision, question.mesh, options_of(question, chunk));
        result = estimate(deployment, question.run);
        if (result.shortage.empty()) break;
    }
    return result;
}

// Prompts of several padded lengths are never one program: users go one by one.
std::vector<SpeedQuestion> alike(const SpeedQuestion& question) {
    std::vector<SpeedQuestion> parts;
    for (const Prompts& prompts : question.prompts) {
        SpeedQuestion part = question;
        part.prompts.clear();
        part.run.isl = prompts.tokens;
        part.run.prefill = EstimateOptions::Prefill::OneByOne;
        parts.push_back(std::move(part));
    }
    return parts;
}

std::string parts_text(const Parts& parts) {
    std::vector<std::pair<std::string, core::Picoseconds>> sorted(parts.begin(), parts.end());
    std::stable_sort(sorted.begin(), sorted.end(),
                     [](const auto& a, const auto& b) { return a.second > b.second; });
    std::string text;
    for (const auto& [name, time] : sorted) {
        text += fmt::format("{}{} {:.2f}", text.empty() ? "" : ", ", name, core::to_ms(time));
    }
    return text;
}

// Arithmetic of a prompt on a chip, up to a factor.
double prompt_work(const SpeedQuestion& question, const Estimate& result) {
    return static_cast<double>(result.step_bytes.value) *
           static_cast<double>(padded_prefill_length(question.run.isl));
}

std::string_view release_text(dispatch::Release release) {
    switch (release) {
        case dispatch::Release::R2025:
            return "2025";
        case dispatch::Release::R2026_05:
            return "2026-05";
        case dispatch::Release::R2026_09:
            return "2026-09";
    }
    return "";
}

// The mean time to the first token of users with different prompts.
Answer mean_answer(const SpeedQuestion& question) {
    Answer mean;
    double users = 0;
    for (const Prompts& prompts : question.prompts) users += static_cast<double>(prompts.users);
    const std::vector<SpeedQuestion> parts = alike(question);
    for (std::size_t i = 0; i < parts.size(); ++i) {
        const Answer one = speed_answer(parts[i], SpeedOf::FirstToken);
        if (!one.unanswered.empty()) return one;
        const double share = static_cast<double>(question.prompts[i].users) / users;
        mean.value += share * one.value;
        mean.why +=
            fmt::format("{}{} of {} tokens {}, {}", i > 0 ? "; " : "", question.prompts[i].users,
                        question.prompts[i].tokens, one.text, one.why);
        mean.null_terms.resize(one.null_terms.size());
        for (std::size_t term = 0; term < one.null_terms.size(); ++term) {
            mean.null_terms[term] += share * one.null_terms[term];
        }
    }
    mean.text = fmt::format("{:.1f} ms", mean.value);
    return mean;
}

}  // namespace

std::string SpeedQuestion::text() const {
    std::string text = model.name;
    if (model.folder != model.name) text += " (" + model.folder + ")";
    text += " on " + device;
    if (run.groups > 1) {
        text += ", " + std::to_string(run.groups) + " groups of " + mesh.shape.text();
    }
    text += fmt::format(
        ", {} of {} {}, {}, {} + {} tokens", run.active_users > 0 ? run.active_users : batch, batch,
        batch == 1 ? "user" : "users", precision, core::grouped(run.isl), core::grouped(run.osl));
    text += run.traced_prefills.empty() ? "" : ", traced prefill";
    const bool in_turn = run.prefill == EstimateOptions::Prefill::OneByOne;
    const bool several = run.active_users > 0 ? run.active_users > 1 : batch > 1;
    text += in_turn && several ? ", prompts one by one" : "";
    text += run.sampling == EstimateOptions::Sampling::Device ? ", sampled on the device" : "";
    for (const Prompts& some : prompts) {
        text += fmt::format(", {} of {} tokens", some.users, some.tokens);
    }
    const bool other = software != "tt-transformers";
    return text + fmt::format(", {} of {}", other ? software : "software", release_text(release));
}

Config text_config(const SpeedQuestion& question) {
    Config config = *question.model.config;
    std::erase_if(config.layers, [](const LayerConfig& layer) {
        return layer.attention == LayerConfig::Attention::Cross;
    });
    if (!config.layers.empty()) {
        config.num_hidden_layers = static_cast<std::int64_t>(config.layers.size());
    }
    const std::string& base = question.model.base;
    return pad_feed_forward(config, base, question.mesh.chip_count(),
                            mlp_padding_cores(base, {}, question.release));
}

Answer speed_answer(const SpeedQuestion& question, SpeedOf value, std::int64_t users_before) {
    const Config config = text_config(question);
    Answer answer;
    if (value == SpeedOf::FirstToken && !question.prompts.empty()) return mean_answer(question);
    const auto reasons = split_reasons(config, question.mesh, question.model.base);
    if (!reasons.empty()) {
        answer.unanswered = reasons.front();
        return answer;
    }
    const Estimate result = estimated(question, config);
    if (!result.shortage.empty()) {
        answer.unanswered = "does not fit: " + result.shortage;
        return answer;
    }
    const auto layers = static_cast<double>(config.num_hidden_layers);
    if (value == SpeedOf::FirstToken) {
        const auto users = static_cast<double>(users_before);
        answer.value = core::to_ms(result.time_to_first_token) * users;
        answer.text = fmt::format("{:.1f} ms", answer.value);
        answer.why =
            fmt::format("{}traced; one prompt's kernels, ms: {}",
                        result.is_prefill_traced ? "" : "not ", parts_text(result.prefill));
        answer.null_terms = {prompt_work(question, result) * users, layers * users};
        return answer;
    }
    answer.value = 1 / core::to_seconds(result.decode_step);
    answer.text =
        fmt::format("{:.2f} tokens/s, {:.2f} ms", answer.value, core::to_ms(result.decode_step));
    answer.why =
        fmt::format("ms: {}; host: {}; sampled on the {}", parts_text(result.breakdown),
                    parts_text(result.host), result.sampler == SampledOn::Host ? "host" : "device");
    answer.null_terms = {static_cast<double>(result.step_bytes.value), layers};
    return answer;
}

}  // namespace model
