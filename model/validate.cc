#include "model/validate.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <numeric>

#include "core/error.h"
#include "core/parallel.h"
#include "model/validate_kinds.h"
#include "model/validate_null.h"
#include "model/validate_plan.h"

namespace model {
namespace {

std::string joined(const auto& names) {
    std::string text;
    for (const auto& name : names) text += (text.empty() ? "" : ", ") + std::string(name);
    return text;
}

const TableKind* find_kind(const core::CsvTable& table) {
    for (const TableKind& kind : table_kinds()) {
        const bool all = std::all_of(kind.columns.begin(), kind.columns.end(),
                                     [&](std::string_view name) { return table.has(name); });
        if (all) return &kind;
    }
    return nullptr;
}

const TableKind& kind_of(const core::CsvTable& table) {
    if (const TableKind* kind = find_kind(table)) return *kind;
    std::string known;
    for (const TableKind& kind : table_kinds()) {
        known += (known.empty() ? "" : "; ") + std::string(kind.name) + ": " + joined(kind.columns);
    }
    throw core::Error::mismatch(table.where + ":1", "",
                                "the columns of a kind of table (" + known + ")",
                                core::printable(joined(table.columns)));
}

std::vector<AskedRow> rows_of(const TableKind& kind, const core::CsvRecord& record,
                              const ModelLibrary& library) {
    if (kind.ask_all != nullptr) return kind.ask_all(record, library);
    return {kind.ask(record, library)};
}

// Every question once; the answers by text.
std::map<std::string, Answer> answer_all(const std::vector<AskedRow>& rows) {
    std::map<std::string, Answer> answers;
    std::vector<std::pair<const Question*, Answer*>> open;
    for (const AskedRow& row : rows) {
        if (!row.skipped.empty()) continue;
        for (const Question& question : row.questions) {
            const auto [place, is_new] = answers.try_emplace(question.text);
            if (is_new) open.emplace_back(&question, &place->second);
        }
    }
    core::parallel_for(open.size(),
                       [&](std::size_t i) { *open[i].second = guarded(open[i].first->ask); });
    return answers;
}

bool within_twofold(double a, double b) { return a == b || (a <= 2 * b && b <= 2 * a); }

Verdict verdict_of(Scoring scoring, double predicted, double measured) {
    if (scoring == Scoring::Error) return Verdict::Compared;
    if (predicted == measured) return Verdict::Agrees;
    if (scoring == Scoring::Size && within_twofold(predicted, measured)) {
        return Verdict::WithinTwofold;
    }
    return Verdict::Disagrees;
}

// The answer that disagrees most speaks for the row.
JudgedRow judge(Scoring scoring, std::int64_t line, const AskedRow& row,
                const std::map<std::string, Answer>& answers) {
    JudgedRow judged;
    judged.line = line;
    judged.group = row.group;
    judged.measured = row.measured_text;
    judged.measured_value = row.measured;
    judged.why = row.skipped;
    judged.null_family = row.null_family;
    judged.null_of = row.null_of;
    if (!row.skipped.empty()) return judged;
    judged.verdict = Verdict::Agrees;
    for (const Question& question : row.questions) {
        const Answer& answer = answers.at(question.text);
        const Verdict verdict = answer.unanswered.empty()
                                    ? verdict_of(scoring, answer.value, row.measured)
                                    : Verdict::Skipped;
        if (!judged.asked.empty() && verdict <= judged.verdict) continue;
        judged.verdict = verdict;
        judged.asked = question.text;
        judged.predicted = answer.text;
        judged.predicted_value = answer.value;
        judged.null_value = answer.null_value;
        judged.null_terms = answer.null_terms;
        judged.why = answer.unanswered.empty() ? answer.why : answer.unanswered;
    }
    return judged;
}

template <class Condition>
std::optional<double> share(std::span<const JudgedRow* const> rows, Condition condition) {
    if (rows.empty()) return {};
    return 100.0 * static_cast<double>(std::count_if(rows.begin(), rows.end(), condition)) /
           static_cast<double>(rows.size());
}

std::optional<double> agreement(std::span<const JudgedRow* const> rows, double measured) {
    std::vector<const JudgedRow*> chosen;
    std::copy_if(rows.begin(), rows.end(), std::back_inserter(chosen),
                 [&](const JudgedRow* row) { return row->measured_value == measured; });
    return share(chosen, [](const JudgedRow* row) { return row->verdict == Verdict::Agrees; });
}

Errors errors_of(std::vector<double> errors) {
    Errors found;
    found.rows = static_cast<std::int64_t>(errors.size());
    if (errors.empty()) return found;
    std::sort(errors.begin(), errors.end());
    const std::size_t count = errors.size();
    found.median_ape_pct = (errors[(count - 1) / 2] + errors[count / 2]) / 2;
    found.mean_ape_pct =
        std::accumulate(errors.begin(), errors.end(), 0.0) / static_cast<double>(count);
    found.p90_ape_pct = errors[(9 * count + 9) / 10 - 1];  // nearest rank
    return found;
}

void score_errors(Scores& scores, std::span<const JudgedRow* const> rows) {
    std::vector<double> own;
    std::vector<double> null;
    for (const JudgedRow* row : rows) {
        const std::optional<double> error = row->error_pct(row->predicted_value);
        if (!error) continue;
        own.push_back(std::abs(*error));
        if (row->null_value) null.push_back(std::abs(*row->error_pct(*row->null_value)));
    }
    const Errors errors = errors_of(std::move(own));
    scores.median_ape_pct = errors.median_ape_pct;
    scores.mean_ape_pct = errors.mean_ape_pct;
    scores.p90_ape_pct = errors.p90_ape_pct;
    scores.null_errors = errors_of(std::move(null));
}

}  // namespace

std::vector<std::string> parts_of(std::string_view text, char separator) {
    std::vector<std::string> parts;
    while (true) {
        const std::size_t end = std::min(text.find(separator), text.size());
        std::string_view part = text.substr(0, end);
        part.remove_prefix(std::min(part.find_first_not_of(' '), part.size()));
        part = part.substr(0, part.find_last_not_of(' ') + 1);
        parts.emplace_back(part);
        if (end == text.size()) return parts;
        text.remove_prefix(end + 1);
    }
}

std::optional<double> optional_number(const core::CsvRecord& record, std::string_view column) {
    const std::string& field = record.text(column);
    if (field.empty()) return {};
    double value = 0;
    const char* const end = field.data() + field.size();
    const auto [stop, code] = std::from_chars(field.data(), end, value);
    if (code != std::errc{} || stop != end || !std::isfinite(value) || value < 0) {
        throw record.unexpected(column, "a number that is not negative");
    }
    return value;
}

std::span<const TableKind> table_kinds() {
    static const std::vector<TableKind> kKinds{
        memory_fit_kind(),
        chunk_sizes_kind(),
        collectives_kind(),
        collective_shapes_kind(),
        collective_traces_kind(),
        packets_kind(),
        matmul_kind(),
        dispatch_kind(),
        dispatch_latency_kind(),
        pcie_kind(),
        demo_speed_kind(),
        readme_speed_kind(),
        server_speed_kind(),
        target_speed_kind(),
        server_roofline_kind(),
        bounty_roofline_kind(),
        attention_kind(),
        op_profiles_kind(),
        op_targets_kind(),
        galaxy_ops_kind(),
        chunk_ops_kind(),
        noc_latency_kind(),
        noc_bandwidth_kind(),
        dram_bandwidth_kind(),
    };
    return kKinds;
}

std::string_view to_text(Verdict verdict) {
    switch (verdict) {
        case Verdict::Agrees:
            return "agrees";
        case Verdict::WithinTwofold:
            return "within 2x";
        case Verdict::Disagrees:
            return "disagrees";
        case Verdict::Compared:
            return "compared";
        case Verdict::Skipped:
            return "skipped";
    }
    return "";
}

std::optional<double> JudgedRow::error_pct(double value) const {
    if (verdict == Verdict::Skipped || measured_value <= 0) return {};
    return 100 * (value / measured_value - 1);
}

Scores score(Scoring scoring, std::span<const JudgedRow* const> rows) {
    Scores scores;
    scores.rows = static_cast<std::int64_t>(rows.size());
    if (scoring == Scoring::YesNo) {
        scores.agree_yes_pct = agreement(rows, 1);
        scores.agree_no_pct = agreement(rows, 0);
        return scores;
    }
    score_errors(scores, rows);
    if (scoring == Scoring::Error) return scores;
    const auto near = [](const JudgedRow* row) { return row->verdict != Verdict::Disagrees; };
    scores.exact_pct =
        share(rows, [](const JudgedRow* row) { return row->verdict == Verdict::Agrees; });
    scores.within_2x_pct = share(rows, near);
    scores.within_2x_or_above_pct = share(rows, [&](const JudgedRow* row) {
        return near(row) || row->predicted_value > row->measured_value;
    });
    return scores;
}

bool is_known(const core::CsvTable& table) { return find_kind(table) != nullptr; }

Validation validate(const core::CsvTable& table, const ModelLibrary& library) {
    const TableKind& kind = kind_of(table);
    std::vector<AskedRow> asked;
    std::vector<std::int64_t> lines;
    for (const core::CsvRow& row : table.rows) {
        for (AskedRow& one : rows_of(kind, core::CsvRecord(table, row), library)) {
            asked.push_back(std::move(one));
            lines.push_back(row.line);
        }
    }
    const std::map<std::string, Answer> answers = answer_all(asked);
    Validation validation{std::string(kind.name), kind.software, kind.scoring, {}, {}, {}, {}};
    for (std::size_t i = 0; i < asked.size(); ++i) {
        validation.rows.push_back(judge(kind.scoring, lines[i], asked[i], answers));
    }
    fit_nulls(validation.rows);
    std::vector<const JudgedRow*> judged;
    std::map<std::string, std::vector<const JudgedRow*>> groups;
    for (const JudgedRow& row : validation.rows) {
        if (row.verdict == Verdict::Skipped) {
            ++validation.skipped[row.why];
            continue;
        }
        judged.push_back(&row);
        groups[row.group].push_back(&row);
    }
    validation.scores = score(kind.scoring, judged);
    for (const auto& [name, rows] : groups) {
        validation.groups.push_back({name, score(kind.scoring, rows)});
    }
    return validation;
}

}  // namespace model
