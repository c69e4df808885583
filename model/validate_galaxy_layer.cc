#include "model/validate_galaxy_layer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/error.h"
#include "model/estimate.h"
#include "model/validate_models.h"

namespace model {
namespace {

// The demo asks for rings along both axes (model_config.py: CCL_TOPOLOGY of a 6U).
constexpr const char* kWiring = "GALAXY_TORUS";
constexpr const char* kModel = "Llama-3.3-70B";
// The layers are alike; the middle one has a neighbour on both sides.
constexpr std::int64_t kLayers = 3;
constexpr std::int32_t kAsked = 1;

struct Name {
    std::string_view published;
    std::string_view ours;
    bool in_head = false;
};
constexpr std::array kNames{
    Name{"RMSAllGather", "RMSAllGather", true},
    Name{"Matmul", "Matmul", true},
    Name{"LlamaReduceScatterCreateHeadsDeviceOperation", "LlamaReduceScatterCreateHeads"},
    Name{"RotaryEmbeddingLlamaFusedQK", "RotaryEmbeddingLlamaFusedQK"},
    Name{"PagedUpdateCacheDeviceOperation", "PagedFusedUpdateCache"},
    Name{"ScaledDotProductAttentionDecode", "SdpaDecode"},
    Name{"AllGatherConcat", "AllGatherConcat"},
    Name{"AllReduceAsync", "AllReduceAsync", true},
    Name{"Matmul_RS", "Matmul_RS"},
    Name{"LlamaReduceScatterDeviceOperation", "reduce_scatter"},
    Name{"BinaryDeviceOperation", "BinaryNg"},
    Name{"AllGatherAsync", "all_gather"}};

/// One program on the first chip: commands of one name in a row.
struct Launch {
    std::string name;
    std::int32_t layer = 0;  // of its last part
    core::SimTime start;
    core::SimTime end;
};

std::string name_of(const RecordedCommand& command) {
    const std::string& fused = command.item.command->fused.program;
    if (!fused.empty()) return fused;
    if (const auto* op = command.op()) return std::string(tensor::name(op->op));
    return ccl::to_text(command.collective()->collective.kind);
}

std::vector<Launch> launches_of(const RecordedStep& step) {
    std::vector<Launch> launches;
    std::string before;
    for (const RecordedCommand& command : step.commands) {
        const RecordedSpan& span = command.chips.front();
        const std::string& fused = command.item.command->fused.program;
        const bool part = !fused.empty() && fused == before;
        if (!part) launches.push_back({name_of(command), 0, span.start, span.end});
        launches.back().layer = command.item.layer;
        launches.back().end = std::max(launches.back().end, span.end);
        before = fused;
    }
    return launches;
}

struct Asked {
    std::string_view name;
    std::int64_t call = 0;
    std::int32_t layer = 0;
    std::int64_t position = 0;
    std::int64_t batch = 0;
};

Answer answer_of(const Asked& asked, const Config& whole, const fabric::Mesh& mesh) {
    Config config = whole;
    config.num_hidden_layers = kLayers;
    if (!config.layers.empty()) config.layers.resize(kLayers);
    DeploymentOptions options;
    options.software = "llama-galaxy";
    options.batch = asked.batch;
    options.context = core::round_up(asked.position + 1, std::int64_t{1024});
    options.device.release = dispatch::Release::R2026_05;
    Deployment deployment(config, precision_preset("performance", kModel, kLayers), mesh, options);
    Recording recording;
    EstimateOptions run;
    run.isl = asked.position;
    run.osl = 1;
    run.record = &recording;
    Answer answer;
    if (const Estimate result = estimate(deployment, run); !result.shortage.empty()) {
        answer.unanswered = "does not fit: " + result.shortage;
        return answer;
    }
    std::int64_t call = 0;
    for (const Launch& launch : launches_of(*recording.find(kDecodeStep))) {
        if (launch.name != asked.name || launch.layer != asked.layer) continue;
        if (call++ != asked.call) continue;
        answer.value = core::to_us(launch.end - launch.start);
        answer.text = fmt::format("{:.2f} us", answer.value);
        return answer;
    }
    answer.unanswered = "a step has no such program";
    return answer;
}

}  // namespace

std::optional<Question> galaxy_decode_question(const core::CsvRecord& record,
                                               const ModelLibrary& library) {
    const std::string& instance = record.text("op_instance");
    const std::size_t cut = instance.rfind('_');
    if (cut == std::string::npos) return {};
    Asked asked;
    const char* const end = instance.data() + instance.size();
    const auto [rest, error] = std::from_chars(instance.data() + cut + 1, end, asked.call);
    if (error != std::errc{} || rest != end) return {};
    const bool head = record.text("section") == "model_tail";
    const auto* found = std::find_if(kNames.begin(), kNames.end(), [&](const Name& name) {
        return name.published == std::string_view(instance).substr(0, cut) &&
               (name.in_head || !head);
    });
    if (found == kNames.end()) return {};
    const auto model = library.model(kModel);
    const auto mesh = library.group(kWiring, 1);
    if (!std::holds_alternative<KnownModel>(model) || !std::holds_alternative<fabric::Mesh>(mesh)) {
        return {};
    }
    asked.name = found->ours;
    asked.layer = head ? static_cast<std::int32_t>(kLayers) : kAsked;
    asked.position = record.optional_integer("kv_pos", 1, 1 << 20).value_or(127);
    asked.batch = record.optional_integer("batch", 1, 32).value_or(32);
    return Question{
        fmt::format("{} of {}, llama-galaxy, {} users at position {}", instance,
                    head ? "the head" : "a layer", asked.batch, asked.position),
        [asked, config = *std::get<KnownModel>(model).config, mesh = std::get<fabric::Mesh>(mesh)] {
            return answer_of(asked, config, mesh);
        }};
}

}  // namespace model
