// The runs of `tessera demo`.
#include <algorithm>
#include <map>

#include "cli/demo.h"
#include "cli/estimated_times.h"
#include "core/error.h"
#include "model/tokenizer.h"

namespace cli {
namespace {

// Iterations the demo names: the 128th token is made by iteration 127, but the "1st" by iteration 1
// (simple_text_demo.py).
constexpr std::pair<std::int64_t, std::int64_t> kNamed[] = {
    {1, 1}, {128, 127}, {1024, 1023}, {4096, 4095}};

// common.py, preprocess_inputs_prefill: prompts are clipped when the shortest is too long, and room
// for the answer is kept only when the model's whole context is asked for.
void clip(TokenRows& prompts, const Demo& demo, const model::Config& config) {
    std::int64_t most = demo.mode.max_seq_len;
    if (most >= config.max_position_embeddings) most -= demo.mode.max_generated_tokens;
    if (shortest(prompts) > most && most > 0) clip_left(prompts, most);
}

std::int64_t iterations(const DemoMode& mode) {
    return mode.phases == DemoPhases::Prefill ? 0 : mode.max_generated_tokens;
}

void require_context(const Demo& demo, std::int64_t prompt) {
    if (prompt + demo.mode.max_generated_tokens <= demo.mode.max_seq_len) return;
    throw too_long(prompt, demo.mode.max_generated_tokens, demo.mode.max_seq_len)
        .hint("--max_seq_len and --max_generated_tokens set the sizes");
}

std::vector<std::string> prompts_of(const DemoOptions& options, const Demo& demo,
                                    const World& world) {
    if (options.input_prompts.empty() && demo.mode.prompt_tokens > 128) {
        throw core::Error("--input_prompts: expected a file for " + demo.mode.name +
                          ", got nothing")
            .hint("the prompts that ship with the program are short questions");
    }
    const auto shipped = world.catalog.folder / "software" / "demo_prompts.json";
    return read_prompts(
        options.input_prompts.empty() ? shipped.string() : options.input_prompts,
        options.instruct.value_or(1) == 1 ? ContextStyle::Instruct : ContextStyle::Plain);
}

Measurements measure(const model::GenerateReport& report, const TokenRows& prompts) {
    Measurements measured;
    measured.time_to_first_token = report.time_to_first_token;
    measured.iterations = report.decode_steps;
    measured.prompt_tokens = static_cast<std::int64_t>(prompts.front().size());
    core::Picoseconds total{};
    for (std::size_t i = 1; i < report.step_times.size(); ++i) total += report.step_times[i];
    if (measured.iterations > 1) measured.decode_step = total / (measured.iterations - 1);
    for (const auto& [token, iteration] : kNamed) {
        if (iteration >= measured.iterations) break;
        measured.tokens.push_back({token, report.step_times[static_cast<std::size_t>(iteration)]});
    }
    return measured;
}

// The same prompt must give the same tokens in every batch, whichever user has it.
bool repeats_agree(const std::vector<DemoBatch>& batches) {
    std::map<std::vector<std::int32_t>, std::vector<std::int32_t>> said;
    for (const DemoBatch& batch : batches) {
        for (std::size_t user = 0; user < batch.prompts.size(); ++user) {
            const auto [known, is_new] =
                said.emplace(batch.prompts[user], batch.report.token_ids[user]);
            if (known->second != batch.report.token_ids[user]) return false;
        }
    }
    return true;
}

// A reference of the model's folder, unless one is named.
model::Reference open_reference(const DemoOptions& options) {
    const std::filesystem::path folder = options.model.model;
    const std::filesystem::path found[] = {folder / (model_name(options.model.model) + ".refpt"),
                                           folder / "reference.safetensors"};
    if (!options.reference.empty()) return model::Reference::open(options.reference);
    return model::Reference::open(std::filesystem::exists(found[0]) ? found[0] : found[1]);
}

TokenRows encoded(const std::vector<std::string>& texts, const DemoOptions& options,
                  const Demo& demo, const model::Tokenizer& tokenizer,
                  const model::Config& config) {
    // model_config.py, encode_prompt: where there is no template the text itself is encoded.
    auto chat = options.instruct == 1 ? model::ChatTemplate::find(tokenizer, options.model.model)
                                      : std::nullopt;
    if (chat && !options.date.empty()) chat->set_day(options.date);
    TokenRows prompts = encode_prompts(texts, demo.users(), tokenizer, config, options.model.model,
                                       chat ? &*chat : nullptr);
    clip(prompts, demo, config);
    return prompts;
}

// Tokens of the longest prompt: of the file where one is named, else about what the mode's has.
std::int64_t prompt_length(const DemoOptions& options, const Demo& demo, const World& world,
                           const model::Config& config) {
    const std::int64_t room = demo.mode.max_seq_len - demo.mode.max_generated_tokens;
    std::int64_t prompt = std::min(demo.mode.prompt_tokens, room);
    if (!options.input_prompts.empty()) {
        const auto tokenizer = model::Tokenizer::load(options.model.model);
        prompt =
            longest(encoded(prompts_of(options, demo, world), options, demo, tokenizer, config));
    }
    if (prompt < 1) prompt = demo.mode.prompt_tokens;
    require_context(demo, prompt);
    return prompt;
}

class WithWeights {
public:
    WithWeights(const DemoOptions& options, const Demo& demo, const World& world,
                const Setup& setup)
        : options_(options),
          demo_(demo),
          world_(world),
          setup_(setup),
          tokenizer_(model::Tokenizer::load(options.model.model)),
          texts_(prompts_of(options, demo, world)) {
        for (std::int64_t i = 0; i < demo.mode.repeat_batches; ++i) {
            batches_.push_back({rotated(i), {}});
            start_.prompt = std::max(start_.prompt, longest(batches_.back().prompts));
        }
        require_context(demo, start_.prompt);
        if (options.token_accuracy) reference_ = open_reference(options);
        start_.weight_cache = demo.model.weight_cache;
        start_.laid = deployment_options(demo.model, setup, demo.model.context);
        start_.generated = demo.mode.max_generated_tokens;
        if (options.disable_trace) start_.trace = model::Replica::Trace::Off;
        if (!reference_ || !reference_->has_hidden_states()) return;
        start_.laid.taps = model::PartitionOptions::Taps::HiddenStates;
        start_.trace = model::Replica::Trace::Off;
    }

