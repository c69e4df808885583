// Tables of speeds that a server or a continuous integration measured. A server decodes all its
// slots whoever is there, samples on the host and prefills untraced (GUESS for 2026:
// tenstorrent/vllm PR #19 has trace_mode for decoding; measured times are those of 2025), one user
// after another until its batches fitted.
// Rows of another program are skipped and say which.
// Sources of such tables: reports of tenstorrent/tt-inference-server; tenstorrent/tt-metal
// models/model_targets.yaml.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <utility>

#include "core/error.h"
#include "model/speed_rows.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

constexpr std::int64_t kServerSlots = 32;  // tt-inference-server: max_num_seqs of a group

// Programs that are not tt_transformers, by the `impl` of tt-inference-server's model
// specifications (workflows/model_specs/prod/llm.yaml), or by their folder in tt-metal.
struct Program {
    std::string_view model;
    std::string_view reason;
};
constexpr std::array<Program, 4> kPrograms{
    {{"gpt-oss", "another program: gpt_oss"},
     {"qwen3.6", "another program: qwen36_blackhole"},
     {"falcon", "another program: demos of Falcon and Mamba"},
     {"mamba", "another program: demos of Falcon and Mamba"}}};

std::string other_program(std::string_view model) {
    for (const Program& program : kPrograms) {
        if (contains(lower_case(model), program.model)) return std::string(program.reason);
    }
    return "";
}

// --- reports of the server ---

dispatch::Release release_on(std::string_view date) {
    if (date < "2026-01") return dispatch::Release::R2025;
    return date < "2026-07" ? dispatch::Release::R2026_05 : dispatch::Release::R2026_09;
}

// tenstorrent/tt-metal PR #35722 prefills users of one length together; PR #40108, merged by this
// day, made the batch as large as they are and no longer 32 (tt-metal issue #39878).
constexpr std::string_view kBatchesPrefill = "2026-04-11";

// "~15" is about 15.
std::optional<double> about(const core::CsvRecord& record, std::string_view column) {
    const std::string& text = record.text(column);
    double value = 0;
    if (!text.starts_with("~")) return {};
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + 1, end, value);
    if (error != std::errc{} || at != end || !std::isfinite(value) || value <= 0) {
        throw record.unexpected(column, "a number, or ~ and a number");
    }
    return value;
}

std::optional<double> exactly(const core::CsvRecord& record, std::string_view column) {
    if (record.text(column).starts_with("~")) return {};
    return optional_number(record, column);
}

// The exact figure first: a user's rate, the time of a token, then what is "about".
std::optional<double> rate_of(const core::CsvRecord& record) {
    if (const auto rate = exactly(record, "tput_user")) return rate;
    const auto step = exactly(record, "tpot_ms");
    if (step && *step > 0) return 1e3 / *step;
    if (const auto rate = about(record, "tput_user")) return rate;
    const auto about_step = about(record, "tpot_ms");
    return about_step ? std::optional(1e3 / *about_step) : std::nullopt;
}

// vllm_args.data_parallel_size of the model specifications of tt-inference-server.
std::int64_t served_groups(std::string_view model, std::string_view device) {
    const std::string name = lower_case(device);
    if (!contains(model, "Llama-3.1-8B")) return 1;
    return name == "p150x8" ? 8 : name == "p150x4" || name == "galaxy" ? 4 : 1;
}

std::string not_served(const core::CsvRecord& record) {
    const std::string& device = record.text("device");
    const std::string& software = record.text("impl_or_config");
    if (contains(device, "GPU")) return "a GPU";
    if (contains(device, "UNCERTAIN")) return "on which device is not certain";
    if (contains(software, "forge")) return "another software: tt-forge";
    if (contains(software, "QB2")) return "another program: QB2 optimised";
    if (contains(software, "subdevices")) return "another program: llama3_subdevices";
    if (contains(software, "galaxy") && !is_galaxy_demo(record.text("model"))) {
        return "another program on Galaxy";
    }
    if (record.text("client_tool") == "genai-perf") return "a cold start";
    if (contains(record.text("model"), "Vision")) return "prompts with images";
    return other_program(record.text("model"));
}

// Whose users, and how many of them at once.
void seat(SpeedRow& row, const core::CsvRecord& record) {
    row.run.isl = record.optional_integer("isl", 1, kMostTokens).value_or(128);
    row.run.osl = record.optional_integer("osl", 1, kMostTokens).value_or(128);
    row.users_before = count_of(record, "concurrency", kMostUsers);
    if (contains(record.text("impl_or_config"), "no server")) {
        row.section = "demo";
        row.batch = row.users_before;
        row.prefill = SpeedRow::Prefill::Traced;
        return;
    }
    row.groups = served_groups(row.model, row.device);
    row.batch = kServerSlots;
    row.run.active_users = core::ceil_div(row.users_before, row.groups);
    if (record.text("date") < kBatchesPrefill) {
        row.run.prefill = EstimateOptions::Prefill::OneByOne;
    }
    row.run.sampling = EstimateOptions::Sampling::Host;
}

