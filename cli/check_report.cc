#include "cli/check_report.h"

#include <fmt/format.h>

#include "core/format.h"

namespace cli {
namespace {

Json option_json(const model::SplitOption& option) {
    static constexpr const char* kKinds[] = {"data_parallel", "sub_mesh", "kv_replication",
                                             "head_padding"};
    return {{"kind", kKinds[static_cast<std::size_t>(option.kind)]},
            {"text", option.text},
            {"why", option.why},
            {"tp", option.tp},
            {"dp", option.dp},
            {"mesh_shape", option.shape.text()},
            {"added_heads", option.added_heads},
            {"added_kv_heads", option.added_kv_heads},
            {"added_weight_bytes", option.added_weight_bytes.value},
            {"added_kv_bytes_per_token", option.added_kv_bytes_per_token.value},
            {"added_flops_percent", option.added_flops_percent}};
}

Json split_json(const Finding& finding) {
    const model::SplitReport& split = finding.split;
    const model::Config& config = finding.setup.config;
    Json json{{"heads", config.num_attention_heads},
              {"kv_heads", config.num_key_value_heads},
              {"tp", split.tp},
              {"dp", split.dp},
              {"mesh_shape", split.shape.text()},
              {"reasons", split.reasons},
              {"options", Json::array()},
              {"option_details", Json::array()},
              {"warnings", split.warnings},
              {"notes", split.notes},
              {"padded_vocab", split.padded_vocab},
              {"padded_intermediate", split.padded_intermediate}};
    for (const model::SplitOption& option : split.options) {
        json["options"].push_back(option.text + " (" + option.why + ")");
        json["option_details"].push_back(option_json(option));
    }
    return json;
}

Json traces_json(const Finding& finding) {
    const model::TraceRegionReport& report = *finding.traces;
    Json json{{"trace_region_size_bytes", finding.setup.device.trace_region_size.value},
              {"source", finding.setup.trace_region_source},
              {"needed_bytes", report.total.value},
              {"recommended_bytes", report.recommended.value},
              {"taken_per_chip_bytes", report.taken_per_chip.value},
              {"captures", Json::array()}};
    for (const model::CapturedTrace& capture : report.captures) {
        json["captures"].push_back({{"name", capture.name},
                                    {"programs", capture.programs},
                                    {"bytes", capture.padded.value}});
    }
    return json;
}

Json host_json(const model::HostMemory& host) {
    return {{"parameters", host.parameters},
            {"checkpoint_mapped_bytes", host.checkpoint_mapped.value},
            {"largest_tensor", host.largest_tensor},
            {"converting_bytes", host.converting.value},
            {"threads", host.threads},
            {"reference_stored_bytes", host.reference_stored.value},
            {"reference_float32_bytes", host.reference_float32.value}};
}

void add_elsewhere(Json& document, const Finding& finding) {
    if (finding.smallest) {
        document["smallest_system"] = nullptr;
        if (finding.smallest->found()) {
            document["smallest_system"] = finding.smallest->tried.back().name;
        }
    }
    document["replicas"] = Json::array();
    for (const model::Replicas& cut : finding.replicas) {
        document["replicas"].push_back({{"dp", cut.dp},
                                        {"tp", cut.tp},
                                        {"mesh_shape", cut.shape.text()},
                                        {"splits", cut.group.problems.empty()},
                                        {"fits", cut.group.fits},
                                        {"free_bytes", cut.group.free.value}});
    }
    document["most_replicas"] = model::most_replicas(finding.replicas);
    if (finding.host) document["host_memory"] = host_json(*finding.host);
}

std::string lines(const char* head, const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) out += fmt::format("  {}{}\n", head, text);
    return out;
}

std::string joined(const std::vector<std::string>& texts) {
    std::string out;
    for (const std::string& text : texts) out.append(out.empty() ? "" : ", ").append(text);
    return out;
}

std::string split_text(const Finding& finding) {
    const model::SplitReport& split = finding.split;
    const model::Config& config = finding.setup.config;
    std::string text;
    if (split.splits()) {
        text = fmt::format("splits: yes ({} heads, {} KV heads over {} chip{}, {} group{})\n",
                           config.num_attention_heads, config.num_key_value_heads, split.tp,
                           split.tp == 1 ? "" : "s", split.dp, split.dp == 1 ? "" : "s");
    } else {
        text = "splits: no\n" + lines("", split.reasons);
    }
    for (const model::SplitOption& option : split.options) {
        text += fmt::format("  works: {}  ({})\n", option.text, option.why);
    }
    return text + lines("note: ", split.notes) + lines("warning: ", split.warnings);
}

std::string failure_text(const Finding& finding) {
    const dispatch::MemoryPlan& plan = finding.fit->plan;
    std::string text;
    if (plan.failure) text += fmt::format("  {}\n  {}\n", plan.failed_buffer, plan.failure->text);
    if (plan.clash) text += fmt::format("  {}\n  {}\n", plan.failed_buffer, *plan.clash);
    if (plan.fits()) return text;
    text += "Who holds the space\n";
    for (const auto& [owner, bytes] : plan.dram.held) {
        text += fmt::format("  {:<17}{}\n", dispatch::to_text(owner), core::to_text(bytes));
    }
    for (std::size_t i = 0; i < plan.holdings.size() && i < 5; ++i) {
        const dispatch::Holding& held = plan.holdings[i];
        text +=
            fmt::format("  {} x {}: {}\n", held.instances, held.name, core::to_text(held.total));
    }
    text += finding.fit->suggestions.empty() ? "Nothing next to it fits\n" : "What would fit\n";
    for (const model::Suggestion& suggestion : finding.fit->suggestions) {
        text +=
            fmt::format("  {:<40} leaves {}\n", suggestion.text, core::to_text(suggestion.free));
    }
    return text;
}

std::string most_text(const Finding& finding) {
    const model::FitReport& fit = *finding.fit;
    std::string text = "Most that fits (0: nothing)\n";
    text += fmt::format("  {:<17}{} positions at this batch\n", "context", fit.max_context);
    text += fmt::format("  {:<17}{} users at this context\n", "batch", fit.max_batch);
    text += fmt::format("  {:<17}{} tokens at this context and batch\n", "prefill chunk",
                        fit.prefill_chunk);
    return text;
}

std::string elsewhere_text(const Finding& finding) {
    if (!finding.smallest) return {};
    std::string text = fmt::format(
        "Elsewhere\n  {:<17}{}\n", "smallest system",
        finding.smallest->found() ? finding.smallest->tried.back().name : "none that is known");
    const std::int64_t copies = model::most_replicas(finding.replicas);
    for (const model::Replicas& cut : finding.replicas) {
        if (cut.dp != copies || !cut.group.fits) continue;
        text += fmt::format("  {:<17}{} of tensor parallel {} ({}) on this system\n", "copies",
                            cut.dp, cut.tp, cut.shape.text());
    }
    return text;
}

std::string traces_text(const Finding& finding) {
    const model::TraceRegionReport& report = *finding.traces;
    std::string text = fmt::format(
        "Trace region\n  {:<17}{} ({})\n  {:<17}{} in {} captures: {}\n", "set",
        core::to_text(finding.setup.device.trace_region_size), finding.setup.trace_region_source,
        "needed", core::to_text(report.total), report.captures.size(),
        report.fits(finding.setup.device.trace_region_size) ? "enough" : "NOT enough");
    return text + fmt::format("  {:<17}{}\n", "recommended", core::to_text(report.recommended));
}

std::string host_text(const model::HostMemory& host) {
    return fmt::format(
        "Host\n  {:<17}{} parameters, {} mapped\n  {:<17}{} ({} threads, largest {})\n"
        "  {:<17}{} as stored, {} in float32\n",
        "checkpoint", core::grouped(host.parameters), core::to_text(host.checkpoint_mapped),
        "converting", core::to_text(host.converting), host.threads, host.largest_tensor,
        "reference run", core::to_text(host.reference_stored),
        core::to_text(host.reference_float32));
}

}  // namespace

