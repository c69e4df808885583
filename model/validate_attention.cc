// Tables of attention on one chip: every row is the question `tessera op sdpa` asks, to
// dispatch::attention_answer, or a few of them: a ring of chips is as long as its iterations on one
// chip. A row is held in its own unit: FLOP/s of what a causal mask leaves, bytes per second of
// one byte per element of K and V, a time, or the used cores' share of their peak. Sources of such
// tables: tenstorrent/tt-metal: tech_reports/FlashAttention and tests/nightly/blackhole/sdpa.
#include <fmt/format.h>

#include <array>
#include <cctype>
#include <charconv>
#include <regex>

#include "core/error.h"
#include "dispatch/attention_question.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

using dispatch::AttentionKind;
using dispatch::AttentionMask;
using dispatch::AttentionQuestion;

constexpr std::int64_t kLongest = 1 << 24;
constexpr std::int64_t kMostHeads = 1 << 16;

/// What published tables name instead of giving its sizes, on one chip of a ring of four:
/// tenstorrent/tt-metal: tests/nightly/blackhole/sdpa/test_ring_joint_sdpa.py, four-chip box.
struct Workload {
    const char* name;
    std::int64_t heads, kv_heads, q_dim, v_dim, rows, q_chunk, k_chunk;
    tensor::DType kv;
    AttentionMask mask;  // of the model: a causal one leaves half of the scores
};
constexpr std::array<Workload, 2> kWorkloads{
    Workload{"mla_100k", 29, 1, 576, 128, 3200, 160, 160, tensor::DType::BFloat8_b,
             AttentionMask::Causal},
    Workload{"wan2_2_1xGLX", 10, 10, 128, 128, 8544, 288, 512, tensor::DType::BFloat16,
             AttentionMask::Full}};

enum class Unit { Teraflops, Gigabytes, Microseconds, Utilization };

/// A row: questions asked one after the other, and what their sum is held against.
struct Asked {
    std::vector<AttentionQuestion> questions;
    double flops = 0;  // that count
    Unit unit = Unit::Microseconds;
    double scale = 1;  // of the row's value to the unit: ms
    std::string skipped;
};

std::optional<std::int64_t> first_number(const std::string& text, const char* after = "") {
    std::smatch match;
    if (!std::regex_search(text, match, std::regex(std::string(after) + "([0-9]{1,9})"))) return {};
    std::int64_t number = 0;
    const std::string digits = match[1];
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
}

/// "BFLOAT8_B (assumed)" is BFLOAT8_B.
std::optional<tensor::DType> dtype_of(const core::CsvRecord& record, std::string_view column) {
    return tensor::parse_dtype(record.text(column).substr(0, record.text(column).find(' ')));
}

std::pair<Unit, double> unit_of(const core::CsvRecord& record) {
    const std::string unit = lower_case(record.text("unit"));
    if (unit.starts_with("tflop/s")) return {Unit::Teraflops, 1};
    if (unit.starts_with("gb/s")) return {Unit::Gigabytes, 1};
    if (unit.starts_with("us")) return {Unit::Microseconds, 1};
    if (unit.starts_with("ms")) return {Unit::Microseconds, 1e3};
    if (unit.starts_with("ns")) return {Unit::Microseconds, 1e-3};
    if (unit.starts_with("%")) return {Unit::Utilization, 1};
    throw record.unexpected("unit", "TFLOP/s, GB/s, a time or % of the peak");
}

/// get_chunk_size of the tests that measured FlashDecode.md (tenstorrent/tt-metal:
/// tests/ttnn/unit_tests/operations/sdpa/sdpa_test_utils.py).
std::int64_t flash_decode_chunk(std::int64_t keys) {
    if (keys <= 128) return 32;
    return keys <= 1024 ? 128 : 512;
}

