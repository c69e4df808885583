// Text to token ids and back: a tokenizer.json, a SentencePiece model or Llama 3's token list.
// Invariant: decode(encode(text)) is the text again, special tokens in it included (unless the
// tokenizer normalizes the text or strips around added tokens). Encoding is thread-safe.
// Semantics: huggingface/tokenizers, google/sentencepiece, openai/tiktoken; decode gives UTF-8
// always, U+FFFD for broken bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer_file.h"
#include "model/utf8.h"

namespace model {

/// Whether encode puts the template's tokens (begin-of-text) around the text.
enum class AddSpecial { No, Yes };
/// Whether decode shows special tokens.
enum class ShowSpecial { No, Yes };

class Tokenizer {
public:
    /// `path`: a folder with tokenizer.json or else tokenizer.model (or Mistral's
    /// tokenizer.model.v3, .v2, .v1), or the file: JSON by its name, else a model. What a
    /// tokenizer_config.json beside it says of begin, end and added tokens counts where the file
    /// itself does not say it. Throws core::Error.
    static Tokenizer load(const std::filesystem::path& path);
    /// From the text of a tokenizer.json; `where` names it in messages. Throws core::Error.
    static Tokenizer parse(std::string_view text, std::string_view where);
    /// From the bytes of a tokenizer.model, SentencePiece's or Llama 3's. Throws core::Error.
    static Tokenizer parse_model(std::string_view bytes, std::string_view where);

    /// Special tokens written out in `text` become their ids. Throws core::Error when `text` is
    /// not UTF-8.
    std::vector<std::int32_t> encode(std::string_view text, AddSpecial add) const;
    /// Throws core::Error when an id is not of this tokenizer.
    std::string decode(std::span<const std::int32_t> ids,
                       ShowSpecial show = ShowSpecial::Yes) const;

    /// One more than the highest id.
    std::int32_t vocab_size() const { return static_cast<std::int32_t>(file_.pieces.size()); }
    /// The bytes of a token, perhaps half a character. Throws core::Error on an unknown id.
    std::string_view piece(std::int32_t id) const;
    /// Throws core::Error on an unknown id.
    bool is_special(std::int32_t id) const;
    /// The id of an added or special token such as "<|eot_id|>".
    std::optional<std::int32_t> find_added(std::string_view content) const;
    /// What is taken off the ends of a decoded text.
    const EndStrip& ends() const { return file_.ends; }

private:
    explicit Tokenizer(TokenizerFile file) : file_(std::move(file)) {}
    friend class StreamDecoder;
    const Piece& at(std::int32_t id) const;

    TokenizerFile file_;
};

/// Text of one user as tokens arrive; never gives out half a character. All texts together are
/// what decode() gives for all ids. The tokenizer must outlive it.
class StreamDecoder {
public:
    explicit StreamDecoder(const Tokenizer& tokenizer, ShowSpecial show = ShowSpecial::Yes)
        : tokenizer_(&tokenizer), show_(show), ends_(tokenizer.ends()) {}

    /// The characters that `id` completes. Throws core::Error on an unknown id.
    std::string push(std::int32_t id);
    /// What is left at the end.
    std::string finish();

private:
    const Tokenizer* tokenizer_;
    ShowSpecial show_;
    Utf8Stream stream_;
    EndStripper ends_;
};

}  // namespace model
