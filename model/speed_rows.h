// A row of a table of whole models' speeds, as far as such tables agree, and the questions it asks:
// tokens per second of a user, and the time to the first token. A value that a row does not have
// asks nothing; a row that cannot be asked is skipped with its reason, the missing config first.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/csv.h"
#include "model/speed_question.h"
#include "model/validate.h"

namespace model {

inline constexpr std::int64_t kMostTokens = std::int64_t{1} << 22;
inline constexpr std::int64_t kMostUsers = 1 << 16;

struct SpeedRow {
    std::string model;
    std::string device;
    std::string section;  // of the group's name
    std::string software = "tt-transformers";
    std::string precision = "performance";
    std::int64_t groups = 1;
    std::int64_t batch = 1;
    std::int64_t users_before = 1;  // whose prompts the time to the first token contains
    dispatch::Release release = dispatch::Release::R2025;
    enum class Prefill { Called, Traced } prefill = Prefill::Called;
    std::vector<Prompts> prompts;  // of a batch whose users' prompts differ
    EstimateOptions run;
    std::string skipped;  // why neither value can be asked

    std::optional<double> rate;
    std::optional<double> first_token_ms;
    std::string no_first_token;  // why the published one cannot be asked
};

/// Whether models/demos/llama3_70b_galaxy runs it.
bool is_galaxy_demo(std::string_view model);
/// Asks the row of that demo.
void ask_galaxy_demo(SpeedRow& row);

std::vector<AskedRow> speed_rows(const SpeedRow& row, const ModelLibrary& library);

/// A column's number; 1 where it is empty.
std::int64_t count_of(const core::CsvRecord& record, std::string_view column, std::int64_t most);

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != text.npos;
}

}  // namespace model
