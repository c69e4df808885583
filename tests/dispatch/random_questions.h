// Random questions to everything that has a time, for the tests of laws: the same seed asks the
// same questions on every machine (std::mt19937, no distributions of the library). Sizes are those
// language models have: whole tiles, users from 1 to 32, prompts to 8192 rows.
#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "ccl/estimate.h"
#include "dispatch/attention_question.h"
#include "dispatch/host_transfer.h"
#include "dispatch/kernel_question.h"
#include "dispatch/launch_time.h"
#include "dispatch/lower.h"
#include "dispatch/matmul_time.h"
#include "mesh/kernel_spec.h"

namespace dispatch::testing {

class Random {
public:
    explicit Random(std::uint32_t seed) : engine_(seed) {}

    /// From `least` to `most`, both included.
    std::int64_t in(std::int64_t least, std::int64_t most) {
        return least +
               static_cast<std::int64_t>(engine_() % static_cast<std::uint32_t>(most - least + 1));
    }
    template <class Value>
    Value of(std::initializer_list<Value> values) {
        return values.begin()[in(0, static_cast<std::int64_t>(values.size()) - 1)];
    }
    tensor::DType dtype() {
        return of({tensor::DType::BFloat16, tensor::DType::BFloat8_b, tensor::DType::BFloat4_b});
    }
    mesh::Fidelity fidelity() {
        return of({mesh::Fidelity::LoFi, mesh::Fidelity::HiFi2, mesh::Fidelity::HiFi4});
    }
    MemoryConfig dram_or_l1(std::int32_t cores) {
        return in(0, 1) == 0
                   ? MemoryConfig{}
                   : MemoryConfig{mesh::BufferType::L1, MemoryLayout::BlockSharded, cores};
    }

private:
    std::mt19937 engine_;
};

/// A chip of each architecture.
inline const mesh::ChipSpec& real_chip(bool is_wormhole) {
    const auto load = [](const char* name) {
        return mesh::load_chip(std::string(TESSERA_SOURCE_DIR "/topologies/chips/") + name +
                               ".yaml");
    };
    static const mesh::ChipSpec wormhole = load("n150");
    static const mesh::ChipSpec blackhole = load("p150");
    return is_wormhole ? wormhole : blackhole;
}

/// A chip that is better in one thing.
inline mesh::ChipSpec faster_clock(mesh::ChipSpec chip) {
    chip.clock.value += chip.clock.value / 4;
    return chip;
}
inline mesh::ChipSpec faster_dram(mesh::ChipSpec chip) {
    for (core::BytesPerSecond* rate :
         {&chip.dram.peak, &chip.dram.sharded, &chip.dram.interleaved}) {
        rate->value += rate->value / 4;
    }
    return chip;
}
inline mesh::ChipSpec faster_l1(mesh::ChipSpec chip) {
    chip.core_l1.value += chip.core_l1.value / 4;
    mesh::KernelSpec kernels = *chip.kernels;
    kernels.matmul.feed_bytes_per_cycle *= 1.25;
    kernels.matmul.unpack_bytes_per_cycle *= 1.25;
    kernels.stream.page_bytes_per_cycle *= 1.25;
    chip.kernels = std::make_shared<const mesh::KernelSpec>(kernels);
    return chip;
}

struct MatmulQuestion {
    MatmulSpecs specs;
    KernelPlan plan;
    MatmulTuning tuning = MatmulTuning::Tuned;

