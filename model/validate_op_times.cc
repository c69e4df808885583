// Tables of single ops whose sizes are known from the software that ran them, not from the row: one
// chip's share of a Llama 70B on a Wormhole Galaxy (CI targets of its ops, a profile of its layers)
// and of a Gemma 4 31B on a Blackhole Galaxy. A row is asked when the op is one kernel or matmul;
// collectives, ops fused with one, and matmuls fed by the prefetcher are skipped with the reason.
// Sizes: tenstorrent/tt-metal: models/demos/llama3_70b_galaxy/tt/model_config.py and
// tests/unit_tests/test_llama_ops.py; tech_reports/Gemma4PrefillChunkSize (hidden 5376, TP4, CP8).
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <functional>
#include <variant>

#include "core/error.h"
#include "dispatch/kernel_question.h"
#include "dispatch/matmul_question.h"
#include "model/validate_galaxy_layer.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

using dispatch::KernelKind;
using dispatch::KernelQuestion;
using dispatch::MatmulQuestion;
using dispatch::MemoryLayout;
using tensor::DType;
using tensor::Shape;

using Asked = std::variant<KernelQuestion, MatmulQuestion>;

// Several calls of a row are timed together.
struct Calls {
    std::int64_t count = 1;
    Asked question;
};

constexpr dispatch::MemoryConfig kDram{};

dispatch::KernelOperand tiles(Shape shape, DType dtype, dispatch::MemoryConfig memory = kDram) {
    return dispatch::operand({shape, dtype, tensor::Layout::Tile}, memory);
}

dispatch::MemoryConfig sharded(MemoryLayout layout, std::int32_t cores) {
    return {mesh::BufferType::L1, layout, cores};
}

// In DRAM, or in L1 sharded over the cores: all operands alike.
KernelQuestion kernel(KernelKind kind, std::vector<dispatch::KernelOperand> operands,
                      std::int32_t cores) {
    KernelQuestion question;
    question.kind = kind;
    question.out = operands.back();
    operands.pop_back();
    question.in = std::move(operands);
    question.cores = cores;
    return question;
}

std::int32_t cores_for(std::int64_t units, mesh::Grid grid) {
    return static_cast<std::int32_t>(std::clamp<std::int64_t>(units, 1, grid.cores()));
}

struct Named {
    std::string_view name;
    std::function<Calls(std::int64_t rows, mesh::Grid grid)> ask;
};

// One chip's share of Llama 70B on 8x4: 8 query heads and one KV head of 128, 2048 of the hidden
// size, 3584 columns of the feed-forward, a quarter of them after its reduce-scatter.
constexpr std::int64_t kHeads = 8;
constexpr std::int64_t kHeadDim = 128;
constexpr std::int64_t kHidden = 2048;
constexpr std::int64_t kHiddenCores = 16;
constexpr std::int64_t kFeedForward = 3584;
constexpr std::int64_t kGated = kFeedForward / 4;
constexpr std::int64_t kUsers = 8;
constexpr std::int64_t kLogits = 16384;
constexpr std::int32_t kLogitCores = 32;

Calls fill(KernelKind kind, Shape shape, DType from, DType to, mesh::Grid grid) {
    return {1, kernel(kind, {tiles(shape, from), tiles(shape, to)}, grid.cores())};
}

Calls rotary(std::int64_t heads, std::int64_t rows, mesh::Grid grid) {
    const Shape x{heads, rows, kHeadDim};
    const auto table = tiles(Shape{rows, kHeadDim}, DType::BFloat16);
    return {1, kernel(KernelKind::Rotary,
                      {tiles(x, DType::BFloat16), table, table, tiles(x, DType::BFloat16)},
                      cores_for(rows / tensor::kTileSide, grid))};
}

