#include "model/sampling_time.h"

#include <bit>

#include "ccl/estimate.h"
#include "core/error.h"
#include "mesh/kernel_spec.h"

namespace model {
namespace {

constexpr std::int64_t kMostColumns = 64 * 1024;  // tt/model.py: _supports_on_device_sampling
constexpr std::int64_t kCandidates = 32;          // models/common/sampling: max_top_k
constexpr core::Bytes kTile{2048};                // bfloat16
constexpr std::int64_t kHalf = 2;                 // bytes of a bfloat16
constexpr std::int64_t kInputs = 4;               // tokens, positions, rope indices, page table
// Widths that ttnn.topk deals over cores are powers of two between these; others stay on one core
// (tenstorrent/tt-metal ttnn/cpp/ttnn/operations/reduction/topk/device/topk_device_operation.cpp,
// since February 2026; issues #40399 and #53108).
constexpr std::int64_t kNarrowestDealt = 8192;
constexpr std::int64_t kWidestDealt = 65535;

// One chip samples in two halves.
std::int64_t splits_of(const fabric::Mesh& mesh) {
    return mesh.chip_count() > 1 ? mesh.chip_count() : 2;
}

const tensor::Spec& logits_of(const dispatch::Program& program) {
    for (const dispatch::Buffer& buffer : program.buffers) {
        if (buffer.name == program.name + ".logits") return buffer.global;
    }
    core::require(false, "a decode program has logits");
    return program.buffers.front().global;
}

core::Picoseconds gather_time(const fabric::Mesh& mesh, core::Bytes total, core::Bytes page) {
    if (mesh.chip_count() == 1) return {};
    ccl::Question question;
    question.total = total;
    question.page = page;
    // The vocabulary is split over the rows of a 2-D mesh.
    if (mesh.shape.rows > 1 && mesh.shape.cols > 1) question.axis = 0;
    return ccl::estimate(mesh, question).time();
}

struct Logits {
    std::int64_t rows = 0;     // whole tiles
    std::int64_t columns = 0;  // padded
    core::Bytes stored;
    tensor::Layout layout = tensor::Layout::Tile;
    std::int64_t values() const { return rows * columns; }
};

Logits logits_of(const Deployment& deployment) {
    Logits logits;
    logits.rows = core::round_up(deployment.slots(), tensor::kTileSide);
    logits.columns = deployment.profile().padded_vocab;
    const tensor::Spec& spec = logits_of(*deployment.decode());
    logits.stored = spec.bytes();
    logits.layout = spec.layout;
    return logits;
}

// All chips get all logits. Where the program left tiles, they are turned into rows: read as
// stored, written as bfloat16.
void gather_and_untilize(SamplingTime& time, const Deployment& deployment, const Logits& logits) {
    const fabric::Mesh& mesh = deployment.mesh();
    const core::Bytes tile = logits.stored / (logits.values() / 1024);
    if (mesh.chip_count() > 1) time.device["all_gather"] = gather_time(mesh, logits.stored, tile);
    if (logits.layout != tensor::Layout::Tile) return;
    const core::Bytes rows{logits.values() * kHalf};
    time.device["Untilize"] = (logits.stored + rows) / mesh.system.chip.dram.peak;
}

void argmax(SamplingTime& time, const Deployment& deployment, const Logits& logits) {
    const mesh::ChipSpec& chip = deployment.mesh().system.chip;
    const mesh::Grid grid = dispatch::device_memory(chip, deployment.options().device).worker_grid;
    const std::int64_t values = core::ceil_div(logits.values(), grid.cores());
    time.device["ArgMax"] =
        core::duration({values * chip.kernels->sampling.argmax_value.value}, chip.clock);
}

bool is_dealt(std::int64_t width) {
    return std::has_single_bit(static_cast<std::uint64_t>(width)) && width >= kNarrowestDealt &&
           width <= kWidestDealt;
}

// Shards of several chips are padded to a width that is dealt where there is one; the halves of a
// single chip are not (PR #40397; PR #53167 measured that as overhead).
core::Picoseconds top_k_time(const mesh::KernelSpec& kernels, std::int64_t width,
                             std::int64_t calls) {
    const auto padded = static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(width)));
    if (calls == 1 && is_dealt(padded)) width = padded;
    const core::Picoseconds tile =
        is_dealt(width) ? kernels.sampling.top_k_tile : kernels.top_k.one_core_tile;
    return tile * (calls * core::ceil_div(width, tensor::kTileSide));
}

