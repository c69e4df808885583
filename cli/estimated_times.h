// What sim says of a deployment, for the verbs that also generate: prefill, mean step and single
// steps, with choosing the tokens and the host's work in them. No values.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/setup.h"
#include "core/units.h"
#include "model/deployment.h"
#include "model/sampling_time.h"

namespace cli {

struct TimesQuestion {
    std::int64_t prompt = 128;   // tokens of every user
    std::int64_t generated = 1;  // decode steps
    std::string sampling = {};   // "host", "device"; empty: as the release does
    model::Wanted wanted = model::Wanted::Likeliest;
    std::string trace = "on";              // or "off"
    std::vector<std::int64_t> steps = {};  // whose times are wanted too, from 0
};

struct EstimatedTimes {
    core::Picoseconds time_to_first_token{};
    core::Picoseconds decode_step{};       // mean
    std::vector<core::Picoseconds> steps;  // of the question's
    model::SampledOn sampler = model::SampledOn::Device;
};

/// Throws NotPossible when memory runs short.
EstimatedTimes estimated_times(model::Deployment& deployment, const ModelOptions& options,
                               const Setup& setup, const World& world,
                               const TimesQuestion& question);

}  // namespace cli
