// From logits to the next step's inputs: what chips and host do between the LM head and the next
// replay. On the host: logits are gathered, untilized, read from one chip, made floats, sampled,
// and four inputs are written to every chip. On the device: a gather and argmax (2025, and 2026-09
// for the likeliest token), or top-k of each chip's columns, a gather of the candidates and a draw
// (2026-05, whatever is asked for); only tokens are read.
// Source: tenstorrent/tt-metal models/tt_transformers/tt/model.py (ttnn_decode_forward,
// process_output_decode), tt/generator.py (_easy_trace_text), models/common/sampling.
#pragma once

#include <map>
#include <string>

#include "core/units.h"
#include "model/deployment.h"
#include "model/host_costs.h"

namespace model {

enum class SampledOn { Host, Device };

struct SamplingTime {
    std::map<std::string, core::Picoseconds> device;  // after the last op of the decode program
    std::map<std::string, core::Picoseconds> host;    // of one data-parallel group
};

/// Where the software of the deployment's release samples: 2025 on the device for a batch of one
/// (demo/simple_text_demo.py), later wherever a chip has at most 64k columns (tt/model.py).
SampledOn usual_sampler(const Deployment& deployment);

SamplingTime sampling_time(const Deployment& deployment, SampledOn sampler, const HostCosts& costs);

}  // namespace model
