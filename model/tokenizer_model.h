// A tokenizer.model: SentencePiece's, or the token list of Meta's Llama 3; told apart by content.
// Also what a tokenizer_config.json beside a tokenizer adds to it.
// Sources: google/sentencepiece; meta-llama/llama-models: models/llama3/tokenizer.py;
// huggingface/transformers: tokenization_utils_base.py (names of the configuration).
#pragma once

#include <filesystem>
#include <string_view>

#include "model/tokenizer_file.h"

namespace model {

/// Throws core::Error "where: ...". SentencePiece text gets the model's begin token, if it has one.
TokenizerFile parse_tokenizer_model(std::string_view bytes, std::string_view where);

/// Takes begin, end and added tokens from the tokenizer_config.json at `path`; a template or added
/// tokens of a tokenizer.json stay. Throws core::Error.
void read_tokenizer_config(const std::filesystem::path& path, TokenizerFile& file);

/// The id of the added or special token that reads `content`.
std::optional<std::int32_t> find_token(const TokenizerFile& file, std::string_view content);

}  // namespace model
