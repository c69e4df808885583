// A SentencePiece model (tokenizer.model of Llama 2, Mistral, T5), encoded by Google's library.
// Invariant: ids are the library's for the whole text. BPE text is cut between words first where
// the vocabulary shows that nothing merges across, so that repeated words can be looked up.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "model/sentencepiece_file.h"

namespace model {

class SentencePieceModel {
public:
    /// Throws core::Error when `bytes` is not a model; `where` names it.
    SentencePieceModel(std::string_view bytes, std::string_view where);
    ~SentencePieceModel();
    SentencePieceModel(SentencePieceModel&&) noexcept;
    SentencePieceModel& operator=(SentencePieceModel&&) noexcept;

    /// The parts of `text`; encoded one by one they give the ids of `text`.
    void split(std::string_view text, std::vector<std::string_view>& parts) const;
    /// Appends the tokens of one part. Thread-safe.
    void encode(std::string_view part, std::vector<std::int32_t>& ids) const;

    const SentencePieceFile& file() const { return file_; }
    std::optional<std::int32_t> begin_token() const;
    std::optional<std::int32_t> end_token() const;

private:
    struct Library;
    SentencePieceFile file_;
    std::unique_ptr<Library> library_;
    bool cuts_words_ = false;
};

}  // namespace model
