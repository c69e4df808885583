#include "model/sentencepiece_model.h"

#include <sentencepiece_processor.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"

namespace model {

namespace {

using core::Error;
using Type = SentencePieceFile::Type;

constexpr std::string_view kMark = "\xe2\x96\x81";          // U+2581, stands for a space
constexpr std::size_t kLongestText = std::size_t{1} << 30;  // the library counts in int

/// Whether a mark stands behind something else in `piece`.
bool has_inner_mark(std::string_view piece) {
    while (piece.starts_with(kMark)) piece.remove_prefix(kMark.size());
    return piece.find(kMark) != piece.npos;
}

/// Whether text may be cut between words: spaces are kept, begin words, and no piece spans two.
bool can_cut_words(const SentencePieceFile& file) {
    if (file.model != SentencePieceFile::Model::Bpe || file.drops_spaces || !file.escapes_spaces ||
        file.spaces_end_words || file.replaces_characters) {
        return false;
    }
    const auto joins = [](const SentencePieceFile::Piece& piece) {
        return has_inner_mark(piece.text) ||
               (piece.type == Type::UserDefined && piece.text.find(' ') != piece.text.npos);
    };
    const auto is_mark = [](const SentencePieceFile::Piece& piece) {
        return piece.text == kMark && piece.type == Type::Normal;
    };
    return std::none_of(file.pieces.begin(), file.pieces.end(), joins) &&
           std::any_of(file.pieces.begin(), file.pieces.end(), is_mark);
}

std::optional<std::int32_t> known(int id) {
    return id < 0 ? std::nullopt : std::optional<std::int32_t>(id);
}

}  // namespace

struct SentencePieceModel::Library {
    sentencepiece::SentencePieceProcessor processor;
};

SentencePieceModel::SentencePieceModel(std::string_view bytes, std::string_view where)
    : file_(parse_sentencepiece_file(bytes, where)),
      library_(std::make_unique<Library>()),
      cuts_words_(can_cut_words(file_)) {
    const auto status = library_->processor.LoadFromSerializedProto({bytes.data(), bytes.size()});
    if (!status.ok()) {
        throw Error::mismatch(where, "model", "a SentencePiece model",
                              core::printable(status.ToString()));
    }
}

SentencePieceModel::~SentencePieceModel() = default;
SentencePieceModel::SentencePieceModel(SentencePieceModel&&) noexcept = default;
SentencePieceModel& SentencePieceModel::operator=(SentencePieceModel&&) noexcept = default;

void SentencePieceModel::split(std::string_view text, std::vector<std::string_view>& parts) const {
    parts.clear();
    if (text.empty()) return;
    std::size_t done = 0;
    const auto cut = [&](std::size_t end) {
        std::string_view part = text.substr(done, end - done);
        // The library puts the space back that it takes for missing.
        if (done > 0 && file_.adds_space) part.remove_prefix(1);
        parts.push_back(part);
        done = end;
    };
    if (cuts_words_) {
        for (std::size_t at = text.find(' ', 1); at != text.npos; at = text.find(' ', at + 1)) {
            const std::string_view before = text.substr(0, at);
            const bool is_last = at + 1 == text.size();
            if (!is_last && !before.ends_with(' ') && !before.ends_with(kMark)) cut(at);
        }
    }
    cut(text.size());
}

void SentencePieceModel::encode(std::string_view part, std::vector<std::int32_t>& ids) const {
    if (part.size() > kLongestText) {
        throw Error::mismatch("text", "length", "at most 1 GiB", std::to_string(part.size()));
    }
    std::vector<int> found;
    const auto status = library_->processor.Encode({part.data(), part.size()}, &found);
    if (!status.ok()) throw Error("SentencePiece: " + core::printable(status.ToString()));
    ids.insert(ids.end(), found.begin(), found.end());
}

std::optional<std::int32_t> SentencePieceModel::begin_token() const {
    return known(library_->processor.bos_id());
}

std::optional<std::int32_t> SentencePieceModel::end_token() const {
    return known(library_->processor.eos_id());
}

}  // namespace model
