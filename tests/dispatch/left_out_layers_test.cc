// A layer that a search left empty (DeciLM: no attention, no feed-forward) has no segment, but the
// layers after it keep their numbers. What one layer hands to the next must not depend on them.
#include "dispatch/memory_plan.h"
#include "tests/dispatch/step_fixture.h"

namespace dispatch::testing {
namespace {

using Programs = std::vector<std::shared_ptr<const Program>>;

/// Layers `gap` and later have numbers that are `missing` higher.
std::shared_ptr<Program> with_gap(std::int32_t layers, std::int32_t gap, std::int32_t missing) {
    auto program = step_program(layers);
    Segment& all = program->segments.at(1);
    Segment rest = all;
    rest.first_layer = gap + missing;
    rest.repeat = layers - gap;
    all.repeat = gap;
    // The weights of the rest are a buffer of their own, as for layers that differ.
    Buffer weights = program->buffers.at(kW);
    weights.name = "w of the rest";
    weights.first_layer = rest.first_layer;
    weights.instances = rest.repeat;
    program->buffers.at(kW).instances = gap;
    const auto index = static_cast<std::int32_t>(program->buffers.size());
    program->buffers.push_back(weights);
    std::get<OpCommand>(rest.commands.at(0).body).inputs.at(1).buffer = index;
    program->segments.insert(program->segments.begin() + 2, rest);
    program->segments.back().first_layer = layers + missing;
    if (gap == 0) program->segments.erase(program->segments.begin() + 1);
    return program;
}

std::vector<std::int64_t> addresses_of_carried(const std::shared_ptr<const Program>& program) {
    const MemoryPlan plan = plan_memory(Programs{program}, row_of(1), {});
    EXPECT_TRUE(plan.fits());
    std::vector<std::int64_t> found;
    for (const Placed& placed : plan.placed) {
        if (placed.name == "carried") found.push_back(placed.address);
    }
    return found;
}

TEST(LeftOutLayers, change_nothing_for_the_layers_that_are_there) {
    // One missing layer swaps odd and even numbers: reading by number, the next layer would look
    // for its input where nothing was put.
    for (const std::int32_t missing : {1, 2, 3}) {
        for (const std::int32_t gap : {0, 1, 2, 5}) {
            EXPECT_EQ(addresses_of_carried(with_gap(6, gap, missing)),
                      addresses_of_carried(with_gap(6, gap, 0)))
                << missing << " before layer " << gap;
        }
    }
}

}  // namespace
}  // namespace dispatch::testing
