// params.json of a checkpoint in Meta's layout, told as the config.json of the same network.
// Invariant: every number is checked under the name it has in params.json.
// Keys and defaults: meta-llama/llama-models: models/llama3/args.py; Mistral's head_dim, hidden_dim
// and sliding_window: mistralai/mistral-inference: src/mistral_inference/args.py.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/json.h"

namespace model {

/// The file's name in a folder.
inline constexpr std::string_view kMetaParams = "params.json";

/// Rows per head of wq, wk and wv. Throws core::Error.
std::int64_t meta_head_dim(const core::JsonObject& params);
/// meta_head_dim() of the params.json in `folder`. Throws core::Error.
std::int64_t meta_head_dim(const std::filesystem::path& folder);

/// A config.json for the params in `text`; `where` names them in messages. `vocab` stands in for
/// the vocab_size -1 of Llama 1 and 2, which means "ask the tokenizer"; it is called only then, and
/// may know nothing. Throws core::Error.
std::string meta_config(std::string_view text, std::string_view where,
                        const std::function<std::optional<std::int64_t>()>& vocab);

}  // namespace model
