// How fast a deployment is: its programs on the clock alone, no weights, no values.
// A decode step is what the chips do from the replay to the last kernel, choosing the tokens
// (model/sampling_time.h) and the host's own work (model/host_costs.h). Data-parallel groups run at
// the same time, but one host thread serves them one after another: it samples for each, and calls
// each's prefill, which since 2026 it does not wait for.
// Invariant: compiling and capturing are not part of any time, as in the published measurements.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/units.h"
#include "model/deployment.h"
#include "model/host_costs.h"
#include "model/recording.h"
#include "model/sampling_time.h"

namespace model {

struct EstimateOptions {
    std::int64_t isl = 128;  // prompt tokens of every user
    std::int64_t osl = 128;  // generated tokens
    enum class Trace { Off, On } trace = Trace::On;
    /// Two: the host reads tokens sampled on the device while the next step runs.
    enum class Queues { One, Two } queues = Queues::One;
    enum class Sampling { Usual, Host, Device } sampling = Sampling::Usual;
    Wanted wanted = Wanted::Likeliest;  // more than the device has is the host's at any rate
    std::int64_t groups = 1;            // data-parallel, alike; one host serves them
    std::int64_t active_users = 0;      // of the batch; the others' slots are idle; 0: all
    std::vector<std::int64_t> traced_prefills{};  // padded lengths whose prefill is replayed
    /// Usual: all users in one program where the release does so.
    enum class Prefill { Usual, OneByOne } prefill = Prefill::Usual;
    HostCosts host{};
    /// Who calls ops that are not traced: Python, or C++ that holds the program.
    enum class Caller { Python, Native } caller = Caller::Python;
    Recording* record = nullptr;  // keeps a prefill and a decode step for exports
};

using Parts = std::map<std::string, core::Picoseconds>;

struct Estimate {
    core::Picoseconds time_to_first_token{};  // prefill time of all users / users
    core::Picoseconds decode_step{};          // mean over the generation
    core::Picoseconds first_step{};           // at the first position
    core::Picoseconds roofline_step{};        // weight and KV bytes of a step at the DRAM's peak
    core::Bytes step_bytes;                   // those bytes, on the first chip
    core::Picoseconds chips{};                // of a mean step: replay to last kernel
    SampledOn sampler = SampledOn::Device;
    bool is_prefill_traced = false;
    bool is_prefill_batched = false;
    Parts prefill;    // kernels until a first token on a chip, by op kind
    Parts breakdown;  // kernels of one decode step on a chip, by op kind
    Parts by_bound;   // the same, by what held them back
    Parts by_layer;   // the same: "embedding", "layer 0", ..., "head"
    Parts host;       // of one step, all groups
    /// Of the last step's prefetcher, where there is one.
    std::optional<dispatch::StreamTimes> prefetcher;
    std::int64_t events = 0;  // commands simulated
    std::uint64_t digest = 0;
    std::string shortage;  // what did not fit; empty when all did
};

Estimate estimate(Deployment& deployment, const EstimateOptions& options);

}  // namespace model
