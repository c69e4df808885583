// The readers of llama-galaxy programs agree, and what they compute is what one chip computes:
// fused programs, prefetched weights and idle slots change no value, byte or address.
#include <cmath>

#include "tests/model/agreement_fixture.h"

namespace model::testing {
namespace {

DeploymentOptions galaxy_options() {
    DeploymentOptions options = demo_options(5);
    options.software = "llama-galaxy";
    return options;
}

std::vector<std::int32_t> positions_of(const Deployment& deployment) {
    std::vector<std::int32_t> positions(static_cast<std::size_t>(deployment.slots()), -1);
    positions[0] = 7;
    positions[2] = 40;
    return positions;
}

Steps steps_of(Deployment& deployment) {
    return {{deployment.decode(), deployment.decode_bindings(positions_of(deployment)),
             made_prompt(deployment.slots())},
            {deployment.prefill(128, StepShape::Chunk::First),
             deployment.prefill_bindings(1, 0, 33), made_prompt(33)}};
}

TEST(GalaxyAgreement, all_readers_agree_on_eager_and_traced_steps) {
    // Planned = executed peaks and addresses; simulated = executed commands, bytes and work.
    const auto deployment = demo_on(mesh_named("galaxy"), "performance", galaxy_options());
    for (const Decode mode : {Decode::Eager, Decode::Traced}) {
        const Steps steps = steps_of(*deployment);
        const Readings run = executed(*deployment, steps, mode);
        EXPECT_EQ(memory_disagreements(planned(*deployment, steps, mode), run), Disagreements{});
        EXPECT_EQ(command_disagreements(simulated(*deployment, steps, mode), run), Disagreements{});
        EXPECT_GT(run.multiply_adds, 0);
    }
}

// Logits of a prompt and of two decode steps of one user.
std::vector<Logits> logits_on(const char* mesh, const DeploymentOptions& options) {
    const auto deployment = demo_on(mesh_named(mesh), "fp32", options);
    Replica replica(*deployment, demo_checkpoint(), Replica::Trace::Off);
    core::require(replica.shortage().empty(), "the demo model fits");
    std::vector<Logits> all{replica.prefill(0, made_prompt(33))};
    const auto slots = static_cast<std::size_t>(deployment->slots());
    for (std::int32_t step = 0; step < 2; ++step) {
        std::vector<std::int32_t> tokens(slots, 0);
        std::vector<std::int32_t> positions(slots, -1);
        tokens[0] = 300 + step;
        positions[0] = 33 + step;
        all.push_back(replica.decode(tokens, positions).front());
    }
    return all;
}

TEST(GalaxyAgreement, values_are_those_of_a_single_chip) {
    // In float32 only the order of sums differs: 64 units in the last place, as agreement_test.cc
    // derives.
    const std::vector<Logits> single = logits_on("n150", demo_options(1));
    const std::vector<Logits> galaxy = logits_on("galaxy", galaxy_options());
    ASSERT_EQ(single.size(), galaxy.size());
    for (std::size_t i = 0; i < single.size(); ++i) {
        ASSERT_EQ(single[i].size(), galaxy[i].size());
        double largest = 0;
        double difference = 0;
        for (std::size_t at = 0; at < single[i].size(); ++at) {
            largest = std::max(largest, std::abs(static_cast<double>(single[i][at])));
            difference = std::max(difference, std::abs(static_cast<double>(single[i][at]) -
                                                       static_cast<double>(galaxy[i][at])));
        }
        EXPECT_LE(difference, largest * 64.0 / (1 << 24)) << i;
    }
}

}  // namespace
}  // namespace model::testing
