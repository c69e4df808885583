// tessera check: do the heads split, does it fit.
#include <fmt/format.h>

#include "cli/options.h"
#include "cli/report.h"
#include "core/format.h"
#include "model/fit.h"
#include "model/profile.h"

namespace cli {
namespace {

struct Finding {
    fabric::Mesh group;  // one data-parallel group
    std::int64_t groups = 1;
    std::vector<std::string> splits;   // what does not divide
    std::vector<std::string> options;  // what does
    std::optional<model::FitReport> fit;
    std::int64_t context = 0;
    bool fits() const { return fit && fit->fits(); }
};

// Every (tensor parallel, data parallel) pair of this mesh that divides the model.
std::vector<std::string> what_divides(const model::Config& config, const fabric::Mesh& mesh) {
    std::vector<std::string> options;
    for (std::int32_t dp = 1; dp <= mesh.chip_count(); ++dp) {
        const std::int64_t lines = mesh.shape.rows == 1 ? mesh.shape.cols : mesh.shape.rows;
        if (lines % dp != 0) continue;
        const fabric::Mesh group = model::data_parallel_groups(mesh, dp).front();
        if (model::split_problems(config, group).empty()) {
            options.push_back(fmt::format("--dp {} (tensor parallel over {} chips, {})", dp,
                                          group.chip_count(), group.shape.text()));
        }
    }
    return options;
}

Finding look(const ModelOptions& options, const World& world, const model::Config& config) {
    const fabric::Mesh mesh = open_mesh(world, options.mesh);
    Finding finding{
        model::data_parallel_groups(mesh, options.dp).front(), options.dp, {}, {}, {}, 0};
    finding.splits = model::split_problems(config, finding.group);
    finding.context = options.context > 0 ? options.context : config.max_position_embeddings;
    if (!finding.splits.empty()) {
        finding.options = what_divides(config, mesh);
        return finding;
    }
    finding.fit = model::fit(config, precision_of(options, config), finding.group,
                             deployment_options(options, finding.context));
    return finding;
}

Json to_json(const ModelOptions& options, const World& world, const model::Config& config,
             const Finding& finding) {
    Json document = envelope("check", world, options.software);
    document["mesh"] = options.mesh;
    document["precision"] = options.precision;
    document["context"] = finding.context;
    document["batch"] = options.batch;
    document["splits"] = finding.splits.empty();
    document["fits"] = finding.fits();
    document["split"] = {
        {"heads", config.num_attention_heads}, {"kv_heads", config.num_key_value_heads},
        {"tp", finding.group.chip_count()},    {"dp", finding.groups},
        {"reasons", finding.splits},           {"options", finding.options}};
    if (finding.fit) {
        document["memory"] = memory_json(finding.fit->plan, finding.group.chip_count());
        document["memory"]["failed_buffer"] = nullptr;
        if (!finding.fits()) document["memory"]["failed_buffer"] = finding.fit->plan.failed_buffer;
        document["max_context_tokens"] = finding.fit->max_context;
        document["max_batch"] = finding.fit->max_batch;
        document["prefill_chunk_tokens"] = finding.fit->prefill_chunk;
    }
    document["problems"] = finding.group.problems;
    return document;
}

void print(const model::Config& config, const Finding& finding) {
    const std::int64_t chips = finding.group.chip_count();
    if (finding.splits.empty()) {
        fmt::print("splits: yes ({} heads, {} KV heads over {} chips, {} group{})\n",
                   config.num_attention_heads, config.num_key_value_heads, chips, finding.groups,
                   finding.groups == 1 ? "" : "s");
    } else {
        fmt::print("splits: no\n");
        for (const std::string& reason : finding.splits) fmt::print("  {}\n", reason);
        for (const std::string& option : finding.options) fmt::print("  works: {}\n", option);
        return;
    }
    const dispatch::MemoryPlan& plan = finding.fit->plan;
    fmt::print("fits:   {} ({} positions of context)\n", plan.fits() ? "yes" : "no",
               finding.context);
    if (plan.failure) fmt::print("  {}\n  {}\n", plan.failed_buffer, plan.failure->text);
    if (plan.clash) fmt::print("  {}\n  {}\n", plan.failed_buffer, *plan.clash);
    fmt::print("{}", memory_text(plan, finding.group.chip_count()));
    fmt::print("Most that fits (0: nothing)\n");
    fmt::print("  {:<15}{} positions at this batch\n", "context", finding.fit->max_context);
    fmt::print("  {:<15}{} users at this context\n", "batch", finding.fit->max_batch);
    fmt::print("  {:<15}{} tokens at this context and batch\n", "prefill chunk",
               finding.fit->prefill_chunk);
}

Answer act(const ModelOptions& options, const World& world) {
    const model::Config config = model::load_config(options.model);
    const Finding finding = look(options, world, config);
    if (options.json) {
        print_json(to_json(options, world, config, finding));
    } else {
        for (const std::string& problem : finding.group.problems) fmt::print("note: {}\n", problem);
        print(config, finding);
    }
    return finding.splits.empty() && finding.fits() ? Answer::Yes : Answer::No;
}

}  // namespace

Verb make_check(CLI::App& app, const World& world) {
    auto options = std::make_shared<ModelOptions>();
    CLI::App* verb = app.add_subcommand("check", "Do the heads split, does it fit");
    add_model_options(*verb, *options, world);
    verb->footer("Example: tessera check models/tiny-shakespeare --mesh galaxy --batch 32");
    return {verb, [options, &world] { return act(*options, world); }};
}

}  // namespace cli
