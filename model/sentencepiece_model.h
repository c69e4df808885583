// A SentencePiece model (tokenizer.model of Llama 2, Mistral, T5).
// Invariant: ids are those of Google's library for the whole text. It loads and checks the model;
// unigram and BPE text is encoded here, as the library allocates for every piece. BPE text is cut
// between words where the vocabulary shows that nothing merges across, so that repeated words can
// be looked up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "model/bpe.h"
#include "model/pre_tokenizer.h"
#include "model/sentencepiece_file.h"

namespace model {

class SentencePieceModel {
public:
    /// Throws core::Error when `bytes` is not a model; `where` names it.
    SentencePieceModel(std::string_view bytes, std::string_view where);
    ~SentencePieceModel();
    SentencePieceModel(SentencePieceModel&&) noexcept;
    SentencePieceModel& operator=(SentencePieceModel&&) noexcept;

    /// The parts of `text`; encoded one by one they give the ids of `text`. They lie in `text` or
    /// in `store`. Throws core::Error on a text above 1 GiB.
    void split(std::string_view text, TextStore& store, std::vector<std::string_view>& parts) const;
    /// Appends the tokens of one part. Thread-safe.
    void encode(std::string_view part, std::vector<std::int32_t>& ids, Bpe::Scratch& scratch) const;

    const SentencePieceFile& file() const { return file_; }
    std::optional<std::int32_t> begin_token() const;
    std::optional<std::int32_t> end_token() const;

private:
    struct Parts;
    void split_words(std::string_view text, std::vector<std::string_view>& parts) const;

    SentencePieceFile file_;
    std::unique_ptr<Parts> parts_;
    bool cuts_words_ = false;
};

}  // namespace model
