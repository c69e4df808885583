// The readers of a program must agree, on every mesh, in decode (eager and traced) and prefill:
// planned = executed memory, simulated = executed commands and bytes, counted = real work,
// sharded = single chip. Every comparison is proven by a change that it must see.
#include <tbb/global_control.h>
#include <tbb/task_arena.h>

#include <cmath>

#include "tests/model/agreement_fixture.h"

namespace model::testing {
namespace {

/// Users of the test: on 2-D meshes one more than divides over the columns.
std::int64_t batch_of(const fabric::Mesh& mesh) {
    return mesh.shape.rows > 1 && mesh.shape.cols > 1 ? 5 : 3;
}

std::vector<std::int32_t> decode_positions(const Deployment& deployment) {
    std::vector<std::int32_t> positions(static_cast<std::size_t>(deployment.slots()), -1);
    positions[0] = 7;
    positions[2] = 40;  // slot 1 and the padded ones stay idle
    return positions;
}

Step decode_step(const Deployment& deployment, const std::vector<std::int32_t>& positions) {
    return {deployment.decode(), deployment.decode_bindings(positions),
            made_prompt(deployment.slots())};
}

Step prefill_step(Deployment& deployment, std::int64_t user, std::int64_t tokens) {
    return {deployment.prefill(padded_prefill_length(tokens), StepShape::Chunk::First),
            deployment.prefill_bindings(user, 0, tokens), made_prompt(tokens)};
}

/// The steps under test: a decode step, and prompts of 3, 33 and 128 tokens.
Steps all_steps(Deployment& deployment) {
    return {decode_step(deployment, decode_positions(deployment)), prefill_step(deployment, 0, 3),
            prefill_step(deployment, 2, 33), prefill_step(deployment, 1, 128)};
}

class Agreement : public ::testing::TestWithParam<const char*> {
protected:
    fabric::Mesh mesh_ = mesh_named(GetParam());
    std::unique_ptr<Deployment> deployment_ =
        demo_on(mesh_, "performance", demo_options(batch_of(mesh_)));
};

constexpr const char* kMeshes[] = {"n150", "n300", "n150x4", "t3k", "t3k:2x4", "galaxy", "p150x8"};

INSTANTIATE_TEST_SUITE_P(Meshes, Agreement, ::testing::ValuesIn(kMeshes), mesh_text);

TEST_P(Agreement, all_readers_agree_on_eager_steps) {
    // One program, three readers: peaks, every address, commands, bytes per hop and work.
    const Steps steps = all_steps(*deployment_);
    const Readings run = executed(*deployment_, steps, Decode::Eager);
    EXPECT_EQ(memory_disagreements(planned(*deployment_, steps, Decode::Eager), run),
              Disagreements{});
    EXPECT_EQ(command_disagreements(simulated(*deployment_, steps, Decode::Eager), run),
              Disagreements{});
    std::int64_t commands = 0;
    for (const Step& step : steps) commands += step.program->command_count();
    EXPECT_EQ(run.commands, commands);
    EXPECT_GT(run.multiply_adds, 0);
    EXPECT_EQ(run.bytes.empty(), mesh_.chip_count() == 1);
}

TEST_P(Agreement, all_readers_agree_on_a_traced_step) {
    // A capture allocates like a run and runs nothing; its replay is the step once more.
    const Steps steps{decode_step(*deployment_, decode_positions(*deployment_))};
    const Readings run = executed(*deployment_, steps, Decode::Traced);
    EXPECT_EQ(memory_disagreements(planned(*deployment_, steps, Decode::Traced), run),
              Disagreements{});
    EXPECT_EQ(command_disagreements(simulated(*deployment_, steps, Decode::Traced), run),
              Disagreements{});
    EXPECT_EQ(run.commands, 2 * steps[0].program->command_count());
}

// --- sharded = single chip ---

/// Hidden states and logits of a prompt of 33 tokens and two decode steps, user by user.
struct Values {
    std::vector<std::vector<float>> hidden;
    std::vector<Logits> logits;
};

Values values_on(std::string_view mesh_name, std::string_view precision, std::int32_t shift = 0) {
    const fabric::Mesh mesh = mesh_named(mesh_name);
    DeploymentOptions options = demo_options(3);
    options.taps = PartitionOptions::Taps::HiddenStates;
    const auto deployment = demo_on(mesh, precision, options);
    Replica replica(*deployment, demo_checkpoint(), Replica::Trace::Off);
    core::require(replica.shortage().empty(), "the demo model fits");
    Values values;
    const auto keep_hidden = [&](std::int64_t rows) {
        const auto width = static_cast<std::ptrdiff_t>(rows * deployment->config().hidden_size);
        for (const auto& layer : replica.hidden_states()) {
            values.hidden.emplace_back(layer.begin(), layer.begin() + width);
        }
    };
    for (std::int32_t user = 0; user < 3; ++user) {
        values.logits.push_back(replica.prefill(user, made_prompt(33 - 15 * user, user)));
        keep_hidden(33 - 15 * user);
    }
    std::vector<std::int32_t> tokens(static_cast<std::size_t>(deployment->slots()), 0);
    std::vector<std::int32_t> positions(tokens.size(), -1);
    for (std::int32_t step = 0; step < 2; ++step) {
        for (std::int32_t user = 0; user < 3; ++user) {
            tokens[static_cast<std::size_t>(user)] = 300 + 17 * user + step;
            positions[static_cast<std::size_t>(user)] = 33 - 15 * user + step + shift;
        }
        const std::vector<Logits> logits = replica.decode(tokens, positions);
        values.logits.insert(values.logits.end(), logits.begin(), logits.begin() + 3);
        keep_hidden(3);
    }
    return values;
}

/// Largest difference of two sets of rows over the largest value of the first.
double relative_difference(const std::vector<std::vector<float>>& a,
                           const std::vector<std::vector<float>>& b) {
    core::require(a.size() == b.size(), "both runs made the same rows");
    double largest = 0;
    double difference = 0;
    for (std::size_t row = 0; row < a.size(); ++row) {
        core::require(a[row].size() == b[row].size(), "rows are of one width");
        for (std::size_t i = 0; i < a[row].size(); ++i) {
            largest = std::max(largest, std::abs(static_cast<double>(a[row][i])));
            difference = std::max(difference, std::abs(static_cast<double>(a[row][i]) -
                                                       static_cast<double>(b[row][i])));
        }
    }
    return difference / largest;
}

// Only the order of float32 sums differs between meshes. Two orders of one sum differ by a unit in
// the last place of its largest partial sum, 2^-24 of it, give or take; 4 layers of two split sums
// make 8, and norms and the LM head weigh differences by up to 8: 64 x 2^-24 = 3.8e-6 of the
// largest value. One rounding to bf16 anywhere is 2^-9 = 2e-3 of the value it rounds.
constexpr double kTolerance = 64.0 / (1 << 24);

TEST_P(Agreement, sharded_values_are_those_of_a_single_chip) {
    // What a mesh computes must not depend on how it was split.
    const Values single = values_on("n150", "fp32");
    const Values sharded = values_on(GetParam(), "fp32");
    EXPECT_EQ(single.hidden.size(), 5u * 4u);
    EXPECT_EQ(single.logits.size(), 9u);
    EXPECT_LE(relative_difference(single.hidden, sharded.hidden), kTolerance);
    EXPECT_LE(relative_difference(single.logits, sharded.logits), kTolerance);
}

TEST(AgreementTolerance, a_rounding_or_a_wrong_position_is_more_than_the_order_of_sums) {
    // The tolerance above must tell a reordered sum from bf16 on the way and from a shifted cache.
    const Values single = values_on("n150", "fp32");
    const Values rounded = values_on("t3k", "bf16");
    EXPECT_GT(relative_difference(single.hidden, rounded.hidden), 100 * kTolerance);
    EXPECT_GT(relative_difference(single.logits, rounded.logits), 100 * kTolerance);
    const Values shifted = values_on("t3k", "fp32", 1);
    EXPECT_GT(relative_difference(single.logits, shifted.logits), 1000 * kTolerance);
}

// --- every comparison sees what it is there for ---

class AgreementMutation : public ::testing::TestWithParam<const char*> {
protected:
    using Change = std::function<void(dispatch::Program&)>;

