// The readers of llama-galaxy programs agree: fused programs, prefetched weights and idle slots
// change no byte, command or address between plan, clock and values.
#include "tests/model/agreement_fixture.h"
#include "tests/model/generate_fixture.h"
#include "tests/model/replica_fixture.h"

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

TEST(GalaxyValues, float32_logits_are_those_of_one_chip) {
    // Fused programs, padded weights and 32 slots change sums' order only: as in replica_test.cc.
    DeploymentOptions options = galaxy_options();
    Running many("galaxy", "fp32", options);
    options.software = "tt-transformers";
    options.batch = 2;
    Running one("n150", "fp32", options);
    const std::vector<std::int32_t> prompt = made_prompt(40);
    EXPECT_LE(largest_difference(many.replica.prefill(1, prompt), one.replica.prefill(1, prompt)),
              6e-5);
    // The users of other columns are idle.
    EXPECT_LE(largest_difference(many.decode({0, 77}, {-1, 40}).at(1),
                                 one.decode({0, 77}, {-1, 40}).at(1)),
              6e-5);
}

TEST(GalaxyValues, greedy_text_is_the_references) {
    // One prompt of models/tiny-shakespeare/reference.json; the first token comes from the prefill.
    const ReferenceCases cases = reference_cases();
    const std::unique_ptr<Deployment> deployment =
        demo_on(mesh_named("galaxy"), "fp32", galaxy_options());
    std::vector<std::unique_ptr<Replica>> replicas;
    replicas.push_back(
        std::make_unique<Replica>(*deployment, demo_checkpoint(), Replica::Trace::On));
    constexpr std::ptrdiff_t kTokens = 6;
    const auto report =
        generate(replicas, cases.prompts, deployment->slots(), tokens_of(kTokens), {});
    for (std::size_t user = 0; user < cases.prompts.size(); ++user) {
        const auto first = cases.continuations[user].begin();
        EXPECT_EQ(report.token_ids.at(user), std::vector<std::int32_t>(first, first + kTokens))
            << user;
    }
}

}  // namespace
}  // namespace model::testing
