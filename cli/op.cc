// tessera op: how long one op takes on one chip, by the function the simulator uses.
#include <fmt/format.h>

#include <map>

#include "cli/options.h"
#include "cli/report.h"
#include "core/error.h"
#include "dispatch/matmul_question.h"

namespace cli {
namespace {

struct OpOptions {
    std::string op;
    std::string arch;
    std::int64_t m = 0;
    std::int64_t k = 0;
    std::int64_t n = 0;
    std::string dtype = "bf16";
    std::string fidelity = "hifi2";
    std::string in0 = "dram";
    std::string weights = "interleaved";
    bool tuned = false;
    bool json = false;
};

/// The single-chip card of an architecture: its published matmul tables were measured on it.
std::string system_of(const std::string& arch) { return arch == "blackhole" ? "p150" : "n150"; }

mesh::Fidelity fidelity_of(const std::string& name) {
    const std::map<std::string, mesh::Fidelity> known{{"lofi", mesh::Fidelity::LoFi},
                                                      {"hifi2", mesh::Fidelity::HiFi2},
                                                      {"hifi3", mesh::Fidelity::HiFi3},
                                                      {"hifi4", mesh::Fidelity::HiFi4}};
    return known.at(name);
}

dispatch::MatmulQuestion question_of(const OpOptions& options, const mesh::ChipSpec& chip) {
    const std::optional<tensor::DType> dtype = tensor::parse_dtype(options.dtype);
    core::require(dtype.has_value(), "the option was checked");
    dispatch::MatmulQuestion question{.m = options.m, .k = options.k, .n = options.n};
    question.dtype = *dtype;
    question.fidelity = fidelity_of(options.fidelity);
    question.grid = chip.worker_grid;
    if (options.in0 == "l1") question.activations = mesh::BufferType::L1;
    question.output = question.activations;
    if (options.weights == "dram-sharded") {
        question.weight_layout = dispatch::MemoryLayout::DramWidthSharded;
    }
    if (options.tuned) question.tuning = dispatch::MatmulTuning::Tuned;
    return question;
}

Answer act(const OpOptions& options, const World& world) {
    const mesh::ChipSpec chip = fabric::load_system(world.catalog, system_of(options.arch)).chip;
    const dispatch::MatmulQuestion question = question_of(options, chip);
    const dispatch::OpTime time = dispatch::matmul_time(question, chip);
    const double us = core::to_us(time.total());
    const double tflops = question.flops() / us * 1e-6;
    if (options.json) {
        Json document = envelope("op", world, "tt-transformers");
        document["op"] = options.op;
        document["arch"] = options.arch;
        document["chip"] = chip.name;
        document["time_us"] = us;
        document["tflops"] = tflops;
        document["bound"] = time.bound();
        document["parts_us"] = {{"compute", core::to_us(time.compute)},
                                {"dram", core::to_us(time.dram)},
                                {"l1", core::to_us(time.l1)},
                                {"launch", core::to_us(time.launch)}};
        print_json(document);
    } else {
        fmt::print("{} {}x{}x{} {} {} on {}: {:.2f} us, {:.1f} TFLOP/s, bound by {}\n", options.op,
                   options.m, options.k, options.n, options.dtype, options.fidelity, chip.name, us,
                   tflops, time.bound());
    }
    return Answer::Yes;
}

}  // namespace

Verb make_op(CLI::App& app, const World& world) {
    auto options = std::make_shared<OpOptions>();
    CLI::App* verb = app.add_subcommand("op", "How long one op takes on one chip");
    const CLI::Range size(std::int64_t{1}, std::int64_t{1} << 20);
    verb->add_option("op", options->op, "matmul")->required()->check(CLI::IsMember({"matmul"}));
    verb->add_option("--arch", options->arch, "wormhole_b0 (an N150) or blackhole (a P150)")
        ->required()
        ->check(CLI::IsMember({"wormhole_b0", "blackhole"}));
    verb->add_option("--m", options->m, "Rows of the activations")->required()->check(size);
    verb->add_option("--k", options->k, "Depth")->required()->check(size);
    verb->add_option("--n", options->n, "Columns of the weight")->required()->check(size);
    verb->add_option("--dtype", options->dtype, "Format of all operands: bf16, bfp8 or bfp4")
        ->capture_default_str()
        ->check(CLI::IsMember({"bf16", "bfp8", "bfp4"}));
    verb->add_option("--fidelity", options->fidelity, "lofi, hifi2, hifi3 or hifi4")
        ->capture_default_str()
        ->check(CLI::IsMember({"lofi", "hifi2", "hifi3", "hifi4"}));
    verb->add_option("--in0", options->in0, "Where activations and output are: l1 or dram")
        ->capture_default_str()
        ->check(CLI::IsMember({"l1", "dram"}));
    verb->add_option("--weights", options->weights, "interleaved or dram-sharded")
        ->capture_default_str()
        ->check(CLI::IsMember({"interleaved", "dram-sharded"}));
    verb->add_flag("--tuned", options->tuned, "The best blocks, not ttnn's defaults");
    verb->add_flag("--json", options->json, "One JSON document on stdout");
    verb->footer(
        "Example: tessera op matmul --arch wormhole_b0 --m 2048 --k 2048 --n 2048 --tuned");
    return {verb, [options, &world] { return act(*options, world); }};
}

}  // namespace cli
