// What a tokenizer file says, checked: the parts a Tokenizer is made of.
// Invariant: every id has at most one text, merges and templates name tokens that exist; with
// byte-level BPE every byte has a token. Parts that are not understood are errors that name them.
// Format: huggingface/tokenizers (tokenizer.json).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/added_tokens.h"
#include "model/bpe.h"
#include "model/normalizer.h"
#include "model/pre_tokenizer.h"
#include "model/sentencepiece_model.h"
#include "model/token_decoder.h"

namespace core {
class JsonObject;
}

namespace model {

struct Piece {
    enum class Kind { Missing, Text, Special };
    Kind kind = Kind::Missing;
    std::string bytes;
    bool keeps_space = false;  // a space it starts with is text, even at the beginning
};

struct TokenizerFile {
    std::vector<Piece> pieces;  // by id, as decoded
    AddedTokens raw_added;      // looked for first
    Normalizer normalizer;      // of what is left
    AddedTokens late_added;     // looked for in what comes out ("normalized": true)
    PreTokenizer pre_tokenizer;
    std::variant<Bpe, SentencePieceModel> model;
    EndStrip ends;  // of the decoded text
    /// The ids a TemplateProcessing puts around a text; none without such a post-processor.
    struct Template {
        std::vector<std::int32_t> before;
        std::vector<std::int32_t> after;
    };
    std::optional<Template> around;
};

/// Reads a tokenizer.json. Throws core::Error "where: key: ...".
TokenizerFile parse_tokenizer_file(std::string_view text, std::string_view where);

/// Gives `id` its text, which it must be the only one to have; `key` of `holder` for messages.
void place_piece(std::vector<Piece>& pieces, std::int64_t id, Piece piece,
                 const core::JsonObject& holder, std::string_view key);

/// One entry of "added_tokens", but for its id. Throws core::Error.
AddedToken read_added_token(const core::JsonObject& entry);

/// Far above published vocabularies (under 300,000 entries).
inline constexpr std::int64_t kMaxTokenId = (1 << 21) - 1;

}  // namespace model
