// A library of the models, aliases and systems of this tree, and tables written in a test.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/csv.h"
#include "core/files.h"
#include "model/validate.h"
#include "tests/core/temp_folder.h"

namespace model::testing {

inline const ModelLibrary& library() {
    static const ModelLibrary all({TESSERA_SOURCE_DIR "/topologies"},
                                  TESSERA_SOURCE_DIR "/models/configs",
                                  TESSERA_SOURCE_DIR "/models/aliases.yaml");
    return all;
}

inline Validation validated(const std::string& table) {
    return validate(core::parse_csv(table, "t.csv"), library());
}

/// Rows of a memory-fit table: kind,model,device,context,batch,dp,trace region,fits,verdict.
inline Validation validated_fit(const std::vector<std::string>& rows) {
    std::string table =
        "kind,model,device,max_context_tokens,batch,dp,trace_region_size_B,fits,verdict\n";
    for (const std::string& row : rows) table += row + "\n";
    return validated(table);
}

/// Rows of a chunk table: model,device,k tokens.
inline Validation validated_chunks(const std::vector<std::string>& rows) {
    std::string table = "model,device,max_prefill_chunk_k_tokens\n";
    for (const std::string& row : rows) table += row + "\n";
    return validated(table);
}

}  // namespace model::testing