/// How it ran, from its name. What the reports of 2024 do not say is that of their tests: chunks
/// swept, the fast exponential, HiFi2 in prefill, HiFi4 and linear reduction in decode.
void read_implementation(AttentionQuestion& question, const std::string& implementation) {
    using dispatch::ExpMode;
    const std::string text = lower_case(implementation);
    if (text == "flashattention") {
        question.chunks = dispatch::AttentionChunks::Tuned;
        question.config.exp = ExpMode::Approximate;
    } else if (text == "flashdecode") {
        question.config.k_chunk = flash_decode_chunk(question.keys);
        question.config.exp = ExpMode::Approximate;
        question.config.reduction = dispatch::Reduction::Linear;
        question.fidelity = mesh::Fidelity::HiFi4;
    } else if (text.starts_with("baseline")) {
        question.kind = AttentionKind::Unfused;
    }
    for (const auto fidelity : {mesh::Fidelity::LoFi, mesh::Fidelity::HiFi2, mesh::Fidelity::HiFi3,
                                mesh::Fidelity::HiFi4}) {
        if (text.find(lower_case(mesh::to_text(fidelity))) != std::string::npos) {
            question.fidelity = fidelity;
        }
    }
    const auto q_chunk = first_number(text, "q(?:_chunk=)?");
    const auto k_chunk = first_number(text, "k(?:_chunk=)?");
    if (!q_chunk || !k_chunk) return;
    question.chunks = dispatch::AttentionChunks::Given;
    question.config.q_chunk = *q_chunk;
    question.config.k_chunk = *k_chunk;
}

bool whole_tiles(const AttentionQuestion& question) {
    if (question.chunks != dispatch::AttentionChunks::Given) return true;
    const auto whole = [](std::int64_t chunk) {
        return chunk > 0 && chunk % tensor::kTileSide == 0;
    };
    return whole(question.config.q_chunk) && whole(question.config.k_chunk);
}

/// A row that gives its sizes.
Asked sized(const core::CsvRecord& record) {
    Asked asked;
    AttentionQuestion question;
    const auto size = [&](std::string_view column, std::int64_t most) {
        const auto found = record.optional_integer(column, 1, most);
        if (!found) asked.skipped = "no " + std::string(column);
        return found.value_or(1);
    };
    question.batch = size("batch", kMostHeads);
    question.of.heads = size("n_q_heads", kMostHeads);
    question.of.q_dim = question.of.v_dim = size("head_dim", kMostHeads);
    question.rows = size("seq_q", kLongest);
    question.keys = size("kv_len", kLongest);
    const auto kv_heads = record.optional_integer("n_kv_heads", 1, kMostHeads);
    question.of.kv_heads = kv_heads.value_or(question.of.heads);
    const auto q = dtype_of(record, "dtype_q");
    const auto kv = dtype_of(record, "dtype_kv");
    if (!q || !kv) asked.skipped = "no known dtype";
    question.of.q = q.value_or(question.of.q);
    question.of.kv = kv.value_or(question.of.kv);
    if (question.of.heads % question.of.kv_heads != 0) {
        throw record.unexpected("n_kv_heads", "a divisor of n_q_heads");
    }
    const std::string op = lower_case(record.text("op"));
    if (op.find("decode") != std::string::npos) question.kind = AttentionKind::Decode;
    if (op.find("non-causal") != std::string::npos) question.mask = AttentionMask::Full;
    if (asked.skipped.empty() && question.mask == AttentionMask::Causal &&
        question.keys < question.rows) {
        throw record.unexpected("kv_len", "at least seq_q");
    }
    question.cores = first_number(record.text("cores")).value_or(0);
    question.most_cores_per_head =
        question.cores > 0 ? question.cores : question.most_cores_per_head;
    read_implementation(question, record.text("implementation"));
    if (!whole_tiles(question)) asked.skipped = "chunks that are no whole tiles";
    // FlashAttention.md counts half of the scores of a causal prefill, FlashDecode.md all of them.
    const bool half =
        question.kind != AttentionKind::Decode && question.mask == AttentionMask::Causal;
    asked.flops = question.full_flops() * (half ? 0.5 : 1);
    asked.questions = {question};
    return asked;
}

