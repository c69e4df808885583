// tessera run: what does the model generate on these chips.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "cli/estimated_times.h"
#include "cli/generation.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/setup.h"
#include "core/error.h"
#include "core/format.h"
#include "model/generate.h"
#include "model/rope.h"
#include "model/tokenizer.h"

namespace cli {
namespace {

struct RunOptions {
    ModelOptions model;
    std::string prompt;
    std::string prompts_file;
    std::int64_t max_new_tokens = 200;
    model::SamplingParams sampling;
    std::vector<std::uint64_t> seeds{0};
    std::int64_t logprobs = -1;
    std::string trace = "on";
    std::string sampling_place;  // "host", "device"; empty: tokens are taken in no time
    bool clip = false;
    bool prefix_caching = false;
    bool instruct = false;
    std::string date;  // empty: none
};

using Clock = std::chrono::steady_clock;

// The context of the run: what was asked for, else 1024 (the demo's max_seq_len) or what is needed.
std::int64_t choose_context(const RunOptions& options, const model::Config& config,
                            TokenRows& prompts) {
    const std::int64_t prompt = longest(prompts);
    const std::int64_t needed = prompt + options.max_new_tokens;
    const std::int64_t wanted =
        options.model.context > 0
            ? options.model.context
            : model::context_of_run(
                  config, std::max<std::int64_t>(1024, core::round_up(needed, 32)), needed);
    const std::int64_t context = std::min(wanted, config.max_position_embeddings);
    if (needed <= context) return context;
    if (!options.clip || options.max_new_tokens >= context) {
        throw too_long(prompt, options.max_new_tokens, context)
            .hint(
                "--clip keeps the end of the prompt; --context and --max-new-tokens set the sizes");
    }
    clip_left(prompts, context - options.max_new_tokens);
    return context;
}

// Text of user 0 appears as it comes; other users are printed when all is done.
class Printer {
public:
    Printer(const model::Tokenizer& tokenizer, bool quiet) : decoder_(tokenizer), quiet_(quiet) {}
    void token(std::int64_t user, std::int32_t id) {
        ++count_;
        if (quiet_ || user != 0) return;
        std::cout << decoder_.push(id) << std::flush;
    }
    void finish() {
        if (!quiet_) std::cout << decoder_.finish() << "\n";
    }
    std::int64_t count() const { return count_; }

private:
    model::StreamDecoder decoder_;
    bool quiet_;
    std::int64_t count_ = 0;
};

/// What is said of the simulated time: of the run's own clock, or with choosing the tokens and the
/// host's work in it, as `sim` answers.
struct Simulated {
    core::Picoseconds time_to_first_token{};
    core::Picoseconds decode_step{};
    std::optional<model::SampledOn> sampler = {};  // none: tokens are taken in no time

