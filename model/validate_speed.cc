// Tables of whole models' speed: tokens per second of a user while decoding and the time to the
// first token, each a question to model::estimate. A prompt has 128 tokens unless the row says
// otherwise. Rows that are no measurement of this software are skipped with the reason.
// Sources of such tables: tenstorrent/tt-metal models/tt_transformers/PERF.md, models/README.md.
#include <fmt/format.h>

#include <array>
#include <regex>
#include <utility>

#include "core/error.h"
#include "model/speed_rows.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

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

// "128 (speed) / 512 (accuracy)": the length of the run that the speed is of. GUESS: a point of
// the Pareto front is one run for speed and accuracy, so of 512 tokens; its times to the first
// token are two to three times those of 128 tokens in the table of the same model.
std::int64_t prompt_of(const core::CsvRecord& record, std::string_view column) {
    std::string_view text = record.text(column);
    const bool is_one_run = record.text("section") == "pareto";
    if (const auto slash = text.find("/ "); is_one_run && slash != text.npos) {
        text.remove_prefix(slash + 2);
    }
    std::int64_t tokens = 0;
    for (const char c : text) {
        if (c < '0' || c > '9' || tokens > kMostTokens) break;
        tokens = 10 * tokens + (c - '0');
    }
    if (tokens < 1 || tokens > kMostTokens) throw record.unexpected(column, "tokens of a prompt");
    return tokens;
}

std::vector<AskedRow> ask_demo(const core::CsvRecord& record, const ModelLibrary& library) {
    SpeedRow row;
    row.model = record.text("model");
    row.device = record.text("device");
    row.section = record.text("section");
    const std::string& mode = record.text("precision_mode");
    row.precision = mode == "custom" ? optimizations_of(record) : mode;
    row.groups = count_of(record, "dp", kMostUsers);
    row.batch = count_of(record, "batch", kMostUsers);
    row.run.isl = prompt_of(record, "prefill_len");
    row.run.osl = count_of(record, "generated", kMostTokens);
    row.rate = optional_number(record, "tok_s_user");
    row.first_token_ms = optional_number(record, "ttft_ms");
    if (contains(row.model, "90B")) row.skipped = "the demo with images";
    if (contains(row.model, "Mixtral") || contains(row.model, "Mistral-7B")) {
        row.skipped = "copied from another row of PERF.md";
    }
    if (contains(row.model, "11B") && row.device == "N150") {
        row.skipped = "above the rate at which its bytes can be read";
    }
    return speed_rows(row, library);
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
    SpeedRow row;
    row.model = dashed(record.text("model"));
    row.section = "README " + record.text("snapshot").substr(0, 7);
    for (const Hardware& hardware : kHardware) {
        if (record.text("hardware") == hardware.name) row.device = hardware.device;
    }
    row.groups = count_of(record, "dp", kMostUsers);
    // Two cards without links between them: each is a group.
    if (record.text("hardware").starts_with("2 x ")) std::swap(row.run.groups, row.groups);
    row.run.osl = 1;  // "the first token after prefill"
    // The table multiplies a user's rate by the batch; decode rows are padded to 32 in any case.
    // Times to the first token of one group are those of PERF.md's batch 1, so is the sampling;
    // several groups are run as they are (DEMO: argmax_on_device only for one user of a group).
    if (row.groups == 1 && row.run.groups == 1) {
        row.run.sampling = EstimateOptions::Sampling::Device;
    }
    row.batch =
        core::ceil_div(count_of(record, "batch", kMostUsers), std::max(row.groups, row.run.groups));
    row.rate = optional_number(record, "tok_s_user");
    row.first_token_ms = optional_number(record, "ttft_ms");
    // Other models on a Galaxy are demos of their own.
    if (row.device == "GALAXY" && is_galaxy_demo(row.model)) {
        ask_galaxy_demo(row);
    } else if (row.device == "GALAXY") {
        row.skipped = "another program on Galaxy";
    }
    if (contains(row.model, "Vision")) row.skipped = "the demo with images";
    if (contains(record.text("snapshot"), "before tracing")) {
        row.skipped = "another program, before tracing";
    }
    if (contains(row.model, "Falcon") || contains(row.model, "Mamba")) {
        row.skipped = "another program: demos of Falcon and Mamba";
    }
    // 22.1 with the bf16 attention of later presets, 32.5 before: tenstorrent/tt-metal issue
    // #23477.
    if (contains(row.model, "Qwen2.5-7B") && contains(record.text("release"), "v0.56")) {
        row.precision = "precision_cfg = {ff1_3: bfp4}, fidelity_cfg = {li_ff1_3: lofi}";
    }
    return speed_rows(row, library);
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

}  // namespace model
