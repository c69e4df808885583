// A run of `tessera demo`: what was asked, how it is run, what was measured.
// Times are the demo's (tenstorrent/tt-metal models/tt_transformers/demo/simple_text_demo.py), on
// the simulated clock: of the run itself where there are weights, else estimated as sim does.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/demo_modes.h"
#include "cli/generation.h"
#include "cli/options.h"
#include "cli/report.h"
#include "cli/setup.h"
#include "model/evaluate.h"

namespace cli {

struct DemoOptions {
    ModelOptions model;
    std::vector<std::string> mode;  // words of --mode; empty: batch-1
    bool stress_test = false;
    std::string input_prompts;
    std::optional<int> instruct;      // absent: as 1, without a chat template
    std::string date;                 // empty: none
    std::int64_t repeat_batches = 0;  // these five: 0 is the mode's
    std::int64_t max_seq_len = 0;
    std::int64_t batch_size = 0;
    std::int64_t max_generated_tokens = 0;
    std::int64_t data_parallel = 0;
    int paged_attention = 1;
    std::string page_params;
    std::string sampling_params;
    std::optional<int> stop_at_eos;
    std::string optimizations = "performance";
    std::string decoder_config_file;
    bool token_accuracy = false;
    std::string reference;
    bool enable_trace = false;  // as it is anyway
    bool disable_trace = false;
    std::int64_t num_layers = 0;
    bool use_hf_rope = false;
    bool use_prefetcher = false;
};

/// What is run: a mode with the options laid over it.
struct Demo {
    DemoMode mode;
    ModelOptions model;
    model::SamplingParams sampling;
    std::vector<std::string> notes;

    std::int64_t users() const { return mode.batch_size * mode.data_parallel; }
};

struct TokenTime {
    std::int64_t token = 0;
    core::Picoseconds step{};
};

/// The demo's measurements. Iteration 0, which compiles, is not a part of them.
struct Measurements {
    core::Picoseconds time_to_first_token{};  // prefill of all users / users
    core::Picoseconds decode_step{};          // mean
    std::int64_t iterations = 0;              // iteration 0 included
    std::vector<TokenTime> tokens;            // the 1st, 128th, 1024th and 4096th
    std::int64_t prompt_tokens = 0;           // of the first user
};

struct DemoBatch {
    TokenRows prompts;
    model::GenerateReport report;
};

struct DemoResult {
    Measurements measured;  // of the first batch
    std::vector<DemoBatch> batches;
    std::vector<std::vector<std::string>> texts;
    std::optional<bool> repeats_agree;
    std::optional<model::EvaluateReport> accuracy;
    std::optional<dispatch::MemoryPlan> plan;
    std::int32_t chips = 0;
    std::vector<std::string> problems;
    double host_seconds = 0;
};

/// Generates. Requires: weights beside config.json.
DemoResult run_demo(const DemoOptions& options, const Demo& demo, const World& world,
                    const Setup& setup);
/// The same measurements without values; prompts are as long as the mode's file makes them, about.
DemoResult estimate_demo(const DemoOptions& options, const Demo& demo, const World& world,
                         const Setup& setup);

Json demo_json(const Demo& demo, const World& world, const DemoResult& result);
void print_demo(const Demo& demo, const DemoResult& result);

/// The last component of a model's folder.
std::string model_name(const std::string& model);

}  // namespace cli
