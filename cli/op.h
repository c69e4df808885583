// The ops of `tessera op`: each is an entry with the options it takes and what it asks of dispatch.
// One file per entry: op_NAME.cc. Options are declared once for all, in op.cc; one that is not an
// entry's own is an error that names it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "dispatch/op_time.h"
#include "mesh/chip_spec.h"

namespace cli {

/// What the command line says. Sizes are 0 where it says nothing.
struct OpOptions {
    std::string op;
    std::string arch;
    std::string dtype = "bf16";
    std::string fidelity = "hifi2";
    bool tuned = false;
    bool json = false;
    // matmul
    std::int64_t m = 0;
    std::int64_t k = 0;
    std::int64_t n = 0;
    std::string in0 = "dram";
    std::string weights = "interleaved";
    // sdpa, sdpa-decode
    std::int64_t batch = 1;
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;  // 0: as heads
    std::int64_t head_dim = 0;
    std::int64_t rows = 0;
    std::int64_t keys = 0;  // 0: as rows
    std::int64_t window = 0;
    std::int64_t cores = 0;
    std::int64_t q_chunk = 0;
    std::int64_t k_chunk = 0;
    std::string kv_dtype = "bfp8";
    std::string mask = "causal";
    std::string exp = "exact";
    // kernels that stream pages; rows as above
    std::int64_t cols = 0;
    std::string from = "dram";
    std::string to = "dram";
    std::string out_dtype;  // empty: as dtype
};

struct OpAnswer {
    dispatch::OpTime time{};
    double flops = 0;
    std::string title;    // "matmul 32x32x32 bf16 hifi2"
    core::Bytes moved{};  // in and out, of what has no products
};

struct OpEntry {
    std::string name;
    std::vector<std::string> required;  // "--m"
    std::vector<std::string> optional;
    OpAnswer (*ask)(const OpOptions& options, const mesh::ChipSpec& chip) = nullptr;
};

OpEntry matmul_op();
OpEntry sdpa_op();
OpEntry sdpa_decode_op();
std::vector<OpEntry> kernel_ops();

/// Of options that were checked.
mesh::Fidelity fidelity_of(const std::string& name);
tensor::DType dtype_of(const std::string& name);

}  // namespace cli