/// One iteration of a ring on one chip. A balanced causal ring splits the work in zigzag: in the
/// first iteration all rows walk all keys in step and masks do the rest, in the others half of
/// them (RingSDPA_SingleChipProxy.md: UP and DOWN).
AttentionQuestion iteration(const Workload& workload, AttentionQuestion question,
                            std::int64_t index) {
    const bool half = workload.mask == AttentionMask::Causal && index > 0;
    question.keys = half ? workload.rows / 2 : workload.rows;
    return question;
}

/// A row that names a workload: all iterations of a ring, or one of them.
Asked named(const core::CsvRecord& record, const Workload& workload) {
    const std::string op = lower_case(record.text("op"));
    const std::string implementation = lower_case(record.text("implementation"));
    AttentionQuestion question;
    question.of = {
        .heads = record.optional_integer("n_q_heads", 1, kMostHeads).value_or(workload.heads),
        .kv_heads = 1,
        .q_dim = workload.q_dim,
        .v_dim = workload.v_dim,
        .kv = workload.kv};
    question.rows = workload.rows;
    question.mask = AttentionMask::Full;
    question.chunks = dispatch::AttentionChunks::Given;
    question.config.q_chunk = workload.q_chunk;
    question.config.k_chunk = workload.k_chunk;
    question.config.split = dispatch::WorkSplit::Flat;
    read_implementation(question, implementation);
    const bool proxy = op.find("proxy") != std::string::npos;
    if (proxy) question.cores = first_number(record.text("cores")).value_or(0);
    Asked asked;
    if (!whole_tiles(question)) asked.skipped = "chunks that are no whole tiles";
    const bool one = op.find("iteration") != std::string::npos;
    const std::int64_t ring = one ? 1 : first_number(implementation, "ring of ").value_or(0);
    if (ring < 1 || ring > 64) asked.skipped = "no length of the ring";
    const bool later = implementation.find("ring_iter_up") != std::string::npos ||
                       implementation.find("ring_iter_down") != std::string::npos;
    const std::int64_t first =
        one ? (later ? 1 : first_number(implementation, "iter(?:ation |_)").value_or(0)) : 0;
    for (std::int64_t i = 0; asked.skipped.empty() && i < ring; ++i) {
        asked.questions.push_back(iteration(workload, question, first + i));
        // Every iteration has as many scores that count: half of a causal block.
        asked.flops += iteration(workload, question, 1).full_flops();
    }
    return asked;
}

const Workload* workload_of(const core::CsvRecord& record) {
    const std::string text = lower_case(record.text("op") + " " + record.text("implementation"));
    for (const Workload& workload : kWorkloads) {
        if (text.find(lower_case(workload.name)) != std::string::npos) return &workload;
    }
    return nullptr;
}

std::string text_of(const AttentionQuestion& question) {
    const dispatch::AttentionConfig& config = question.config;
    return fmt::format(
        "attention kind {} of {} users, {}/{} heads of {}/{} {} {}, {} rows, {} keys, mask {}, {}, "
        "{} cores, at most {} a head, chunks {} {}x{}, exp {}, reduction {}, split {}",
        static_cast<int>(question.kind), question.batch, question.of.heads, question.of.kv_heads,
        question.of.q_dim, question.of.v_dim, tensor::name(question.of.q),
        tensor::name(question.of.kv), question.rows, question.keys, static_cast<int>(question.mask),
        mesh::to_text(question.fidelity), question.cores, question.most_cores_per_head,
        static_cast<int>(question.chunks), config.q_chunk, config.k_chunk,
        static_cast<int>(config.exp), static_cast<int>(config.reduction),
        static_cast<int>(config.split));
}

/// K and V at one byte per element, as FlashDecode.md counts.
double counted_bytes(const AttentionQuestion& question) {
    return static_cast<double>(question.batch * question.of.kv_heads) *
           static_cast<double>(question.keys) *
           static_cast<double>(question.of.q_dim + question.of.v_dim);
}

