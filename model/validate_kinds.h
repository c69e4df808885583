// The kinds of tables, one file each: validate_memory_fit.cc, validate_chunk_sizes.cc.
#pragma once

#include "model/validate.h"

namespace model {

/// model, device, max_context_tokens, fits; optional: batch, dp, trace_region_size_B, verdict.
TableKind memory_fit_kind();
/// model, device, max_prefill_chunk_k_tokens.
TableKind chunk_sizes_kind();

/// "a/b" -> {"a", "b"}, blanks around the parts dropped.
std::vector<std::string> parts_of(std::string_view text, char separator);

}  // namespace model
