// From logits to the next step's inputs: what chips and host do between the LM head and the next
// replay. On the host: logits are gathered, untilized, read from one chip, made floats, sampled,
// and four inputs are written to every chip. On the device: a gather and argmax (2025, and 2026-09
// for the likeliest token), or top-k of each chip's columns, a gather of the candidates and a draw
// (2026-05, and later for tokens that are drawn); only tokens are read. What the device cannot do
// is left to the host. Source: tenstorrent/tt-metal models/tt_transformers/tt/model.py
// (ttnn_decode_forward, process_output_decode), tt/generator.py (_easy_trace_text),
// models/common/sampling.
#pragma once

#include <map>
#include <string>

#include "core/units.h"
#include "model/deployment.h"
#include "model/host_costs.h"
#include "model/sampling.h"

namespace model {

enum class SampledOn { Host, Device };

struct SamplingTime {
    std::map<std::string, core::Picoseconds> device;  // after the last op of the decode program
    std::map<std::string, core::Picoseconds> host;    // of one data-parallel group
};

/// What is wanted of the sampler.
enum class Wanted { Likeliest, Drawn, MoreThanDevice };

/// The device has temperature, top-k, top-p, seeds and penalties. min_p, more log-probabilities
/// than the picked token's, and on a single chip any, are the host's (tenstorrent/vllm:
/// vllm/platforms/tt.py compat_sampling_required). `logprobs`: how many of the likeliest; below 0:
/// none.
Wanted wanted_of(const SamplingParams& params, std::int64_t logprobs, std::int64_t chips);

/// Where the software of the deployment's release samples: 2025 on the device for the likeliest
/// token of a batch of one (demo/simple_text_demo.py), later wherever a chip has at most 64k
/// columns (tt/model.py).
SampledOn usual_sampler(const Deployment& deployment, Wanted wanted = Wanted::Likeliest);

SamplingTime sampling_time(const Deployment& deployment, SampledOn sampler, const HostCosts& costs,
                           Wanted wanted = Wanted::Likeliest);

}  // namespace model
