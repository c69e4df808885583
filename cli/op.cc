// tessera op: how long one op takes on one chip, by the functions the simulator uses.
#include "cli/op.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "cli/options.h"
#include "cli/report.h"
#include "core/error.h"

namespace cli {
namespace {

const std::vector<OpEntry>& entries() {
    static const std::vector<OpEntry> kEntries = [] {
        std::vector<OpEntry> all{matmul_op(), sdpa_op(), sdpa_decode_op()};
        const std::vector<OpEntry> kernels = kernel_ops();
        all.insert(all.end(), kernels.begin(), kernels.end());
        return all;
    }();
    return kEntries;
}

std::vector<std::string> names() {
    std::vector<std::string> names;
    for (const OpEntry& entry : entries()) names.push_back(entry.name);
    return names;
}

const OpEntry& entry_of(const std::string& name) {
    const auto found = std::find_if(entries().begin(), entries().end(),
                                    [&](const OpEntry& entry) { return entry.name == name; });
    core::require(found != entries().end(), "the option was checked");
    return *found;
}

/// The single-chip card of an architecture: its published matmul tables were measured on it.
std::string system_of(const std::string& arch) { return arch == "blackhole" ? "p150" : "n150"; }

/// Every option that was given is the op's own; every one it needs was given.
void check_options(const OpEntry& entry, const CLI::App& verb) {
    std::vector<std::string> own{"op", "--arch", "--json", "--help"};
    own.insert(own.end(), entry.required.begin(), entry.required.end());
    own.insert(own.end(), entry.optional.begin(), entry.optional.end());
    for (const CLI::Option* option : verb.get_options()) {
        const bool known = std::any_of(own.begin(), own.end(), [&](const std::string& name) {
            return option->check_name(name);
        });
        if (option->count() > 0 && !known) {
            throw core::Error::mismatch(option->get_name(), "", "no such option for " + entry.name,
                                        "a value");
        }
    }
    for (const std::string& name : entry.required) {
        if (verb.get_option(name)->count() > 0) continue;
        throw core::Error::mismatch(name, "", "a value for " + entry.name, "nothing");
    }
}

Answer act(const OpOptions& options, const CLI::App& verb, const World& world) {
    const OpEntry& entry = entry_of(options.op);
    check_options(entry, verb);
    const mesh::ChipSpec chip = fabric::load_system(world.catalog, system_of(options.arch)).chip;
    const OpAnswer answer = entry.ask(options, chip);
    const dispatch::OpTime& time = answer.time;
    const double us = core::to_us(time.total());
    const double tflops = answer.flops / us * 1e-6;
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
        const double moved = static_cast<double>(answer.moved.value) / us * 1e-3;
        const std::string rate = answer.flops > 0 ? fmt::format("{:.1f} TFLOP/s", tflops)
                                                  : fmt::format("{:.1f} GB/s", moved);
        fmt::print("{} on {}: {:.2f} us, {}, bound by {}\n", answer.title, chip.name, us, rate,
                   time.bound());
    }
    return Answer::Yes;
}

void add_matmul_options(CLI::App& verb, OpOptions& options, const CLI::Range& size) {
    verb.add_option("--m", options.m, "matmul: rows of the activations")->check(size);
    verb.add_option("--k", options.k, "matmul: depth")->check(size);
    verb.add_option("--n", options.n, "matmul: columns of the weight")->check(size);
    verb.add_option("--in0", options.in0, "matmul: where activations and output are: l1 or dram")
        ->capture_default_str()
        ->check(CLI::IsMember({"l1", "dram"}));
    verb.add_option("--weights", options.weights, "matmul: interleaved or dram-sharded")
        ->capture_default_str()
        ->check(CLI::IsMember({"interleaved", "dram-sharded"}));
}

void add_attention_options(CLI::App& verb, OpOptions& options, const CLI::Range& size) {
    const CLI::Range heads(1, 1 << 10);
    verb.add_option("--batch", options.batch, "sdpa: users")->capture_default_str()->check(heads);
    verb.add_option("--heads", options.heads, "sdpa: query heads on the chip")->check(heads);
    verb.add_option("--kv-heads", options.kv_heads, "sdpa: KV heads; default: as heads")
        ->check(heads);
    verb.add_option("--head-dim", options.head_dim, "sdpa: width of a head")->check(heads);
    verb.add_option("--seq", options.rows, "sdpa: query positions")->check(size);
    verb.add_option("--kv-len", options.keys,
                    "sdpa: positions attended to, the queries' own among them; default: --seq")
        ->check(size);
    verb.add_option("--window", options.window, "sdpa: positions a query sees back; default: all")
        ->check(size);
    verb.add_option("--mask", options.mask, "sdpa: causal or full")
        ->capture_default_str()
        ->check(CLI::IsMember({"causal", "full"}));
    verb.add_option("--kv-dtype", options.kv_dtype, "sdpa: format of K and V")
        ->capture_default_str()
        ->check(CLI::IsMember({"bf16", "bfp8", "bfp4"}));
    verb.add_option("--exp", options.exp, "sdpa: exact (as models run) or approximate")
        ->capture_default_str()
        ->check(CLI::IsMember({"exact", "approximate"}));
    verb.add_option("--cores", options.cores, "sdpa: cores it may take; default: all workers")
        ->check(heads);
    const CLI::Range chunk(32, 1 << 12);
    verb.add_option("--q-chunk", options.q_chunk, "sdpa: queries per core at a time")->check(chunk);
    verb.add_option("--k-chunk", options.k_chunk, "sdpa: keys per step")->check(chunk);
}

void add_kernel_options(CLI::App& verb, OpOptions& options, const CLI::Range& size) {
    const std::vector<std::string> places{"dram", "l1", "width-sharded", "height-sharded",
                                          "block-sharded"};
    verb.add_option("--rows", options.rows, "Others: rows of the operands")->check(size);
    verb.add_option("--cols", options.cols, "Others: columns of the operands")->check(size);
    verb.add_option("--out-dtype", options.out_dtype, "Others: format of the result, as --dtype")
        ->check(CLI::IsMember({"bf16", "bfp8", "bfp4", "f32", "uint32", "int32"}));
    verb.add_option("--from", options.from,
                    "Others: where operands are: dram, l1 or a sharded layout of L1")
        ->capture_default_str()
        ->check(CLI::IsMember(places));
    verb.add_option("--to", options.to, "Others: where the result goes")
        ->capture_default_str()
        ->check(CLI::IsMember(places));
}

}  // namespace

