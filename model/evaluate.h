// How close a run is to a reference: teacher-forced, a prompt of P positions prefilled, the rest
// decoded one by one. Logits of positions P-1 .. T-1 are compared (T-2 when the reference ends
// there: a .refpt), hidden states of all positions. A batch replicates the sequence; users are
// apart by a position, so that no two do the same in a step. top1 / top5: the run's likeliest token
// against the reference's first / among its first five.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "model/reference.h"
#include "model/replica.h"

namespace model {

struct EvaluateOptions {
    std::int64_t prefill = 1;  // positions
    std::int64_t users = 1;    // of each replica
    /// Starts: user u is prefilled before step u, its slot is idle until then. Prefills: all start
    /// at once, user u with u more positions prefilled, cyclically.
    enum class Stagger { Starts, Prefills } stagger = Stagger::Starts;
};

struct UserScore {
    std::int64_t prefill = 0;
    std::int64_t positions = 0;
    double max_abs_error = 0;
    double max_abs_error_hidden = 0;
};

struct EvaluateReport {
    std::int64_t positions = 0;  // rows of logits compared, of all users
    double top1 = 0;             // percent
    double top5 = 0;             // percent
    double pcc_logits = 0;
    double max_abs_error = 0;               // of the logits
    std::vector<double> pcc_hidden_states;  // per layer; empty without them in the reference
    double max_abs_error_hidden = 0;
    std::vector<UserScore> users;  // over all replicas
    std::string shortage;          // what did not fit; empty when all did
};

/// Told of the positions that the user farthest behind has done.
using OnPosition = std::function<void(std::int64_t position)>;

/// Requires: the replicas' deployments have room for the users and the reference's positions, and
/// Taps::HiddenStates when the reference has hidden states. Throws core::Error when vocabulary or
/// layers differ.
EvaluateReport evaluate(std::span<const std::unique_ptr<Replica>> replicas,
                        const Reference& reference, const EvaluateOptions& options,
                        const OnPosition& on_position);

/// Throws core::Error when the reference is not one of this network, or the prompt not a part of
/// it.
void check_reference(const Config& config, const Reference& reference, std::int64_t prefill);

}  // namespace model