Calls product(std::int64_t m, std::int64_t k, std::int64_t n, DType weight, mesh::Grid grid) {
    MatmulQuestion question;
    question.m = m;
    question.k = k;
    question.n = n;
    question.dtype = DType::BFloat8_b;
    question.weight = weight;
    question.fidelity = weight == DType::BFloat4_b ? mesh::Fidelity::LoFi : mesh::Fidelity::HiFi2;
    question.grid = grid;
    question.tuning = dispatch::MatmulTuning::OutOfBox;
    return {1, question};
}

Calls split_heads(Shape shape, DType dtype, mesh::Grid grid) {
    const std::int64_t rows = core::ceil_div(shape[0], tensor::kTileSide);
    return {1, kernel(KernelKind::RowsOfTiles, {tiles(shape, dtype), tiles(shape, dtype)},
                      cores_for(rows, grid))};
}

Calls norm(KernelKind kind, Shape shape, std::int32_t cores, dispatch::MemoryConfig memory) {
    const auto x = tiles(shape, DType::BFloat16, memory);
    return {1, kernel(kind, {x, x}, cores)};
}

// Statistics are a tile per row of tiles. What is normed leaves as bfp8: GUESS, two bf16 tensors in
// the measured time would be 241 GB/s, more than any interleaved kernel moves.

Calls prefill_norm(KernelKind kind, std::int64_t rows, mesh::Grid grid) {
    const auto x = tiles(Shape{rows, kHidden}, DType::BFloat16);
    const auto y = kind == KernelKind::NormStats
                       ? tiles(Shape{rows, tensor::kTileSide}, DType::BFloat16)
                       : tiles(Shape{rows, kHidden}, DType::BFloat8_b);
    return {1, kernel(kind, {x, y}, cores_for(rows / tensor::kTileSide, grid))};
}

Calls sum(Shape shape, DType dtype, mesh::Grid grid, KernelKind kind = KernelKind::Binary) {
    const auto x = tiles(shape, dtype);
    return {1, kernel(kind, {x, x, x}, grid.cores())};
}

Calls update_users() {
    const Shape row{kUsers, tensor::kTileSide, kHeadDim};
    return {1, kernel(KernelKind::UpdateCache,
                      {tiles(row, DType::BFloat8_b), tiles(row, DType::BFloat8_b)}, kUsers)};
}

Calls rotary_users() {
    const Shape x{kUsers, kHeads, kHeadDim};
    const auto at = tiles(x, DType::BFloat16, sharded(MemoryLayout::HeightSharded, kUsers));
    return {1, kernel(KernelKind::Rotary, {at, at, at, at}, kUsers)};
}

Calls gated_users(std::int64_t columns) {
    const auto cores = static_cast<std::int32_t>(columns / tensor::kTileSide);
    const auto x =
        tiles(Shape{32, columns}, DType::BFloat8_b, sharded(MemoryLayout::WidthSharded, cores));
    return {1, kernel(KernelKind::GatedBinary, {x, x, x}, cores)};
}

Calls residual_users() {
    const auto x = tiles(Shape{32, kHidden}, DType::BFloat16,
                         sharded(MemoryLayout::WidthSharded, kHiddenCores));
    return {1, kernel(KernelKind::Binary, {x, x, x}, kHiddenCores)};
}

Calls logits_to_dram() {
    const Shape shape{32, kLogits};
    const auto from =
        tiles(shape, DType::BFloat16, sharded(MemoryLayout::WidthSharded, kLogitCores));
    return {1, kernel(KernelKind::ShardedToInterleaved, {from, tiles(shape, DType::BFloat16)},
                      kLogitCores)};
}

