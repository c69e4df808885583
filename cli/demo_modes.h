// The modes of tt_transformers' text demo and what may be changed in them.
// Source: tenstorrent/tt-metal models/tt_transformers/demo/simple_text_demo.py (the parameters of
// test_demo_text and their ids) and demo/conftest.py (the options).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "model/generate.h"
#include "model/sampling.h"

namespace cli {

/// What happens at an end-of-text token.
enum class AtEos { Stop, GoOn };

/// What is run: all, the prompts alone, or decoding alone, from token 0 at the first position.
enum class DemoPhases { Full, Prefill, Decode };
/// "full", "prefill", "decode".
std::string_view to_text(DemoPhases phases);

struct DemoMode {
    std::string name;
    std::int64_t max_seq_len = 0;
    std::int64_t batch_size = 0;  // of a data-parallel group
    std::int64_t max_generated_tokens = 0;
    std::int64_t block_size = 0;
    std::int64_t max_num_blocks = 0;
    AtEos at_eos = AtEos::Stop;
    std::int64_t data_parallel = 1;
    std::int64_t prompt_tokens = 128;  // of its prompt file, about: where no tokenizer counts them
    std::int64_t repeat_batches = 1;   // prompts move on by a user each time
    /// A stress test goes over one position again and again.
    model::GenerateOptions::Positions positions = model::GenerateOptions::Positions::Advance;
    DemoPhases phases = DemoPhases::Full;

    bool is_stress_test() const { return positions == model::GenerateOptions::Positions::Stay; }
};

const std::vector<DemoMode>& demo_modes();
/// What --mode takes: the modes' names and those of the phases.
std::vector<std::string> demo_mode_words();
/// Of the words of --mode, at most one of each sort; batch-1 and full unless said. Throws
/// core::Error for an unknown word, and for two of one sort.
DemoMode demo_mode(const std::vector<std::string>& words);

/// --page_params: {"page_block_size": 32, "page_max_num_blocks_per_dp": 1024}, either key; the
/// second is page_max_num_blocks in older files. Throws core::Error.
void set_page_params(DemoMode& mode, const std::string& json);

/// --sampling_params over the demo's own, temperature 0 and top_p 0.08: temperature, top_p, top_k,
/// seed, repetition_penalty, presence_penalty, frequency_penalty. Throws core::Error.
model::SamplingParams demo_sampling(const std::string& json);

/// The assertion of model_config.py as core::Error: 1, 2, 4, 8, 16 or 32.
void require_batch_size(std::int64_t batch);

}  // namespace cli
