// Tokens that travel to the chips of their experts and back, instead of experts that see all tokens
// on every chip: every chip keeps its own rows, an all-to-all takes them to the experts, a second
// one brings back what those made.
// Source: tenstorrent/tt-metal models/demos/deepseek_v3/tt/moe.py (all_to_all_dispatch, experts,
// all_to_all_combine, weighted sum).
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "model/program_writer.h"

namespace model {

/// The axis along which `rows` tokens travel: one that shares out the experts and nothing but them,
/// and that divides the rows. nullopt: all chips see all tokens.
std::optional<int> exchange_axis(const Profile& profile, std::int64_t rows);

/// Rows that one chip sends another when `own` rows go to their experts and any choice of experts
/// is as likely as any other; rounded up. `per_chip` experts are on each chip.
std::int64_t balanced_rows(std::int64_t own, std::int64_t per_chip, const tensor::Experts& experts);

/// The rows [rows, K] that experts of each chip are chosen for, from x [rows, K] and routing
/// [rows, experts], both whole on every chip of the axis.
Located dispatch_rows(ProgramWriter& writer, const std::string& label, const Located& x,
                      const Located& routing, int axis, const tensor::Experts& experts);

/// What the chips' experts made, y [rows, K], summed for the chip's own rows and brought to where
/// the stream is.
Located combine_rows(ProgramWriter& writer, const std::string& label, const Located& y,
                     const Located& routing, int axis, const tensor::Experts& experts);

/// What experts made of which an axis has copies: each chip keeps its part of the stream.
Located copies_in_stream(ProgramWriter& writer, const std::string& label, Located made);

}  // namespace model
