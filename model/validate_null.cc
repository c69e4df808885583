#include "model/validate_null.h"

#include <algorithm>
#include <cmath>
#include <map>

namespace model {
namespace {

double time_of(const JudgedRow& row) {
    return row.null_of == AskedRow::Null::Rate ? 1 / row.measured_value : row.measured_value;
}

using Matrix = std::vector<std::vector<double>>;

// Gauss with pivots; empty where the terms are not independent.
std::vector<double> solved(Matrix equations) {
    const std::size_t size = equations.size();
    for (std::size_t at = 0; at < size; ++at) {
        std::size_t pivot = at;
        for (std::size_t row = at + 1; row < size; ++row) {
            if (std::abs(equations[row][at]) > std::abs(equations[pivot][at])) pivot = row;
        }
        std::swap(equations[at], equations[pivot]);
        if (equations[at][at] == 0) return {};
        for (std::size_t row = 0; row < size; ++row) {
            if (row == at) continue;
            const double factor = equations[row][at] / equations[at][at];
            for (std::size_t col = at; col <= size; ++col) {
                equations[row][col] -= factor * equations[at][col];
            }
        }
    }
    std::vector<double> values;
    for (std::size_t at = 0; at < size; ++at) {
        values.push_back(equations[at][size] / equations[at][at]);
    }
    return values;
}

// Normal equations of sum_i (sum_j c_j x_ij / t_i - 1)^2.
std::vector<double> fitted(const std::vector<JudgedRow*>& rows) {
    const std::size_t terms = rows.front()->null_terms.size();
    Matrix equations(terms, std::vector<double>(terms + 1));
    for (const JudgedRow* row : rows) {
        std::vector<double> scaled = row->null_terms;
        for (double& term : scaled) term /= time_of(*row);
        for (std::size_t i = 0; i < terms; ++i) {
            for (std::size_t j = 0; j < terms; ++j) equations[i][j] += scaled[i] * scaled[j];
            equations[i][terms] += scaled[i];
        }
    }
    return solved(std::move(equations));
}

double predicted(const JudgedRow& row, const std::vector<double>& coefficients) {
    double time = 0;
    for (std::size_t i = 0; i < coefficients.size(); ++i) {
        time += coefficients[i] * row.null_terms[i];
    }
    return row.null_of == AskedRow::Null::Rate ? 1 / time : time;
}

}  // namespace

void fit_nulls(std::vector<JudgedRow>& rows) {
    std::map<std::string, std::vector<JudgedRow*>> families;
    for (JudgedRow& row : rows) {
        const bool counts = row.verdict != Verdict::Skipped && row.measured_value > 0;
        if (counts && !row.null_terms.empty()) families[row.null_family].push_back(&row);
    }
    for (const auto& [name, members] : families) {
        const std::vector<double> coefficients = fitted(members);
        if (coefficients.empty()) continue;
        for (JudgedRow* row : members) row->null_value = predicted(*row, coefficients);
    }
}

}  // namespace model
