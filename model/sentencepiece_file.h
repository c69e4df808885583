// The parts of a SentencePiece tokenizer.model that its library does not show or does not check.
// Invariant: what comes out is safe to load: no piece holds a zero byte, scores are finite and the
// table of replaced characters points nowhere outside itself.
// Format: google/sentencepiece: src/sentencepiece_model.proto, src/normalizer.cc
// DecodePrecompiledCharsMap, third_party/darts_clone/darts.h.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace model {

struct SentencePieceFile {
    /// ModelProto.SentencePiece.Type.
    enum class Type { Normal = 1, Unknown = 2, Control = 3, UserDefined = 4, Unused = 5, Byte = 6 };
    /// TrainerSpec.ModelType.
    enum class Model { Unigram = 1, Bpe = 2, Word = 3, Char = 4 };
    struct Piece {
        std::string text;
        float score = 0;
        Type type = Type::Normal;
    };
    /// Characters replaced before pieces are looked for; empty: none.
    struct Replacements {
        std::string trie;   // 32-bit units of darts-clone
        std::string texts;  // each ends with a zero byte
    };
    std::vector<Piece> pieces;  // by id
    Model model = Model::Unigram;
    std::string unknown_text = " \xe2\x81\x87 ";
    bool adds_space = true;      // before the text (add_dummy_prefix)
    bool drops_spaces = true;    // but for one between words (remove_extra_whitespaces)
    bool escapes_spaces = true;  // as U+2581
    bool spaces_end_words = false;
    bool has_bytes = false;  // an unknown character is its bytes (byte_fallback)
    Replacements replacements;
};

/// Throws core::Error "where: key: ...".
SentencePieceFile parse_sentencepiece_file(std::string_view bytes, std::string_view where);

}  // namespace model
