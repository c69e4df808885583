#include "model/unigram.h"

#include <algorithm>
#include <limits>

#include "model/token_decoder.h"
#include "model/utf8.h"

namespace model {

namespace {

using Type = SentencePieceFile::Type;

constexpr float kUnknownPenalty = 10;  // kUnkPenalty of unigram_model.cc

}  // namespace

Unigram::Unigram(const SentencePieceFile& file) : scores_(file.pieces.size(), 0) {
    float lowest = std::numeric_limits<float>::max();
    float highest = std::numeric_limits<float>::min();  // FLT_MIN, above 0, as in the library
    for (const auto& piece : file.pieces) {
        if (piece.type != Type::Normal) continue;
        lowest = std::min(lowest, piece.score);
        highest = std::max(highest, piece.score);
    }
    unknown_score_ = lowest - kUnknownPenalty;
    if (file.has_bytes) byte_ids_.resize(256, -1);
    std::vector<PieceTrie::Entry> entries;
    for (std::size_t i = 0; i < file.pieces.size(); ++i) {
        const auto& piece = file.pieces[i];
        const auto id = static_cast<std::int32_t>(i);
        scores_[i] = static_cast<double>(piece.score);
        if (piece.type == Type::UserDefined) {  // always above what it could be cut into
            scores_[i] = static_cast<double>(static_cast<float>(piece.text.size()) * highest) - 0.1;
        }
        if (piece.type == Type::Unknown) unknown_ = id;
        const auto byte = piece.type == Type::Byte ? byte_of_piece(piece.text) : std::nullopt;
        if (byte && file.has_bytes) byte_ids_[static_cast<unsigned char>(*byte)] = id;
        if (piece.type == Type::Normal || piece.type == Type::UserDefined) {
            entries.push_back({piece.text, id});
        }
    }
    trie_ = PieceTrie(std::move(entries));
}

/// Encodes one text.
class Unigram::Search {
public:
    Search(const Unigram& model, std::string_view text, std::vector<std::int32_t>& ids)
        : model_(model), text_(text), ids_(ids) {}

    void run() {
        for (std::size_t at = 0; at < text_.size();) {
            const std::size_t width = std::min(character_length(text_[at]), text_.size() - at);
            const float here = ends_[at - first_].score;
            bool has_character = false;
            model_.trie_.each_prefix(text_.substr(at), [&](std::size_t length, std::int32_t id) {
                const double score = model_.scores_[static_cast<std::size_t>(id)];
                offer(at, length, id, score + static_cast<double>(here));
                has_character = has_character || length == width;
            });
            if (!has_character) {
                const float score = model_.unknown_score_ + here;
                offer(at, width, model_.unknown_, static_cast<double>(score));
            }
            at += width;
            if (at - first_ == reach_) finish(at);
        }
    }

private:
    /// The best way to a place in the text: its last piece.
    struct End {
        float score = 0;
        std::int32_t id = -1;  // -1: none yet
        std::uint32_t length = 0;
    };

    void offer(std::size_t at, std::size_t length, std::int32_t id, double score) {
        const std::size_t place = at - first_ + length;
        if (place > reach_) {
            reach_ = place;
            if (ends_.size() <= reach_) ends_.resize(std::max(reach_ + 1, 2 * ends_.size()));
        }
        End& end = ends_[place];
        if (end.id < 0 || score > static_cast<double>(end.score)) {
            end = {static_cast<float>(score), id, static_cast<std::uint32_t>(length)};
        }
    }

    // No piece crosses `at`: the way there is final.
    void finish(std::size_t at) {
        way_.clear();
        for (std::size_t place = reach_; place > 0; place -= ends_[place].length) {
            way_.push_back(ends_[place]);
        }
        const float score = ends_[reach_].score;
        std::fill_n(ends_.begin(), reach_ + 1, End{});
        ends_[0].score = score;
        std::size_t piece = first_;
        for (auto end = way_.rbegin(); end != way_.rend(); ++end) {
            append(*end, text_.substr(piece, end->length));
            piece += end->length;
        }
        first_ = at;
        reach_ = 0;
    }

    void append(const End& end, std::string_view piece) {
        const bool is_unknown = end.id == model_.unknown_;
        if (is_unknown && !model_.byte_ids_.empty()) {
            for (const char byte : piece) {
                ids_.push_back(model_.byte_ids_[static_cast<unsigned char>(byte)]);
            }
        } else if (!is_unknown || !follows_unknown_) {  // a run of unknown ones is one token
            ids_.push_back(end.id);
        }
        follows_unknown_ = is_unknown;
    }

    const Unigram& model_;
    std::string_view text_;
    std::vector<std::int32_t>& ids_;
    std::size_t first_ = 0;                         // up to here the way is final
    std::size_t reach_ = 0;                         // how far pieces reach from there
    std::vector<End> ends_ = std::vector<End>(64);  // from first_ on
    std::vector<End> way_;
    bool follows_unknown_ = false;
};

void Unigram::encode(std::string_view text, std::vector<std::int32_t>& ids) const {
    Search(*this, text, ids).run();
}

}  // namespace model
