#include "model/speed_rows.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace model {
namespace {

// The config is looked for first: what has none is no question of which program it was.
std::variant<SpeedQuestion, Unknown> question_of(const SpeedRow& row, const ModelLibrary& library) {
    auto model = library.model(row.model);
    if (auto* unknown = std::get_if<Unknown>(&model)) return std::move(*unknown);
    if (!row.skipped.empty()) return Unknown{row.skipped};
    auto group = library.group(row.device, row.groups);
    if (auto* unknown = std::get_if<Unknown>(&group)) return std::move(*unknown);
    SpeedQuestion question;
    question.model = std::get<KnownModel>(std::move(model));
    question.device = row.device;
    question.mesh = std::get<fabric::Mesh>(std::move(group));
    question.software = row.software;
    question.precision = row.precision;
    question.batch = row.batch;
    question.prompts = row.prompts;
    question.release = row.release;
    question.trace_region = library.default_trace_region(question.model, question.mesh);
    question.run = row.run;
    question.run.groups = std::max(row.run.groups, row.groups);
    question.run.host = library.host_costs(row.software);
    if (row.prefill == SpeedRow::Prefill::Traced) {
        // GUESS: the Galaxy demo traced these before tt_transformers did; its generator always has.
        const auto release = row.software == "tt-transformers"
                                 ? row.release
                                 : std::max(row.release, dispatch::Release::R2026_05);
        question.run.traced_prefills =
            library.traced_prefills(question.model, question.mesh, release);
    }
    return question;
}

AskedRow rate_row(const SpeedRow& row) {
    AskedRow asked;
    asked.group = fmt::format("tok_s_user {} {}", row.device, row.section);
    asked.null_of = AskedRow::Null::Rate;
    asked.null_family = "rate";
    asked.measured = *row.rate;
    asked.measured_text = fmt::format("{:.2f} tokens/s, {:.2f} ms", *row.rate, 1e3 / *row.rate);
    return asked;
}

AskedRow first_token_row(const SpeedRow& row) {
    AskedRow asked;
    asked.group = fmt::format("ttft_ms {} {}", row.device, row.section);
    asked.null_family = "first token";
    asked.measured = *row.first_token_ms;
    asked.measured_text = fmt::format("{:.1f} ms", *row.first_token_ms);
    asked.skipped = row.no_first_token;
    return asked;
}

void ask(AskedRow& row, SpeedOf value, const std::variant<SpeedQuestion, Unknown>& found,
         std::int64_t users) {
    if (const auto* unknown = std::get_if<Unknown>(&found)) {
        row.skipped = unknown->reason;
        return;
    }
    if (!row.skipped.empty()) return;
    const auto& question = std::get<SpeedQuestion>(found);
    row.null_family += " " + mesh::to_text(question.mesh.system.chip.arch);
    const bool is_rate = value == SpeedOf::Decode;
    const std::string text = question.text() + (is_rate ? ": decode" : ": first token") +
                             (!is_rate && users > 1 ? fmt::format(" of {} users", users) : "");
    row.questions.push_back(
        {text, [question, value, users] { return speed_answer(question, value, users); }});
}

}  // namespace

bool is_galaxy_demo(std::string_view model) {
    const std::string name = lower_case(model);
    return (name.starts_with("llama-3") || name.starts_with("llama3")) &&
           (name.ends_with("70b") || name.ends_with("70b-instruct"));
}

// On a torus: it asks for rings (model_config.py: CCL_TOPOLOGY of a 6U).
void ask_galaxy_demo(SpeedRow& row) {
    row.software = "llama-galaxy";
    row.device = "GALAXY_TORUS";
    row.prefill = SpeedRow::Prefill::Traced;  // generator.py: prefill_forward_text, enable_trace
    row.run.sampling = EstimateOptions::Sampling::Device;  // served or not
}

std::int64_t count_of(const core::CsvRecord& record, std::string_view column, std::int64_t most) {
    return record.optional_integer(column, 1, most).value_or(1);
}

std::vector<AskedRow> speed_rows(const SpeedRow& row, const ModelLibrary& library) {
    std::vector<AskedRow> rows;
    if (!row.rate && !row.first_token_ms) return rows;
    const auto found = question_of(row, library);
    if (row.rate) {
        rows.push_back(rate_row(row));
        ask(rows.back(), SpeedOf::Decode, found, row.users_before);
    }
    if (row.first_token_ms) {
        rows.push_back(first_token_row(row));
        ask(rows.back(), SpeedOf::FirstToken, found, row.users_before);
    }
    return rows;
}

}  // namespace model
