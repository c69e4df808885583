// tessera op of kernels that stream pages: norms, softmax, eltwise, casts, changes of layout and of
// memory. Names are those of TTNN; a row of the table below is the whole of an op. The time is
// dispatch::kernel_time, as in the simulator and in tables of profiler reports.
#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "cli/op.h"
#include "core/error.h"
#include "dispatch/kernel_question.h"

namespace cli {
namespace {

using dispatch::KernelKind;
using dispatch::MemoryLayout;
using dispatch::Place;
using tensor::Layout;

/// What is dealt to cores: tiles, or whole rows of tiles.
enum class Dealt { Tiles, Rows };

struct KernelOp {
    std::string_view name;
    KernelKind kind;
    int operands = 1;
    Dealt dealt = Dealt::Tiles;
    Layout from = Layout::Tile;
    Layout to = Layout::Tile;
};

constexpr std::array kOps{
    KernelOp{"rms_norm", KernelKind::RmsNorm, 1, Dealt::Rows},
    KernelOp{"layer_norm", KernelKind::LayerNorm, 1, Dealt::Rows},
    KernelOp{"softmax", KernelKind::Softmax, 1, Dealt::Rows},
    KernelOp{"add", KernelKind::Binary, 2},
    KernelOp{"sub", KernelKind::Binary, 2},
    KernelOp{"mul", KernelKind::Binary, 2},
    KernelOp{"relu", KernelKind::Unary},
    KernelOp{"silu", KernelKind::SlowUnary},
    KernelOp{"gelu", KernelKind::SlowUnary},
    KernelOp{"exp", KernelKind::SlowUnary},
    KernelOp{"sigmoid", KernelKind::SlowUnary},
    KernelOp{"typecast", KernelKind::Unary},
    KernelOp{"clone", KernelKind::Copy},
    KernelOp{"transpose", KernelKind::TransposeTiles},
    KernelOp{"tilize", KernelKind::Tilize, 1, Dealt::Rows, Layout::RowMajor, Layout::Tile},
    KernelOp{"tilize_with_val_padding", KernelKind::TilizePadded, 1, Dealt::Rows, Layout::RowMajor,
             Layout::Tile},
    KernelOp{"untilize", KernelKind::Untilize, 1, Dealt::Rows, Layout::Tile, Layout::RowMajor},
    KernelOp{"untilize_with_unpadding", KernelKind::UntilizePadded, 1, Dealt::Rows, Layout::Tile,
             Layout::RowMajor},
    KernelOp{"embedding", KernelKind::EmbeddingTiles, 1, Dealt::Tiles, Layout::RowMajor,
             Layout::Tile},
    KernelOp{"to_memory_config", KernelKind::Copy},
};

const KernelOp& op_of(const std::string& name) {
    const auto found =
        std::find_if(kOps.begin(), kOps.end(), [&](const KernelOp& op) { return op.name == name; });
    core::require(found != kOps.end(), "the op was checked");
    return *found;
}

MemoryLayout layout_of(const std::string& place) {
    if (place == "width-sharded") return MemoryLayout::WidthSharded;
    if (place == "height-sharded") return MemoryLayout::HeightSharded;
    return place == "block-sharded" ? MemoryLayout::BlockSharded : MemoryLayout::Interleaved;
}

dispatch::MemoryConfig memory_of(const std::string& place, std::int32_t cores) {
    if (place == "dram") return {};
    const MemoryLayout layout = layout_of(place);
    const std::int32_t shards = layout == MemoryLayout::Interleaved ? 0 : cores;
    return {mesh::BufferType::L1, layout, shards};
}

/// Cores that have something to do: of a sharded operand one per shard.
std::int64_t pieces_of(const KernelOp& op, const tensor::Spec& spec, const OpOptions& options) {
    const std::int64_t rows = core::ceil_div(spec.shape.rows(), tensor::kTileSide);
    const std::int64_t cols = core::ceil_div(spec.shape.cols(), tensor::kTileSide);
    for (const std::string& place : {options.from, options.to}) {
        const MemoryLayout layout = layout_of(place);
        if (layout == MemoryLayout::WidthSharded) return cols;
        if (layout == MemoryLayout::HeightSharded) return rows;
        if (layout == MemoryLayout::BlockSharded) return rows * cols;
    }
    return op.dealt == Dealt::Rows ? rows : rows * cols;
}

std::int32_t cores_of(const KernelOp& op, const tensor::Spec& spec, const OpOptions& options,
                      const mesh::ChipSpec& chip) {
    const std::int64_t workers = chip.worker_grid.cores();
    if (options.cores > workers) {
        throw core::Error::mismatch("--cores", "",
                                    fmt::format("at most {} on {}", workers, chip.name),
                                    fmt::to_string(options.cores));
    }
    const std::int64_t most = options.cores > 0 ? options.cores : workers;
    return static_cast<std::int32_t>(
        std::clamp<std::int64_t>(pieces_of(op, spec, options), 1, most));
}

KernelKind kind_of(const KernelOp& op, const OpOptions& options) {
    const bool integers = options.out_dtype == "uint32" || options.out_dtype == "int32";
    if (op.name == "typecast" && integers) return KernelKind::SlowUnary;
    if (op.name != "to_memory_config") return op.kind;
    const bool from = layout_of(options.from) != MemoryLayout::Interleaved;
    const bool to = layout_of(options.to) != MemoryLayout::Interleaved;
    if (from) return to ? KernelKind::Reshard : KernelKind::ShardedToInterleaved;
    return to ? KernelKind::InterleavedToSharded : KernelKind::Copy;
}

void check_layouts(const KernelOp& op, const OpOptions& options) {
    const bool block_formats = options.dtype != "bf16" || options.out_dtype.starts_with("bfp");
    if (block_formats && (op.from == Layout::RowMajor || op.to == Layout::RowMajor)) {
        throw core::Error::mismatch("--dtype", "", "bf16: rows have no shared exponents",
                                    options.dtype);
    }
}

OpAnswer ask(const OpOptions& options, const mesh::ChipSpec& chip) {
    const KernelOp& op = op_of(options.op);
    check_layouts(op, options);
    const tensor::Shape shape{options.rows, options.cols};
    const tensor::DType dtype = dtype_of(options.dtype);
    const tensor::Spec in{shape, dtype, op.from};
    const tensor::Spec out{shape, options.out_dtype.empty() ? dtype : dtype_of(options.out_dtype),
                           op.to};
    dispatch::KernelQuestion question;
    question.kind = kind_of(op, options);
    question.cores = cores_of(op, in, options, chip);
    for (int i = 0; i < op.operands; ++i) {
        question.in.push_back(dispatch::operand(in, memory_of(options.from, question.cores)));
    }
    question.out = dispatch::operand(out, memory_of(options.to, question.cores));
    OpAnswer answer;
    answer.time = dispatch::kernel_time(question, chip);
    for (const dispatch::KernelOperand& operand : question.in) answer.moved += operand.moved;
    answer.moved += question.out.moved;
    answer.title = fmt::format("{} {}x{} {} to {}, {} to {}, {} cores", options.op, options.rows,
                               options.cols, tensor::name(in.dtype), tensor::name(out.dtype),
                               options.from, options.to, question.cores);
    return answer;
}

}  // namespace

std::vector<OpEntry> kernel_ops() {
    std::vector<OpEntry> entries;
    for (const KernelOp& op : kOps) {
        entries.push_back({std::string(op.name),
                           {"--rows", "--cols"},
                           {"--dtype", "--out-dtype", "--from", "--to", "--cores"},
                           ask});
    }
    return entries;
}

}  // namespace cli