const std::vector<Named>& decode_ops() {
    static const std::vector<Named> kOps{
        {"RotaryEmbeddingLlamaFusedQK", [](auto, auto) { return rotary_users(); }},
        {"PagedUpdateCache", [](auto, auto) { return update_users(); }},
        {"Binary_Mult_Silu", [](auto, auto) { return gated_users(kGated); }},
        {"BinaryDeviceOperation_Last_Residual", [](auto, auto) { return residual_users(); }},
        {"ShardedToInterleavedDeviceOperation_0", [](auto, auto) { return logits_to_dram(); }},
        {"TypecastDeviceOperation_input_bf16",
         [](auto, mesh::Grid grid) {
             return fill(KernelKind::Unary, Shape{32, kLogits}, DType::BFloat8_b, DType::BFloat16,
                         grid);
         }},
    };
    return kOps;
}

std::vector<Named> prefill_products() {
    const auto matmul = [](std::int64_t k, std::int64_t n, DType weight) {
        return [=](std::int64_t rows, mesh::Grid grid) {
            Calls calls = product(rows, k, n, weight, grid);
            auto& question = std::get<MatmulQuestion>(calls.question);
            question.tuning = dispatch::MatmulTuning::Model;
            question.projection.sub_blocks = dispatch::Projection::SubBlocks::Single;
            return calls;
        };
    };
    return {{"QKV_MM", matmul(kHidden, 1280, DType::BFloat8_b)},
            {"matmul_attn_out", matmul(kHeads * kHeadDim, kHidden, DType::BFloat8_b)},
            {"matmul_ffn_1", matmul(kHidden, kFeedForward, DType::BFloat4_b)},
            {"matmul_ffn_3", matmul(kHidden, kFeedForward, DType::BFloat4_b)},
            {"matmul_ffn_2", matmul(kFeedForward, kHidden, DType::BFloat8_b)}};
}

std::vector<Named> prefill_heads() {
    const auto cast = [](std::int64_t heads, DType from, DType to) {
        return [=](std::int64_t rows, mesh::Grid grid) {
            return fill(KernelKind::Unary, Shape{heads, rows, kHeadDim}, from, to, grid);
        };
    };
    const auto fill_cache = [](std::int64_t rows, mesh::Grid grid) {
        return fill(KernelKind::Copy, Shape{1, rows, kHeadDim}, DType::BFloat8_b, DType::BFloat8_b,
                    grid);
    };
    const auto heads = [](std::int64_t columns) {
        return [=](std::int64_t rows, mesh::Grid grid) {
            return split_heads(Shape{rows, columns}, DType::BFloat8_b, grid);
        };
    };
    return {{"CreateQKVHeads", heads(1280)},
            {"concat_heads", heads(kHeads * kHeadDim)},
            {"typecast_0", cast(kHeads, DType::BFloat8_b, DType::BFloat16)},
            {"typecast_1", cast(1, DType::BFloat8_b, DType::BFloat16)},
            {"typecast_2", cast(1, DType::BFloat16, DType::BFloat8_b)},
            {"typecast_3", cast(1, DType::BFloat8_b, DType::BFloat8_b)},
            {"typecast_4", cast(kHeads, DType::BFloat16, DType::BFloat8_b)},
            {"rotary_emb_Q", [](auto rows, mesh::Grid grid) { return rotary(kHeads, rows, grid); }},
            {"rotary_emb_K", [](auto rows, mesh::Grid grid) { return rotary(1, rows, grid); }},
            {"update_cache_K", fill_cache},
            {"update_cache_V", fill_cache}};
}

std::vector<Named> prefill_rows() {
    const auto norm_of = [](KernelKind kind) {
        return [=](std::int64_t rows, mesh::Grid grid) { return prefill_norm(kind, rows, grid); };
    };
    const auto sum_of_parts = [](std::int64_t rows, mesh::Grid grid) {
        return sum(Shape{rows, kHidden}, DType::BFloat8_b, grid);
    };
    const auto gated = [](std::int64_t rows, mesh::Grid grid) {
        return sum(Shape{rows, kGated}, DType::BFloat16, grid, KernelKind::GatedBinary);
    };
    return {{"LayerNormPreAllGather_0", norm_of(KernelKind::NormStats)},
            {"LayerNormPreAllGather_1", norm_of(KernelKind::NormStats)},
            {"LayerNormPostAllGather_0", norm_of(KernelKind::NormApply)},
            {"LayerNormPostAllGather_1", norm_of(KernelKind::NormApply)},
            {"sum_attn_out", sum_of_parts},
            {"binary_sum_mlp", sum_of_parts},
            {"binary_mul_ffn_1_3", gated}};
}

