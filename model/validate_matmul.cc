// Tables of matmuls on one chip: every row is the question `tessera op matmul` asks, to
// dispatch::matmul_time, on the grid the row ran on. A row is held against the time of one matmul
// of many in a trace, so the gap the device keeps between programs belongs to it
// (pgm_dispatch.json, topologies/chips); without a trace each needs a call of the host, which takes
// longer than a short matmul and longest for a sharded output (topologies/kernels). Source of such
// tables: tenstorrent/tt-metal: tech_reports/GEMM_FLOPS/GEMM_FLOPS.md.
#include <fmt/format.h>

#include <array>

#include "core/error.h"
#include "dispatch/matmul_question.h"
#include "mesh/kernel_spec.h"
#include "model/validate_kinds.h"

namespace model {
namespace {

using dispatch::MatmulTuning;

constexpr std::int64_t kLongestAxis = 1 << 20;  // as `tessera op` takes
// Per axis. A row may name more cores than its chip has today: the published P150 ran 13x10, which
// firmware of the same card no longer enables (topologies/chips/p150.yaml).
constexpr std::int64_t kMostCores = 32;

// What a row says, before there is a chip.
struct Fields {
    dispatch::MatmulQuestion question;
    enum class Calls { Traced, Eager } calls = Calls::Traced;
    bool has_grid = false;
    std::string skipped;
};

std::string time_text(double us, double flops) {
    return fmt::format("{:.2f} us, {:.1f} TFLOP/s", us, flops / us * 1e-6);
}

std::int64_t required_size(const core::CsvRecord& record, std::string_view column) {
    const auto size = record.optional_integer(column, 1, kLongestAxis);
    if (!size)
        throw record.unexpected(column, fmt::format("an integer from 1 to {}", kLongestAxis));
    return *size;
}

double measured_us(const core::CsvRecord& record) {
    const std::string unit = lower_case(record.text("unit"));
    if (unit != "ns" && unit != "us") throw record.unexpected("unit", "ns or us");
    const auto value = optional_number(record, "value");
    if (!value || *value <= 0) throw record.unexpected("value", "a time above 0");
    return *value * (unit == "ns" ? 1e-3 : 1);
}

std::optional<mesh::Fidelity> parse_fidelity(std::string_view text) {
    for (const auto fidelity : {mesh::Fidelity::LoFi, mesh::Fidelity::HiFi2, mesh::Fidelity::HiFi3,
                                mesh::Fidelity::HiFi4}) {
        if (lower_case(text) == lower_case(mesh::to_text(fidelity))) return fidelity;
    }
    return {};
}

std::optional<MatmulTuning> parse_tuning(std::string_view text) {
    if (text == "out_of_box") return MatmulTuning::OutOfBox;
    if (text == "manually_tuned" || text == "tuned") return MatmulTuning::Tuned;
    return {};
}

// Where an operand is; the reason, where tessera op has no such place.
std::string place(const core::CsvRecord& record, std::string_view storage, std::string_view sharded,
                  mesh::BufferType& type) {
    const std::string where = lower_case(record.text(storage));
    const bool is_sharded = lower_case(record.text(sharded)) == "true";
    if (where == "l1") {
        const bool is_interleaved = !record.text(sharded).empty() && !is_sharded;
        type = mesh::BufferType::L1;
        return is_interleaved ? "an operand in interleaved L1" : "";
    }
    if (where != "dram") throw record.unexpected(storage, "DRAM or L1");
    return is_sharded ? "a sharded operand in DRAM" : "";
}

void read_grid(Fields& fields, const core::CsvRecord& record) {
    const auto columns = record.optional_integer("grid_x", 1, kMostCores);
    const auto rows = record.optional_integer("grid_y", 1, kMostCores);
    if (columns.has_value() != rows.has_value()) {
        throw record.unexpected(columns ? "grid_y" : "grid_x", "both axes of the grid, or none");
    }
    fields.has_grid = columns.has_value();
    if (!fields.has_grid) return;
    fields.question.grid = {static_cast<std::int32_t>(*columns), static_cast<std::int32_t>(*rows)};
}

Fields fields_of(const core::CsvRecord& record) {
    Fields fields;
    const std::string traced = lower_case(record.text("use_trace"));
    if (traced != "true" && traced != "false")
        throw record.unexpected("use_trace", "True or False");
    if (traced == "false") fields.calls = Fields::Calls::Eager;
    dispatch::MatmulQuestion& question = fields.question;
    question.m = required_size(record, "M");
    question.k = required_size(record, "K");
    question.n = required_size(record, "N");
    read_grid(fields, record);
    const auto dtype = tensor::parse_dtype(record.text("dtype"));
    const auto fidelity = parse_fidelity(record.text("math_fidelity"));
    const auto tuning = parse_tuning(record.text("config"));
    const std::array<std::string, 2> places{
        place(record, "in0_storage", "in0_sharded", question.activations),
        place(record, "out_storage", "out_sharded", question.output)};
    if (lower_case(record.text("in1_storage")) != "dram") fields.skipped = "weights outside DRAM";
    for (const std::string& problem : places) {
        if (!problem.empty()) fields.skipped = problem;
    }
    if (!dtype) fields.skipped = "no known dtype";
    if (!fidelity) fields.skipped = "no known fidelity";
    if (!tuning) fields.skipped = "neither tuned nor out of the box";
    question.dtype = dtype.value_or(question.dtype);
    question.fidelity = fidelity.value_or(question.fidelity);
    question.tuning = tuning.value_or(question.tuning);
    return fields;
}

std::string format_text(const dispatch::MatmulQuestion& question) {
    return fmt::format("{} {} {}", tensor::name(question.dtype), mesh::to_text(question.fidelity),
                       question.tuning == MatmulTuning::Tuned ? "tuned" : "out of the box");
}

std::string question_text(const dispatch::MatmulQuestion& question, const std::string& title) {
    const auto where = [](mesh::BufferType type) {
        return type == mesh::BufferType::L1 ? "L1" : "DRAM";
    };
    return fmt::format("matmul {}x{}x{} {} on {}x{} cores of {}, {} to {}", question.m, question.k,
                       question.n, format_text(question), question.grid.x, question.grid.y, title,
                       where(question.activations), where(question.output));
}

// Host time of a call from Python: making the output's shards comes on top.
core::Picoseconds call_time(const mesh::ChipSpec& chip, const dispatch::MatmulQuestion& question) {
    const mesh::LaunchKernelSpec& launch = chip.kernels->launch;
    const bool is_sharded = question.output == mesh::BufferType::L1;
    return launch.op_call + (is_sharded ? launch.op_call_sharded : core::Picoseconds{});
}

Answer answer(const mesh::ChipSpec& chip, const Fields& fields) {
    const dispatch::MatmulQuestion& question = fields.question;
    const dispatch::OpTime time = dispatch::matmul_time(question, chip);
    const core::Picoseconds device = time.total() + chip.launch.traced_gap;
    Answer answer;
    answer.value = core::to_us(device);
    answer.why = fmt::format("bound by {}, {:.2f} us of gap between programs", time.bound(),
                             core::to_us(chip.launch.traced_gap));
    const core::Picoseconds call = call_time(chip, question);
    if (fields.calls == Fields::Calls::Eager && call > device) {
        answer.why = fmt::format("bound by the host's call, {:.2f} us on the device", answer.value);
        answer.value = core::to_us(call);
    }
    answer.text = time_text(answer.value, question.flops());
    return answer;
}

AskedRow ask(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    Fields fields = fields_of(record);
    row.skipped = fields.skipped;
    row.measured = measured_us(record);
    if (!row.skipped.empty()) return row;
    dispatch::MatmulQuestion& question = fields.question;
    row.measured_text = time_text(row.measured, question.flops());
    const std::string& product = record.text("product");
    const auto found = library.group(product, 1);
    if (const auto* unknown = std::get_if<Unknown>(&found)) {
        row.skipped = unknown->reason;
        return row;
    }
    const fabric::System& system = std::get<fabric::Mesh>(found).system;
    if (!fields.has_grid) question.grid = system.chip.worker_grid;
    const char* const calls = fields.calls == Fields::Calls::Eager ? ", not traced" : "";
    row.group = fmt::format("value {} {}{}", product, format_text(question), calls);
    row.questions.push_back({question_text(question, system.title) + calls,
                             [chip = system.chip, fields] { return answer(chip, fields); }});
    return row;
}

}  // namespace

TableKind matmul_kind() {
    return {"matmuls",
            {"product", "config", "M", "K", "N", "use_trace", "in0_storage", "in1_storage",
             "out_storage", "dtype", "math_fidelity", "value", "unit"},
            Scoring::Error,
            ask};
}

}  // namespace model