    AgreementMutation() { readings_ = executed(*deployment_, steps_, Decode::Eager); }

    /// The same step with another program.
    Steps changed(const Change& change) const {
        auto copy = std::make_shared<dispatch::Program>(*steps_[0].program);
        change(*copy);
        Steps steps = steps_;
        steps[0].program = copy;
        return steps;
    }
    Disagreements seen_by_plan(const Change& change) const {
        return memory_disagreements(planned(*deployment_, changed(change), Decode::Eager),
                                    readings_);
    }
    Disagreements seen_by_clock(const Steps& steps) const {
        return command_disagreements(simulated(*deployment_, steps, Decode::Eager), readings_);
    }
    /// The command of a layer, by its label.
    static std::size_t find(const dispatch::Segment& segment, const std::string& label) {
        for (std::size_t i = 0; i < segment.commands.size(); ++i) {
            if (segment.commands[i].label == label) return i;
        }
        core::require(false, "the layer has this command");
        return 0;
    }
    /// Takes a command out; what it allocated and released is left to the next one.
    static void leave_out(dispatch::Program& program, const std::string& label) {
        auto& commands = program.segments[1].commands;
        const std::size_t index = find(program.segments[1], label);
        dispatch::Command& next = commands[index + 1];
        const dispatch::Command& gone = commands[index];
        next.allocates.insert(next.allocates.end(), gone.allocates.begin(), gone.allocates.end());
        next.releases.insert(next.releases.end(), gone.releases.begin(), gone.releases.end());
        commands.erase(commands.begin() + static_cast<std::ptrdiff_t>(index));
    }

