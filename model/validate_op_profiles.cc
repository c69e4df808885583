// Tables of profiler reports: one op per row, with the operands as the profiler writes them. A row
// is the question the simulator asks: dispatch::kernel_time of a kernel that streams pages,
// dispatch::matmul_time, ccl::estimate. It is held against the kernel's duration on the device, so
// the gap between programs is no part of it. What no language model runs is skipped.
// Source of such tables: tenstorrent/tt-perf-report: tests/data.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <regex>

#include "ccl/estimate.h"
#include "core/error.h"
#include "dispatch/kernel_question.h"
#include "dispatch/matmul_question.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

using dispatch::KernelKind;
using dispatch::KernelOperand;
using dispatch::MemoryLayout;

constexpr std::int64_t kMostCores = 1024;
constexpr std::int64_t kLongestAxis = std::int64_t{1} << 31;

// Ops by the names of the profiler, without "DeviceOperation" and "Operation".
struct KnownKernel {
    std::string_view name;
    std::string_view group;
    KernelKind kind;
};
constexpr std::array kKernels{
    KnownKernel{"Move", "copy", KernelKind::Move},
    KnownKernel{"Copy", "copy", KernelKind::Copy},
    KnownKernel{"Slice", "copy", KernelKind::Copy},
    KnownKernel{"Concat", "copy", KernelKind::Copy},
    KnownKernel{"UpdateKVCache", "copy", KernelKind::Copy},
    KnownKernel{"Reshard", "reshard", KernelKind::Reshard},
    KnownKernel{"ShardedToInterleaved", "reshard", KernelKind::ShardedToInterleaved},
    KnownKernel{"ShardedToInterleavedPartial", "reshard", KernelKind::ShardedToInterleaved},
    KnownKernel{"InterleavedToSharded", "reshard", KernelKind::InterleavedToSharded},
    KnownKernel{"InterleavedToShardedPartial", "reshard", KernelKind::InterleavedToSharded},
    KnownKernel{"Unary", "eltwise", KernelKind::Unary},
    KnownKernel{"Typecast", "eltwise", KernelKind::Unary},
    KnownKernel{"Binary", "eltwise", KernelKind::Binary},
    KnownKernel{"BinaryNg", "eltwise", KernelKind::Binary},
    KnownKernel{"Tilize", "tilize", KernelKind::Tilize},
    KnownKernel{"TilizeWithValPadding", "tilize", KernelKind::TilizePadded},
    KnownKernel{"Untilize", "untilize", KernelKind::Untilize},
    KnownKernel{"UntilizeWithUnpadding", "untilize", KernelKind::UntilizePadded},
    KnownKernel{"Transpose", "transpose", KernelKind::TransposeTiles},
    KnownKernel{"Permute", "transpose", KernelKind::Permute},
    KnownKernel{"Reshape", "transpose", KernelKind::Reshape},
    KnownKernel{"NlpCreateHeads", "heads", KernelKind::RowsOfTiles},
    KnownKernel{"NLPConcatHeads", "heads", KernelKind::RowsOfTiles},
    KnownKernel{"Embeddings", "embedding", KernelKind::EmbeddingRows},
    KnownKernel{"LayerNorm", "norm", KernelKind::LayerNorm},
    KnownKernel{"Softmax", "softmax", KernelKind::Softmax},
    KnownKernel{"FastReduceNC", "eltwise", KernelKind::Reduce},
    KnownKernel{"Accumulation", "eltwise", KernelKind::Accumulate},
    KnownKernel{"PaddedSlice", "reshard", KernelKind::PaddedSlice},
    KnownKernel{"SliceWrite", "reshard", KernelKind::SliceWrite},
    KnownKernel{"Halo", "halo", KernelKind::Halo},
};

constexpr std::array<std::string_view, 5> kMatmuls{"Matmul", "MinimalMatmul", "MinimalMatmulOp",
                                                   "SparseMatmul", "Conv2d"};
constexpr std::array<std::string_view, 10> kSlowFunctions{
    "ERF", "GELU", "SILU", "EXP", "TANH", "SIGMOID", "LOG", "SQRT", "RSQRT", "RECIP"};

