// How close a run is to a reference: teacher-forced, a prompt of P positions prefilled, the rest
// decoded one by one. Logits of positions P-1 .. T-1 are compared (T-2 when the reference ends
// there: a .refpt), hidden states of all positions.
// top1 / top5: the run's likeliest token against the reference's first / among its first five.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "model/reference.h"
#include "model/replica.h"

namespace model {

struct EvaluateReport {
    std::int64_t positions = 0;  // rows of logits compared
    double top1 = 0;             // percent
    double top5 = 0;             // percent
    double pcc_logits = 0;
    double max_abs_error = 0;               // of the logits
    std::vector<double> pcc_hidden_states;  // per layer; empty without them in the reference
    double max_abs_error_hidden = 0;
    std::string shortage;  // what did not fit; empty when all did
};

/// Requires: the replica's deployment has room for the reference's positions, and
/// Taps::HiddenStates when the reference has hidden states. Throws core::Error when vocabulary or
/// layers differ.
EvaluateReport evaluate(Replica& replica, const Deployment& deployment, const Reference& reference,
                        std::int64_t prefill, const std::function<void(std::int64_t)>& progress);

}  // namespace model