mesh::Fidelity fidelity_of(const std::string& name) {
    const std::map<std::string, mesh::Fidelity> known{{"lofi", mesh::Fidelity::LoFi},
                                                      {"hifi2", mesh::Fidelity::HiFi2},
                                                      {"hifi3", mesh::Fidelity::HiFi3},
                                                      {"hifi4", mesh::Fidelity::HiFi4}};
    return known.at(name);
}

tensor::DType dtype_of(const std::string& name) {
    const std::optional<tensor::DType> dtype = tensor::parse_dtype(name);
    core::require(dtype.has_value(), "the option was checked");
    return *dtype;
}

Verb make_op(CLI::App& app, const World& world) {
    auto options = std::make_shared<OpOptions>();
    CLI::App* verb = app.add_subcommand("op", "How long one op takes on one chip");
    const CLI::Range size(std::int64_t{1}, std::int64_t{1} << 20);
    verb->add_option("op", options->op,
                     "What: matmul, sdpa (prefill), sdpa-decode, or by its name in TTNN")
        ->required()
        ->check(CLI::IsMember(names()));
    verb->add_option("--arch", options->arch, "wormhole_b0 (an N150) or blackhole (a P150)")
        ->required()
        ->check(CLI::IsMember({"wormhole_b0", "blackhole"}));
    verb->add_option("--dtype", options->dtype,
                     "Format of the operands, sdpa: of Q: bf16, bfp8, bfp4")
        ->capture_default_str()
        ->check(CLI::IsMember({"bf16", "bfp8", "bfp4"}));
    verb->add_option("--fidelity", options->fidelity, "lofi, hifi2, hifi3 or hifi4")
        ->capture_default_str()
        ->check(CLI::IsMember({"lofi", "hifi2", "hifi3", "hifi4"}));
    verb->add_flag("--tuned", options->tuned, "The best blocks or chunks, not the defaults");
    verb->add_flag("--json", options->json, "One JSON document on stdout");
    add_matmul_options(*verb, *options, size);
    add_attention_options(*verb, *options, size);
    add_kernel_options(*verb, *options, size);
    verb->footer(
        "Example: tessera op matmul --arch wormhole_b0 --m 2048 --k 2048 --n 2048 --tuned\n"
        "         tessera op sdpa-decode --arch wormhole_b0 --batch 32 --heads 8 --kv-heads 1 "
        "--head-dim 128 --kv-len 4096\n"
        "         tessera op rms_norm --arch blackhole --rows 32 --cols 4096 --from width-sharded "
        "--to width-sharded --cores 32\n"
        "         tessera op to_memory_config --arch blackhole --rows 1024 --cols 4096 --to l1");
    return {verb, [options, verb, &world] { return act(*options, *verb, world); }};
}

}  // namespace cli