struct Fields {
    std::string op;  // without the suffix
    std::string attributes;
    std::vector<KernelOperand> in;
    std::vector<tensor::Shape> padded;  // of `in`: with the rows and columns of padding
    KernelOperand out;
    std::int32_t cores = 1;
    std::string skipped;
};

std::string plain_name(std::string name) {
    for (const std::string_view suffix : {"DeviceOperation", "Operation"}) {
        if (name.ends_with(suffix)) name.resize(name.size() - suffix.size());
    }
    return name;
}

std::string short_text(const KernelOperand& operand) {
    return fmt::format("{} {} {} {}", operand.spec.shape.text(), tensor::name(operand.spec.dtype),
                       operand.spec.layout == tensor::Layout::Tile ? "tiles" : "rows",
                       dispatch::to_text(operand.memory));
}

std::optional<dispatch::MemoryConfig> parse_memory(const std::string& text, std::int32_t cores) {
    dispatch::MemoryConfig memory;
    if (text.starts_with("L1_")) {
        memory.type = mesh::BufferType::L1;
    } else if (!text.starts_with("DRAM_")) {
        return {};
    }
    if (text.ends_with("_INTERLEAVED") || memory.type == mesh::BufferType::Dram) return memory;
    memory.shards = cores;
    memory.layout = text.ends_with("_WIDTH_SHARDED")    ? MemoryLayout::WidthSharded
                    : text.ends_with("_HEIGHT_SHARDED") ? MemoryLayout::HeightSharded
                                                        : MemoryLayout::BlockSharded;
    return memory;
}

// "1[1]x1[1]x32[19]x1280[1280]": the padded size and, in brackets, the logical one.
std::optional<std::array<tensor::Shape, 2>> parse_sizes(const std::string& text) {
    static const std::regex kAxis(R"(([0-9]{1,10})(?:\[([0-9]{1,10})\])?)");
    std::array<std::vector<std::int64_t>, 2> sizes;
    for (const std::string& axis : parts_of(text, 'x')) {
        std::smatch found;
        if (!std::regex_match(axis, found, kAxis) || sizes[0].size() == 4) return {};
        sizes[0].push_back(std::stoll(found[1].str()));
        sizes[1].push_back(found[2].matched ? std::stoll(found[2].str()) : sizes[0].back());
        for (const auto& list : sizes) {
            if (list.back() < 1 || list.back() > kLongestAxis) return {};
        }
    }
    return std::array{tensor::Shape(std::span<const std::int64_t>(sizes[0])),
                      tensor::Shape(std::span<const std::int64_t>(sizes[1]))};
}

struct Parsed {
    KernelOperand operand;
    tensor::Shape padded;
};

// "SIZES LAYOUT DTYPE MEMORY"; nullopt for a format or place that is not known.
std::optional<Parsed> parse_operand(const core::CsvRecord& record, const std::string& column,
                                    std::int32_t cores) {
    const std::vector<std::string> words = parts_of(record.text(column), ' ');
    if (words.size() != 4) throw record.unexpected(column, "sizes, layout, dtype and memory");
    const auto sizes = parse_sizes(words[0]);
    if (!sizes) throw record.unexpected(column, "up to four sizes");
    const auto dtype = tensor::parse_dtype(words[2]);
    const auto memory = parse_memory(words[3], cores);
    const bool tiles = words[1] == "TILE";
    if (!dtype || !memory || (!tiles && words[1] != "ROW_MAJOR")) return {};
    const tensor::Spec spec{(*sizes)[1], *dtype,
                            tiles ? tensor::Layout::Tile : tensor::Layout::RowMajor};
    return Parsed{dispatch::operand(spec, *memory), (*sizes)[0]};
}

