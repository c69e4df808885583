// Tables of the largest prefill chunk, in units of 1024 tokens; "unsupported" counts as 0.
// What context they stand for is said by tenstorrent/tt-metal: models/tt_transformers/README.md,
// "Chunked prefill (text-only)": the sizes "are specific to max context length 128k", and where
// that does not fit (Llama-3.1-8B on N150: 64k) to the largest that does. So one rule for all rows:
// one user, the largest power of two up to 128k of context that fits with the smallest chunk, then
// the largest chunk that fits at that context. What does not divide is "unsupported"; that the
// software refuses a model on a device by name (Qwen2.5-7B) is not asked: the table has sizes
// there.
#include <charconv>

#include "core/error.h"
#include "core/format.h"
#include "model/validate_kinds.h"
#include "model/validate_plan.h"

namespace model {
namespace {

constexpr std::int64_t kLongestContext = 128 * 1024;
constexpr std::int64_t kMostThousands = 1 << 20;

std::string thousands(std::int64_t tokens) {
    return tokens == 0 ? "unsupported" : std::to_string(tokens / 1024) + "k";
}

Answer answer(const Placing& placing) {
    const std::vector<std::string> reasons = layout_reasons(placing);
    if (!reasons.empty()) return {0, thousands(0), reasons.front(), {}};
    std::int64_t context = kLongestContext;
    dispatch::MemoryPlan least = plan(placing, context, kSmallestPublishedChunk);
    while (!least.fits() && context > kSmallestPublishedChunk) {
        context /= 2;
        least = plan(placing, context, kSmallestPublishedChunk);
    }
    if (!least.fits()) return {0, thousands(0), outcome_text(least), {}};
    const std::int64_t chunk = largest_chunk(placing, context);
    std::string why =
        "at " + thousands(context) + " of context: " + outcome_text(plan(placing, context, chunk));
    if (chunk < context) {
        why += "; " + thousands(2 * chunk) + ": " + outcome_text(plan(placing, context, 2 * chunk));
    }
    return {static_cast<double>(chunk) / 1024, thousands(chunk), why, {}};
}

AskedRow ask(const core::CsvRecord& record, const ModelLibrary& library) {
    constexpr std::string_view kColumn = "max_prefill_chunk_k_tokens";
    AskedRow row;
    row.group = record.text("device");
    std::int64_t measured = 0;
    if (record.text(kColumn) != "unsupported") {
        const auto size = record.optional_integer(kColumn, 0, kMostThousands);
        if (!size) throw record.unexpected(kColumn, "a number of 1024 tokens or \"unsupported\"");
        measured = *size;
    }
    row.measured = static_cast<double>(measured);
    row.measured_text = thousands(measured * 1024);
    const auto model = library.model(record.text("model"));
    auto group = library.group(record.text("device"), 1);
    if (const auto* unknown = std::get_if<Unknown>(&model)) {
        row.skipped = unknown->reason;
    } else if (const auto* nowhere = std::get_if<Unknown>(&group)) {
        row.skipped = nowhere->reason;
    } else {
        Placing placing;
        placing.model = std::get<KnownModel>(model);
        placing.device = record.text("device");
        placing.mesh = std::get<fabric::Mesh>(std::move(group));
        placing.trace_region = library.default_trace_region(placing.model, placing.mesh);
        row.questions.push_back(
            {placing.text() + ", largest chunk", [placing] { return answer(placing); }});
    }
    return row;
}

}  // namespace

TableKind chunk_sizes_kind() {
    return {"chunk sizes", {"model", "device", "max_prefill_chunk_k_tokens"},
            Scoring::Size, ask,
            nullptr,       "tt-transformers"};
}

}  // namespace model
