// Tables of theoretical speeds: published targets against the rule they follow (model/roofline.h).
// Only the nominal size in a model's name and the memory of the device enter, so rows need no
// configuration. Sources: tenstorrent/tt-inference-server reference_config/benchmarking/
// benchmark_targets/model_performance_reference.json; bounties of tenstorrent/tt-metal.
#include <fmt/format.h>

#include "core/error.h"
#include "model/roofline.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

AskedRow rate_row(const ModelLibrary& library, const std::string& model, const std::string& device,
                  std::optional<double> published) {
    AskedRow row;
    row.group = "theoretical tok_s_user " + device;
    if (!published || *published == 0) {
        row.skipped = "no theoretical speed";
        return row;
    }
    row.measured = *published;
    row.measured_text = fmt::format("{:.2f} tokens/s", *published);
    const auto parameters = nominal_parameters(model);
    if (!parameters) row.skipped = "no size in the name";
    const auto group = library.group(device, 1);
    if (const auto* unknown = std::get_if<Unknown>(&group)) row.skipped = unknown->reason;
    if (!row.skipped.empty()) return row;
    const TargetRule rule = load_target_rule(library.topologies() / "validation/targets.yaml");
    const double rate = theoretical_rate(rule, *parameters, std::get<fabric::Mesh>(group));
    row.questions.push_back(
        {fmt::format("theoretical rate of {:.1f} billion parameters on {}", *parameters / 1e9,
                     device),
         [rate] {
             Answer answer;
             answer.value = rate;
             answer.text = fmt::format("{:.2f} tokens/s", rate);
             answer.why = "nominal parameters in bfp8 at the published share of the DRAM rate";
             return answer;
         }});
    return row;
}

AskedRow ask_server(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row = rate_row(library, record.text("model"), record.text("device"),
                            optional_number(record, "theoretical_tput_user"));
    const auto users = record.optional_integer("concurrency", 1, 1 << 16);
    if (users.value_or(1) > 1) row.skipped = "of several users";
    return row;
}

AskedRow ask_bounty(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row = rate_row(library, record.text("model"), record.text("device"),
                            optional_number(record, "theoretical_max_tok_s_user"));
    if (record.text("kind").find("not theoretical") != std::string::npos) {
        row.skipped = "a target that was chosen";
    }
    if (record.text("notes").find("conc=1 ") == std::string::npos &&
        record.text("kind").find("server") != std::string::npos) {
        row.skipped = "of several users";
    }
    return row;
}

}  // namespace

TableKind server_roofline_kind() {
    return {"server targets",
            {"model", "device", "task_type", "concurrency", "theoretical_tput_user"},
            Scoring::Error,
            ask_server};
}

TableKind bounty_roofline_kind() {
    return {"theoretical speeds",
            {"kind", "model", "device", "theoretical_max_tok_s_user"},
            Scoring::Error,
            ask_bounty};
}

}  // namespace model