Fields fields_of(const core::CsvRecord& record) {
    Fields fields;
    fields.op = plain_name(record.text("op"));
    fields.attributes = record.text("attributes");
    const auto cores = record.optional_integer("core_count", 1, kMostCores);
    if (!cores) throw record.unexpected("core_count", "the cores of the kernel");
    fields.cores = static_cast<std::int32_t>(*cores);
    for (const std::string column : {"input0", "input1", "input2"}) {
        if (record.text(column).empty()) continue;
        const auto operand = parse_operand(record, column, fields.cores);
        if (!operand) {
            fields.skipped = "an operand of no known format";
            return fields;
        }
        fields.in.push_back(operand->operand);
        fields.padded.push_back(operand->padded);
    }
    const auto out = parse_operand(record, "output0", fields.cores);
    if (!out || fields.in.empty()) {
        fields.skipped = "an operand of no known format";
        return fields;
    }
    fields.out = out->operand;
    return fields;
}

// Reports without an architecture have copies of 60 B/cycle and core, which only Blackhole's NoC
// can do. One chip alone: N150 and P150 stand for their architectures.
std::string device_of(const core::CsvRecord& record) {
    const std::string system = lower_case(record.text("system"));
    for (const std::string known : {"p100", "n300"}) {
        if (system.find(known) != std::string::npos) return known;
    }
    return record.text("arch") == "wormhole_b0" ? "n150" : "p150";
}

bool is_slow(const Fields& fields) {
    const tensor::DType out = fields.out.spec.dtype;
    if (out == tensor::DType::UInt32 || out == tensor::DType::Int32) return true;
    return std::any_of(kSlowFunctions.begin(), kSlowFunctions.end(), [&](std::string_view name) {
        return fields.attributes.ends_with("::" + std::string(name));
    });
}

KernelKind kind_of(const KnownKernel& known, const Fields& fields) {
    const auto says = [&](std::string_view text) {
        return fields.attributes.find(text) != std::string::npos;
    };
    const bool sharded = fields.in[0].place() == dispatch::Place::Local &&
                         fields.out.place() == dispatch::Place::Local;
    if (known.kind == KernelKind::Move && !sharded) return KernelKind::Copy;
    if (known.kind == KernelKind::Unary && is_slow(fields)) return KernelKind::SlowUnary;
    if (known.name == "Concat" && sharded) return KernelKind::Reshard;
    const bool rows = fields.out.spec.layout == tensor::Layout::RowMajor;
    if (known.kind == KernelKind::Permute && rows) return KernelKind::Elements;
    if (known.name == "Transpose" && says("::HC")) return KernelKind::SwapRows;
    if (known.name == "Transpose" && says("::CN")) return KernelKind::Copy;
    if (known.kind == KernelKind::LayerNorm && says("RMSNORM")) return KernelKind::RmsNorm;
    return known.kind;
}

dispatch::KernelQuestion question_of(const KnownKernel& known, Fields fields) {
    dispatch::KernelQuestion question{kind_of(known, fields), std::move(fields.in), fields.out,
                                      fields.cores};
    if (known.name == "UpdateKVCache") {  // the cache is written in place, where the new rows go
        question.in = {question.in.back()};
        question.out.spec = question.in[0].spec;
        question.out.moved = question.in[0].moved;
    }
    if (known.kind == KernelKind::SliceWrite) question.in.resize(1);
    if (known.kind == KernelKind::EmbeddingRows) question.in.back().moved = question.out.moved;
    // The spec of what is split: all of its columns, in as many rows of tiles.
    if (known.name == "NlpCreateHeads") {
        question.out.spec = question.in[0].spec;
        question.out.moved = question.in[0].moved;
    }
    return question;
}

// Whole grids of the chip when most of its cores work; a single core or a part of the grid, else.
mesh::Grid grid_of(std::int32_t cores, mesh::Grid available) {
    if (2 * cores > available.cores()) return available;
    const std::int32_t columns = std::min(cores, available.x);
    return {columns, (cores + columns - 1) / columns};
}

mesh::Grid available_grid(const core::CsvRecord& record, const Fields& fields, mesh::Grid grid) {
    const auto cores = record.optional_integer("available_cores", 1, kMostCores);
    const std::int64_t most = std::max<std::int64_t>(cores.value_or(fields.cores), fields.cores);
    if (most == grid.cores()) return grid;
    std::int64_t side = 1;
    for (std::int64_t s = 1; s * s <= most; ++s) {
        if (most % s == 0) side = s;
    }
    return {static_cast<std::int32_t>(most / side), static_cast<std::int32_t>(side)};
}

