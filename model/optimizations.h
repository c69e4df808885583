// Precision as users of tt_transformers write it: the --optimizations string, or a decoder JSON.
//   precision_cfg = {ff1_3: bfp4, wqkv: bf16}, fidelity_cfg = {li_ff1_3: lofi}
//   {"decoders": {"31": {"precision_cfg": {"FF1_FF3": "BFP8"}, "fidelity_cfg": {...}}}}
// What is said is laid over the default row (bfp8, hifi2); decoders the JSON does not list take
// the mode's rule. Texts and traps: tenstorrent/tt-metal: models/tt_transformers/tt/
// model_config.py, parse_optimizations and DecodersPrecision, tree of 2026-05-23.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "model/precision.h"

namespace model {

/// True for texts of the first form above.
bool is_optimizations_text(std::string_view text);

/// Every one of `layers` decoders as `text` says. Throws core::Error.
Precision parse_optimizations(std::string_view text, std::int32_t layers);

struct DecoderPrecision {
    Precision precision;
    std::vector<std::string> warnings;  // decoders beyond the model
};

/// Decoders as the file says, over `mode` ("performance" or "accuracy") for a model named "model".
/// Throws core::Error.
DecoderPrecision load_decoder_precision(const std::filesystem::path& file, std::string_view mode,
                                        std::int32_t layers);

/// What `wanted` means for the model in `folder`: a preset, an optimizations text, or the path of a
/// decoder JSON. Beside the model a performance_decoder_config.json or accuracy_decoder_config.json
/// wins over the preset of that name, as model_params/<model> does. Throws core::Error.
DecoderPrecision precision_for(std::string_view wanted, const std::filesystem::path& folder,
                               std::int32_t layers);

}  // namespace model
