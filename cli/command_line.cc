// Words in, words out: finds the verb, turns errors into messages and exit codes.
#include <fmt/format.h>

#include "cli/options.h"
#include "core/error.h"
#include "fabric/hang.h"

namespace cli {
namespace {

Answer act(const Verb& verb) {
    try {
        return verb.act();
    } catch (const NotPossible& no) {
        for (const std::string& reason : no.reasons) fmt::print(stderr, "no: {}\n", reason);
        if (!no.hint.empty()) fmt::print(stderr, "hint: {}\n", no.hint);
        return Answer::No;
    } catch (const fabric::Hang& hang) {
        for (const std::string& reason : hang.reasons()) fmt::print(stderr, "no: {}\n", reason);
        fmt::print(stderr, "hint: {}\n", hang.hint_text());
        return Answer::No;
    } catch (const core::Error& error) {
        fmt::print(stderr, "error: {}\n", error.what());
        return Answer::BadInput;
    } catch (const std::bad_alloc&) {
        fmt::print(stderr, "error: the host is out of memory\n");
        return Answer::BadInput;
    }
}

}  // namespace

const char* default_topologies() { return TESSERA_TOPOLOGY_DIR; }

int run_command_line(int argc, const char* const* argv, const World& world) {
    CLI::App app{
        "Tessera simulates multi-chip Tenstorrent systems and runs language models on them."};
    app.require_subcommand(1);
    const std::vector<Verb> verbs{
        make_run(app, world),      make_eval(app, world), make_check(app, world),
        make_sim(app, world),      make_topo(app, world), make_ccl(app, world),
        make_validate(app, world), make_op(app, world),   make_demo(app, world)};
    try {
        app.parse(argc, argv);
    } catch (const CLI::ParseError& error) {
        const bool help = error.get_exit_code() == static_cast<int>(CLI::ExitCodes::Success);
        app.exit(error);
        return help ? 0 : static_cast<int>(Answer::BadInput);
    }
    for (const Verb& verb : verbs) {
        if (verb.app->parsed()) return static_cast<int>(act(verb));
    }
    return static_cast<int>(Answer::BadInput);
}

}  // namespace cli
