#include "model/sentencepiece_bpe.h"

#include <algorithm>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "model/piece_trie.h"
#include "model/token_decoder.h"
#include "model/utf8.h"

namespace model {

namespace {

using Type = SentencePieceFile::Type;

bool joins(const SentencePieceFile::Piece& piece) {
    return piece.type == Type::Normal || piece.type == Type::UserDefined;
}

bool is_character(std::string_view text) { return character_length(text.front()) == text.size(); }

bool merges_say_it(const SentencePieceFile& file) {
    std::unordered_set<std::string_view> characters;
    for (const auto& piece : file.pieces) {
        if (is_character(piece.text) && joins(piece)) characters.insert(piece.text);
    }
    const auto is_plain = [&](const SentencePieceFile::Piece& piece) {
        if (piece.type == Type::Unused) return false;
        if (!joins(piece)) return !is_character(piece.text);
        for (std::string_view rest = piece.text; !rest.empty();) {
            const std::size_t length = character_length(rest.front());
            if (!characters.contains(rest.substr(0, length))) return false;
            rest.remove_prefix(length);
        }
        return true;
    };
    return std::all_of(file.pieces.begin(), file.pieces.end(), is_plain);
}

Bpe::Unknown unknown_of(const SentencePieceFile& file) {
    Bpe::Unknown unknown;
    unknown.fuses = true;
    if (file.has_bytes) unknown.bytes.emplace().fill(-1);
    for (std::size_t id = 0; id < file.pieces.size(); ++id) {
        const auto& piece = file.pieces[id];
        if (piece.type == Type::Unknown) unknown.token = static_cast<std::int32_t>(id);
        const auto byte = piece.type == Type::Byte ? byte_of_piece(piece.text) : std::nullopt;
        if (byte && unknown.bytes) {
            (*unknown.bytes)[static_cast<unsigned char>(*byte)] = static_cast<std::int32_t>(id);
        }
    }
    return unknown;
}

/// Pieces by their ranks: 0 has the highest score, equal scores share one.
std::map<float, std::int32_t, std::greater<>> ranks_of(const SentencePieceFile& file) {
    std::map<float, std::int32_t, std::greater<>> ranks;
    for (const auto& piece : file.pieces) ranks.emplace(piece.score, 0);
    std::int32_t rank = 0;
    for (auto& [score, place] : ranks) place = rank++;
    return ranks;
}

}  // namespace

std::optional<Bpe> sentencepiece_bpe(const SentencePieceFile& file) {
    if (!merges_say_it(file)) return std::nullopt;
    std::vector<std::string> reversed;  // pieces by their ends
    reversed.reserve(file.pieces.size());
    std::vector<PieceTrie::Entry> forward;
    std::vector<PieceTrie::Entry> backward;
    Bpe bpe(unknown_of(file), WholePieces::Merge);
    for (std::size_t i = 0; i < file.pieces.size(); ++i) {
        const auto& piece = file.pieces[i];
        if (!joins(piece)) continue;
        const auto id = static_cast<std::int32_t>(i);
        bpe.add_piece(piece.text, id);
        reversed.emplace_back(piece.text.rbegin(), piece.text.rend());
        forward.push_back({piece.text, id});
        backward.push_back({reversed.back(), id});
    }
    const PieceTrie starts(forward);
    const PieceTrie ends(backward);
    const auto ranks = ranks_of(file);
    std::vector<std::int32_t> left;  // by where it ends in the piece; -1: no piece
    for (std::size_t i = 0; i < forward.size(); ++i) {
        const std::string_view text = forward[i].text;
        const std::int32_t id = forward[i].id;
        left.assign(text.size() + 1, -1);
        starts.each_prefix(text,
                           [&](std::size_t length, std::int32_t start) { left[length] = start; });
        const std::int32_t rank = ranks.at(file.pieces[static_cast<std::size_t>(id)].score);
        ends.each_prefix(backward[i].text, [&](std::size_t length, std::int32_t end) {
            const std::int32_t start = left[text.size() - length];
            if (start >= 0) bpe.add_merge(start, end, rank, id);
        });
    }
    return bpe;
}

}  // namespace model