const std::vector<Named>& prefill_ops() {
    static const std::vector<Named> kOps = [] {
        std::vector<Named> all = prefill_products();
        for (const auto& part : {prefill_heads(), prefill_rows()}) {
            all.insert(all.end(), part.begin(), part.end());
        }
        return all;
    }();
    return kOps;
}

// By the op's name in the table; embeddings write tiles of 32 rows.
const std::vector<Named>& target_ops() {
    static const std::vector<Named> kOps{
        {"LayerNorm",
         [](auto, auto) {
             return norm(KernelKind::RmsNorm, Shape{32, kHidden}, kHiddenCores,
                         sharded(MemoryLayout::WidthSharded, kHiddenCores));
         }},
        {"PagedUpdateCacheDeviceOperation", [](auto, auto) { return update_users(); }},
        {"RotaryEmbeddingLlamaFusedQK", [](auto, auto) { return rotary_users(); }},
        {"BinaryDeviceOperation", [](auto, auto) { return gated_users(512); }},
        {"Embeddings",
         [](auto, mesh::Grid grid) {
             const tensor::Spec ids{Shape{32}, DType::UInt32, tensor::Layout::RowMajor};
             const tensor::Spec table{Shape{32, kHidden}, DType::BFloat16,
                                      tensor::Layout::RowMajor};
             return Calls{1, kernel(KernelKind::EmbeddingTiles,
                                    {dispatch::operand(ids, kDram), dispatch::operand(table, kDram),
                                     tiles(Shape{32, kHidden}, DType::BFloat16)},
                                    cores_for(kHidden / tensor::kTileSide, grid))};
         }},
    };
    return kOps;
}

// Gemma 4 on TP4 and CP8: `rows` is an eighth of the chunk; full layers have 8 query heads and one
// shared KV head of 512 per chip.
const std::vector<Named>& gemma_ops() {
    static const std::vector<Named> kOps{
        {"Matmul _x5376x5376",
         [](std::int64_t rows, mesh::Grid grid) {
             Calls calls = product(rows, 5376, 5376, DType::BFloat8_b, grid);
             calls.count = 3;
             return calls;
         }},
        {"Matmul _x5376x4608",
         [](std::int64_t rows, mesh::Grid grid) {
             return product(rows, 5376, 4608, DType::BFloat8_b, grid);
         }},
        {"Matmul _x4096x5376",
         [](std::int64_t rows, mesh::Grid grid) {
             return product(rows, 4096, 5376, DType::BFloat8_b, grid);
         }},
        {"NlpCreateHeads",
         [](std::int64_t rows, mesh::Grid grid) {
             return split_heads(Shape{rows, 4608}, DType::BFloat16, grid);
         }},
        {"NLPConcatHeads",
         [](std::int64_t rows, mesh::Grid grid) {
             return split_heads(Shape{rows, 4096}, DType::BFloat16, grid);
         }},
        {"Unary",
         [](std::int64_t rows, mesh::Grid grid) {
             return fill(KernelKind::SlowUnary, Shape{rows, 5376}, DType::BFloat16, DType::BFloat16,
                         grid);
         }},
    };
    return kOps;
}

core::Picoseconds time_of(const Asked& asked, const mesh::ChipSpec& chip) {
    if (const auto* question = std::get_if<KernelQuestion>(&asked)) {
        return dispatch::kernel_time(*question, chip).total();
    }
    return dispatch::matmul_time(std::get<MatmulQuestion>(asked), chip).total();
}

