#include "model/suggest.h"

#include <array>
#include <map>
#include <optional>

#include "core/error.h"
#include "dispatch/trace_size.h"
#include "model/optimizations.h"

namespace model {
namespace {

using tensor::DType;
using Field = DType LayerPrecision::*;

struct Group {
    const char* name;
    Field field;
};

// TensorGroup of tenstorrent/tt-metal models/tt_transformers/tt/model_config.py, in its order.
constexpr std::array kGroups{
    Group{"ff1_3", &LayerPrecision::ff1_3},       Group{"ff2", &LayerPrecision::ff2},
    Group{"wqkv", &LayerPrecision::wqkv},         Group{"wo", &LayerPrecision::wo},
    Group{"kv_cache", &LayerPrecision::kv_cache},
};

// One narrowing after another, gentlest first: bfp8 is the default row of every group, bfp4 is
// what the performance mode gives to ff1_3 and the published Pareto runs to ff2 and wo.
struct Change {
    std::size_t group;  // index into kGroups
    DType to;
};
constexpr std::array kChanges{
    Change{4, DType::BFloat8_b}, Change{0, DType::BFloat8_b}, Change{1, DType::BFloat8_b},
    Change{2, DType::BFloat8_b}, Change{3, DType::BFloat8_b}, Change{0, DType::BFloat4_b},
    Change{1, DType::BFloat4_b}, Change{3, DType::BFloat4_b}, Change{2, DType::BFloat4_b},
};

using Formats = std::array<DType, kGroups.size()>;

const char* word(DType dtype) {
    switch (dtype) {
        case DType::BFloat4_b:
            return "bfp4";
        case DType::BFloat8_b:
            return "bfp8";
        default:
            return "bf16";  // the widest that the grammar has
    }
}

std::int64_t bits(DType dtype) { return tensor::tile_bytes(dtype).value; }

// What most layers have.
Formats formats_of(const Precision& precision) {
    Formats formats;
    for (std::size_t i = 0; i < kGroups.size(); ++i) {
        std::map<DType, std::size_t> counts;
        for (const LayerPrecision& layer : precision.layers) ++counts[layer.*kGroups[i].field];
        formats[i] = DType::BFloat8_b;
        std::size_t most = 0;
        for (const auto& [dtype, count] : counts) {
            if (count > most) formats[i] = dtype, most = count;
        }
    }
    return formats;
}

std::string precision_text(const Formats& formats, std::size_t changed) {
    std::string text;
    for (std::size_t i = 0; i < kGroups.size(); ++i) {
        if (formats[i] == DType::BFloat8_b && i != changed) continue;
        text += (text.empty() ? "" : ", ") + std::string(kGroups[i].name) + ": " + word(formats[i]);
    }
    return "precision_cfg = {" + text + "}";
}

// Where every change starts: from the formats as they are, or from the change before it.
enum class From { AsItIs, ChangeBefore };

std::vector<std::string> precision_texts(const Precision& precision, From from) {
    const Formats start = formats_of(precision);
    Formats formats = start;
    std::vector<std::string> texts;
    for (const Change& change : kChanges) {
        if (bits(formats[change.group]) <= bits(change.to)) continue;
        if (from == From::AsItIs) formats = start;
        formats[change.group] = change.to;
        texts.push_back(precision_text(formats, change.group));
    }
    return texts;
}

class Suggester {
public:
    Suggester(const Question& question, Planner& planner) : asked_(question), planner_(planner) {}

    void chunk(std::int64_t largest) {
        if (largest <= 0 || largest >= asked_.options.prefill_chunk) return;
        DeploymentOptions options = asked_.options;
        options.prefill_chunk = largest;
        known(Suggestion::Kind::PrefillChunk, "--prefill-chunk " + std::to_string(largest),
              options);
    }

    // As small as the traced decode step needs, at least.
    void trace_region() {
        DeploymentOptions options = asked_.options;
        const Deployment deployment(asked_.config, asked_.precision, asked_.mesh, options);
        const dispatch::DeviceMemory memory =
            dispatch::device_memory(asked_.mesh.system.chip, options.device);
        const core::Bytes least =
            dispatch::trace_bytes(*deployment.decode(), dispatch::stream_format(memory));
        const auto region = planner_.trace_region(options, least);
        if (!region) return;
        options.device.trace_region_size = *region;
        known(Suggestion::Kind::TraceRegion, "--trace-region " + std::to_string(region->value),
              options);
    }

    void context(std::int64_t largest) {
        if (largest <= 0 || largest >= asked_.options.context) return;
        DeploymentOptions options = asked_.options;
        options.context = largest;
        known(Suggestion::Kind::Context, "--context " + std::to_string(largest), options);
    }

    void batch(std::int64_t most) {
        if (most <= 0 || most >= asked_.options.batch) return;
        DeploymentOptions options = asked_.options;
        options.batch = most;
        known(Suggestion::Kind::Batch, "--batch " + std::to_string(most), options);
    }

    // Every single change that is enough; when none is, as few as it takes together.
    void precision() {
        bool any = false;
        for (const std::string& text : precision_texts(asked_.precision, From::AsItIs)) {
            any = try_precision(text) || any;
        }
        if (any) return;
        for (const std::string& text : precision_texts(asked_.precision, From::ChangeBefore)) {
            if (try_precision(text)) return;
        }
    }

    void system() {
        if (asked_.smallest == nullptr || !asked_.smallest->found()) return;
        const SystemFit& fit = asked_.smallest->tried.back();
        list.push_back({Suggestion::Kind::System, "--mesh " + fit.name, fit.free});
    }

    std::vector<Suggestion> list;

private:
    void known(Suggestion::Kind kind, std::string text, const DeploymentOptions& options) {
        const Verdict verdict = planner_.verdict(options);
        if (verdict.fits) list.push_back({kind, std::move(text), verdict.free});
    }

    // The precision is the one that the text means, not the one it was made of.
    bool try_precision(const std::string& text) {
        const auto layers = static_cast<std::int32_t>(asked_.config.num_hidden_layers);
        Deployment deployment(asked_.config, parse_optimizations(text, layers), asked_.mesh,
                              asked_.options);
        const dispatch::MemoryPlan plan = deployment.plan_memory(dispatch::Detail::Verdict);
        if (!plan.fits()) return false;
        list.push_back(
            {Suggestion::Kind::Precision, "--precision \"" + text + "\"", plan.dram.free});
        return true;
    }

    const Question& asked_;
    Planner& planner_;
};

}  // namespace

std::string to_text(Suggestion::Kind kind) {
    switch (kind) {
        case Suggestion::Kind::PrefillChunk:
            return "prefill_chunk";
        case Suggestion::Kind::TraceRegion:
            return "trace_region";
        case Suggestion::Kind::Context:
            return "context";
        case Suggestion::Kind::Batch:
            return "batch";
        case Suggestion::Kind::Precision:
            return "precision";
        case Suggestion::Kind::System:
            return "system";
    }
    return "?";
}

std::vector<Suggestion> suggest(const Question& question, const Found& found, Planner& planner) {
    Suggester suggester(question, planner);
    suggester.chunk(found.prefill_chunk);
    suggester.trace_region();
    suggester.context(found.max_context);
    suggester.batch(found.max_batch);
    suggester.precision();
    suggester.system();
    return suggester.list;
}

std::vector<std::string> narrower_precisions(const Precision& precision) {
    return precision_texts(precision, From::AsItIs);
}

}  // namespace model
