// tessera demo: the modes of tt_transformers' text demo, with its options and its measurements.
// With weights it generates, and times come from the run's own clock; from config.json alone the
// same measurements are estimated, as sim does.
#include "cli/demo.h"

#include <fmt/format.h>

#include <chrono>
#include <filesystem>

#include "cli/options.h"
#include "core/error.h"
#include "model/device_name.h"

namespace cli {
namespace {

void take(std::int64_t& value, std::int64_t asked) {
    if (asked > 0) value = asked;
}

// "--stop_at_eos 0" and the like over the mode.
DemoMode mode_of(const DemoOptions& options) {
    DemoMode mode = demo_mode(options.mode);
    take(mode.repeat_batches, options.repeat_batches);
    take(mode.max_seq_len, options.max_seq_len);
    take(mode.batch_size, options.batch_size);
    take(mode.max_generated_tokens, options.max_generated_tokens);
    take(mode.data_parallel, options.data_parallel);
    if (!options.page_params.empty()) set_page_params(mode, options.page_params);
    if (options.stress_test) mode.positions = model::GenerateOptions::Positions::Stay;
    if (options.stop_at_eos) mode.at_eos = *options.stop_at_eos == 1 ? AtEos::Stop : AtEos::GoOn;
    require_batch_size(mode.batch_size);
    return mode;
}

// The pool is each column's own where users are split over columns; one user fills one of them.
std::int64_t pool_of(const DemoMode& mode, const fabric::Mesh& group) {
    const bool split = group.shape.rows > 1 && group.shape.cols > 1;
    const std::int64_t columns = split ? group.shape.cols : 1;
    return mode.max_num_blocks * core::round_up(mode.batch_size, columns) / mode.batch_size;
}

// What the demo skips with a text, it answers with "no".
void require_possible(const Demo& demo, const model::Config& config, const fabric::Mesh& mesh) {
    const std::int64_t chips = mesh.chip_count();
    const std::int64_t groups = demo.mode.data_parallel;
    if (groups > chips || chips % groups != 0) {
        throw NotPossible{
            {fmt::format("Invalid number of DP groups: {}, for {} devices", groups, chips)},
            "--data_parallel takes a divisor of the number of devices"};
    }
    if (config.max_position_embeddings < demo.mode.max_seq_len) {
        throw NotPossible{{fmt::format("Max seq len {} not supported by model {}. The model's max "
                                       "context len is {}",
                                       demo.mode.max_seq_len, model_name(demo.model.model),
                                       config.max_position_embeddings)},
                          "--max_seq_len sets a smaller one"};
    }
}

void note_flags(Demo& demo, const DemoOptions& options, const fabric::Mesh& mesh) {
    if (options.use_prefetcher && mesh.system.chip.arch == mesh::Arch::WormholeB0) {
        throw core::Error("--use_prefetcher: expected a Blackhole mesh (BH only), got " +
                          core::printable(options.model.mesh));
    }
    if (options.use_prefetcher) {
        demo.notes.emplace_back("--use_prefetcher: the tt-transformers profile has none; ignored");
    }
    if (options.use_hf_rope) {
        demo.notes.emplace_back(
            "--use_hf_rope changes nothing here: values follow Hugging Face's layout anyway");
    }
    const bool galaxy = model::device_name(mesh).value_or("") == "TG";
    if (galaxy && demo.mode.batch_size != 1 && demo.mode.batch_size != 32) {
        demo.notes.emplace_back("TG only supports batch 1 and 32; it goes on here");
    }
}

Demo demo_of(const DemoOptions& options) {
    Demo demo;
    demo.mode = mode_of(options);
    demo.sampling = demo_sampling(options.sampling_params);
    demo.model = options.model;
    demo.model.precision =
        options.decoder_config_file.empty() ? options.optimizations : options.decoder_config_file;
    demo.model.batch = demo.mode.batch_size;
    demo.model.dp = demo.mode.data_parallel;
    demo.model.context = demo.mode.max_seq_len;
    if (options.paged_attention == 1) {
        demo.model.block_size = demo.mode.block_size;
        if (!demo.model.page_seed) demo.model.page_seed = 0;
    }
    return demo;
}

bool has_weights(const std::filesystem::path& model) {
    if (!std::filesystem::is_directory(model)) return false;
    for (const auto& entry : std::filesystem::directory_iterator(model)) {
        const auto extension = entry.path().extension();
        if (extension == ".safetensors" || extension == ".pth") return true;
        if (entry.path().filename() == "model.safetensors.index.json") return true;
    }
    return false;
}

model::Config config_of(const DemoOptions& options) {
    model::Config config = model::load_config(options.model.model);
    if (options.num_layers == 0) return config;
    if (options.num_layers > config.num_hidden_layers) {
        throw core::Error::mismatch("--num_layers", "",
                                    "at most " + std::to_string(config.num_hidden_layers),
                                    std::to_string(options.num_layers));
    }
    config.num_hidden_layers = options.num_layers;
    if (!config.layers.empty()) config.layers.resize(static_cast<std::size_t>(options.num_layers));
    return config;
}

Answer act(const DemoOptions& asked, const World& world) {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    DemoOptions options = asked;
    const auto threads = limit_threads(options.model.threads);
    Demo demo = demo_of(options);
    if (demo.mode.name == "ci-token-matching") options.token_accuracy = true;
    if (demo.mode.is_stress_test() && options.token_accuracy) {
        throw NotPossible{{"Stress test cannot be run with token accuracy mode"}, ""};
    }
    const model::Config config = config_of(options);
    const fabric::Mesh mesh = open_mesh(world, options.model);
    require_possible(demo, config, mesh);
    note_flags(demo, options, mesh);
    const bool runs = has_weights(options.model.model);
    if (!runs && demo.model.release.empty()) demo.model.release = "2026-09";
    const Setup setup = set_up(demo.model, world, config, mesh);
    demo.notes.insert(demo.notes.end(), setup.notes.begin(), setup.notes.end());
    if (demo.model.block_size > 0) demo.model.max_num_blocks = pool_of(demo.mode, setup.group());
    if (!runs) {
        demo.notes.emplace_back(
            "there are no weights beside config.json: nothing was generated, "
            "times are estimated");
    }
    DemoResult result =
        runs ? run_demo(options, demo, world, setup) : estimate_demo(options, demo, world, setup);
    result.problems = mesh.problems;
    result.host_seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    if (demo.model.json) {
        print_json(demo_json(demo, world, result));
    } else {
        print_demo(demo, result);
    }
    return result.repeats_agree.value_or(true) ? Answer::Yes : Answer::No;
}

void add_sizes(CLI::App& verb, DemoOptions& options) {
    const auto positive = CLI::Range(std::int64_t{1}, std::int64_t{1} << 24);
    verb.add_option("--repeat_batches", options.repeat_batches,
                    "Batches one after another; prompts move on by a user each time")
        ->check(positive);
    verb.add_option("--max_seq_len", options.max_seq_len, "Positions a user may reach")
        ->check(positive);
    verb.add_option("--batch_size", options.batch_size, "Users per data-parallel group")
        ->check(positive);
    verb.add_option("--max_generated_tokens", options.max_generated_tokens, "Decode iterations")
        ->check(positive);
    verb.add_option("--data_parallel", options.data_parallel, "Data-parallel groups")
        ->check(positive);
    verb.add_option("--paged_attention", options.paged_attention, "0 or 1")
        ->check(CLI::IsMember({0, 1}));
    verb.add_option("--page_params", options.page_params,
                    R"({"page_block_size": 32, "page_max_num_blocks_per_dp": 1024})")
        ->type_name("JSON");
    verb.add_option("--num_layers", options.num_layers, "Only the first layers of the model")
        ->check(positive);
}

void add_behaviour(CLI::App& verb, DemoOptions& options) {
    verb.add_option("--input_prompts", options.input_prompts,
                    "JSON list of {prompt, context (a file), max_length (characters)}")
        ->type_name("FILE");
    verb.add_option("--instruct", options.instruct,
                    "1: a context is put before its prompt and both in the model's chat "
                    "template, 0: the context alone is continued")
        ->check(CLI::IsMember({0, 1}));
    verb.add_option("--date", options.date,
                    "With --instruct 1: the day for templates that ask for it; default: their "
                    "own, never today's")
        ->type_name("YYYY-MM-DD");
    verb.add_option("--sampling_params", options.sampling_params,
                    R"({"temperature": 0, "top_p": 0.08})")
        ->type_name("JSON");
    verb.add_option("--stop_at_eos", options.stop_at_eos, "0 or 1")->check(CLI::IsMember({0, 1}));
    verb.add_option("--optimizations", options.optimizations,
                    "performance, accuracy, or as --precision of run")
        ->capture_default_str();
    verb.add_option("--decoder_config_file", options.decoder_config_file,
                    "Precision of every decoder; wins over --optimizations")
        ->type_name("FILE");
    verb.add_flag("--stress_test", options.stress_test,
                  "Every decode iteration is at the same position");
    verb.add_flag("--token_accuracy", options.token_accuracy,
                  "Top-1 and top-5 against a reference of the model's folder");
    verb.add_option("--reference", options.reference, "The reference of --token_accuracy")
        ->type_name("FILE");
    auto* on = verb.add_flag("--enable_trace", options.enable_trace, "As it is unless disabled");
    verb.add_flag("--disable_trace", options.disable_trace, "Steps are enqueued op by op")
        ->excludes(on);
    verb.add_flag("--use_hf_rope", options.use_hf_rope, "Changes nothing here");
    verb.add_flag("--use_prefetcher", options.use_prefetcher, "BH only");
}

}  // namespace

Verb make_demo(CLI::App& app, const World& world) {
    auto options = std::make_shared<DemoOptions>();
    CLI::App* verb = app.add_subcommand("demo", "The modes of tt_transformers' text demo");
    add_model_options(*verb, options->model, world);
    // The demo has names of its own for these.
    for (const char* name : {"--batch", "--dp", "--context", "--block-size", "--max-num-blocks",
                             "--precision", "--override-tt-config"}) {
        verb->remove_option(verb->get_option(name));
    }
    verb->add_option("--mode", options->mode,
                     "Parameters of the run, and given again what is run: full, prefill or decode; "
                     "default: batch-1, full")
        ->type_name("TEXT")
        ->allow_extra_args(false)
        ->check(CLI::IsMember(demo_mode_words()));
    add_weight_cache_option(*verb, options->model, world);
    add_sizes(*verb, *options);
    add_behaviour(*verb, *options);
    verb->footer(
        "Example: tessera demo models/tiny-shakespeare --mesh t3k --mode batch-32 "
        "--max_generated_tokens 32");
    return {verb, [options, &world] { return act(*options, world); }};
}

}  // namespace cli