    OpTime time(const mesh::ChipSpec& chip) const {
        return matmul_time(specs, plan, {}, chip, tuning);
    }
    core::Bytes dram_bytes() const {
        core::Bytes bytes = specs.weight.bytes();
        if (plan.inputs.at(0).type == mesh::BufferType::Dram) bytes += specs.x.bytes();
        if (plan.outputs.at(0).type == mesh::BufferType::Dram) bytes += specs.out.bytes();
        return bytes;
    }
    /// Cycles of the tile products, when all cores that compute share them evenly.
    double least_cycles(const mesh::ChipSpec& chip) const {
        const auto products =
            static_cast<double>(specs.row_tiles() * specs.depth_tiles() * specs.col_tiles());
        return products *
               static_cast<double>(chip.tile_cycles.at(static_cast<std::size_t>(plan.fidelity))) /
               plan.cores;
    }
};

inline MatmulSpecs matmul_of(std::int64_t rows, std::int64_t depth, std::int64_t cols,
                             tensor::DType x, tensor::DType weight) {
    return {{{rows, depth}, x, tensor::Layout::Tile},
            {{depth, cols}, weight, tensor::Layout::Tile},
            {{rows, cols}, x, tensor::Layout::Tile}};
}

/// On a part of the worker grid, operands in DRAM or the activations in L1.
inline MatmulQuestion random_grid_matmul(Random& random, const mesh::ChipSpec& chip) {
    MatmulQuestion question;
    question.specs = matmul_of(32 * random.in(1, 64), 32 * random.in(1, 128),
                               32 * random.in(1, 128), tensor::DType::BFloat16, random.dtype());
    question.tuning = random.of({MatmulTuning::Tuned, MatmulTuning::OutOfBox});
    KernelPlan& plan = question.plan;
    plan.grid = {static_cast<std::int32_t>(random.in(1, chip.worker_grid.x)),
                 static_cast<std::int32_t>(random.in(1, chip.worker_grid.y))};
    plan.cores = plan.grid.cores();
    plan.fidelity = random.fidelity();
    plan.inputs = {MemoryConfig{}, MemoryConfig{}};
    plan.outputs = {MemoryConfig{}};
    return question;
}

/// One tile row against a weight on the banks, as a decode step has them.
inline MatmulQuestion random_bank_matmul(Random& random, const mesh::ChipSpec& chip) {
    MatmulQuestion question;
    // Shards of the activations hold whole tiles of K.
    const auto shards = random.of<std::int32_t>({8, 16, 32, 64});
    question.specs = matmul_of(32, 32 * shards * random.in(1, 16), 32 * random.in(1, 512),
                               tensor::DType::BFloat16, random.dtype());
    KernelPlan& plan = question.plan;
    plan.grid = chip.worker_grid;
    plan.cores = chip.dram.banks;
    plan.fidelity = random.fidelity();
    const MemoryConfig activations{mesh::BufferType::L1, MemoryLayout::WidthSharded, shards};
    plan.inputs = {activations, {mesh::BufferType::Dram, MemoryLayout::DramWidthSharded, 0}};
    plan.outputs = {activations};
    return question;
}

inline AttentionQuestion random_attention(Random& random) {
    AttentionQuestion question;
    question.kind = random.of({AttentionKind::Prefill, AttentionKind::Decode});
    const std::int64_t kv_heads = random.of<std::int64_t>({1, 2, 8});
    const std::int64_t depth = random.of<std::int64_t>({64, 128});
    question.of = {kv_heads * random.of<std::int64_t>({1, 4, 8}),
                   kv_heads,
                   depth,
                   depth,
                   tensor::DType::BFloat16,
                   random.of({tensor::DType::BFloat16, tensor::DType::BFloat8_b})};
    question.fidelity = random.fidelity();
    if (question.kind == AttentionKind::Decode) {
        question.batch = random.in(1, 32);
        question.keys = random.in(1, 16384);
        return question;
    }
    question.rows = 128 * random.in(1, 64);
    question.keys = question.rows + 128 * random.in(0, 16);
    question.chunks = random.of({AttentionChunks::AsModels, AttentionChunks::Tuned});
    return question;
}

inline LaunchShape random_launch(Random& random, const mesh::ChipSpec& chip) {
    LaunchShape shape;
    shape.cores = random.in(1, chip.worker_grid.cores());
    shape.groups = random.in(1, 8);
    shape.unique_args = random.in(0, 384);
    shape.common_args = random.in(0, 384);
    shape.circular_buffers = random.in(0, 32);
    shape.semaphores = random.in(0, 8);
    shape.kernel = core::Bytes{256 * random.in(1, 48)};
    return shape;
}

inline HostTransfer random_transfer(Random& random) {
    HostTransfer transfer;
    transfer.page = core::Bytes{random.of<std::int64_t>({32, 64, 1088, 2048, 4096, 16384})};
    transfer.size = transfer.page * random.in(1, 4096);
    transfer.direction = random.of({Direction::Write, Direction::Read});
    transfer.memory = random.of({HostMemory::Staged, HostMemory::Pinned});
    transfer.reach = random.of({Reach::Local, Reach::Remote});
    return transfer;
}

inline mesh::NocTraffic random_traffic(Random& random) {
    using mesh::NocOp, mesh::NocMemory;
    mesh::NocTraffic traffic;
    traffic.op = random.of({NocOp::Read, NocOp::Write, NocOp::Multicast, NocOp::MulticastLinked});
    traffic.memory = random.of({NocMemory::L1, NocMemory::DramBank, NocMemory::DramInterleaved});
    traffic.transactions = random.in(1, 64);
    traffic.size = core::Bytes{random.in(1, 65536)};
    traffic.senders = random.of<std::int64_t>({1, 1, 8, 49, 64});
    traffic.targets = {static_cast<std::int32_t>(random.in(1, 8)),
                       static_cast<std::int32_t>(random.in(1, 8))};
    return traffic;
}

}  // namespace dispatch::testing
