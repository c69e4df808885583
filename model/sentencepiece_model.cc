#include "model/sentencepiece_model.h"

#include <sentencepiece_processor.h>

#include <algorithm>

#include "core/error.h"
#include "core/files.h"
#include "model/piece_trie.h"
#include "model/sentencepiece_bpe.h"
#include "model/sentencepiece_normalizer.h"
#include "model/unigram.h"
#include "model/utf8.h"

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

/// Whether normalized text may be cut between words: a mark is a piece, and begins those it is in.
bool can_cut_words(const SentencePieceFile& file) {
    const auto joins = [](const SentencePieceFile::Piece& piece) {
        return has_inner_mark(piece.text) && piece.type != Type::UserDefined;
    };
    const auto is_mark = [](const SentencePieceFile::Piece& piece) {
        return piece.text == kMark && piece.type == Type::Normal;
    };
    return std::none_of(file.pieces.begin(), file.pieces.end(), joins) &&
           std::any_of(file.pieces.begin(), file.pieces.end(), is_mark);
}

/// The pieces that are tokens wherever they stand.
PieceTrie user_defined(const SentencePieceFile& file) {
    std::vector<PieceTrie::Entry> entries;
    for (std::size_t id = 0; id < file.pieces.size(); ++id) {
        if (file.pieces[id].type != Type::UserDefined) continue;
        entries.push_back({file.pieces[id].text, static_cast<std::int32_t>(id)});
    }
    return PieceTrie(std::move(entries));
}

std::optional<std::int32_t> known(int id) {
    return id < 0 ? std::nullopt : std::optional<std::int32_t>(id);
}

}  // namespace

struct SentencePieceModel::Parts {
    sentencepiece::SentencePieceProcessor library;
    PieceTrie kept;
    std::optional<SentencePieceNormalizer> normalizer;
    std::optional<Unigram> unigram;
    std::optional<Bpe> bpe;
};

SentencePieceModel::SentencePieceModel(std::string_view bytes, std::string_view where)
    : file_(parse_sentencepiece_file(bytes, where)), parts_(std::make_unique<Parts>()) {
    const auto status = parts_->library.LoadFromSerializedProto({bytes.data(), bytes.size()});
    if (!status.ok()) {
        throw Error::mismatch(where, "model", "a SentencePiece model",
                              core::printable(status.ToString()));
    }
    parts_->kept = user_defined(file_);
    parts_->normalizer.emplace(file_);
    if (file_.model == SentencePieceFile::Model::Unigram) parts_->unigram.emplace(file_);
    if (file_.model == SentencePieceFile::Model::Bpe) parts_->bpe = sentencepiece_bpe(file_);
    cuts_words_ = can_cut_words(file_);
}

SentencePieceModel::~SentencePieceModel() = default;
SentencePieceModel::SentencePieceModel(SentencePieceModel&&) noexcept = default;
SentencePieceModel& SentencePieceModel::operator=(SentencePieceModel&&) noexcept = default;

void SentencePieceModel::split(std::string_view text, TextStore& store,
                               std::vector<std::string_view>& parts) const {
    if (text.size() > kLongestText) {
        throw Error::mismatch("text", "length", "at most 1 GiB", std::to_string(text.size()));
    }
    parts.clear();
    if (parts_->unigram || parts_->bpe) {
        text = store.emplace_back(parts_->normalizer->normalized(text));
    }
    if (text.empty()) return;
    if (!parts_->bpe) return parts.push_back(text);
    split_words(text, parts);
}

void SentencePieceModel::split_words(std::string_view text,
                                     std::vector<std::string_view>& parts) const {
    std::size_t done = 0;
    const auto cut = [&](std::size_t end) {
        if (end > done) parts.push_back(text.substr(done, end - done));
        done = end;
    };
    for (std::size_t at = 0; at < text.size();) {
        const std::string_view rest = text.substr(at);
        std::size_t kept = 0;
        parts_->kept.each_prefix(rest, [&](std::size_t length, std::int32_t) { kept = length; });
        if (kept > 0) {
            cut(at);
            at += kept;
            cut(at);
        } else {
            const bool is_mark = cuts_words_ && rest.starts_with(kMark);
            if (is_mark && !text.substr(0, at).ends_with(kMark)) cut(at);
            at += std::min(character_length(rest.front()), rest.size());
        }
    }
    cut(text.size());
}

void SentencePieceModel::encode(std::string_view part, std::vector<std::int32_t>& ids,
                                Bpe::Scratch& scratch) const {
    if (parts_->unigram) return parts_->unigram->encode(part, ids);
    if (parts_->bpe) {
        std::int32_t whole = -1;
        parts_->kept.each_prefix(part, [&](std::size_t length, std::int32_t id) {
            if (length == part.size()) whole = id;
        });
        if (whole >= 0) return ids.push_back(whole);
        return parts_->bpe->encode(part, ids, scratch);
    }
    std::vector<int> found;
    const auto status = parts_->library.Encode({part.data(), part.size()}, &found);
    if (!status.ok()) throw Error("SentencePiece: " + core::printable(status.ToString()));
    ids.insert(ids.end(), found.begin(), found.end());
}

std::optional<std::int32_t> SentencePieceModel::begin_token() const {
    return known(parts_->library.bos_id());
}

std::optional<std::int32_t> SentencePieceModel::end_token() const {
    return known(parts_->library.eos_id());
}

}  // namespace model
