// tessera op: how long one op takes on one chip, by the function the simulator uses.
#include <fmt/format.h>

#include <map>

#include "cli/options.h"
#include "cli/report.h"
#include "core/error.h"
#include "dispatch/lower.h"
#include "dispatch/matmul_time.h"

namespace cli {
namespace {

using dispatch::MatmulTuning;
using dispatch::MemoryConfig;
using dispatch::MemoryLayout;
using tensor::Spec;

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

struct Matmul {
    tensor::Op op;
    std::vector<Spec> in;
    dispatch::KernelPlan plan;
};

Matmul lowered(const OpOptions& options, const mesh::ChipSpec& chip) {
    const std::optional<tensor::DType> dtype = tensor::parse_dtype(options.dtype);
    core::require(dtype.has_value(), "the option was checked");
    Matmul matmul{.op = tensor::Linear{.out = *dtype}, .in = {}, .plan = {}};
    matmul.in = {{{options.m, options.k}, *dtype, tensor::Layout::Tile},
                 {{options.k, options.n}, *dtype, tensor::Layout::Tile}};
    const MemoryConfig dram{};
    MemoryConfig activations = dram;
    if (options.in0 == "l1") {
        activations = {mesh::BufferType::L1, MemoryLayout::BlockSharded, chip.worker_grid.cores()};
    }
    MemoryConfig weights = dram;
    if (options.weights == "dram-sharded") weights.layout = MemoryLayout::DramWidthSharded;
    const std::vector<MemoryConfig> placed{activations, weights};
    const std::vector<Spec> out = tensor::infer(matmul.op, matmul.in);
    matmul.plan = dispatch::lower(
        matmul.op, matmul.in, out, placed,
        {&chip, chip.worker_grid, tensor::Phase::Prefill, fidelity_of(options.fidelity)});
    matmul.plan.outputs = {activations};  // the output goes where the activations came from
    return matmul;
}

Answer act(const OpOptions& options, const World& world) {
    const mesh::ChipSpec chip = fabric::load_system(world.catalog, system_of(options.arch)).chip;
    const Matmul matmul = lowered(options, chip);
    const auto tuning = options.tuned ? MatmulTuning::Tuned : MatmulTuning::OutOfBox;
    const dispatch::OpTime time =
        dispatch::op_time(matmul.op, matmul.in, {}, matmul.plan, chip, tuning);
    const double us = core::to_us(time.total());
    const double tflops = 2.0 * static_cast<double>(options.m) * static_cast<double>(options.k) *
                          static_cast<double>(options.n) / us * 1e-6;
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
