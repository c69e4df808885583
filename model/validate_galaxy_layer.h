// The programs of a decode step of models/demos/llama3_70b_galaxy, one by one: a table names them
// as the profiler does, with the number of the call ("Matmul_2"). Internal to tables.
#pragma once

#include <optional>

#include "model/validate.h"

namespace model {

/// How long the program of the row takes with --software llama-galaxy on a torus of 32 chips;
/// nullopt: a decode step here has no such program. Reads section, op_instance, kv_pos, batch.
std::optional<Question> galaxy_decode_question(const core::CsvRecord& record,
                                               const ModelLibrary& library);

}  // namespace model
