// Tables of whole models' speed: tokens per second of a user while decoding and the time to the
// first token, each a question to model::estimate. A prompt has 128 tokens unless the row says
// otherwise. Rows that are no measurement of this software are skipped with the reason.
// Sources of such tables: tenstorrent/tt-metal models/tt_transformers/PERF.md, models/README.md,
// models/model_targets.yaml; reports of tenstorrent/tt-inference-server.
#include <fmt/format.h>

#include <array>
#include <regex>
#include <utility>

#include "core/error.h"
#include "model/speed_question.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

constexpr std::int64_t kMostTokens = std::int64_t{1} << 22;
constexpr std::int64_t kMostUsers = 1 << 16;
constexpr std::int64_t kServerSlots = 32;  // tt-inference-server: max_num_seqs of a group

// A row of any of the tables, as far as they agree.
struct Fields {
    std::string model;
    std::string device;
    std::string section;  // of the group's name
    std::string precision = "performance";
    std::int64_t groups = 1;
    std::int64_t batch = 1;
    std::int64_t users_before = 1;  // whose prompts the time to the first token contains
    dispatch::Release release = dispatch::Release::R2025;
    bool traces_prefill = false;
    EstimateOptions run;
    std::string software = "tt-transformers";
    std::string skipped;

    std::optional<double> rate;
    std::optional<double> first_token_ms;
    std::string no_rate = "no speed";
    std::string no_first_token = "no time to first token";
};

