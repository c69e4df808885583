// Tables of what fits: yes or no for a model, a device and a context.
// A row agrees when "splits and fits" is its `fits`. The context is the KV pool of a group, too, as
// tt-inference-server serves it (workflows/model_spec.py: max_num_batched_tokens = max_context).
// Trace regions are of era A, every bank gives the whole size: the served specs pin tt-metal
// commits whose dates the tables do not say, and A is the stricter.
#include <algorithm>
#include <regex>
#include <variant>

#include "core/error.h"
#include "core/format.h"
#include "model/validate_kinds.h"
#include "model/validate_plan.h"

namespace model {
namespace {

constexpr std::int64_t kMostTokens = std::int64_t{1} << 24;
constexpr std::int64_t kMostUsers = 1 << 16;
// A row without a context asks whether it fits at all: the shortest of simple_text_demo.py.
constexpr std::int64_t kDemoContext = 1024;

struct Fields {
    std::int64_t context = kDemoContext;
    std::int64_t groups = 1;
    std::int64_t users = 1;
    std::optional<core::Bytes> trace_region;
    std::optional<std::int64_t> chunk;
    std::string precision = "performance";
    bool is_served = false;
};

// tenstorrent/vllm: vllm/worker/tt_worker.py, max_tokens_all_users.
constexpr std::int64_t kServerPool = 131072;

// "does not fit with chunk 32k".
std::optional<std::int64_t> chunk_named(const std::string& verdict) {
    static const std::regex kChunk("chunk ([0-9]{1,4})k", std::regex::icase);
    std::smatch found;
    if (!std::regex_search(verdict, found, kChunk)) return {};
    return std::stoll(found[1].str()) * 1024;
}

Fields fields_of(const core::CsvRecord& record) {
    Fields fields;
    fields.context =
        record.optional_integer("max_context_tokens", 1, kMostTokens).value_or(fields.context);
    fields.groups = record.optional_integer("dp", 1, kMostUsers).value_or(1);
    const std::int64_t users = record.optional_integer("batch", 1, kMostUsers).value_or(1);
    fields.users = core::ceil_div(users, fields.groups);
    if (const auto bytes = record.optional_integer("trace_region_size_B", 0, INT64_MAX / 1024)) {
        fields.trace_region = core::Bytes{*bytes};
    }
    fields.is_served = record.text("kind") == "served spec";
    fields.chunk = chunk_named(record.text("verdict"));
    if (fields.chunk) fields.context = std::max(fields.context, kServerPool);
    return fields;
}

Answer answer(const Placing& placing, const Fields& fields) {
    const std::vector<std::string> reasons = split_reasons(placing);
    if (!reasons.empty()) return {0, "no", reasons.front(), {}};
    // Memory only grows with the chunk: when the smallest does not fit, none does.
    const dispatch::MemoryPlan least =
        plan(placing, fields.context, fields.chunk.value_or(kSmallestPublishedChunk));
    if (!least.fits()) return {0, "no", outcome_text(least), {}};
    const std::int64_t chunk =
        fields.chunk ? *fields.chunk : largest_chunk(placing, fields.context);
    return {
        1,
        "yes",
        "chunk " + core::grouped(chunk) + "; " + outcome_text(plan(placing, fields.context, chunk)),
        {}};
}

Question question(const Placing& placing, const Fields& fields) {
    std::string text = placing.text() + ", " + core::grouped(fields.context) + " tokens";
    if (fields.chunk) text += ", chunk " + core::grouped(*fields.chunk);
    return {text, [placing, fields] { return answer(placing, fields); }};
}

// "Llama-3.1-8B accuracy mode" -> "Llama-3.1-8B" and the precision.
std::string take_mode(std::string name, Fields& fields) {
    constexpr std::string_view kMode = " accuracy mode";
    if (!lower_case(name).ends_with(kMode)) return name;
    fields.precision = "accuracy";
    return name.substr(0, name.size() - kMode.size());
}

// The question to one model on one device, or why there is none.
std::variant<Question, Unknown> one_question(const ModelLibrary& library, const KnownModel& model,
                                             const std::string& device, Fields fields) {
    auto group = library.group(device, fields.groups);
    if (auto* unknown = std::get_if<Unknown>(&group)) return std::move(*unknown);
    Placing placing;
    placing.model = model;
    placing.device = device;
    placing.mesh = std::get<fabric::Mesh>(std::move(group));
    placing.groups = fields.groups;
    placing.users = fields.users;
    placing.precision = fields.precision;
    placing.trace_region =
        fields.trace_region.value_or(library.default_trace_region(model, placing.mesh));
    // No user gets beyond the pool, so the context a plan needs ends there, too.
    const auto pool = library.served_pool(model, placing.mesh);
    if (fields.is_served && pool) fields.context = std::min(fields.context, *pool);
    return question(placing, fields);
}

// Adds the questions to one model of the row, or says why the row asks nothing.
void add_questions(AskedRow& row, const core::CsvRecord& record, const ModelLibrary& library,
                   const std::string& cell) {
    Fields fields = fields_of(record);
    const auto model = library.model(take_mode(cell, fields));
    if (const auto* unknown = std::get_if<Unknown>(&model)) {
        row.skipped = unknown->reason;
        return;
    }
    for (const std::string& device : parts_of(record.text("device"), '/')) {
        auto asked = one_question(library, std::get<KnownModel>(model), device, fields);
        if (const auto* unknown = std::get_if<Unknown>(&asked)) {
            row.skipped = unknown->reason;
        } else {
            row.questions.push_back(std::get<Question>(std::move(asked)));
        }
    }
}

AskedRow ask(const core::CsvRecord& record, const ModelLibrary& library) {
    AskedRow row;
    row.group = record.text("device");
    row.measured_text = record.text("fits");
    if (row.measured_text.empty()) {
        row.skipped = "neither yes nor no";
        return row;
    }
    if (row.measured_text != "yes" && row.measured_text != "no") {
        throw record.unexpected("fits", "yes, no or nothing");
    }
    row.measured = row.measured_text == "yes" ? 1 : 0;
    for (const std::string& cell : parts_of(record.text("model"), ';')) {
        add_questions(row, record, library, cell);
    }
    return row;
}

}  // namespace

TableKind memory_fit_kind() {
    return {"memory fit",   {"model", "device", "max_context_tokens", "fits"},
            Scoring::YesNo, ask,
            nullptr,        "tt-transformers"};
}

}  // namespace model