void top_k(SamplingTime& time, const Deployment& deployment, const Logits& logits) {
    const fabric::Mesh& mesh = deployment.mesh();
    const mesh::SamplingSpec& kernels = mesh.system.chip.kernels->sampling;
    const std::int64_t chips = mesh.shape.rows > 1 && mesh.shape.cols > 1
                                   ? mesh.shape.rows
                                   : std::int64_t{mesh.chip_count()};
    const std::int64_t calls = splits_of(mesh) / mesh.chip_count();
    time.device["TopK"] =
        top_k_time(*mesh.system.chip.kernels, logits.columns / (chips * calls), calls);
    // Values and indices of every chip's candidates.
    const core::Bytes candidates{logits.rows * kCandidates * kHalf * chips};
    if (chips > 1) time.device["all_gather"] = gather_time(mesh, candidates, kTile) * 2;
    time.device["Sampling"] = kernels.draw;
}

}  // namespace

Wanted wanted_of(const SamplingParams& params, std::int64_t logprobs, std::int64_t chips) {
    const std::int64_t most = chips > 1 ? 1 : -1;
    if (params.min_p > 0 || logprobs > most) return Wanted::MoreThanDevice;
    return params.temperature > 0 ? Wanted::Drawn : Wanted::Likeliest;
}

SampledOn usual_sampler(const Deployment& deployment, Wanted wanted) {
    const DeploymentOptions& options = deployment.options();
    if (wanted == Wanted::MoreThanDevice) return SampledOn::Host;
    if (deployment.profile().sampling == Profile::Sampling::OnDevice) return SampledOn::Device;
    if (options.device.release == dispatch::Release::R2025) {
        const bool is_argmax = options.batch == 1 && wanted == Wanted::Likeliest;
        return is_argmax ? SampledOn::Device : SampledOn::Host;
    }
    const std::int64_t columns = deployment.config().vocab_size / splits_of(deployment.mesh());
    return columns <= kMostColumns ? SampledOn::Device : SampledOn::Host;
}

SamplingTime sampling_time(const Deployment& deployment, SampledOn sampler, const HostCosts& costs,
                           Wanted wanted) {
    const mesh::ChipSpec& chip = deployment.mesh().system.chip;
    const std::int64_t chips = deployment.mesh().chip_count();
    const Logits logits = logits_of(deployment);
    SamplingTime time;
    time.host["python, per group"] = costs.group;
    if (sampler == SampledOn::Host) {
        gather_and_untilize(time, deployment, logits);
        const core::Bytes read{logits.values() * kHalf};
        time.host["logits to host"] = chip.launch.host_read + read / chip.pcie.read;
        time.host["sampling"] = costs.logit * logits.values();
        time.host["inputs to chips"] = chip.launch.host_write * (kInputs * chips);
        return time;
    }
    // Greedy tokens went through top-k from PR #31046 of October 2025 to PR #48886 of July 2026.
    const bool on_device = deployment.profile().sampling == Profile::Sampling::OnDevice;
    const bool is_drawn = wanted == Wanted::Drawn;
    if (on_device || is_drawn ||
        deployment.options().device.release == dispatch::Release::R2026_05) {
        top_k(time, deployment, logits);
    } else {
        gather_and_untilize(time, deployment, logits);
        argmax(time, deployment, logits);
    }
    // Tokens stay on the device for the next step, which runs while they are read
    // (models/demos/llama3_70b_galaxy/tt/generator.py: read_decode_output, async_read).
    if (!on_device) time.host["tokens to host"] = chip.launch.host_read * chips;
    return time;
}

}  // namespace model