Json to_json(const CheckOptions& options, const World& world, const Finding& finding) {
    Json document = envelope("check", world, options.model.software);
    document["mesh"] = options.model.mesh;
    document["precision"] = finding.setup.precision.name;
    document["context"] = finding.context;
    document["batch"] = options.model.batch;
    document["splits"] = finding.splits();
    document["fits"] = finding.splits() && finding.fits();
    document["split"] = split_json(finding);
    document["not_computed"] = finding.not_computed;
    document["left_out"] = finding.setup.config.left_out;
    document["memory"] = {
        {"chips", Json::array()}, {"failure", nullptr}, {"failed_buffer", nullptr}};
    if (finding.fit) {
        const model::FitReport& fit = *finding.fit;
        document["memory"] = memory_json(fit.plan, finding.setup.group().chip_count());
        document["suggestions"] = Json::array();
        for (const model::Suggestion& suggestion : fit.suggestions) {
            document["suggestions"].push_back({{"kind", model::to_text(suggestion.kind)},
                                               {"text", suggestion.text},
                                               {"free_bytes", suggestion.free.value}});
        }
        document["most_users"] = fit.most_users;
    }
    document["max_context_tokens"] = finding.fit ? finding.fit->max_context : 0;
    document["max_batch"] = finding.fit ? finding.fit->max_batch : 0;
    document["prefill_chunk_tokens"] = finding.fit ? finding.fit->prefill_chunk : 0;
    add_elsewhere(document, finding);
    if (finding.traces) document["trace_region"] = traces_json(finding);
    document["notes"] = finding.setup.notes;
    document["problems"] = finding.setup.mesh.problems;
    return document;
}

