// How the matmul of one core per DRAM bank cuts its work: K into blocks that the cores of the
// input's shards multicast one after the other, a core's columns into sub-blocks that the matrix
// unit holds at a time. Circular buffers (dispatch/lower.cc) and times (dispatch/matmul_time.cc)
// read the same answer. Sizes are tiles. Rules of tenstorrent/tt-metal (2026-05-23):
// models/tt_transformers/tt/model_config.py, dram_matmul_config; ttnn/cpp/ttnn/operations/matmul/
// device/factory/matmul_multicore_reuse_mcast_dram_sharded_program_factory.cpp. docs/matmul.md.
#pragma once

#include <cstdint>
#include <vector>

#include "dispatch/kernel_plan.h"
#include "tensor/spec.h"

namespace dispatch {

struct BankMatmul {
    tensor::Spec x;  // one tile row
    tensor::Spec weight;
    tensor::Spec out;
    MemoryConfig activations;  // over how many cores the input lies
    std::int32_t cores = 1;    // that compute, one per bank
    mesh::Fidelity fidelity = mesh::Fidelity::HiFi2;
};

/// What the matrix unit adds up in.
enum class Sums { BFloat16, Float32 };

struct BankBlocks {
    std::int64_t depth = 1;      // of K in a block (in0_block_w)
    std::int64_t count = 1;      // blocks, each handed over once
    std::int64_t cols = 1;       // of the fullest bank
    std::int64_t subblock = 1;   // columns of a sub-block (out_subblock_w)
    std::int64_t subblocks = 1;  // the last one may hold padding
    Sums sums = Sums::BFloat16;
    std::int64_t computed() const { return subblock * subblocks; }  // columns
    bool operator==(const BankBlocks&) const = default;
};

BankBlocks bank_blocks(const BankMatmul& matmul, const mesh::ChipSpec& chip);

/// Two blocks of the activations and three of the weight; sums of the blocks so far share the
/// output's buffer where their format is that of the output.
std::vector<CircularBuffer> bank_buffers(const BankMatmul& matmul, const BankBlocks& blocks);

}  // namespace dispatch