    double rate() const {
        return decode_step.count() > 0 ? 1.0 / core::to_seconds(decode_step) : 0.0;
    }
};

Simulated simulated(const RunOptions& options, const World& world, const Setup& setup,
                    const Fleet& fleet, const TokenRows& prompts,
                    const model::GenerateReport& report) {
    if (options.sampling_place.empty()) return {report.time_to_first_token, report.decode_step};
    const std::int64_t chips = fleet.deployments.front()->mesh().chip_count();
    TimesQuestion question{.prompt = longest(prompts),
                           .generated = std::max<std::int64_t>(1, report.decode_steps),
                           .sampling = options.sampling_place,
                           .wanted = model::wanted_of(options.sampling, options.logprobs, chips),
                           .trace = options.trace};
    const EstimatedTimes times =
        estimated_times(*fleet.deployments.front(), options.model, setup, world, question);
    return {times.time_to_first_token, times.decode_step, times.sampler};
}

const char* name_of(model::SampledOn sampler) {
    return sampler == model::SampledOn::Host ? "host" : "device";
}

struct HostTimes {
    double seconds = 0;
    double tokens_per_second = 0;
};

// Per user and token: {"logprob": l, "top": [{"token": id, "logprob": l}, ...]}.
Json logprobs_json(const model::GenerateReport& report) {
    Json users = Json::array();
    for (const auto& tokens : report.logprobs) {
        Json list = Json::array();
        for (const model::TokenLogprobs& token : tokens) {
            Json top = Json::array();
            for (const auto& [id, logprob] : token.top) {
                top.push_back({{"token", id}, {"logprob", logprob}});
            }
            list.push_back({{"logprob", token.own}, {"top", std::move(top)}});
        }
        users.push_back(std::move(list));
    }
    return users;
}

void print_document(const RunOptions& options, const World& world, const TokenRows& prompts,
                    const model::GenerateReport& report, const std::vector<std::string>& texts,
                    const dispatch::MemoryPlan& plan, const Fleet& fleet, const Simulated& times,
                    HostTimes host) {
    Json document = envelope("run", world, options.model.software);
    document["mesh"] = options.model.mesh;
    document["precision"] = options.model.precision;
    document["problems"] = fleet.first().mesh().problems;
    document["token_ids"] = report.token_ids;
    document["text"] = texts;
    if (options.logprobs >= 0) document["logprobs"] = logprobs_json(report);
    if (options.prefix_caching) document["cached_tokens"] = report.cached_tokens;
    for (const auto& prompt : prompts) document["prompt_tokens"].push_back(prompt.size());
    document["simulated"] = {{"ttft_ms", core::to_ms(times.time_to_first_token)},
                             {"decode_step_ms", core::to_ms(times.decode_step)},
                             {"tokens_per_second_per_user", times.rate()},
                             {"accuracy", "extrapolated"}};
    if (times.sampler) document["simulated"]["sampling"] = name_of(*times.sampler);
    document["host"] = {{"seconds", host.seconds}, {"tokens_per_second", host.tokens_per_second}};
    document["digest"] = fleet.digest();
    document["memory"] = memory_json(plan, fleet.chips());
    print_json(document);
}

void print_summary(const std::vector<std::string>& texts, const dispatch::MemoryPlan& plan,
                   const Fleet& fleet, const Simulated& times, HostTimes host) {
    for (std::size_t user = 1; user < texts.size(); ++user) {
        fmt::print("--- user {}\n{}\n", user, texts[user]);
    }
    for (const std::string& problem : fleet.first().mesh().problems) {
        fmt::print("note: {}\n", problem);
    }
    fmt::print("\n{}", memory_text(plan, fleet.chips()));
    fmt::print("Simulated (extrapolated)\n");
    fmt::print("  {:<28}{}\n", "time to first token", core::to_text(times.time_to_first_token));
    if (times.rate() > 0) {
        fmt::print("  {:<28}{:.1f}\n", "tokens per second per user", times.rate());
    }
    if (times.sampler) fmt::print("  {:<28}{}\n", "tokens chosen on the", name_of(*times.sampler));
    fmt::print("Host\n  {:<28}{:.1f} ({:.2f} s)\n", "tokens per second", host.tokens_per_second,
               host.seconds);
}

void check_options(const RunOptions& options) {
    model::check(options.sampling);
    if (options.prefix_caching && options.model.block_size == 0) {
        throw core::Error::mismatch("--prefix-caching", "--block-size", "the positions of a block",
                                    "a contiguous cache")
            .hint("users share whole blocks of a paged cache, for example --block-size 32");
    }
}

model::GenerateOptions generation_of(const RunOptions& options, const model::Config& config) {
    model::GenerateOptions generation;
    generation.max_new_tokens = options.max_new_tokens;
    generation.eos_token_ids = config.eos_token_ids;
    generation.sampling = options.sampling;
    generation.sampling.seed = options.seeds.front();
    if (options.seeds.size() > 1) generation.seeds = options.seeds;
    if (options.logprobs >= 0) generation.logprobs = options.logprobs;
    if (options.prefix_caching) {
        generation.prefix_caching = model::GenerateOptions::PrefixCaching::On;
    }
    return generation;
}

// The template that --instruct asks for.
std::optional<model::ChatTemplate> chat_of(const RunOptions& options,
                                           const model::Tokenizer& tokenizer) {
    if (!options.instruct) return std::nullopt;
    auto chat = model::ChatTemplate::find(tokenizer, options.model.model);
    if (chat && !options.date.empty()) chat->set_day(options.date);
    if (chat) return chat;
    throw core::Error::mismatch(
        "--instruct", core::printable(options.model.model),
        "a chat_template beside the tokenizer, or special tokens of " + model::chat_families(),
        "none of them")
        .hint("without --instruct the prompt is continued as it is");
}

Answer act(RunOptions options, const World& world) {
    const auto threads = limit_threads(options.model.threads);
    check_options(options);
    const Setup setup = set_up(options.model, world);
    const model::Config& config = setup.config;
    const model::Tokenizer tokenizer = model::Tokenizer::load(options.model.model);
    const std::vector<std::string> said =
        options.prompts_file.empty() ? std::vector<std::string>{options.prompt}
                                     : read_prompts(options.prompts_file, ContextStyle::Instruct);
    const auto chat = chat_of(options, tokenizer);
    TokenRows prompts = encode_prompts(said, options.model.batch * options.model.dp, tokenizer,
                                       config, options.model.model, chat ? &*chat : nullptr);
    const std::int64_t context = choose_context(options, config, prompts);
    const model::Checkpoint checkpoint = model::Checkpoint::open(options.model.model);
    FleetOptions start;
    start.weight_cache = options.model.weight_cache;
    start.laid = deployment_options(options.model, setup, context);
    if (options.trace == "off") start.trace = model::Replica::Trace::Off;
    start.prompt = longest(prompts);
    start.generated = options.max_new_tokens;
    Fleet fleet = start_fleet(world, setup, checkpoint, start);

    if (!options.model.json) fmt::print("{}", options.prompts_file.empty() ? options.prompt : "");
    Printer printer(tokenizer, options.model.json);
    const Clock::time_point begin = Clock::now();
    const model::GenerateReport report = model::generate(
        fleet.replicas, prompts, fleet.first().slots(), generation_of(options, config),
        [&printer](std::int64_t user, std::int32_t token) { printer.token(user, token); });
    const double seconds = std::chrono::duration<double>(Clock::now() - begin).count();
    printer.finish();
    world.log->info("{} decode steps replayed, {} commands executed in the first group",
                    report.decode_steps, fleet.replicas.front()->executor().commands_run());
    if (!report.shortage.empty()) throw NotPossible{{report.shortage}, "`tessera check` plans it"};

    std::vector<std::string> texts;
    for (const auto& tokens : report.token_ids) {
        texts.push_back(tokenizer.decode(tokens, model::ShowSpecial::No));
    }
    const HostTimes host{seconds, static_cast<double>(printer.count()) / seconds};
    const Simulated times = simulated(options, world, setup, fleet, prompts, report);
    const dispatch::MemoryPlan plan = fleet.plan_memory();
    if (options.model.json) {
        print_document(options, world, prompts, report, texts, plan, fleet, times, host);
    } else {
        print_summary(texts, plan, fleet, times, host);
    }
    return Answer::Yes;
}

}  // namespace

Verb make_run(CLI::App& app, const World& world) {
    auto options = std::make_shared<RunOptions>();
    CLI::App* verb = app.add_subcommand("run", "Generate text on simulated chips");
    add_model_options(*verb, options->model, world);
    add_weight_cache_option(*verb, options->model, world);
    auto* prompt = verb->add_option("--prompt", options->prompt, "The prompt, every user's");
    auto* file = verb->add_option("--prompts", options->prompts_file,
                                  "JSON list of prompts, dealt cyclically over the users")
                     ->type_name("FILE");
    prompt->excludes(file);
    verb->add_option("--max-new-tokens", options->max_new_tokens, "Tokens to generate per user")
        ->capture_default_str()
        ->check(CLI::Range(std::int64_t{1}, std::int64_t{1} << 24));
    verb->add_option("--temperature", options->sampling.temperature, "0: greedy")
        ->capture_default_str();
    verb->add_option("--top-p", options->sampling.top_p, "Nucleus sampling")->capture_default_str();
    verb->add_option("--top-k", options->sampling.top_k, "0: off")->capture_default_str();
    verb->add_option("--min-p", options->sampling.min_p, "Of the likeliest's probability; 0: off")
        ->capture_default_str();
    verb->add_option("--repetition-penalty", options->sampling.repetition_penalty, "1: off")
        ->capture_default_str();
    verb->add_option("--presence-penalty", options->sampling.presence_penalty, "0: off")
        ->capture_default_str();
    verb->add_option("--frequency-penalty", options->sampling.frequency_penalty, "0: off")
        ->capture_default_str();
    verb->add_option("--seed", options->seeds,
                     "Seed of the draws; several, with commas: one for each user")
        ->delimiter(',')
        ->capture_default_str();
    verb->add_option("--logprobs", options->logprobs,
                     "Log-probabilities of the tokens and of so many of the likeliest, in --json")
        ->check(CLI::Range(std::int64_t{0}, std::int64_t{1000}));
    verb->add_option("--trace", options->trace, "on or off")
        ->capture_default_str()
        ->check(CLI::IsMember({"on", "off"}));
    verb->add_option(
            "--sampling", options->sampling_place,
            "host or device (what it cannot do stays the host's): simulated times as sim's, "
            "with choosing the tokens in them")
        ->check(CLI::IsMember({"host", "device"}));
    verb->add_flag("--prefix-caching", options->prefix_caching,
                   "Users whose prompts begin alike share the cached blocks (needs --block-size)");
    verb->add_flag("--instruct", options->instruct,
                   "Put the prompt as a user's turn in the model's chat template");
    verb->add_option("--date", options->date,
                     "With --instruct: the day for templates that ask for it; default: their own, "
                     "never today's")
        ->type_name("YYYY-MM-DD");
    verb->add_flag("--clip", options->clip, "Keep the end of a prompt that does not fit");
    verb->footer(
        "Example: tessera run models/tiny-shakespeare --mesh t3k --prompt \"ROMEO:\" "
        "--max-new-tokens 64");
    return {verb, [options, &world, prompt, file] {
                if (prompt->count() + file->count() == 0) {
                    throw core::Error("run: expected --prompt TEXT or --prompts FILE, got neither");
                }
                return act(*options, world);
            }};
}

}  // namespace cli
