// Reads the normalizer, pre-tokenizer and decoder of a tokenizer.json.
// Invariant: a part that is not understood is an error with its key, never skipped.
// Format: huggingface/tokenizers, the serialized form of each part.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/json.h"
#include "model/normalizer.h"
#include "model/pre_tokenizer.h"
#include "model/token_decoder.h"

namespace model {

/// What the first symbols of BPE are.
enum class Symbols { Bytes, Characters };

/// "where: key: expected ..., got ..." with a hint what is understood.
core::Error unsupported(const core::JsonObject& object, std::string_view key,
                        std::string_view supported);

/// "merges[3]".
std::string element(std::string_view key, std::size_t index);

/// The steps of a "Sequence", or the single step itself. Sequences in sequences are unfolded.
std::vector<core::JsonObject> read_steps(const core::JsonObject& object, std::string_view list_key);

Normalizer read_normalizer(const core::JsonObject& root);

struct ReadPreTokenizer {
    PreTokenizer splitter;
    Symbols symbols = Symbols::Characters;
};
ReadPreTokenizer read_pre_tokenizer(const core::JsonObject& root);

TokenDecoder read_decoder(const core::JsonObject& root, Symbols symbols);

}  // namespace model