double in_unit(const Asked& asked, const mesh::ChipSpec& chip, double us, std::int64_t cores) {
    const AttentionQuestion& question = asked.questions.front();
    const auto phases =
        static_cast<double>(chip.tile_cycles[static_cast<std::size_t>(question.fidelity)]);
    const double peak = static_cast<double>(cores) * 2 * 32 * 32 * 32 / phases *
                        static_cast<double>(chip.clock.value);
    switch (asked.unit) {
        case Unit::Teraflops:
            return asked.flops / us * 1e-6;
        case Unit::Gigabytes:
            return counted_bytes(question) / us * 1e-3;
        case Unit::Utilization:
            return 100 * asked.flops / (us * 1e-6) / peak;
        case Unit::Microseconds:
            return us / asked.scale;
    }
    return us;
}

Answer answer(const mesh::ChipSpec& chip, const Asked& asked) {
    core::Picoseconds total{};
    dispatch::AttentionAnswer last;
    for (const AttentionQuestion& question : asked.questions) {
        last = dispatch::attention_answer(question, chip);
        total += last.time.total();
    }
    const double us = core::to_us(total);
    Answer answer;
    answer.value = in_unit(asked, chip, us, last.cores);
    answer.text = fmt::format("{:.4g}", answer.value);
    answer.why =
        fmt::format("{:.1f} us, bound by {}, {} cores, chunks of {} queries and {} keys", us,
                    last.time.bound(), last.cores, last.config.q_chunk, last.config.k_chunk);
    return answer;
}

/// The chip of a row: the published ones differ in wiring only. A ring keeps a column of cores for
/// its collectives (test_ring_joint_sdpa.py: 11 and 10 cores per head).
std::variant<mesh::ChipSpec, Unknown> chip_of(const core::CsvRecord& record,
                                              const ModelLibrary& library) {
    const std::string arch = lower_case(record.text("arch"));
    if (arch != "wormhole_b0" && arch != "blackhole") {
        throw record.unexpected("arch", "wormhole_b0 or blackhole");
    }
    const auto found = library.group(arch == "blackhole" ? "P150" : "N150", 1);
    if (const auto* unknown = std::get_if<Unknown>(&found)) return *unknown;
    return std::get<fabric::Mesh>(found).system.chip;
}

AskedRow ask(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    const Workload* const workload = workload_of(record);
    const bool sizes = record.optional_integer("head_dim", 1, kMostHeads).has_value();
    Asked asked = workload != nullptr && !sizes ? named(record, *workload) : sized(record);
    std::tie(asked.unit, asked.scale) = unit_of(record);
    const auto value = optional_number(record, "value");
    if (!value || *value <= 0) throw record.unexpected("value", "a number above 0");
    row.measured = *value;
    row.measured_text = fmt::format("{:.4g}", row.measured);
    row.skipped = asked.skipped;
    const auto found = chip_of(record, library);
    if (const auto* unknown = std::get_if<Unknown>(&found)) row.skipped = unknown->reason;
    if (!row.skipped.empty()) return row;
    const auto& chip = std::get<mesh::ChipSpec>(found);
    const AttentionQuestion& first = asked.questions.front();
    const bool ring = workload != nullptr && first.cores == 0;
    for (AttentionQuestion& question : asked.questions) {
        if (ring) question.cores = (chip.worker_grid.x - 1) * chip.worker_grid.y;
    }
    row.group = fmt::format("{}, {} {}", record.text("op"),
                            first.kind == AttentionKind::Unfused ? "unfused" : "fused",
                            tensor::name(first.of.kv));
    if (const std::string& product = record.text("product"); !product.empty()) {
        row.group += ", " + product;
    }
    row.questions.push_back(
        {fmt::format("{} on {}, {} times, unit {} {}", text_of(first), chip.name,
                     asked.questions.size(), static_cast<int>(asked.unit), asked.scale),
         [chip, asked] { return answer(chip, asked); }});
    return row;
}

}  // namespace

TableKind attention_kind() {
    return {"attention",
            {"op", "implementation", "arch", "batch", "n_q_heads", "n_kv_heads", "head_dim",
             "seq_q", "kv_len", "dtype_q", "dtype_kv", "cores", "value", "unit"},
            Scoring::Error,
            ask};
}

}  // namespace model
