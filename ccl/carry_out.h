// Carries a plan out on real data: the one loop behind the executor and the tests.
// Invariant: all messages of a step are read before any of them lands; local sums come after the
// reducing steps and before the gathering ones. The order of all calls is a function of the plan.
//
// A Carrier holds data and offers three calls:
//
//   auto message = carrier.read(const Transfer& t);            at rank t.from
//   carrier.land(const Transfer& t, Message message);          at rank t.to
//   carrier.finish(const Sum& sum);                            at rank sum.rank
//
// What it holds, in pages: input(rank, slice), never written; and landed(rank, slice, lane), empty
// at first. With [pages] = t.first_page .. t.first_page + t.pages - 1 of slice t.slice:
//
//   read    Own            input(from, slice)[pages]
//           Landed         landed(from, slice, lane)[pages]; they have all landed
//           OwnPlusLanded  input(from, slice)[pages] + landed(from, slice, lane)[pages], where
//           pages
//                          that have not landed count as zero (the first hop of a ring reduction
//                          brings half a slice). Add own first, then landed.
//   land    landed(to, slice, lane)[pages] = message; no page lands twice
//   finish  landed(rank, slice, plan.output_lane()) = the sum of the terms in their order, all
//   pages
//           of the slice; term kOwnTerm is input(rank, slice), any other is that lane, full
//
// Which inputs exist, and what a rank ends with, L(i) = landed(rank, i, plan.output_lane()):
//
//   AllGather      input(r, r)                  L(i) for every i != rank, and its own input
//   ReduceScatter  input(r, i) for every i      L(rank), written by finish
//   AllReduce      input(r, i) for every i      L(i) for every i: its own slice from finish, the
//                                               others relayed (GatherAndSum: all from finish)
//   Broadcast      input(root, 0)               L(0); the root its own input
//   AllToAll       input(r, r * N + j)          L(i * N + rank) for every i != rank, and its own
//                                               input(rank, rank * N + rank)
//   PointToPoint   input(root, 0)               the target L(0); the others nothing
//
// Slices without pages never appear. landed() of other slices and lanes is staging; Landed reads of
// an AllGather or Broadcast read the output buffer itself, as the real ops do.
#pragma once

#include <utility>
#include <vector>

#include "ccl/plan.h"

namespace ccl {

template <class Carrier>
void carry_out(const Plan& plan, Carrier& carrier) {
    const std::int32_t steps = plan.step_count();
    const std::int32_t gather = plan.gather_phase();
    for (std::int32_t index = 0; index <= steps; ++index) {
        if (index == gather) {
            for (const Sum& sum : plan.sums()) carrier.finish(sum);
        }
        if (index == steps) break;
        const Step step = plan.step(index);
        std::vector<decltype(carrier.read(step.front()))> messages;
        messages.reserve(step.size());
        for (const Transfer& transfer : step) messages.push_back(carrier.read(transfer));
        for (std::size_t i = 0; i < step.size(); ++i) {
            carrier.land(step[i], std::move(messages[i]));
        }
    }
}

}  // namespace ccl
