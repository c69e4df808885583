// The null of tables that bring none: time = sum of coefficient * term, fitted on the table's own
// measurements (least squares of the relative errors). It has seen every row it is scored on, so a
// simulator that is not better than it explains nothing.
#pragma once

#include <vector>

#include "model/validate.h"

namespace model {

/// Sets null_value of every row that has null_terms, family by family.
void fit_nulls(std::vector<JudgedRow>& rows);

}  // namespace model
