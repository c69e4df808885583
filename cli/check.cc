// tessera check: do the heads split, does it fit, and what would work instead.
#include <fmt/format.h>

#include "cli/check_report.h"
#include "cli/check_table.h"
#include "cli/finding.h"
#include "core/error.h"
#include "core/files.h"

namespace cli {
namespace {

Answer act(const CheckOptions& options, const World& world) {
    if (!options.all.empty()) return check_all(options, world);
    if (options.model.model.empty()) {
        throw core::Error("check: expected MODEL or --all DIR, got neither");
    }
    const model::Config config = model::load_config(options.model.model);
    const Finding finding = find(options, world, config, open_mesh(world, options.model),
                                 all_systems(world), Depth::Full);
    if (!options.html.empty()) {
        Page page;
        page.title = finding.setup.base_model + " on " + options.model.mesh;
        page.intro = finding.setup.mesh.system.title;
        page.sections = {to_section("DRAM, by owner", "dram", finding)};
        core::write_text(options.html, to_html(page));
    }
    if (options.model.json) {
        print_json(to_json(options, world, finding));
    } else {
        fmt::print("{}", to_text(finding));
    }
    return finding.splits() && finding.fits() ? Answer::Yes : Answer::No;
}

}  // namespace

Verb make_check(CLI::App& app, const World& world) {
    auto options = std::make_shared<CheckOptions>();
    CLI::App* verb = app.add_subcommand("check", "Do the heads split, does it fit");
    add_model_options(*verb, options->model, world);
    verb->get_option("model")->required(false);
    verb->add_flag("--strict", options->strict,
                   "What only the real stack cannot do is a no, not a warning");
    verb->add_option("--all", options->all, "Folder of models: a table of models and systems")
        ->type_name("DIR");
    verb->add_option("--systems", options->systems, "Of the table: all, or names with commas")
        ->capture_default_str();
    verb->add_option("--html", options->html, "Writes one self-contained page")->type_name("FILE");
    verb->footer("Example: tessera check models/tiny-shakespeare --mesh galaxy --batch 32");
    return {verb, [options, &world] { return act(*options, world); }};
}

}  // namespace cli