    DemoResult run() {
        const model::Checkpoint checkpoint = model::Checkpoint::open(options_.model.model);
        const Fleet fleet = start_fleet(world_, setup_, checkpoint, start_);
        DemoResult result;
        if (reference_) result.accuracy = accuracy(fleet);
        for (DemoBatch& batch : batches_) {
            generate(fleet, batch);
            std::vector<std::string> texts;
            for (const auto& ids : batch.report.token_ids) {
                texts.push_back(tokenizer_.decode(ids, model::ShowSpecial::No));
            }
            result.texts.push_back(std::move(texts));
        }
        result.measured = measure(batches_.front().report, batches_.front().prompts);
        if (demo_.mode.phases == DemoPhases::Decode) result.measured.time_to_first_token = {};
        const bool greedy = demo_.sampling.temperature == 0;
        if (greedy && batches_.size() > 1) result.repeats_agree = repeats_agree(batches_);
        result.batches = std::move(batches_);
        result.plan = fleet.plan_memory();
        result.chips = fleet.chips();
        return result;
    }

private:
    // DemoBatch i gives user j the prompt j + i of the file, cyclically.
    TokenRows rotated(std::int64_t i) const {
        if (demo_.mode.phases == DemoPhases::Decode) {
            return TokenRows(static_cast<std::size_t>(demo_.users()), {0});
        }
        std::vector<std::string> texts = texts_;
        const auto first = static_cast<std::size_t>(i) % texts.size();
        std::rotate(texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(first), texts.end());
        return encoded(texts, options_, demo_, tokenizer_, setup_.config);
    }

