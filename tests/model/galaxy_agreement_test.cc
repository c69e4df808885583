// The readers of llama-galaxy programs agree: fused programs, prefetched weights and idle slots
// change no byte, command or address between plan, clock and values.
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

}  // namespace
}  // namespace model::testing