std::optional<mesh::Fidelity> parse_fidelity(std::string_view text) {
    for (const auto fidelity : {mesh::Fidelity::LoFi, mesh::Fidelity::HiFi2, mesh::Fidelity::HiFi3,
                                mesh::Fidelity::HiFi4}) {
        if (text == mesh::to_text(fidelity)) return fidelity;
    }
    return {};
}

Answer answer_of(const dispatch::OpTime& time) {
    Answer answer;
    answer.value = core::to_us(time.total());
    answer.text = fmt::format("{:.2f} us", answer.value);
    answer.why = fmt::format("bound by {}", time.bound());
    return answer;
}

dispatch::MatmulQuestion matmul_of(const Fields& fields, mesh::Fidelity fidelity, mesh::Grid grid) {
    dispatch::MatmulQuestion question;
    question.m = fields.padded[0].rows();
    question.k = fields.padded[0][-1];
    question.n = fields.padded[1][-1];
    question.dtype = fields.in[0].spec.dtype;
    question.weight = fields.in[1].spec.dtype;
    question.result = fields.out.spec.dtype;
    question.fidelity = fidelity;
    question.activations = fields.in[0].memory.type;
    question.output = fields.out.memory.type;
    question.grid = grid;
    if (fields.in.size() > 2) question.bias = fields.in[2].spec.dtype;
    if (fields.attributes.find("packer_l1_acc=0") != std::string::npos) {
        question.partial_sums = dispatch::PartialSums::ReadBack;
    }
    question.heads = fields.padded[1].outer();
    if (question.heads > 1) question.m = fields.padded[0][-2];
    const bool windows = fields.op == "Conv2d";
    if (windows) {  // as many rows as come out, as deep as the weight is
        question.m = fields.out.spec.shape.rows();
        question.k = fields.padded[1][-2];
        question.rows = dispatch::ActivationRows::Windows;
    }
    const bool tuned = windows || fields.attributes.find("ProgramConfig") != std::string::npos;
    question.tuning = fields.op.starts_with("Minimal") ? dispatch::MatmulTuning::Minimal
                      : tuned                          ? dispatch::MatmulTuning::Tuned
                                                       : dispatch::MatmulTuning::OutOfBox;
    return question;
}

void ask_matmul(AskedRow& row, const core::CsvRecord& record, const Fields& fields,
                const mesh::ChipSpec& chip) {
    const bool windows = fields.op == "Conv2d";
    row.group = windows ? "convolution" : "matmul";
    if (fields.in.size() < 2) {
        row.skipped = "a matmul of one operand";
        return;
    }
    const tensor::Shape& x = fields.padded[0];
    const tensor::Shape& weight = fields.padded[1];
    const auto fidelity = parse_fidelity(record.text("math_fidelity"));
    if ((!windows && x[-1] != weight[-2]) || !fidelity) {
        row.skipped = "a matmul without its sizes or fidelity";
        return;
    }
    const dispatch::MatmulQuestion question = matmul_of(
        fields, *fidelity, grid_of(fields.cores, available_grid(record, fields, chip.worker_grid)));
    const bool tuned = question.tuning == dispatch::MatmulTuning::Tuned;
    row.questions.push_back(
        {fmt::format("{} {} by {} to {}, {} on {} cores of {}", fields.op, short_text(fields.in[0]),
                     short_text(fields.in[1]), short_text(fields.out),
                     record.text("math_fidelity") + (tuned ? " tuned" : ""), fields.cores,
                     chip.name),
         [chip, question] { return answer_of(dispatch::matmul_time(question, chip)); }});
}

std::optional<std::int64_t> attribute(const std::string& attributes, const std::string& name) {
    std::smatch found;
    const std::regex pattern("(?:^|;)" + name + "=([0-9]{1,6})(?:;|$)");
    if (!std::regex_search(attributes, found, pattern)) return {};
    return std::stoll(found[1].str());
}