std::vector<AskedRow> ask_server(const core::CsvRecord& record, const ModelLibrary& library) {
    SpeedRow row;
    row.model = record.text("model");
    row.device = record.text("device");
    row.section = "served";
    seat(row, record);
    const std::string& date = record.text("date");
    // Without a date: the release that rules and texts are taken from.
    row.release = date.empty() ? dispatch::Release::R2026_05 : release_on(date);
    row.rate = rate_of(record);
    row.first_token_ms = exactly(record, "ttft_ms");
    if (!row.first_token_ms) row.first_token_ms = about(record, "ttft_ms");
    if (!date.empty() && date < "2025-07") {
        row.no_first_token = "40 to 200 ms of it are the client's (before 2025-07)";
    }
    row.skipped = not_served(record);
    if (contains(record.text("impl_or_config"), "galaxy")) ask_galaxy_demo(row);
    if (row.run.active_users > kServerSlots) row.skipped = "more users than slots";
    return speed_rows(row, library);
}

// --- models/model_targets.yaml ---

// The prompts of "ci-eval-32" (tenstorrent/tt-metal models/tt_transformers/demo/sample_prompts/
// eval_repeat_prompts_batch32.json): two have more than 128 tokens, and the table's seq_len is the
// length of the longest. A length of other runs is a round number.
constexpr std::int64_t kShortPrompts = 30;
constexpr std::int64_t kShortPrompt = 128;

void take_eval_prompts(SpeedRow& row) {
    if (row.batch != 32 || row.run.isl <= kShortPrompt || row.run.isl % 32 == 0) return;
    row.prompts = {{kShortPrompt, kShortPrompts}, {row.run.isl, row.batch - kShortPrompts}};
    row.run.isl = kShortPrompt;
}

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kSkus{
    {{"wh_n150", "N150"},
     {"wh_n300", "N300"},
     {"wh_llmbox", "T3K"},
     {"wh_galaxy", "GALAXY"},
     {"bh_p100", "P100"},
     {"bh_p150", "P150"},
     {"p300x2", "P300X2"}}};

std::vector<AskedRow> ask_target(const core::CsvRecord& record, const ModelLibrary& library) {
    SpeedRow row;
    row.model = record.text("model");
    for (const auto& [sku, device] : kSkus) {
        if (record.text("sku") == sku) row.device = device;
    }
    row.section = "CI";
    row.release = dispatch::Release::R2026_05;
    row.prefill = SpeedRow::Prefill::Traced;
    row.batch = count_of(record, "batch", kMostUsers);
    row.run.isl = record.optional_integer("seq_len", 1, kMostTokens).value_or(128);
    take_eval_prompts(row);
    row.rate = optional_number(record, "decode_tok_s_user");
    row.first_token_ms = optional_number(record, "ttft_ms");
    const std::string& notes = record.text("notes");
    if (contains(notes, "data-parallel")) std::swap(row.groups, row.batch);
    row.skipped = other_program(row.model);
    constexpr std::string_view kGalaxy = "-galaxy";  // "llama3.3-70b-galaxy"
    if (row.model.ends_with(kGalaxy)) {
        row.model.resize(row.model.size() - kGalaxy.size());
        ask_galaxy_demo(row);
        if (!is_galaxy_demo(row.model)) row.skipped = "another program on Galaxy";
    }
    if (contains(row.model, "-vl") || contains(row.model, "vision")) {
        row.skipped = "prompts with images";
    }
    if (contains(notes, "inconsistent")) row.skipped = "the row contradicts itself";
    if (row.batch > kServerSlots) row.skipped = "several groups";
    return speed_rows(row, library);
}

}  // namespace

TableKind server_speed_kind() {
    return {"server speeds",
            {"model", "device", "impl_or_config", "isl", "osl", "concurrency", "ttft_ms", "tpot_ms",
             "tput_user", "date"},
            Scoring::Error,
            nullptr,
            ask_server,
            "tt-transformers"};
}

TableKind target_speed_kind() {
    return {"CI speeds",    {"model", "sku", "batch", "seq_len", "ttft_ms", "decode_tok_s_user"},
            Scoring::Error, nullptr,
            ask_target,     "tt-transformers"};
}

}  // namespace model
