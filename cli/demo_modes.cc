#include "cli/demo_modes.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "core/json.h"

namespace cli {
namespace {

constexpr std::int64_t kThousand = 1024;

std::int64_t positive(const nlohmann::json& value, const char* option, const std::string& key) {
    if (!value.is_number_integer() || value.get<std::int64_t>() < 1 ||
        value.get<std::int64_t>() > (std::int64_t{1} << 24)) {
        throw core::Error::mismatch(option, key, "a positive integer", value.dump());
    }
    return value.get<std::int64_t>();
}

double number(const nlohmann::json& value, const char* option, const std::string& key) {
    if (!value.is_number()) throw core::Error::mismatch(option, key, "a number", value.dump());
    return value.get<double>();
}

nlohmann::json object_of(const std::string& text, const char* option) {
    auto json = core::parse_json(text, option);
    if (!json.is_object()) {
        throw core::Error::mismatch(option, "", "a JSON object", json.type_name());
    }
    return json;
}

struct Phase {
    std::string_view name;
    DemoPhases phases;
};
constexpr std::array kPhases{Phase{"full", DemoPhases::Full}, Phase{"prefill", DemoPhases::Prefill},
                             Phase{"decode", DemoPhases::Decode}};

}  // namespace

const std::vector<DemoMode>& demo_modes() {
    // name, max_seq_len, batch, generated, block size, blocks, at end of text, groups, prompt,
    // batches, positions
    static const std::vector<DemoMode> modes{
        {"batch-1", 1024, 1, 200, 32, 1024, AtEos::Stop},
        {"batch-32", 1024, 32, 200, 32, 1024, AtEos::Stop},
        {"long-context-64k", 128 * kThousand, 1, 200, 64, 2048, AtEos::Stop, 1, 64 * kThousand},
        {"long-context-32k", 32 * kThousand, 1, 200, 64, 2048, AtEos::Stop, 1, 32 * kThousand},
        {"long-context-16k", 32 * kThousand, 1, 200, 64, 2048, AtEos::Stop, 1, 16 * kThousand},
        {"reasoning-1", 16 * kThousand, 1, 15000, 32, 1024, AtEos::GoOn},
        {"ci-1", 8192, 1, 4096, 32, 1024, AtEos::GoOn},
        {"ci-32", 2000, 32, 1024, 64, 1024, AtEos::GoOn},
        {"DP-4-b1", 1024, 1, 200, 32, 1024, AtEos::Stop, 4},
        {"DP-8-b1", 1024, 1, 200, 32, 1024, AtEos::Stop, 8},
        {"DP-4-b32", 1024, 32, 200, 32, 1024, AtEos::Stop, 4},
        {"ci-b1-DP-4", 8192, 1, 4096, 32, 1024, AtEos::GoOn, 4},
        {"ci-b1-DP-8", 8192, 1, 4096, 32, 1024, AtEos::GoOn, 8},
        {"ci-b1-DP-16", 8192, 1, 200, 32, 1024, AtEos::Stop, 16},
        {"ci-b1-DP-32", 8192, 1, 200, 32, 1024, AtEos::Stop, 32},
        {"ci-stress-1", 128 * kThousand, 1, 50000, 64, 2048, AtEos::GoOn, 1, 128, 1,
         model::GenerateOptions::Positions::Stay},
        {"ci-token-matching", 1024, 1, 500, 32, 1024, AtEos::Stop},
        {"ci-eval-1", 1024, 1, 200, 32, 1024, AtEos::Stop, 1, 128, 6},
        {"ci-eval-32", 1024, 32, 200, 32, 1024, AtEos::Stop, 1, 128, 3},
    };
    return modes;
}

std::string_view to_text(DemoPhases phases) {
    for (const auto& [name, value] : kPhases) {
        if (value == phases) return name;
    }
    core::require(false, "phases have names");
    return {};
}

std::vector<std::string> demo_mode_words() {
    std::vector<std::string> words;
    for (const DemoMode& mode : demo_modes()) words.push_back(mode.name);
    for (const auto& [name, phases] : kPhases) words.emplace_back(name);
    return words;
}

DemoMode demo_mode(const std::vector<std::string>& words) {
    std::optional<DemoMode> mode;
    std::optional<DemoPhases> phases;
    for (const std::string& word : words) {
        const auto named = std::ranges::find(demo_modes(), word, &DemoMode::name);
        const auto phase = std::ranges::find(kPhases, word, &Phase::name);
        if (named == demo_modes().end() && phase == kPhases.end()) {
            throw core::Error::mismatch("--mode", "",
                                        fmt::to_string(fmt::join(demo_mode_words(), ", ")),
                                        "\"" + core::printable(word) + "\"");
        }
        if (named != demo_modes().end() ? mode.has_value() : phases.has_value()) {
            throw core::Error::mismatch("--mode", "",
                                        "one mode and one of full, prefill and decode",
                                        fmt::to_string(fmt::join(words, ", ")));
        }
        if (named != demo_modes().end()) mode = *named;
        if (phase != kPhases.end()) phases = phase->phases;
    }
    if (!mode) mode = demo_modes().front();
    mode->phases = phases.value_or(DemoPhases::Full);
    return *mode;
}

void set_page_params(DemoMode& mode, const std::string& json) {
    constexpr const char* kOption = "--page_params";
    const nlohmann::json params = object_of(json, kOption);
    for (const auto& [key, value] : params.items()) {
        if (key == "page_block_size") {
            mode.block_size = positive(value, kOption, key);
        } else if (key == "page_max_num_blocks_per_dp" || key == "page_max_num_blocks") {
            mode.max_num_blocks = positive(value, kOption, key);
        } else {
            throw core::Error::mismatch(kOption, "", "page_block_size, page_max_num_blocks_per_dp",
                                        core::printable(key));
        }
    }
}

model::SamplingParams demo_sampling(const std::string& json) {
    constexpr const char* kOption = "--sampling_params";
    model::SamplingParams sampling;
    sampling.top_p = 0.08;
    if (json.empty()) return sampling;
    const nlohmann::json params = object_of(json, kOption);
    for (const auto& [key, value] : params.items()) {
        if (key == "temperature") {
            sampling.temperature = number(value, kOption, key);
        } else if (key == "top_p") {
            sampling.top_p = number(value, kOption, key);
        } else if (key == "top_k") {
            sampling.top_k = static_cast<int>(positive(value, kOption, key));
        } else if (key == "seed") {
            sampling.seed = static_cast<std::uint64_t>(positive(value, kOption, key));
        } else if (key == "repetition_penalty") {
            sampling.repetition_penalty = number(value, kOption, key);
        } else if (key == "presence_penalty") {
            sampling.presence_penalty = number(value, kOption, key);
        } else if (key == "frequency_penalty") {
            sampling.frequency_penalty = number(value, kOption, key);
        } else {
            throw core::Error::mismatch(kOption, "", "temperature, top_p, top_k, seed or a penalty",
                                        core::printable(key));
        }
    }
    model::check(sampling);
    return sampling;
}

// tenstorrent/tt-metal: models/tt_transformers/tt/model_config.py.
void require_batch_size(std::int64_t batch) {
    constexpr std::array<std::int64_t, 6> kSizes{1, 2, 4, 8, 16, 32};
    if (std::find(kSizes.begin(), kSizes.end(), batch) != kSizes.end()) return;
    throw core::Error("Batch size " + std::to_string(batch) + " not supported")
        .hint("--batch_size takes 1, 2, 4, 8, 16 or 32 users of a data-parallel group");
}

}  // namespace cli