    std::unique_ptr<Deployment> deployment_ =
        demo_on(mesh_named(GetParam()), "performance", demo_options(5));
    Steps steps_{decode_step(*deployment_, decode_positions(*deployment_))};
    Readings readings_;
};

INSTANTIATE_TEST_SUITE_P(Meshes, AgreementMutation, ::testing::Values("t3k", "t3k:2x4"), mesh_text);

TEST_P(AgreementMutation, nothing_changed_is_nothing_seen) {
    // The mutations below start from agreement.
    const auto same = [](dispatch::Program&) {};
    EXPECT_EQ(seen_by_plan(same), Disagreements{});
    EXPECT_EQ(seen_by_clock(changed(same)), Disagreements{});
}

TEST_P(AgreementMutation, a_dropped_release_is_seen) {
    // A buffer that lives too long moves what comes after it and raises a peak.
    const auto drop = [](const char* label) {
        return [label](dispatch::Program& program) {
            dispatch::Segment& layer = program.segments[1];
            auto& releases = layer.commands[find(layer, label)].releases;
            core::require(!releases.empty(), "the command releases something");
            releases.clear();
        };
    };
    // The reshard behind attention releases its output in DRAM; ffn_norm an activation in L1.
    EXPECT_EQ(seen_by_plan(drop("attention.sdpa.to_sharded")),
              (Disagreements{"DRAM peak", "addresses"}));
    EXPECT_EQ(seen_by_plan(drop("ffn_norm")), (Disagreements{"L1 peak", "addresses"}));
}

TEST_P(AgreementMutation, a_doubled_allocation_is_seen) {
    // w1's output at twice its width, planned only.
    const Disagreements seen = seen_by_plan([](dispatch::Program& program) {
        const dispatch::Segment& layer = program.segments[1];
        const auto& op =
            std::get<dispatch::OpCommand>(layer.commands[find(layer, "feed_forward.w1")].body);
        const auto index = static_cast<std::size_t>(op.outputs[0].buffer);
        tensor::Shape& shape = program.buffers[index].spec.shape;
        shape.set(-1, 2 * shape[-1]);
    });
    ASSERT_FALSE(seen.empty());
    EXPECT_EQ(seen.back(), "addresses");
}

TEST_P(AgreementMutation, one_page_more_in_a_transfer_is_seen) {
    // The clock gets a slice of one page more than the values.
    const Steps more = changed([](dispatch::Program& program) {
        for (dispatch::Command& command : program.segments[1].commands) {
            auto* move = std::get_if<dispatch::CollectiveCommand>(&command.body);
            if (move == nullptr) continue;
            ++move->collective.slice_pages[0];
            return;
        }
    });
    EXPECT_EQ(seen_by_clock(more), Disagreements{"bytes per hop"});
}

TEST_P(AgreementMutation, a_command_left_out_is_seen) {
    // Without the K update nothing is counted less but the command; without w3 its work as well.
    EXPECT_EQ(seen_by_clock(changed(
                  [](dispatch::Program& program) { leave_out(program, "attention.update_k"); })),
              Disagreements{"commands"});
    EXPECT_EQ(seen_by_clock(changed(
                  [](dispatch::Program& program) { leave_out(program, "feed_forward.w3"); })),
              (Disagreements{"commands", "multiply-adds"}));
}

TEST_P(AgreementMutation, other_positions_are_seen) {
    // One position more of one user: 2 products x 16 heads x 32 columns x 4 layers more.
    std::vector<std::int32_t> positions = decode_positions(*deployment_);
    ++positions[2];
    const Steps moved{decode_step(*deployment_, positions)};
    EXPECT_EQ(seen_by_clock(moved), Disagreements{"multiply-adds"});
    const Readings clock = simulated(*deployment_, moved, Decode::Eager);
    EXPECT_EQ(clock.multiply_adds - readings_.multiply_adds, 2 * 16 * 32 * 4);
}

// --- threads ---

struct Fingerprint {
    std::string digest;
    std::vector<Logits> logits;
    std::uint64_t memory = 0;
};

Fingerprint fingerprint(std::string_view mesh, int threads) {
    tbb::global_control control(tbb::global_control::max_allowed_parallelism,
                                static_cast<std::size_t>(threads));
    Fingerprint print;
    tbb::task_arena(threads).execute([&] {
        const auto deployment = demo_on(mesh_named(mesh), "performance", demo_options(3));
        Replica replica(*deployment, demo_checkpoint(), Replica::Trace::On);
        print.logits.push_back(replica.prefill(0, made_prompt(33)));
        print.logits.push_back(replica.prefill(2, made_prompt(70, 2)));
        std::vector<std::int32_t> positions(static_cast<std::size_t>(deployment->slots()), -1);
        for (std::int32_t step = 0; step < 2; ++step) {
            positions[0] = 33 + step;
            positions[2] = 70 + step;
            for (Logits& row : replica.decode(made_prompt(deployment->slots(), step), positions)) {
                print.logits.push_back(std::move(row));
            }
        }
        print.digest = replica.digest().hex();
        core::Digest memory;
        for (const dispatch::DeviceBuffer& buffer : replica.device().live_buffers()) {
            if (buffer.owner != dispatch::Owner::KvCache) continue;
            for (std::int32_t chip = 0; chip < deployment->mesh().chip_count(); ++chip) {
                memory.add(std::span<const std::byte>(
                    replica.executor().data(buffer.operand, chip),
                    static_cast<std::size_t>(buffer.operand.spec.bytes().value)));
            }
        }
        print.memory = memory.value();
    });
    return print;
}

TEST(AgreementOfThreads, one_two_and_four_threads_make_the_same_bytes_and_times) {
    // Nothing may depend on who came first: digest, logits and every byte of the caches.
    const Fingerprint one = fingerprint("t3k", 1);
    EXPECT_EQ(one.logits.size(), 2u + 2u * 3u);
    for (const int threads : {2, 4}) {
        SCOPED_TRACE(threads);
        const Fingerprint more = fingerprint("t3k", threads);
        EXPECT_EQ(more.digest, one.digest);
        EXPECT_TRUE(more.logits == one.logits);
        EXPECT_EQ(more.memory, one.memory);
    }
}

}  // namespace
}  // namespace model::testing
