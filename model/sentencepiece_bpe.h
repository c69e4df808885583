// SentencePiece's BPE told as merges: two neighbours join where their joined text is a piece, the
// highest score first, the leftmost among equals.
// Rules: google/sentencepiece: src/bpe_model.cc SampleEncode.
#pragma once

#include <optional>

#include "model/bpe.h"
#include "model/sentencepiece_file.h"

namespace model {

/// nullopt when merges cannot say it: unused pieces, or pieces of characters that are none
/// themselves.
std::optional<Bpe> sentencepiece_bpe(const SentencePieceFile& file);

}  // namespace model