    // Half of the reference is prefilled, the rest fed token by token (class TokenAccuracy).
    model::EvaluateReport accuracy(const Fleet& fleet) const {
        model::EvaluateOptions evaluation;
        evaluation.prefill = std::max<std::int64_t>(1, reference_->positions() / 2);
        evaluation.users = demo_.mode.batch_size;
        fleet.first().require_room(reference_->positions(), 0);
        model::EvaluateReport report = evaluate(fleet.replicas, *reference_, evaluation, {});
        if (!report.shortage.empty()) throw NotPossible{{report.shortage}, ""};
        return report;
    }

    // The token of the prefill and one of every iteration.
    void generate(const Fleet& fleet, DemoBatch& batch) const {
        model::GenerateOptions generation;
        generation.max_new_tokens = iterations(demo_.mode) + 1;
        generation.positions = demo_.mode.positions;
        if (demo_.mode.at_eos == AtEos::Stop) {
            generation.eos_token_ids = setup_.config.eos_token_ids;
        }
        generation.sampling = demo_.sampling;
        batch.report =
            model::generate(fleet.replicas, batch.prompts, fleet.first().slots(), generation, {});
        if (!batch.report.shortage.empty()) {
            throw NotPossible{{batch.report.shortage}, "`tessera check` plans it"};
        }
    }

    const DemoOptions& options_;
    const Demo& demo_;
    const World& world_;
    const Setup& setup_;
    model::Tokenizer tokenizer_;
    std::vector<std::string> texts_;
    FleetOptions start_;
    std::vector<DemoBatch> batches_;
    std::optional<model::Reference> reference_;
};

}  // namespace

std::string model_name(const std::string& model) {
    const auto path = std::filesystem::path(model).lexically_normal();
    const auto folder = std::filesystem::is_directory(path) ? path : path.parent_path();
    return folder.has_filename() ? folder.filename().string()
                                 : folder.parent_path().filename().string();
}

DemoResult run_demo(const DemoOptions& options, const Demo& demo, const World& world,
                    const Setup& setup) {
    return WithWeights(options, demo, world, setup).run();
}

DemoResult estimate_demo(const DemoOptions& options, const Demo& demo, const World& world,
                         const Setup& setup) {
    require_split(setup);
    model::require_runs(setup.config, "config.json");
    const std::int64_t generated = iterations(demo.mode);
    const bool decodes_alone = demo.mode.phases == DemoPhases::Decode;
    const std::int64_t prompt =
        decodes_alone ? 1 : prompt_length(options, demo, world, setup.config);
    model::Deployment deployment(setup.config, setup.precision, setup.group(),
                                 deployment_options(demo.model, setup, demo.model.context));
    deployment.require_room(prompt, generated);
    TimesQuestion question{
        .prompt = prompt,
        .generated = demo.mode.is_stress_test() ? 1 : std::max<std::int64_t>(generated, 1),
        .wanted = model::wanted_of(demo.sampling, -1, deployment.mesh().chip_count())};
    if (options.disable_trace) question.trace = "off";
    for (const auto& [token, iteration] : kNamed) {
        if (iteration >= generated) continue;
        question.steps.push_back(demo.mode.is_stress_test() ? 0 : iteration);
    }
    const EstimatedTimes times = estimated_times(deployment, demo.model, setup, world, question);
    DemoResult result;
    if (!decodes_alone) result.measured.time_to_first_token = times.time_to_first_token;
    result.measured.iterations = generated;
    result.measured.prompt_tokens = prompt;
    if (generated > 1) result.measured.decode_step = times.decode_step;
    for (std::size_t i = 0; i < times.steps.size(); ++i) {
        result.measured.tokens.push_back({kNamed[i].first, times.steps[i]});
    }
    result.plan = deployment.plan_memory();
    result.chips = static_cast<std::int32_t>(setup.groups.size()) * setup.group().chip_count();
    return result;
}

}  // namespace cli