std::string to_text(const Finding& finding) {
    std::string text;
    for (const std::string& problem : finding.setup.mesh.problems)
        text += "note: " + problem + "\n";
    for (const std::string& note : finding.setup.notes) text += "note: " + note + "\n";
    text += split_text(finding);
    if (!finding.not_computed.empty()) {
        text += "not computed, sizes only: " + joined(finding.not_computed) + "\n";
    }
    if (!finding.setup.config.left_out.empty()) {
        text += "left out: " + joined(finding.setup.config.left_out) + "\n";
    }
    if (finding.fit) {
        text += fmt::format("fits:   {} ({} positions of context)\n", finding.fits() ? "yes" : "no",
                            finding.context);
        text += failure_text(finding);
        text += memory_text(finding.fit->plan, finding.setup.group().chip_count());
        text += most_text(finding);
    }
    text += elsewhere_text(finding);
    if (finding.traces) text += traces_text(finding);
    if (finding.host) text += host_text(*finding.host);
    return text;
}

PageSection to_section(const std::string& title, const std::string& anchor,
                       const Finding& finding) {
    PageSection section{anchor, title, {}, {}};
    section.lines = finding.split.reasons;
    if (!finding.not_computed.empty()) {
        section.lines.push_back("not computed, sizes only: " + joined(finding.not_computed));
    }
    if (!finding.fit) return section;
    const dispatch::MemoryPlan& plan = finding.fit->plan;
    section.lines.push_back(
        fmt::format("{} at {} positions; most context {}, most users {}, largest prefill chunk {}",
                    plan.fits() ? "fits" : "does not fit", finding.context,
                    finding.fit->max_context, finding.fit->max_batch, finding.fit->prefill_chunk));
    if (plan.failure) section.lines.push_back(plan.failed_buffer + ": " + plan.failure->text);
    if (plan.clash) section.lines.push_back(plan.failed_buffer + ": " + *plan.clash);
    for (const model::Suggestion& suggestion : finding.fit->suggestions) {
        section.lines.push_back("would fit: " + suggestion.text);
    }
    const core::Bytes traces = plan.dram.trace_region;
    for (std::int32_t chip = 0; chip < finding.setup.mesh.chip_count(); ++chip) {
        MemoryBar bar{fmt::format("chip {}", chip), plan.dram.capacity + traces, {}};
        for (const auto& [owner, bytes] : plan.dram.held) {
            bar.parts.emplace_back(dispatch::to_text(owner), bytes);
        }
        if (traces.value > 0) bar.parts.emplace_back("trace region", traces);
        section.bars.push_back(std::move(bar));
    }
    return section;
}

}  // namespace cli
