// How fast a deployment is: its programs on the clock alone, no weights, no values.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "core/units.h"
#include "model/deployment.h"
#include "model/recording.h"

namespace model {

struct EstimateOptions {
    std::int64_t isl = 128;  // prompt tokens of every user
    std::int64_t osl = 128;  // generated tokens
    enum class Trace { Off, On } trace = Trace::On;
    Recording* record = nullptr;  // keeps a prefill and a decode step for exports
};

struct Estimate {
    core::Picoseconds time_to_first_token{};  // prefill time of all users / users
    core::Picoseconds decode_step{};          // mean of the first and the last step
    core::Picoseconds roofline_step{};  // weight and KV bytes of a step at the DRAM's peak rate
    std::map<std::string, core::Picoseconds> breakdown;  // one decode step, by op kind
    std::map<std::string, core::Picoseconds> by_bound;   // one decode step, by what held it back
    std::int64_t events = 0;                             // commands simulated
    std::uint64_t digest = 0;
    std::string shortage;  // what did not fit; empty when all did
};

Estimate estimate(Deployment& deployment, const EstimateOptions& options);

}  // namespace model
