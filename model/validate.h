// How far the simulator is from measurements: a table of them is read, every row becomes a question
// to the planner (or the clock), and the answers are scored. The kind of a table is known by its
// columns; a kind is one file (validate_KIND.cc): the columns it needs, how a row becomes
// questions, how answers are scored, how rows are grouped. Invariant: equal questions are asked
// once, and results do not depend on the number of threads.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/csv.h"
#include "model/validate_models.h"

namespace model {

/// What the simulator says to one question. `value` is 1 or 0 for yes or no, else a quantity.
struct Answer {
    double value = 0;
    std::string text;        // as printed: "yes", "32k"
    std::string why;         // what decided it: the failed buffer, the free bytes, the heads
    std::string unanswered;  // why there is no answer; empty: there is one
    /// What the published closed form says, where it says something: the null to be better than.
    std::optional<double> null_value = {};
    /// Where the null is fitted on the table itself: what its coefficients multiply.
    std::vector<double> null_terms = {};
};

/// `text` is the whole question: equal texts have equal answers.
struct Question {
    std::string text;
    std::function<Answer()> ask;
};

/// A row as its kind reads it.
struct AskedRow {
    std::string group;
    std::vector<Question> questions;  // all of them must agree with the measurement
    double measured = 0;
    std::string measured_text;
    std::string skipped;  // why the row asks nothing; empty: it asks
    /// Rows whose null has the same coefficients; a rate is the inverse of what they add up to.
    std::string null_family = {};
    enum class Null { Time, Rate } null_of = Null::Time;
};

enum class Scoring {
    YesNo,  // 1 or 0
    Size,   // powers of two; 0: none
    Error,  // times and rates: how far off, no verdict
};

struct TableKind {
    std::string_view name;                  // "memory fit"
    std::vector<std::string_view> columns;  // that tell the kind; others are optional
    Scoring scoring = Scoring::YesNo;
    AskedRow (*ask)(const core::CsvRecord& record, const ModelLibrary& library) = nullptr;
    /// In place of `ask` where a row holds several measurements: one asked row for each.
    std::vector<AskedRow> (*ask_all)(const core::CsvRecord& record,
                                     const ModelLibrary& library) = nullptr;
    std::string_view software = "tt-metal";  // whose measurements they are
};

/// All kinds there are.
std::span<const TableKind> table_kinds();

enum class Verdict { Agrees, WithinTwofold, Disagrees, Compared, Skipped };
/// "agrees", "within 2x", "disagrees", "compared" (Scoring::Error), "skipped".
std::string_view to_text(Verdict verdict);

struct JudgedRow {
    std::int64_t line = 0;
    std::string group;
    std::string asked;
    std::string predicted;
    std::string measured;
    Verdict verdict = Verdict::Skipped;
    std::string why;
    double predicted_value = 0;
    double measured_value = 0;
    std::optional<double> null_value;
    std::vector<double> null_terms;  // Answer::null_terms
    std::string null_family;         // AskedRow's
    AskedRow::Null null_of = AskedRow::Null::Time;

    /// What `value` is off the measured one, signed; nullopt for what is measured as 0 and for
    /// skipped rows.
    std::optional<double> error_pct(double value) const;
};

/// Absolute percentage errors; absent without rows.
struct Errors {
    std::int64_t rows = 0;
    std::optional<double> median_ape_pct;
    std::optional<double> mean_ape_pct;
    std::optional<double> p90_ape_pct;
};

/// Percentages over the judged rows of a table or a group; absent where they have no meaning.
struct Scores {
    std::int64_t rows = 0;
    std::optional<double> agree_yes_pct;  // of the rows measured "yes"
    std::optional<double> agree_no_pct;   // of the rows measured "no"
    std::optional<double> exact_pct;
    std::optional<double> within_2x_pct;
    /// As within_2x_pct, but a measured size below what fits counts as agreeing: a chosen limit.
    std::optional<double> within_2x_or_above_pct;
    // Absolute percentage errors of the rows measured above 0.
    std::optional<double> median_ape_pct;
    std::optional<double> mean_ape_pct;
    std::optional<double> p90_ape_pct;
    Errors null_errors;  // of the published closed form, on the rows it answers
};

struct GroupScores {
    std::string name;
    Scores scores;
};

struct Validation {
    std::string kind;
    std::string_view software;
    Scoring scoring = Scoring::YesNo;
    Scores scores;
    std::vector<GroupScores> groups;              // by name
    std::map<std::string, std::int64_t> skipped;  // rows by reason
    std::vector<JudgedRow> rows;                  // all of them, in the order of the table
};

/// Scores of the rows that are not skipped.
Scores score(Scoring scoring, std::span<const JudgedRow* const> rows);

/// Whether the columns match a kind.
bool is_known(const core::CsvTable& table);

/// Throws core::Error when the columns match no kind, or a field is bad.
Validation validate(const core::CsvTable& table, const ModelLibrary& library);

}  // namespace model
