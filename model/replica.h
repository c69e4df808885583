// One copy of a model running on one mesh of simulated chips: values and clock from the same
// commands. The first decode step compiles, is captured as a trace, and every step replays it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "core/digest.h"
#include "dispatch/executor.h"
#include "dispatch/mesh_device.h"
#include "dispatch/session.h"
#include "dispatch/simulator.h"
#include "model/deployment.h"
#include "model/safetensors.h"
#include "model/weights.h"

namespace model {

/// Logits of one row, vocab_size wide.
using Logits = std::vector<float>;

class Replica {
public:
    enum class Trace { Off, On };

    /// Places and loads everything. Throws core::Error for a checkpoint that does not match and for
    /// a network of which only the sizes are known; check `shortage()` before use: not fitting is
    /// an answer.
    Replica(Deployment& deployment, const Checkpoint& checkpoint, Trace trace,
            WeightCache* cache = nullptr);
    ~Replica();

    /// Text of the allocation that did not fit; empty when everything did.
    const std::string& shortage() const { return shortage_; }

    /// Runs a prompt (in chunks when it is long) for user slot `user`, from position `cached` on:
    /// the cache holds what is before it. Result: logits of the last token; empty with shortage()
    /// set when a buffer did not fit. Requires: cached < tokens.size(), a multiple of a tile.
    Logits prefill(std::int64_t user, std::span<const std::int32_t> tokens,
                   std::int64_t cached = 0);
    /// One token per slot at its position (-1: idle slot). Result: logits per slot.
    std::vector<Logits> decode(const std::vector<std::int32_t>& tokens,
                               const std::vector<std::int32_t>& positions);

    /// Simulated time of the last prefill or decode step: tokens written to logits read. Compiling
    /// and capturing are not part of it, as in the published measurements.
    core::Picoseconds last_step() const { return last_step_; }

    /// Residual stream after each layer of the last step (Taps::HiddenStates): [layers][rows *
    /// dim].
    const std::vector<std::vector<float>>& hidden_states() const { return hidden_states_; }

    /// All weights so far, those that a prefill needed as well.
    const LoadedWeights& weights() const { return weights_; }

    Deployment& deployment() { return deployment_; }
    const dispatch::Simulator& simulator() const { return *simulator_; }
    const dispatch::Executor& executor() const { return *executor_; }
    const dispatch::MeshDevice& device() const { return *device_; }
    /// Digest of all logits and of when everything happened.
    core::Digest digest() const;

private:
    bool failed(const std::optional<dispatch::Shortage>& shortage);
    bool place(const std::shared_ptr<const dispatch::Program>& program);
    bool compile_and_capture(const dispatch::ChipBindings& bindings);
    bool run(const std::shared_ptr<const dispatch::Program>& program,
             const dispatch::ChipBindings& bindings);
    /// Rows of the rotary tables that the step gathers; idle slots take the first.
    void write_positions(const dispatch::Program& program,
                         const std::vector<std::int32_t>& positions);
    void write_tokens(const dispatch::Program& program, std::span<const std::int32_t> tokens);
    std::vector<float> read_logits(const dispatch::Program& program);
    void keep_hidden_states(const dispatch::Program& program, dispatch::HostTensors& host);

    Deployment& deployment_;
    const Checkpoint& checkpoint_;
    WeightCache* cache_;
    LoadedWeights weights_;
    Trace trace_mode_;
    std::set<std::string> loaded_;
    std::unique_ptr<dispatch::MeshDevice> device_;
    std::unique_ptr<dispatch::Executor> executor_;
    std::unique_ptr<dispatch::Simulator> simulator_;
    std::unique_ptr<dispatch::Session> session_;
    std::optional<dispatch::TraceId> trace_;
    std::string shortage_;
    core::Digest values_;
    core::Picoseconds last_step_{};
    std::vector<std::vector<float>> hidden_states_;
};

}  // namespace model
