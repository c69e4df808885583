// What a tokenizer.json says, checked: the parts a Tokenizer is made of.
// Invariant: every id has at most one text, every byte has a token, merges and templates name
// tokens that exist. Only byte-level BPE (the kind of GPT-2, Llama-3, Qwen) is accepted.
// Format: huggingface/tokenizers.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/added_tokens.h"
#include "model/bpe.h"
#include "model/pre_tokenizer.h"

namespace model {

struct Piece {
    enum class Kind { Missing, Text, Special };
    Kind kind = Kind::Missing;
    std::string bytes;
};

struct TokenizerFile {
    std::vector<Piece> pieces;  // by id
    AddedTokens raw_added;      // looked for first
    AddedTokens late_added;     // looked for in what is left ("normalized": true)
    PreTokenizer pre_tokenizer;
    Bpe bpe;
    /// The ids a TemplateProcessing puts around a text; none without such a post-processor.
    struct Template {
        std::vector<std::int32_t> before;
        std::vector<std::int32_t> after;
    };
    std::optional<Template> around;
};

/// Throws core::Error "where: key: ...".
TokenizerFile parse_tokenizer_file(std::string_view text, std::string_view where);

}  // namespace model