std::int64_t count_of(const core::CsvRecord& record, std::string_view column, std::int64_t most) {
    return record.optional_integer(column, 1, most).value_or(1);
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

// Llama 70B of models/demos/llama3_70b_galaxy.
constexpr const char* kGalaxyDemo = "llama-galaxy";
bool is_galaxy_demo(std::string_view model) {
    return (model.starts_with("Llama-3") || model.starts_with("llama3")) &&
           (model.ends_with("70B") || model.ends_with("70B-Instruct") || model.ends_with("70b"));
}

// On a torus: it asks for rings (model_config.py: CCL_TOPOLOGY of a 6U).
void ask_galaxy_demo(Fields& fields) {
    fields.software = kGalaxyDemo;
    fields.device = "GALAXY_TORUS";
    fields.traces_prefill = true;  // generator.py: prefill_forward_text, enable_trace
}

// --- one row, two questions ---

std::variant<SpeedQuestion, Unknown> question_of(const Fields& fields,
                                                 const ModelLibrary& library) {
    if (!fields.skipped.empty()) return Unknown{fields.skipped};
    auto model = library.model(fields.model);
    if (auto* unknown = std::get_if<Unknown>(&model)) return std::move(*unknown);
    auto group = library.group(fields.device, fields.groups);
    if (auto* unknown = std::get_if<Unknown>(&group)) return std::move(*unknown);
    SpeedQuestion question;
    question.model = std::get<KnownModel>(std::move(model));
    question.device = fields.device;
    question.mesh = std::get<fabric::Mesh>(std::move(group));
    question.software = fields.software;
    question.precision = fields.precision;
    question.batch = fields.batch;
    question.release = fields.release;
    question.trace_region = library.default_trace_region(question.model, question.mesh);
    question.run = fields.run;
    question.run.groups = std::max(fields.run.groups, fields.groups);
    question.run.host = library.host_costs(fields.software);
    if (fields.traces_prefill) {
        question.run.traced_prefills =
            library.traced_prefills(question.model, question.mesh, fields.release);
    }
    return question;
}

AskedRow rate_row(const Fields& fields) {
    AskedRow row;
    row.group = fmt::format("tok_s_user {} {}", fields.device, fields.section);
    row.null_of = AskedRow::Null::Rate;
    row.null_family = "rate";
    if (!fields.rate) {
        row.skipped = fields.no_rate;
        return row;
    }
    row.measured = *fields.rate;
    row.measured_text = fmt::format("{:.2f} tokens/s, {:.2f} ms", *fields.rate, 1e3 / *fields.rate);
    return row;
}

AskedRow first_token_row(const Fields& fields) {
    AskedRow row;
    row.group = fmt::format("ttft_ms {} {}", fields.device, fields.section);
    row.null_family = "first token";
    if (!fields.first_token_ms) {
        row.skipped = fields.no_first_token;
        return row;
    }
    row.measured = *fields.first_token_ms;
    row.measured_text = fmt::format("{:.1f} ms", *fields.first_token_ms);
    return row;
}

std::vector<AskedRow> rows_of(const Fields& fields, const ModelLibrary& library) {
    std::vector<AskedRow> rows{rate_row(fields), first_token_row(fields)};
    const auto found = question_of(fields, library);
    for (std::size_t i = 0; i < rows.size(); ++i) {
        AskedRow& row = rows[i];
        const SpeedOf value = i == 0 ? SpeedOf::Decode : SpeedOf::FirstToken;
        if (!row.skipped.empty()) continue;
        if (const auto* unknown = std::get_if<Unknown>(&found)) {
            row.skipped = unknown->reason;
            continue;
        }
        const auto& question = std::get<SpeedQuestion>(found);
        row.null_family += " " + mesh::to_text(question.mesh.system.chip.arch);
        const std::int64_t users = fields.users_before;
        const std::string text = question.text() + (i == 0 ? ": decode" : ": first token") +
                                 (i == 1 && users > 1 ? fmt::format(" of {} users", users) : "");
        row.questions.push_back(
            {text, [question, value, users] { return speed_answer(question, value, users); }});
    }
    return rows;
}

// --- tt_transformers' PERF.md ---

// The custom columns as --optimizations has them.
std::string optimizations_of(const core::CsvRecord& record) {
    std::string text = "precision_cfg = {";
    const std::array<const char*, 6> groups{"ff1_3", "ff2", "wqkv", "wo", "kv_cache", "activation"};
    std::string separator;
    for (const char* group : groups) {
        const std::string& format = record.text(group);
        if (format.empty()) throw record.unexpected(group, "a format");
        text += separator + group + ": " + format;
        separator = ", ";
    }
    text += "}, fidelity_cfg = {" +
            std::regex_replace(record.text("fidelity"), std::regex(";"), ", ") + "}";
    return std::regex_replace(text, std::regex("(li_[a-z0-9_]+|sdpa_[a-z]+):"), "$1: ");
}

std::int64_t prompt_of(const core::CsvRecord& record, std::string_view column) {
    const std::string& text = record.text(column);
    std::int64_t tokens = 0;
    for (const char c : text) {
        if (c < '0' || c > '9' || tokens > kMostTokens) break;
        tokens = 10 * tokens + (c - '0');
    }
    if (tokens < 1 || tokens > kMostTokens) throw record.unexpected(column, "tokens of a prompt");
    return tokens;
}

std::vector<AskedRow> ask_demo(const core::CsvRecord& record, const ModelLibrary& library) {
    Fields fields;
    fields.model = record.text("model");
    fields.device = record.text("device");
    fields.section = record.text("section");
    const std::string& mode = record.text("precision_mode");
    fields.precision = mode == "custom" ? optimizations_of(record) : mode;
    fields.groups = count_of(record, "dp", kMostUsers);
    fields.batch = count_of(record, "batch", kMostUsers);
    fields.run.isl = prompt_of(record, "prefill_len");
    fields.run.osl = count_of(record, "generated", kMostTokens);
    fields.rate = optional_number(record, "tok_s_user");
    fields.first_token_ms = optional_number(record, "ttft_ms");
    if (contains(fields.model, "90B")) fields.skipped = "the demo with images";
    if (contains(fields.model, "Mixtral") || contains(fields.model, "Mistral-7B")) {
        fields.skipped = "copied from another row of PERF.md";
    }
    if (contains(fields.model, "11B") && fields.device == "N150") {
        fields.skipped = "above the rate at which its bytes can be read";
    }
    return rows_of(fields, library);
}

// --- models/README.md ---

struct Hardware {
    std::string_view name;
    std::string_view device;
};
constexpr std::array<Hardware, 8> kHardware{{{"n150 (Wormhole)", "N150"},
                                             {"n300 (Wormhole)", "N300"},
                                             {"QuietBox (Wormhole)", "T3K"},
                                             {"Galaxy (Wormhole)", "GALAXY"},
                                             {"p100 (Blackhole)", "P100"},
                                             {"p150 (Blackhole)", "P150"},
                                             {"2 x p150 (Blackhole)", "P150"},
                                             {"QuietBox (Blackhole)", "P150X4"}}};

// "Llama 3.1 8B" -> "Llama-3.1-8B", "Qwen 2.5 7B" -> "Qwen2.5-7B".
std::string dashed(std::string name) {
    name = std::regex_replace(name, std::regex("^Qwen "), "Qwen");
    return std::regex_replace(name, std::regex(" "), "-");
}

std::vector<AskedRow> ask_readme(const core::CsvRecord& record, const ModelLibrary& library) {
    Fields fields;
    fields.model = dashed(record.text("model"));
    fields.section = "README " + record.text("snapshot").substr(0, 7);
    for (const Hardware& hardware : kHardware) {
        if (record.text("hardware") == hardware.name) fields.device = hardware.device;
    }
    fields.groups = count_of(record, "dp", kMostUsers);
    // Two cards without links between them: each is a group.
    if (record.text("hardware").starts_with("2 x ")) std::swap(fields.run.groups, fields.groups);
    fields.run.osl = 1;  // "the first token after prefill"
    // The table multiplies a user's rate by the batch; decode rows are padded to 32 in any case.
    fields.run.sampling = EstimateOptions::Sampling::Device;
    fields.batch = core::ceil_div(count_of(record, "batch", kMostUsers),
                                  std::max(fields.groups, fields.run.groups));
    fields.rate = optional_number(record, "tok_s_user");
    fields.first_token_ms = optional_number(record, "ttft_ms");
    // models/demos/llama3_70b_galaxy; other models on a Galaxy are demos of their own.
    if (fields.device == "GALAXY" && is_galaxy_demo(fields.model)) {
        ask_galaxy_demo(fields);
    } else if (fields.device == "GALAXY") {
        fields.skipped = "another program on Galaxy";
    }
    if (contains(fields.model, "Vision")) fields.skipped = "the demo with images";
    if (contains(record.text("snapshot"), "before tracing")) {
        fields.skipped = "another program, before tracing";
    }
    if (contains(fields.model, "Qwen2.5-7B") && fields.rate == 22.1) {
        fields.skipped = "equal to the row of Qwen3-32B in the source";
    }
    return rows_of(fields, library);
}

// --- reports of the server ---

dispatch::Release release_on(std::string_view date) {
    if (date < "2026-01") return dispatch::Release::R2025;
    return date < "2026-07" ? dispatch::Release::R2026_05 : dispatch::Release::R2026_09;
}

std::optional<double> measured_of(const core::CsvRecord& record, std::string_view column) {
    if (contains(record.text(column), "~")) return {};  // "approximately"
    return optional_number(record, column);
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
    return record.text("date").empty() ? "no date" : "";
}

std::vector<AskedRow> ask_server(const core::CsvRecord& record, const ModelLibrary& library) {
    Fields fields;
    fields.model = record.text("model");
    fields.device = record.text("device");
    fields.section = "served";
    const std::string& date = record.text("date");
    fields.release = release_on(date);
    fields.traces_prefill = fields.release != dispatch::Release::R2025;
    fields.batch = kServerSlots;
    fields.run.active_users = count_of(record, "concurrency", kMostUsers);
    fields.users_before = fields.run.active_users;
    fields.run.isl = record.optional_integer("isl", 1, kMostTokens).value_or(128);
    fields.run.osl = record.optional_integer("osl", 1, kMostTokens).value_or(128);
    fields.rate = measured_of(record, "tput_user");
    const auto step = measured_of(record, "tpot_ms");
    if (!fields.rate && step && *step > 0) fields.rate = 1e3 / *step;
    fields.first_token_ms = measured_of(record, "ttft_ms");
    if (date < "2025-07") {
        fields.first_token_ms.reset();
        fields.no_first_token = "40 to 200 ms of it are the client's (before 2025-07)";
    }
    fields.skipped = not_served(record);
    if (contains(record.text("impl_or_config"), "galaxy")) ask_galaxy_demo(fields);
    if (fields.run.active_users > kServerSlots) fields.skipped = "several groups";
    return rows_of(fields, library);
}

// --- models/model_targets.yaml ---

constexpr std::array<std::pair<std::string_view, std::string_view>, 7> kSkus{
    {{"wh_n150", "N150"},
     {"wh_n300", "N300"},
     {"wh_llmbox", "T3K"},
     {"wh_galaxy", "GALAXY"},
     {"bh_p100", "P100"},
     {"bh_p150", "P150"},
     {"p300x2", "P300X2"}}};

std::vector<AskedRow> ask_target(const core::CsvRecord& record, const ModelLibrary& library) {
    Fields fields;
    fields.model = record.text("model");
    for (const auto& [sku, device] : kSkus) {
        if (record.text("sku") == sku) fields.device = device;
    }
    fields.section = "CI";
    fields.release = dispatch::Release::R2026_05;
    fields.traces_prefill = true;
    fields.batch = count_of(record, "batch", kMostUsers);
    fields.run.isl = record.optional_integer("seq_len", 1, kMostTokens).value_or(128);
    fields.rate = optional_number(record, "decode_tok_s_user");
    fields.first_token_ms = optional_number(record, "ttft_ms");
    const std::string& notes = record.text("notes");
    if (contains(fields.model, "galaxy")) {
        fields.model = std::regex_replace(fields.model, std::regex("-galaxy$"), "");
        ask_galaxy_demo(fields);
        if (!is_galaxy_demo(fields.model)) fields.skipped = "another program on Galaxy";
    }
    if (contains(fields.model, "-vl") || contains(fields.model, "vision")) {
        fields.skipped = "prompts with images";
    }
    if (contains(notes, "inconsistent")) fields.skipped = "the row contradicts itself";
    if (contains(notes, "data-parallel")) fields.skipped = "users of several groups together";
    if (fields.batch > kServerSlots) fields.skipped = "several groups";
    if (fields.model == "llama3.1-8b" && fields.batch == 32) {
        fields.skipped = "an accuracy run: 8.8 tokens/s on N150 where PERF.md has 22.3";
    }
    return rows_of(fields, library);
}

}  // namespace

TableKind demo_speed_kind() {
    return {"demo speeds",
            {"precision_mode", "model", "device", "dp", "batch", "prefill_len", "generated",
             "tok_s_user", "ttft_ms"},
            Scoring::Error,
            nullptr,
            ask_demo,
            "tt-transformers"};
}

TableKind readme_speed_kind() {
    return {"README speeds",
            {"snapshot", "model", "dp", "batch", "hardware", "chips", "ttft_ms", "tok_s_user"},
            Scoring::Error,
            nullptr,
            ask_readme,
            "tt-transformers"};
}

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
