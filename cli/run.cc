// tessera run: what does the model generate on these chips.
#include <fmt/format.h>
#include <tbb/global_control.h>

#include <algorithm>
#include <chrono>
#include <iostream>

#include "cli/options.h"
#include "cli/report.h"
#include "cli/setup.h"
#include "core/error.h"
#include "core/files.h"
#include "core/format.h"
#include "core/json.h"
#include "model/generate.h"
#include "model/split.h"
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
    bool clip = false;
};

using Clock = std::chrono::steady_clock;

// Prompts of a JSON list: strings, or objects with "prompt" as in tt_transformers.
std::vector<std::string> read_prompts(const std::string& file) {
    constexpr core::Bytes kLimit{64 << 20};
    const auto json = core::parse_json(core::read_text(file, kLimit), file);
    std::vector<std::string> prompts;
    if (!json.is_array() || json.empty()) {
        throw core::Error::mismatch(file, "", "a list of prompts", json.type_name());
    }
    for (const auto& entry : json) {
        const bool object = entry.is_object() && entry.contains("prompt");
        const auto& text = object ? entry["prompt"] : entry;
        if (!text.is_string()) {
            throw core::Error::mismatch(file, "[" + std::to_string(prompts.size()) + "]",
                                        "a string or an object with \"prompt\"", text.type_name());
        }
        prompts.push_back(text.get<std::string>());
    }
    return prompts;
}

void check_prompt(const RunOptions& options, const model::Config& config,
                  const std::vector<std::int32_t>& tokens) {
    if (tokens.empty()) {
        throw core::Error("--prompt: expected at least one token, got an empty prompt");
    }
    const std::int32_t highest = *std::max_element(tokens.begin(), tokens.end());
    if (highest < config.vocab_size) return;
    throw core::Error::mismatch(core::printable(options.model.model), "prompt token",
                                fmt::format("an id below vocab_size {}", config.vocab_size),
                                std::to_string(highest))
        .hint("the tokenizer does not belong to this config.json");
}

// Token ids of every user: prompts repeat cyclically.
std::vector<std::vector<std::int32_t>> user_prompts(const RunOptions& options,
                                                    const model::Config& config,
                                                    const model::Tokenizer& tokenizer) {
    const std::vector<std::string> texts = options.prompts_file.empty()
                                               ? std::vector<std::string>{options.prompt}
                                               : read_prompts(options.prompts_file);
    std::vector<std::vector<std::int32_t>> users;
    const std::int64_t count = options.model.batch * options.model.dp;
    for (std::int64_t user = 0; user < count; ++user) {
        const std::string& text = texts[static_cast<std::size_t>(user) % texts.size()];
        users.push_back(tokenizer.encode(text, model::AddSpecial::Yes));
        check_prompt(options, config, users.back());
    }
    return users;
}

std::size_t longest(const std::vector<std::vector<std::int32_t>>& prompts) {
    std::size_t most = 0;
    for (const auto& prompt : prompts) most = std::max(most, prompt.size());
    return most;
}

// The context of the run: what was asked for, else 1024 (the demo's max_seq_len) or what is needed.
std::int64_t choose_context(const RunOptions& options, const model::Config& config,
                            std::vector<std::vector<std::int32_t>>& prompts) {
    const auto prompt = static_cast<std::int64_t>(longest(prompts));
    const std::int64_t needed = prompt + options.max_new_tokens;
    const std::int64_t wanted = options.model.context > 0
                                    ? options.model.context
                                    : std::max<std::int64_t>(1024, core::round_up(needed, 32));
    const std::int64_t context = std::min(wanted, config.max_position_embeddings);
    if (needed <= context) return context;
    if (!options.clip || options.max_new_tokens >= context) {
        // The assertion of tt_transformers' demo (simple_text_demo.py).
        throw core::Error(fmt::format("Prompt prefill tokens ({}) + maximum number of decoded "
                                      "iterations ({}) needs to be <= than max_seq_len ({})",
                                      prompt, options.max_new_tokens, context))
            .hint(
                "--clip keeps the end of the prompt; --context and --max-new-tokens set the sizes");
    }
    const auto keep = static_cast<std::size_t>(context - options.max_new_tokens);
    for (auto& tokens : prompts) {
        if (tokens.size() > keep)
            tokens.erase(tokens.begin(), tokens.end() - static_cast<std::ptrdiff_t>(keep));
    }
    return context;
}

// Deployments and replicas of all data-parallel groups.
struct Fleet {
    std::vector<std::unique_ptr<model::Deployment>> deployments;
    std::vector<std::unique_ptr<model::Replica>> replicas;
};