void ask_collective(AskedRow& row, const Fields& fields, const ModelLibrary& library) {
    row.group = "collective";
    const auto ranks = attribute(fields.attributes, "ring_size");
    const auto links = attribute(fields.attributes, "num_links");
    if (!ranks || *ranks < 2 || *ranks > 64 || !links || *links < 1 || *links > 64) {
        row.skipped = "a collective without its ranks and links";
        return;
    }
    auto found = library.row("P150x8", static_cast<std::int32_t>(*ranks));
    if (const auto* unknown = std::get_if<Unknown>(&found)) {
        row.skipped = unknown->reason;
        return;
    }
    ccl::Question question;
    const bool gather = fields.op.starts_with("AllGather");
    question.kind = gather ? ccl::Kind::AllGather : ccl::Kind::ReduceScatter;
    question.topology = fields.attributes.find("Ring") != std::string::npos
                            ? fabric::Topology::Ring
                            : fabric::Topology::Line;
    question.total = gather ? fields.out.spec.bytes() : fields.in[0].spec.bytes();
    question.page = fields.in[0].spec.page_bytes();
    question.links = static_cast<std::int32_t>(*links);
    const auto& mesh = std::get<fabric::Mesh>(found);
    row.questions.push_back({fmt::format("{} {} to {}, {}", fields.op, short_text(fields.in[0]),
                                         short_text(fields.out), fields.attributes),
                             [mesh, question] {
                                 const ccl::Estimate estimate = ccl::estimate(mesh, question);
                                 Answer answer;
                                 if (!estimate.notes.empty())
                                     answer.unanswered = estimate.notes.front();
                                 answer.value = core::to_us(estimate.time());
                                 answer.text = fmt::format("{:.2f} us", answer.value);
                                 return answer;
                             }});
}

void ask_kernel(AskedRow& row, const Fields& fields, const mesh::ChipSpec& chip) {
    const auto known =
        std::find_if(kKernels.begin(), kKernels.end(),
                     [&](const KnownKernel& kernel) { return kernel.name == fields.op; });
    if (known == kKernels.end()) {
        row.skipped = "the row does not say its groups, window or scale: " + fields.op;
        return;
    }
    row.group = std::string(known->group);
    std::string text = fields.op;
    for (const KernelOperand& operand : fields.in) text += " " + short_text(operand);
    text += fmt::format(" to {}, {} on {} cores of {}", short_text(fields.out), fields.attributes,
                        fields.cores, chip.name);
    row.questions.push_back({text, [chip, question = question_of(*known, fields)] {
                                 return answer_of(dispatch::kernel_time(question, chip));
                             }});
}

AskedRow ask(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    const std::string& unit = record.text("unit");
    const auto value = optional_number(record, "value");
    if (!unit.starts_with("ns")) throw record.unexpected("unit", "ns");
    if (!value || *value <= 0) throw record.unexpected("value", "a time above 0");
    row.measured = *value * 1e-3;
    row.measured_text = fmt::format("{:.2f} us", row.measured);
    const Fields fields = fields_of(record);
    row.skipped = fields.skipped;
    if (!row.skipped.empty()) return row;
    const auto found = library.group(device_of(record), 1);
    if (const auto* unknown = std::get_if<Unknown>(&found)) {
        row.skipped = unknown->reason;
        return row;
    }
    const mesh::ChipSpec& chip = std::get<fabric::Mesh>(found).system.chip;
    if (std::find(kMatmuls.begin(), kMatmuls.end(), fields.op) != kMatmuls.end()) {
        ask_matmul(row, record, fields, chip);
    } else if (fields.op.starts_with("AllGather") || fields.op.starts_with("ReduceScatter")) {
        ask_collective(row, fields, library);
    } else {
        ask_kernel(row, fields, chip);
    }
    return row;
}

}  // namespace

TableKind op_profiles_kind() {
    return {"profiled ops",
            {"system", "arch", "op", "math_fidelity", "core_count", "input0", "input1", "input2",
             "output0", "attributes", "value", "unit"},
            Scoring::Error,
            ask};
}

}  // namespace model
