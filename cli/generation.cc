#include "cli/generation.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "core/digest.h"
#include "core/error.h"
#include "core/files.h"
#include "core/json.h"

namespace cli {
namespace {

constexpr core::Bytes kLargestFile{64 << 20};

// The first `count` characters (not bytes) of UTF-8 text.
std::string first_characters(const std::string& text, std::int64_t count) {
    std::int64_t seen = 0;
    for (std::size_t i = 0; i < text.size(); ++i) {
        const bool begins = (static_cast<unsigned char>(text[i]) & 0xC0U) != 0x80U;
        if (begins && seen++ == count) return text.substr(0, i);
    }
    return text;
}

std::string read_context(const std::string& file, const std::string& key,
                         const std::string& context) {
    if (context.find("://") != context.npos) {
        throw core::Error::mismatch(file, key, "a file",
                                    "the URL \"" + core::printable(context) + "\"")
            .hint("nothing is downloaded: save the text and name the file");
    }
    const auto beside = std::filesystem::path(file).parent_path() / context;
    return core::read_text(beside, kLargestFile);
}

template <class Json>
const Json& text_at(const Json& value, const std::string& file, const std::string& key,
                    const char* expected) {
    if (!value.is_string()) throw core::Error::mismatch(file, key, expected, value.type_name());
    return value;
}

template <class Json>
std::string prompt_of(const Json& entry, const std::string& file, const std::string& place,
                      ContextStyle style) {
    const bool object = entry.is_object() && entry.contains("prompt");
    const auto prompt = text_at(object ? entry["prompt"] : entry, file, place,
                                "a string or an object with \"prompt\"")
                            .template get<std::string>();
    if (!object || !entry.contains("context")) return prompt;
    const auto name = text_at(entry["context"], file, place + ".context", "a file's name")
                          .template get<std::string>();
    std::string context = read_context(file, place + ".context", name);
    if (entry.contains("max_length")) {
        const Json& length = entry["max_length"];
        if (!length.is_number_integer() || length.template get<std::int64_t>() < 0) {
            throw core::Error::mismatch(file, place + ".max_length", "a number of characters",
                                        length.dump());
        }
        context = first_characters(context, length.template get<std::int64_t>());
    }
    return style == ContextStyle::Plain ? context : "```" + context + "```\n\n" + prompt;
}

void check_prompt(const std::vector<std::int32_t>& tokens, const model::Config& config,
                  const std::string& model) {
    if (tokens.empty()) {
        throw core::Error("--prompt: expected at least one token, got an empty prompt");
    }
    const std::int32_t highest = *std::max_element(tokens.begin(), tokens.end());
    if (highest < config.vocab_size) return;
    throw core::Error::mismatch(core::printable(model), "prompt token",
                                fmt::format("an id below vocab_size {}", config.vocab_size),
                                std::to_string(highest))
        .hint("the tokenizer does not belong to this config.json");
}

std::unique_ptr<model::WeightCache> open_cache(const World& world, const Setup& setup,
                                               const model::Deployment& deployment,
                                               const model::Checkpoint& checkpoint,
                                               const std::string& root) {
    if (root.empty() || root == "off") return nullptr;
    const model::CacheKey key = model::cache_key(deployment, checkpoint);
    return std::make_unique<model::WeightCache>(
        key.folder(root, setup.base_model), key,
        [log = world.log](const std::string& trouble) { log->warn("{}", trouble); });
}

}  // namespace

std::unique_ptr<tbb::global_control> limit_threads(int threads) {
    if (threads <= 0) return nullptr;
    return std::make_unique<tbb::global_control>(tbb::global_control::max_allowed_parallelism,
                                                 static_cast<std::size_t>(threads));
}

std::vector<std::string> read_prompts(const std::string& file, ContextStyle style) {
    const auto json = core::parse_json(core::read_text(file, kLargestFile), file);
    if (!json.is_array() || json.empty()) {
        throw core::Error::mismatch(file, "", "a list of prompts", json.type_name());
    }
    std::vector<std::string> prompts;
    for (const auto& entry : json) {
        prompts.push_back(
            prompt_of(entry, file, "[" + std::to_string(prompts.size()) + "]", style));
    }
    return prompts;
}

TokenRows encode_prompts(const std::vector<std::string>& texts, std::int64_t users,
                         const model::Tokenizer& tokenizer, const model::Config& config,
                         const std::string& model, const model::ChatTemplate* chat) {
    core::require(!texts.empty(), "there is a prompt to deal");
    TokenRows encoded;
    for (const std::string& text : texts) {
        if (static_cast<std::int64_t>(encoded.size()) == users) break;
        encoded.push_back(chat != nullptr ? chat->encode(tokenizer, text)
                                          : tokenizer.encode(text, model::AddSpecial::Yes));
        check_prompt(encoded.back(), config, model);
    }
    const std::size_t different = encoded.size();
    while (static_cast<std::int64_t>(encoded.size()) < users) {
        encoded.push_back(encoded[encoded.size() - different]);
    }
    return encoded;
}

std::int64_t longest(const TokenRows& prompts) {
    std::size_t most = 0;
    for (const auto& prompt : prompts) most = std::max(most, prompt.size());
    return static_cast<std::int64_t>(most);
}

std::int64_t shortest(const TokenRows& prompts) {
    std::size_t least = prompts.empty() ? 0 : prompts.front().size();
    for (const auto& prompt : prompts) least = std::min(least, prompt.size());
    return static_cast<std::int64_t>(least);
}

void clip_left(TokenRows& prompts, std::int64_t keep) {
    core::require(keep > 0, "a clipped prompt keeps a token");
    for (auto& tokens : prompts) {
        const auto size = static_cast<std::int64_t>(tokens.size());
        if (size > keep) tokens.erase(tokens.begin(), tokens.begin() + (size - keep));
    }
}

// tenstorrent/tt-metal: models/tt_transformers/demo/simple_text_demo.py.
core::Error too_long(std::int64_t prompt, std::int64_t generated, std::int64_t context) {
    return core::Error(
        fmt::format("Prompt prefill tokens ({}) + maximum number of decoded iterations ({}) needs "
                    "to be <= than max_seq_len ({})",
                    prompt, generated, context));
}

std::int32_t Fleet::chips() const {
    return static_cast<std::int32_t>(deployments.size()) * first().mesh().chip_count();
}

std::string Fleet::digest() const {
    core::Digest digest;
    for (const auto& replica : replicas) {
        digest.add(static_cast<std::int64_t>(replica->digest().value()));
    }
    return digest.hex();
}

Fleet start_fleet(const World& world, const Setup& setup, const model::Checkpoint& checkpoint,
                  const FleetOptions& options) {
    Fleet fleet;
    world.log->info("mesh of {}: {}", setup.mesh.system.title, setup.mesh.shape.text());
    require_split(setup);
    model::require_runs(setup.config, "config.json");
    for (const fabric::Mesh& group : setup.groups) {
        fleet.deployments.push_back(std::make_unique<model::Deployment>(
            setup.config, setup.precision, group, options.laid));
        model::Deployment& deployment = *fleet.deployments.back();
        deployment.require_room(options.prompt, options.generated);
        world.log->info("group {}: decode step of {} commands, loading {}",
                        fleet.deployments.size() - 1, deployment.decode()->command_count(),
                        checkpoint.where());
        if (fleet.deployments.size() == 1) {
            fleet.cache = open_cache(world, setup, deployment, checkpoint, options.weight_cache);
        }
        fleet.replicas.push_back(std::make_unique<model::Replica>(
            deployment, checkpoint, options.trace, fleet.cache.get()));
        const model::LoadedWeights& weights = fleet.replicas.back()->weights();
        world.log->info("{} weights converted, {} from the cache", weights.converted,
                        weights.cached);
        if (!fleet.replicas.back()->shortage().empty()) {
            throw NotPossible{{fleet.replicas.back()->shortage()}, "`tessera check` plans it"};
        }
    }
    return fleet;
}

}  // namespace cli
