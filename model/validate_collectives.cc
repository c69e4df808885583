// Tables of the times of collectives: by bytes (the published sweeps), by the shape of the tensor
// (pull requests), and traced kernels in cycles. Every row is the question `tessera ccl` asks, to
// ccl::estimate, on a row of as many chips of the system. The null is ccl::published_time, which
// is of Wormhole and one link. What the estimate is no answer to is skipped, with the reason.
// Sources: tenstorrent/tt-metal: tech_reports/CCLs/results (FULL_*.md), PRs #41522 and #55543;
// tenstorrent/tt-npe: tt_npe/workload/T3K-fabric-traces.
#include <fmt/format.h>

#include <array>
#include <regex>

#include "ccl/closed_form.h"
#include "ccl/estimate.h"
#include "ccl/validation.h"
#include "core/error.h"
#include "core/format.h"
#include "model/validate_kinds.h"
#include "tensor/spec.h"

namespace model {
namespace {

constexpr std::int64_t kMostBytes = std::int64_t{1} << 40;
constexpr std::int64_t kMostPage = 1 << 20;
constexpr std::int64_t kMostChips = 1024;
constexpr std::int64_t kMostLinks = 64;
constexpr core::Bytes kTilePage{2048};  // bfloat16, 32x32: of all published sweeps

// "all_gather_async", "reduce_scatter_minimal_async": ttnn's names of the ops as they are built.
constexpr std::array<std::string_view, 2> kSuffixes{"_minimal_async", "_async"};

// What a row says, before there is a mesh.
struct Fields {
    ccl::Question question;
    std::int32_t chips = 0;
    bool has_default_payload = false;  // the software's own, not that of the published sweeps
    std::string value;                 // the column of the measurement
    double measured_us = 0;
    std::string skipped;
};

std::optional<ccl::Kind> kind_of(std::string_view op) {
    for (const std::string_view suffix : kSuffixes) {
        if (op.ends_with(suffix)) return ccl::parse_kind(op.substr(0, op.size() - suffix.size()));
    }
    return ccl::parse_kind(op);
}

std::string us_text(double us) { return fmt::format("{:.2f} us", us); }

std::string links_text(const ccl::Question& question) {
    if (!question.links) return "all links";
    return std::to_string(*question.links) + (*question.links == 1 ? " link" : " links");
}

std::string question_text(const ccl::Question& question, const fabric::Mesh& mesh) {
    return fmt::format(
        "{} of {} on {} chips of {}, {}, {}, pages of {} B, packets of {} B{}",
        ccl::to_text(question.kind), core::to_text(question.total), mesh.chip_count(),
        mesh.system.title, question.topology == fabric::Topology::Ring ? "ring" : "line",
        links_text(question), question.page.value,
        question.packet_payload.value_or(mesh.system.link.collectives.tuned_payload).value,
        question.one_shot == ccl::OneShot::Absent ? ", no one-shot" : "");
}

// Published for packets of 6144 B (ccl/closed_form.h); it has no other.
std::optional<double> null_us(const fabric::Mesh& mesh, const ccl::Request& request) {
    if (mesh.system.chip.arch != mesh::Arch::WormholeB0 || request.links != 1) return {};
    const core::Picoseconds time =
        ccl::published_time(request.kind, request.topology, request.ranks, request.total);
    if (time == core::Picoseconds{}) return {};
    return core::to_us(time);
}

Answer answer(const fabric::Mesh& mesh, const ccl::Question& question) {
    const ccl::Estimate estimate = ccl::estimate(mesh, question);
    Answer answer;
    if (!estimate.notes.empty()) {
        answer.unanswered = estimate.notes.front();
        return answer;
    }
    const ccl::Run& run = estimate.runs.front();
    answer.value = core::to_us(estimate.time());
    answer.text = us_text(answer.value);
    answer.why = ccl::to_text(run.algorithm) + ", " + core::grouped(run.busiest_hop.value) +
                 " B over the busiest hop";
    answer.null_value = null_us(mesh, run.request);
    return answer;
}

// The same words as in the errors that `tessera ccl` prints.
std::string group_text(const Fields& fields, const fabric::Mesh& mesh) {
    ccl::ErrorGroup group;
    group.arch = mesh.system.chip.arch;
    group.kind = fields.question.kind;
    group.topology = *fields.question.topology;
    group.ranks = fields.chips;
    group.links = fields.question.links.value_or(mesh.links[1]);
    group.is_large = fields.question.total >= ccl::kLargeFrom;
    return fields.value + " " + group.text();
}

AskedRow row_of(Fields fields, const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    row.measured = fields.measured_us;
    row.measured_text = us_text(fields.measured_us);
    row.skipped = fields.skipped;
    if (!row.skipped.empty()) return row;
    auto found = library.row(record.text("system"), fields.chips);
    if (const auto* unknown = std::get_if<Unknown>(&found)) {
        row.skipped = unknown->reason;
        return row;
    }
    auto& mesh = std::get<fabric::Mesh>(found);
    if (fields.has_default_payload)
        fields.question.packet_payload = mesh.system.link.packet_payload;
    row.group = group_text(fields, mesh);
    row.questions.push_back(
        {question_text(fields.question, mesh),
         [mesh = std::move(mesh), question = fields.question] { return answer(mesh, question); }});
    return row;
}

/// Op, topology and number of chips, which all tables have; or the reason.
Fields common_fields(const core::CsvRecord& record, std::string_view chips) {
    Fields fields;
    const std::string& op = record.text("op");
    const std::string& topology = record.text("topology");
    const std::optional<ccl::Kind> kind = kind_of(op);
    const auto count = record.optional_integer(chips, 2, kMostChips);
    if (!kind) {
        fields.skipped = "no collective " + op;
    } else if (!count) {
        fields.skipped = "no number of chips";
    } else if (topology != "ring" && topology != "line") {
        fields.skipped = "neither ring nor line";
    } else {
        fields.question.kind = *kind;
        fields.chips = static_cast<std::int32_t>(*count);
        fields.question.topology =
            topology == "ring" ? fabric::Topology::Ring : fabric::Topology::Line;
    }
    return fields;
}

std::int64_t required_integer(const core::CsvRecord& record, std::string_view column,
                              std::int64_t min, std::int64_t max) {
    const auto value = record.optional_integer(column, min, max);
    if (!value) {
        throw record.unexpected(column, fmt::format("an integer from {} to {}", min, max));
    }
    return *value;
}

double required_number(const core::CsvRecord& record, std::string_view column) {
    const auto value = optional_number(record, column);
    if (!value || *value <= 0) throw record.unexpected(column, "a number above 0");
    return *value;
}

std::optional<std::int32_t> links_of(const core::CsvRecord& record, std::string_view column) {
    const auto links = record.optional_integer(column, 1, kMostLinks);
    if (!links) return {};
    return static_cast<std::int32_t>(*links);
}

AskedRow ask_by_bytes(const core::CsvRecord& record, const ModelLibrary& library) {
    Fields fields = common_fields(record, "n_devices");
    fields.value = "time_us";
    fields.measured_us = required_number(record, fields.value);
    ccl::Question& question = fields.question;
    question.total = core::Bytes{required_integer(record, "size_bytes", 1, kMostBytes)};
    question.page =
        core::Bytes{record.optional_integer("page_bytes", 1, kMostPage).value_or(kTilePage.value)};
    question.links = links_of(record, "num_links_per_direction");
    if (const auto payload =
            record.optional_integer("fabric_packet_payload_bytes", 16, kMostPage)) {
        question.packet_payload = core::Bytes{*payload};
    }
    // Calls in a row hide part of each other; the estimate is of one.
    if (record.optional_integer("calls_back_to_back", 1, 1'000'000).value_or(1) > 1) {
        fields.skipped = "several calls back to back";
    }
    return row_of(std::move(fields), record, library);
}

// "[1,1,32,1024]" at the beginning; nullopt for other texts.
std::optional<tensor::Shape> shape_of(const std::string& text) {
    static const std::regex kShape(R"(\[([0-9]{1,9}(?:,[0-9]{1,9}){0,4})\].*)");
    std::smatch found;
    if (!std::regex_match(text, found, kShape)) return {};
    std::vector<std::int64_t> extents;
    for (const std::string& part : parts_of(found[1].str(), ',')) {
        extents.push_back(std::stoll(part));
    }
    return tensor::Shape(std::span<const std::int64_t>(extents));
}

// Before 2026-09 ("PR #41522 (2026-04-06)"), and in reduce_scatter_minimal_async by itself, there
// is no one-shot reduce-scatter (ccl/request.h).
ccl::OneShot one_shot_of(const core::CsvRecord& record) {
    static const std::regex kDate(R"(\(([0-9]{4}-[0-9]{2})-[0-9]{2}\))");
    std::smatch found;
    const bool is_older =
        std::regex_search(record.text("source"), found, kDate) && found[1].str() < "2026-09";
    return is_older || record.text("op").ends_with("_async") ? ccl::OneShot::Absent
                                                             : ccl::OneShot::Present;
}

// Why the value is not one the estimate can be held against; empty: it is.
std::string shape_row_problem(const core::CsvRecord& record) {
    const std::string& variant = record.text("variant");
    const auto says = [](const std::string& text, std::string_view words) {
        return text.find(words) != std::string::npos;
    };
    if (says(record.text("kind"), "target")) return "a target, not a measurement";
    if (says(record.text("kind"), "documented")) return "an example, not a measurement";
    if (record.text("unit") != "us" && record.text("unit") != "ns") return "no time in us or ns";
    if (says(variant, "before") || says(variant, "old algorithm")) {
        return "an algorithm of older software";
    }
    if (!shape_of(record.text("shape"))) return "no shape";
    if (!tensor::parse_dtype(record.text("dtype"))) return "no known dtype";
    // T of a gather is what comes out, of the others what goes in (ccl/request.h).
    if (record.text("op").starts_with("all_gather") && !says(record.text("shape"), "out")) {
        return "a gather of a shape that is not said to be the output";
    }
    return {};
}

// No table of this kind says the payload of packets: that of the published sweeps.
AskedRow ask_by_shape(const core::CsvRecord& record, const ModelLibrary& library) {
    const std::string problem = shape_row_problem(record);
    Fields fields;
    if (problem.empty()) fields = common_fields(record, "n_devices");
    if (!problem.empty()) fields.skipped = problem;
    if (!fields.skipped.empty()) return row_of(std::move(fields), record, library);
    const tensor::Spec spec{*shape_of(record.text("shape")),
                            *tensor::parse_dtype(record.text("dtype")), tensor::Layout::Tile};
    fields.value = "value";
    fields.measured_us =
        required_number(record, fields.value) * (record.text("unit") == "ns" ? 1e-3 : 1);
    fields.question.total = spec.bytes();
    fields.question.page = spec.page_bytes();
    fields.question.links = links_of(record, "num_links");
    fields.question.one_shot = one_shot_of(record);
    if (fields.question.total.value < 1) fields.skipped = "an empty tensor";
    return row_of(std::move(fields), record, library);
}

// Kernels of the end chips of a line end earlier than the collective does.
AskedRow ask_by_trace(const core::CsvRecord& record, const ModelLibrary& library) {
    Fields fields = common_fields(record, "chips");
    fields.value = "cycles";
    fields.measured_us =
        required_number(record, fields.value) / required_number(record, "clock_MHz");
    const std::int64_t tiles = required_integer(record, "tiles_per_chip", 1, 1 << 24);
    fields.question.page = core::Bytes{required_integer(record, "tile_bytes", 1, kMostPage)};
    fields.question.total = fields.question.page * tiles * fields.chips;
    fields.has_default_payload = true;
    if (fields.skipped.empty() && fields.question.kind != ccl::Kind::AllGather) {
        fields.skipped = "tiles per chip of a collective that is no gather";
    }
    if (record.text("position").starts_with("end")) fields.skipped = "an end chip of the line";
    return row_of(std::move(fields), record, library);
}

}  // namespace

TableKind collectives_kind() {
    return {"collectives",
            {"system", "op", "topology", "n_devices", "num_links_per_direction", "size_bytes",
             "time_us"},
            Scoring::Error,
            ask_by_bytes};
}

TableKind collective_shapes_kind() {
    return {"collectives by shape",
            {"system", "op", "topology", "n_devices", "num_links", "shape", "dtype", "variant",
             "value", "unit", "kind", "source"},
            Scoring::Error,
            ask_by_shape};
}

TableKind collective_traces_kind() {
    return {"traced collectives",
            {"system", "op", "topology", "chips", "tiles_per_chip", "tile_bytes", "position",
             "cycles", "clock_MHz"},
            Scoring::Error,
            ask_by_trace};
}

}  // namespace model