Fleet start(const RunOptions& options, const World& world, const Setup& setup,
            const model::Checkpoint& checkpoint, std::int64_t context, std::int64_t prompt_tokens) {
    Fleet fleet;
    world.log->info("mesh {}: {} of {}", options.model.mesh, setup.mesh.shape.text(),
                    setup.mesh.system.title);
    require_split(setup);
    for (const fabric::Mesh& group : setup.groups) {
        fleet.deployments.push_back(
            std::make_unique<model::Deployment>(setup.config, setup.precision, group,
                                                deployment_options(options.model, setup, context)));
        fleet.deployments.back()->require_room(prompt_tokens, options.max_new_tokens);
        world.log->info("group {}: decode step of {} commands, loading {}",
                        fleet.deployments.size() - 1,
                        fleet.deployments.back()->decode()->command_count(), checkpoint.where());
        fleet.replicas.push_back(std::make_unique<model::Replica>(
            *fleet.deployments.back(), checkpoint,
            options.trace == "off" ? model::Replica::Trace::Off : model::Replica::Trace::On));
        if (!fleet.replicas.back()->shortage().empty()) {
            throw NotPossible{{fleet.replicas.back()->shortage()}, "`tessera check` plans it"};
        }
    }
    return fleet;
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

void print_document(const RunOptions& options, const World& world,
                    const std::vector<std::vector<std::int32_t>>& prompts,
                    const model::GenerateReport& report, const std::vector<std::string>& texts,
                    const dispatch::MemoryPlan& plan, const Fleet& fleet, HostTimes host) {
    Json document = envelope("run", world, options.model.software);
    document["mesh"] = options.model.mesh;
    document["precision"] = options.model.precision;
    document["problems"] = fleet.deployments.front()->mesh().problems;
    document["token_ids"] = report.token_ids;
    document["text"] = texts;
    if (options.logprobs >= 0) document["logprobs"] = logprobs_json(report);
    for (const auto& prompt : prompts) document["prompt_tokens"].push_back(prompt.size());
    document["simulated"] = {{"ttft_ms", core::to_ms(report.time_to_first_token)},
                             {"decode_step_ms", core::to_ms(report.decode_step)},
                             {"tokens_per_second_per_user", report.tokens_per_second_per_user()},
                             {"accuracy", "extrapolated"}};
    document["host"] = {{"seconds", host.seconds}, {"tokens_per_second", host.tokens_per_second}};
    core::Digest digest;
    for (const auto& replica : fleet.replicas) {
        digest.add(static_cast<std::int64_t>(replica->digest().value()));
    }
    document["digest"] = digest.hex();
    const auto chips = static_cast<std::int32_t>(fleet.deployments.size()) *
                       fleet.deployments.front()->mesh().chip_count();
    document["memory"] = memory_json(plan, chips);
    print_json(document);
}

void print_summary(const model::GenerateReport& report, const std::vector<std::string>& texts,
                   const dispatch::MemoryPlan& plan, const Fleet& fleet, HostTimes host) {
    for (std::size_t user = 1; user < texts.size(); ++user) {
        fmt::print("--- user {}\n{}\n", user, texts[user]);
    }
    for (const std::string& problem : fleet.deployments.front()->mesh().problems) {
        fmt::print("note: {}\n", problem);
    }
    const auto chips = static_cast<std::int32_t>(fleet.deployments.size()) *
                       fleet.deployments.front()->mesh().chip_count();
    fmt::print("\n{}", memory_text(plan, chips));
    fmt::print("Simulated (extrapolated: first model, not calibrated)\n");
    fmt::print("  {:<28}{}\n", "time to first token", core::to_text(report.time_to_first_token));
    fmt::print("  {:<28}{:.1f}\n", "tokens per second per user",
               report.tokens_per_second_per_user());
    fmt::print("Host\n  {:<28}{:.1f} ({:.2f} s)\n", "tokens per second", host.tokens_per_second,
               host.seconds);
}

Answer act(RunOptions options, const World& world) {
    std::optional<tbb::global_control> threads;
    if (options.model.threads > 0) {
        threads.emplace(tbb::global_control::max_allowed_parallelism,
                        static_cast<std::size_t>(options.model.threads));
    }
    model::check(options.sampling);
    const Setup setup = set_up(options.model, world);
    const model::Config& config = setup.config;
    const model::Tokenizer tokenizer = model::Tokenizer::load(options.model.model);
    auto prompts = user_prompts(options, config, tokenizer);
    const std::int64_t context = choose_context(options, config, prompts);
    const model::Checkpoint checkpoint = model::Checkpoint::open(options.model.model);
    Fleet fleet = start(options, world, setup, checkpoint, context,
                        static_cast<std::int64_t>(longest(prompts)));

    model::GenerateOptions generation;
    generation.max_new_tokens = options.max_new_tokens;
    generation.eos_token_ids = config.eos_token_ids;
    generation.sampling = options.sampling;
    generation.sampling.seed = options.seeds.front();
    if (options.seeds.size() > 1) generation.seeds = options.seeds;
    if (options.logprobs >= 0) generation.logprobs = options.logprobs;
    if (!options.model.json) fmt::print("{}", options.prompts_file.empty() ? options.prompt : "");
    Printer printer(tokenizer, options.model.json);
    const Clock::time_point begin = Clock::now();
    const model::GenerateReport report = model::generate(
        fleet.replicas, prompts, fleet.deployments.front()->slots(), generation,
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
    const dispatch::MemoryPlan plan = fleet.deployments.front()->plan_memory();
    if (options.model.json) {
        print_document(options, world, prompts, report, texts, plan, fleet, host);
    } else {
        print_summary(report, texts, plan, fleet, host);
    }
    return Answer::Yes;
}

}  // namespace

Verb make_run(CLI::App& app, const World& world) {
    auto options = std::make_shared<RunOptions>();
    CLI::App* verb = app.add_subcommand("run", "Generate text on simulated chips");
    add_model_options(*verb, options->model, world);
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
