// Laws that every time obeys, asked of hundreds of random questions: nothing is faster than its
// bytes over the memory's peak, its products over the matrix units or its packets over the wire;
// a better chip is never slower; more work is never faster. Where the real system breaks a law
// (blocks of matmuls, the one-shot reduce-scatter), the test says so and asks only where it holds.
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <utility>

#include "dispatch/simulator.h"
#include "fabric/packets.h"
#include "tests/dispatch/device_fixture.h"
#include "tests/dispatch/random_questions.h"

namespace dispatch::testing {
namespace {

using core::Picoseconds;

constexpr int kCases = 200;  // of each architecture

/// check(random, chip) for both architectures; a failure names the number of the question.
template <class Check>
void for_questions(Check check) {
    for (const bool is_wormhole : {true, false}) {
        Random random(is_wormhole ? 1 : 2);
        for (int i = 0; i < kCases; ++i) {
            SCOPED_TRACE(real_chip(is_wormhole).name + " question " + std::to_string(i));
            check(random, real_chip(is_wormhole));
        }
    }
}

/// time(chip) on chips that are better in one thing is at most that on `chip`.
template <class Time>
void expect_better_is_not_slower(const mesh::ChipSpec& chip, Time time) {
    const Picoseconds base = time(chip);
    EXPECT_LE(time(faster_clock(chip)), base) << "clock";
    EXPECT_LE(time(faster_dram(chip)), base) << "DRAM";
    EXPECT_LE(time(faster_l1(chip)), base) << "L1";
}

Picoseconds at_clock(double cycles, const mesh::ChipSpec& chip) {
    return core::duration(core::Cycles{static_cast<std::int64_t>(cycles)}, chip.clock);
}

void expect_possible(const MatmulQuestion& question, const mesh::ChipSpec& chip) {
    const Picoseconds time = question.time(chip).total();
    EXPECT_GE(time, question.dram_bytes() / chip.dram.peak);
    EXPECT_GE(time, at_clock(question.least_cycles(chip), chip));
    expect_better_is_not_slower(
        chip, [&](const mesh::ChipSpec& on) { return question.time(on).total(); });
}

// --- matmuls ---

TEST(MatmulLaws, no_matmul_beats_its_bytes_its_products_or_a_better_chip) {
    for_questions([](Random& random, const mesh::ChipSpec& chip) {
        expect_possible(random_grid_matmul(random, chip), chip);
        expect_possible(random_bank_matmul(random, chip), chip);
    });
}

TEST(MatmulLaws, a_wider_or_twice_as_deep_matmul_on_banks_is_never_faster) {
    // Not tile by tile in K: 31 tiles on a core are blocks of one, 32 are blocks of eight.
    for_questions([](Random& random, const mesh::ChipSpec& chip) {
        MatmulQuestion question = random_bank_matmul(random, chip);
        const Picoseconds base = question.time(chip).total();
        const MatmulSpecs specs = question.specs;
        const std::int64_t depth = specs.depth_tiles() * 32;
        const std::int64_t cols = specs.col_tiles() * 32;
        question.specs = matmul_of(32, 2 * depth, cols, specs.x.dtype, specs.weight.dtype);
        EXPECT_GE(question.time(chip).total(), base);
        question.specs = matmul_of(32, depth, cols + 32, specs.x.dtype, specs.weight.dtype);
        EXPECT_GE(question.time(chip).total(), base);
    });
}

TEST(MatmulLaws, twice_the_rows_or_columns_on_the_grid_are_never_faster) {
    // Not tile by tile, and not for K: blocks must divide them, so 31 tiles may take longer than
    // 32, and a prime K longer than twice as much.
    for_questions([](Random& random, const mesh::ChipSpec& chip) {
        MatmulQuestion question = random_grid_matmul(random, chip);
        question.tuning = MatmulTuning::Tuned;
        const Picoseconds base = question.time(chip).total();
        const MatmulSpecs specs = question.specs;
        for (const auto& [m, n] : {std::pair{2, 1}, {1, 2}}) {
            question.specs =
                matmul_of(m * 32 * specs.row_tiles(), 32 * specs.depth_tiles(),
                          n * 32 * specs.col_tiles(), specs.x.dtype, specs.weight.dtype);
            EXPECT_GE(question.time(chip).total(), base) << m << n;
        }
    });
}

TEST(MatmulLaws, tuned_blocks_are_never_slower_than_those_out_of_the_box) {
    for_questions([](Random& random, const mesh::ChipSpec& chip) {
        MatmulQuestion question = random_grid_matmul(random, chip);
        question.tuning = MatmulTuning::Tuned;
        const Picoseconds tuned = question.time(chip).total();
        question.tuning = MatmulTuning::OutOfBox;
        EXPECT_LE(tuned, question.time(chip).total());
    });
}

// --- attention ---

/// Keys that some row sees, times rows: multiply-adds of one depth.
double scores(const AttentionQuestion& question) {
    const auto keys = static_cast<double>(question.keys);
    if (question.kind == AttentionKind::Decode) return keys;
    const auto rows = static_cast<double>(question.rows);
    return rows * (keys - rows) + rows * (rows + 1) / 2;
}

TEST(AttentionLaws, no_attention_beats_its_cache_its_scores_or_a_better_chip) {
    for_questions([](Random& random, const mesh::ChipSpec& chip) {
        const AttentionQuestion question = random_attention(random);
        const auto time = [&](const mesh::ChipSpec& on) {
            return attention_answer(question, on).time.total();
        };
        // K and V once; decode pads the query heads of a KV head to the rows of a tile.
        const tensor::Spec cache{
            {2 * question.batch * question.of.kv_heads * question.keys, question.of.q_dim},
            question.of.kv,
            tensor::Layout::Tile};
        EXPECT_GE(time(chip), cache.bytes() / chip.dram.peak);
        const bool is_decode = question.kind == AttentionKind::Decode;
        const std::int64_t rows = is_decode ? 32 * question.of.kv_heads : question.of.heads;
        const auto heads = static_cast<double>(question.batch * rows);
        const double products =
            heads * scores(question) * 2 * static_cast<double>(question.of.q_dim) / 32768;
        const std::int64_t cycles =
            chip.tile_cycles.at(static_cast<std::size_t>(question.fidelity));
        EXPECT_GE(
            time(chip),
            at_clock(products * static_cast<double>(cycles) / chip.worker_grid.cores(), chip));
        expect_better_is_not_slower(chip, time);
    });
}

TEST(AttentionLaws, more_keys_and_twice_the_users_or_heads_are_never_faster) {
    // Not one more: query chunks of 9 heads may be dealt more evenly than those of 8.
    for_questions([](Random& random, const mesh::ChipSpec& chip) {
        const AttentionQuestion question = random_attention(random);
        const auto time = [&](const AttentionQuestion& asked) {
            return attention_answer(asked, chip).time.total();
        };
        const Picoseconds base = time(question);
        AttentionQuestion more = question;
        more.of.heads *= 2;
        EXPECT_GE(time(more), base) << "heads";
        more = question;
        more.keys += 512;
        EXPECT_GE(time(more), base) << "keys";
        more = question;
        more.batch *= 2;
        EXPECT_GE(time(more), base) << "users";
    });
}

// --- kernels that stream pages ---

KernelQuestion random_kernel(Random& random, const mesh::ChipSpec& chip) {
    const KernelKind kind =
        random.of({KernelKind::Copy, KernelKind::Unary, KernelKind::SlowUnary, KernelKind::Binary,
                   KernelKind::GatedBinary, KernelKind::RmsNorm, KernelKind::LayerNorm,
                   KernelKind::Softmax, KernelKind::Tilize, KernelKind::Untilize,
                   KernelKind::TransposeTiles, KernelKind::RowsOfTiles, KernelKind::Rotary});
    KernelQuestion question;
    question.kind = kind;
    question.cores = static_cast<std::int32_t>(random.in(1, chip.worker_grid.cores()));
    const tensor::Spec tiles{{32 * random.in(1, 32), 32 * random.in(1, 128)},
                             tensor::DType::BFloat16,
                             tensor::Layout::Tile};
    tensor::Spec rows = tiles;
    rows.layout = tensor::Layout::RowMajor;
    const MemoryConfig from = random.dram_or_l1(question.cores);
    const MemoryConfig to = random.dram_or_l1(question.cores);
    question.in = {operand(kind == KernelKind::Tilize ? rows : tiles, from)};
    if (kind == KernelKind::Binary || kind == KernelKind::GatedBinary) {
        question.in.push_back(question.in.front());
    }
    question.out = operand(kind == KernelKind::Untilize ? rows : tiles, to);
    return question;
}

core::Bytes dram_bytes(const KernelQuestion& question) {
    core::Bytes bytes{};
    for (const KernelOperand& in : question.in) {
        if (in.place() == Place::Dram) bytes += in.moved;
    }
    if (question.out.place() == Place::Dram) bytes += question.out.moved;
    return bytes;
}

TEST(KernelLaws, no_kernel_beats_its_bytes_or_a_better_chip) {
    for_questions([](Random& random, const mesh::ChipSpec& chip) {
        const KernelQuestion question = random_kernel(random, chip);
        const auto time = [&](const mesh::ChipSpec& on) {
            return kernel_time(question, on).total();
        };
        EXPECT_GE(time(chip), dram_bytes(question) / chip.dram.peak)
            << static_cast<int>(question.kind);
        expect_better_is_not_slower(chip, time);
    });
}

TEST(KernelLaws, twice_the_rows_are_never_faster) {
    for_questions([](Random& random, const mesh::ChipSpec& chip) {
        KernelQuestion question = random_kernel(random, chip);
        const Picoseconds base = kernel_time(question, chip).total();
        const auto twice = [](const KernelOperand& of) {
            tensor::Spec spec = of.spec;
            spec.shape.set(0, 2 * of.spec.shape[0]);
            return operand(spec, of.memory);
        };
        for (KernelOperand& in : question.in) in = twice(in);
        question.out = twice(question.out);
        EXPECT_GE(kernel_time(question, chip).total(), base) << static_cast<int>(question.kind);
    });
}

// --- launches, transfers, the network on chip ---

TEST(LaunchLaws, more_of_anything_is_never_faster_and_no_period_is_below_its_kernel) {
    for_questions([](Random& random, const mesh::ChipSpec& chip) {
        const LaunchShape shape = random_launch(random, chip);
        const Picoseconds kernel{random.in(0, 20'000'000)};
        const LaunchOptions options{
            random.of({Release::R2025, Release::R2026_05, Release::R2026_09}),
            mesh::DispatchCore::Worker};
        const auto period = [&](const LaunchShape& of, Binaries binaries, LaunchOptions with) {
            return launch_period(launch_cost(of, binaries, chip, with), kernel, chip);
        };
        const Picoseconds base = period(shape, Binaries::Resident, options);
        EXPECT_GE(base, kernel);
        EXPECT_GE(period(shape, Binaries::Cached, options), base);
        // Large binaries come out of DRAM faster than through a trace, as 2025 sends them.
        if (options.release != Release::R2025) {
            EXPECT_GE(period(shape, Binaries::Fetched, options), base);
        }
        EXPECT_GE(
            period(shape, Binaries::Resident, {options.release, mesh::DispatchCore::Ethernet}),
            base);
        for (auto part : {&LaunchShape::groups, &LaunchShape::unique_args,
                          &LaunchShape::common_args, &LaunchShape::circular_buffers}) {
            LaunchShape more = shape;
            more.*part += 1;
            EXPECT_GE(period(more, Binaries::Resident, options), base);
        }
    });
}

TEST(TransferLaws, no_transfer_beats_the_wire_or_a_smaller_one) {
    for_questions([](Random& random, const mesh::ChipSpec& chip) {
        const HostTransfer transfer = random_transfer(random);
        const Release release = random.of({Release::R2025, Release::R2026_09});
        const auto time = [&](const HostTransfer& of) { return transfer_time(of, chip, release); };
        EXPECT_GE(time(transfer), transfer.size / chip.kernels->host.wire);
        HostTransfer other = transfer;
        other.size += transfer.page;
        EXPECT_GE(time(other), time(transfer));
        other = transfer;
        other.memory = HostMemory::Staged;
        EXPECT_GE(time(other), time(transfer));
        other = transfer;
        other.reach = Reach::Remote;
        EXPECT_GE(time(other), time(transfer));
    });
}

TEST(NocLaws, no_traffic_beats_its_flits_or_less_traffic) {
    for_questions([](Random& random, const mesh::ChipSpec& chip) {
        const mesh::NocTraffic traffic = random_traffic(random);
        const mesh::NocSpec& noc = chip.kernels->noc;
        const auto cycles = [&](const mesh::NocTraffic& of) {
            return mesh::noc_time(noc, of).total().value;
        };
        EXPECT_GE(cycles(traffic),
                  traffic.transactions * core::ceil_div(traffic.size.value, noc.flit.value));
        mesh::NocTraffic more = traffic;
        more.transactions += 1;
        EXPECT_GE(cycles(more), cycles(traffic)) << "transactions";
        more = traffic;
        more.size += noc.flit;
        EXPECT_GE(cycles(more), cycles(traffic)) << "size";
    });
}

// --- between chips ---

fabric::Mesh mesh_named(const std::string& name) {
    return std::get<fabric::Mesh>(fabric::open_mesh({TESSERA_SOURCE_DIR "/topologies"}, name));
}

TEST(FabricLaws, no_packet_beats_the_line_and_a_larger_one_is_never_faster) {
    using fabric::Routing, fabric::Casting, fabric::Directions, fabric::PacketWrite;
    for (const char* name : {"t3k", "galaxy", "bh-galaxy", "p150x8"}) {
        const fabric::System system = mesh_named(name).system;
        Random random(3);
        for (int i = 0; i < kCases; ++i) {
            fabric::Stream stream;
            stream.routing = random.of({Routing::Line, Routing::HalfRing, Routing::FullRing,
                                        Routing::Mesh, Routing::Torus});
            stream.casting = random.of({Casting::Unicast, Casting::Multicast});
            stream.directions = random.of({Directions::Both, Directions::One});
            stream.write =
                random.of({PacketWrite::Plain, PacketWrite::Scatter, PacketWrite::Increment});
            stream.payload = core::Bytes{random.in(16, 14000)};
            const Picoseconds base = packet_time(system.link, system.chip, stream);
            EXPECT_GE(base, stream.payload / system.link.line_rate) << name << " " << i;
            stream.payload += core::Bytes{16};
            EXPECT_GE(packet_time(system.link, system.chip, stream), base) << name << " " << i;
        }
    }
}

ccl::Question random_collective(Random& random, const fabric::Mesh& mesh) {
    ccl::Question question;
    question.kind = random.of({ccl::Kind::AllGather, ccl::Kind::ReduceScatter, ccl::Kind::AllReduce,
                               ccl::Kind::AllToAll});
    question.axis = mesh.shape.rows > 1 ? 0 : 1;
    question.topology = random.of({fabric::Topology::Line, fabric::Topology::Ring});
    question.page = core::Bytes{random.of<std::int64_t>({576, 1088, 2048})};
    question.total = question.page * (8 * random.in(1, 512));
    question.one_shot = ccl::OneShot::Absent;
    return question;
}

TEST(FabricLaws, no_collective_beats_its_bytes_more_links_or_a_faster_wire) {
    // The one-shot reduce-scatter is left out: 512 KiB take longer with it than 1 MiB without.
    for (const char* name : {"n300", "t3k", "galaxy", "p150x8", "bh-galaxy"}) {
        const fabric::Mesh mesh = mesh_named(name);
        fabric::Mesh faster = mesh;
        faster.system.link.line_rate = mesh.system.link.line_rate * 2;
        Random random(4);
        for (int i = 0; i < 40; ++i) {
            SCOPED_TRACE(std::string(name) + " question " + std::to_string(i));
            ccl::Question question = random_collective(random, mesh);
            const ccl::Estimate base = ccl::estimate(mesh, question);
            const ccl::Run& run = base.runs.at(0);
            EXPECT_GE(run.time, run.busiest_hop / (mesh.system.link.line_rate * run.request.links));
            EXPECT_LE(ccl::estimate(faster, question).time(), base.time());
            ccl::Question other = question;
            other.links = 1;
            EXPECT_GE(ccl::estimate(mesh, other).time(), base.time()) << "links";
            other = question;
            other.total = question.total * 2;
            EXPECT_GE(ccl::estimate(mesh, other).time(), base.time()) << "size";
        }
    }
}

// --- the clock ---

struct Played {
    Picoseconds makespan;
    std::map<std::pair<std::int32_t, std::int32_t>, Picoseconds> busy;  // by chip and sub-device
    std::string digest;
};

/// Random Adds of 1 to 20 us on two sub-devices of two chips, all in one queue.
Played played(std::uint32_t seed, Origin origin) {
    const fabric::Mesh mesh = row_of(2);
    SimulatorOptions options;
    options.timeline = SimulatorOptions::Timeline::Keep;
    Simulator simulator(mesh, options);
    MeshDevice device(0, mesh, {});
    device.attach(simulator);
    device.load_sub_device_manager(
        device.create_sub_device_manager({{"one", {1, 8}, {}}, {"two", {7, 8}, {}}}));
    Random random(seed);
    const std::int64_t programs = random.in(1, 40);
    if (origin == Origin::Replay) simulator.replay(TraceId{0}, programs, {});
    for (std::int64_t i = 0; i < programs; ++i) {
        auto program = add_program(random.in(1, 20));
        Command& command = only_command(*program);
        command.sub_device = SubDeviceId{static_cast<std::int32_t>(random.in(0, 1))};
        command.label = std::to_string(command.sub_device.value);
        simulator.run(loose(program), ChipBindings(2), {}, origin);
    }
    Played result;
    result.makespan = simulator.device_done().time_since_epoch();
    for (const TimelineEntry& entry : simulator.timeline()) {
        result.busy[{entry.chip, std::stoi(entry.label)}] += entry.end - entry.start;
    }
    result.digest = simulator.digest().hex();
    return result;
}

TEST(ClockLaws, a_sub_device_is_never_busy_longer_than_the_run_and_a_replay_never_slower) {
    for (std::uint32_t seed = 0; seed < kCases; ++seed) {
        SCOPED_TRACE(seed);
        const Played eager = played(seed, Origin::Eager);
        const Played replay = played(seed, Origin::Replay);
        ASSERT_FALSE(eager.busy.empty());
        for (const auto& [where, time] : eager.busy) EXPECT_LE(time, eager.makespan);
        for (const auto& [where, time] : replay.busy) EXPECT_LE(time, replay.makespan);
        EXPECT_LE(replay.makespan, eager.makespan);
        EXPECT_EQ(played(seed, Origin::Replay).digest, replay.digest);
    }
}

}  // namespace
}  // namespace dispatch::testing