void ask_named(AskedRow& row, const std::vector<Named>& ops, const std::string& name,
               std::int64_t rows, const std::string& device, const ModelLibrary& library) {
    const auto op = std::find_if(ops.begin(), ops.end(),
                                 [&](const Named& named) { return named.name == name; });
    if (op == ops.end()) {
        row.skipped = "no single kernel of known sizes";
        return;
    }
    const auto found = library.group(device, 1);
    if (const auto* unknown = std::get_if<Unknown>(&found)) {
        row.skipped = unknown->reason;
        return;
    }
    const mesh::ChipSpec& chip = std::get<fabric::Mesh>(found).system.chip;
    row.questions.push_back({fmt::format("{}, {} rows, one chip of {}", name, rows, device),
                             [chip, rows, ask = op->ask] {
                                 const Calls calls = ask(rows, chip.worker_grid);
                                 Answer answer;
                                 answer.value = core::to_us(time_of(calls.question, chip)) *
                                                static_cast<double>(calls.count);
                                 answer.text = fmt::format("{:.2f} us", answer.value);
                                 return answer;
                             }});
}

double measured(const core::CsvRecord& record, std::string_view column, double factor) {
    const auto value = optional_number(record, column);
    if (!value || *value <= 0) throw record.unexpected(column, "a time above 0");
    return *value * factor;
}

std::string device_of(const core::CsvRecord& record) {
    return record.text("system").starts_with("TG") ? "TG" : "GALAXY";
}

AskedRow ask_galaxy(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    const bool decode = record.text("phase") == "decode";
    row.group = decode ? "kernel_duration decode" : "kernel_duration prefill";
    row.measured = measured(record, "kernel_duration_ns", 1e-3);
    row.measured_text = fmt::format("{:.2f} us", row.measured);
    if (record.text("model").find("70B") == std::string::npos) {
        row.skipped = "a model whose sizes are not listed";
        return row;
    }
    if (auto question = decode ? galaxy_decode_question(record, library) : std::nullopt) {
        row.questions.push_back(std::move(*question));
        return row;
    }
    const std::int64_t rows = record.optional_integer("seq_len", 1, 1 << 20).value_or(1);
    ask_named(row, decode ? decode_ops() : prefill_ops(), record.text("op_name"), rows,
              device_of(record), library);
    return row;
}

AskedRow ask_target(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    row.group = "value " + record.text("op");
    row.measured = measured(record, "value", 1);
    row.measured_text = record.text("value") + " " + record.text("unit");
    if (!record.text("unit").starts_with("us ")) {
        row.skipped = "no time of a kernel";
        return row;
    }
    ask_named(row, target_ops(), record.text("op"), 32, device_of(record), library);
    return row;
}

AskedRow ask_gemma(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    row.group = "value " + record.text("op");
    row.measured = measured(record, "value", 1);
    row.measured_text = record.text("value") + " us";
    const auto chunk = record.optional_integer("chunk_tokens", 1, 1 << 20);
    if (!chunk) throw record.unexpected("chunk_tokens", "the tokens of a chunk");
    constexpr std::int64_t kContextParallel = 8;
    ask_named(row, gemma_ops(), record.text("op"), *chunk / kContextParallel, "BLACKHOLE_GALAXY",
              library);
    return row;
}

}  // namespace

TableKind galaxy_ops_kind() {
    return {"ops of a Galaxy",
            {"system", "model", "phase", "op_name", "seq_len", "kernel_duration_ns"},
            Scoring::Error,
            ask_galaxy};
}

TableKind op_targets_kind() {
    return {"op targets",
            {"system", "arch", "op", "config", "value", "unit", "margin_rel"},
            Scoring::Error,
            ask_target};
}

TableKind chunk_ops_kind() {
    return {"ops of a prefill chunk",
            {"system", "model", "layer", "prior_context_tokens", "chunk_tokens", "op", "value"},
            Scoring::Error,
            ask_gemma};
}

}  // namespace model
