// The tokenizer.model of Meta's Llama 3: lines "base64 rank", bytes of a token and its number.
// Merging: of all neighbours whose bytes together are a token, the pair with the lowest rank first,
// as openai/tiktoken src/lib.rs byte_pair_merge; a whole pre-token that is a token stays one.
// Pattern and special tokens: meta-llama/llama-models: models/llama3/tokenizer.py.
#pragma once

#include <string_view>

#include "model/tokenizer_file.h"

namespace model {

/// Whether the first line reads "base64 rank"; a SentencePiece model starts with a line feed.
bool looks_like_tiktoken(std::string_view text);

/// Throws core::Error "where: line N: ...".
TokenizerFile parse_tiktoken_file(std::string_view text, std::string_view where);

}  // namespace model
