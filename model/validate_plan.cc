#include "model/validate_plan.h"

#include <algorithm>

#include "core/error.h"
#include "core/format.h"
#include "model/deployment.h"
#include "model/head_padding.h"
#include "model/split.h"

namespace model {
namespace {

// Blocks of the paged cache: tenstorrent/tt-inference-server: workflows/model_spec.py, block_size.
constexpr std::int64_t kBlockSize = 64;

// Images of all users are in the server's pool (tenstorrent/vllm: vllm/worker/tt_worker.py,
// "includes num vision tokens for multi-modal"), so the caches of cross-attention do not grow with
// the users.
std::int64_t users_of(const Placing& placing) {
    const std::vector<LayerConfig>& layers = placing.model.config->layers;
    const bool reads_images = std::any_of(layers.begin(), layers.end(), [](const auto& layer) {
        return layer.attention == LayerConfig::Attention::Cross;
    });
    return reads_images ? 1 : placing.users;
}

// Every column of a 2-D mesh holds the whole pool, whatever users it has (tenstorrent/tt-metal:
// models/tt_transformers/tt/attention.py, init_kv_cache: max_num_blocks on each device).
std::int64_t pools_of(mesh::Shape shape) {
    return shape.rows > 1 && shape.cols > 1 ? shape.cols : 1;
}

DeploymentOptions options_of(const Placing& placing, std::int64_t context, std::int64_t chunk) {
    DeploymentOptions options;
    options.batch = users_of(placing);
    options.context = context;
    options.block_size = kBlockSize;
    options.max_num_blocks = core::ceil_div(context, kBlockSize) * pools_of(placing.mesh.shape);
    options.prefill_chunk = chunk;
    options.device.trace_region_size = placing.trace_region;
    return options;
}

}  // namespace

std::string Placing::text() const {
    std::string text = model.name;
    if (model.folder != model.name) text += " (" + model.folder + ")";
    text += " on " + device;
    if (groups > 1) text += ", 1 of " + std::to_string(groups) + " groups of " + mesh.shape.text();
    text += ", " + std::to_string(users) + (users == 1 ? " user, " : " users, ") + precision;
    return text + ", trace region " + core::grouped(trace_region.value) + " B";
}

std::vector<std::string> layout_reasons(const Placing& placing) {
    return split_problems(*placing.model.config, placing.mesh);
}

std::vector<std::string> split_reasons(const Placing& placing) {
    return split_reasons(*placing.model.config, placing.mesh, placing.model.base);
}

dispatch::MemoryPlan plan(const Placing& placing, std::int64_t context, std::int64_t chunk) {
    const std::string& base = placing.model.base;
    const Config config =
        pad_feed_forward(*placing.model.config, base, placing.mesh.chip_count(), {});
    const Precision precision = precision_preset(
        placing.precision, base, static_cast<std::int32_t>(config.num_hidden_layers));
    return Deployment(config, precision, placing.mesh, options_of(placing, context, chunk))
        .plan_memory();
}

std::int64_t largest_chunk(const Placing& placing, std::int64_t context) {
    const std::int64_t whole = std::max(padded_prefill_length(context), kSmallestPublishedChunk);
    std::int64_t chunk = std::min(kLargestPublishedChunk, whole);
    while (chunk >= kSmallestPublishedChunk && !plan(placing, context, chunk).fits()) chunk /= 2;
    return chunk >= kSmallestPublishedChunk ? chunk : 0;
}

std::string outcome_text(const dispatch::MemoryPlan& plan) {
    if (plan.failure) return plan.failed_buffer + ": " + plan.failure->text;
    if (plan.clash) return plan.failed_buffer + ": " + *plan.clash;
    return "free " + core::grouped(plan.dram.free.value) + " B";
}

Answer guarded(const std::function<Answer()>& ask) {
    try {
        return ask();
    } catch (const core::Error& error) {
        Answer none;
        none.unanswered = error.message();
        return none;
    }
}

}  // namespace model
