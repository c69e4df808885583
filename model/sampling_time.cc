#include "model/sampling_time.h"

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

void top_k(SamplingTime& time, const Deployment& deployment, const Logits& logits) {
    const fabric::Mesh& mesh = deployment.mesh();
    const mesh::SamplingSpec& kernels = mesh.system.chip.kernels->sampling;
    const std::int64_t chips = mesh.shape.rows > 1 && mesh.shape.cols > 1
                                   ? mesh.shape.rows
                                   : std::int64_t{mesh.chip_count()};
    const std::int64_t tiles = core::ceil_div(logits.columns / chips, tensor::kTileSide);
    time.device["TopK"] = kernels.top_k_tile * tiles;
    // Values and indices of every chip's candidates.
    const core::Bytes candidates{logits.rows * kCandidates * kHalf * chips};
    if (chips > 1) time.device["all_gather"] = gather_time(mesh, candidates, kTile) * 2;
    time.device["Sampling"] = kernels.draw;
}

}  // namespace

SampledOn usual_sampler(const Deployment& deployment) {
    const DeploymentOptions& options = deployment.options();
    if (deployment.profile().sampling == Profile::Sampling::OnDevice) return SampledOn::Device;
    if (options.device.release == dispatch::Release::R2025) {
        return options.batch == 1 ? SampledOn::Device : SampledOn::Host;
    }
    const std::int64_t columns = deployment.config().vocab_size / splits_of(deployment.mesh());
    return columns <= kMostColumns ? SampledOn::Device : SampledOn::Host;
}

SamplingTime sampling_time(const Deployment& deployment, SampledOn sampler,
                           const HostCosts& costs) {
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
    const bool on_device = deployment.profile().sampling == Profile::Sampling::OnDevice;
    if (deployment.options().device.release == dispatch::Release::R2025 && !on_device) {
        gather_and_untilize(time, deployment, logits);
        argmax(time, deployment, logits);
    } else {
        top_k(time, deployment, logits);
    }
    // Tokens stay on the device for the next step, which runs while they are read
    // (models/demos/llama3_70b_galaxy/tt/generator.py: read_decode_output, async_read).
    if (!on_device) time.host["tokens to host"] = chip.launch.host_read * chips;
    return time;
}

}  // namespace model
