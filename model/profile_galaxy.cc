#include "model/profile_galaxy.h"

#include <algorithm>

#include "core/error.h"
#include "core/units.h"

namespace model {
namespace {

constexpr mesh::Shape kShape{8, 4};
constexpr std::int64_t kSlots = 32;             // model_config.py: max_batch_size
constexpr std::int64_t kVocab = 128 * 1024;     // lm_head.py: padded_vocab_size
constexpr std::int32_t kRingCores = 24;         // model_config.py: RING_SIZE
constexpr core::Bytes kBufferRoom{728 * 1088};  // prefetcher_common.py: global_cb_size of a core

void check_mesh(const fabric::Mesh& mesh) {
    const mesh::ChipSpec& chip = mesh.system.chip;
    if (mesh.shape == kShape && chip.arch == mesh::Arch::WormholeB0) return;
    throw core::Error::mismatch("--software", "llama-galaxy", "8x4 Wormhole chips (--mesh galaxy)",
                                mesh.shape.text() + " " + mesh::to_text(chip.arch) + " chips")
        .hint("tt-transformers runs on other meshes");
}

// One decoder layer in 16 programs: llama_decoder.py, forward() in decode mode.
std::vector<Fusion> fusions() {
    using Part = Fusion::Part;
    using Runs = dispatch::Command::Fused::Runs;
    const auto slices = Part::Takes::Slices;
    const std::vector<Part> norm{
        {"LayerNormPreAllGather"}, {"all_gather"}, {"LayerNormPostAllGather"}};
    std::vector<Part> add_and_norm{{"BinaryNg"}};
    add_and_norm.insert(add_and_norm.end(), norm.begin(), norm.end());
    return {
        // fused_rms_minimal adds the residual, so a layer's last sum is the next one's first part.
        {"RMSAllGather", add_and_norm},
        {"RMSAllGather", norm},
        {"RMSAllGather", {{"BinaryNg"}}, Fusion::Where::EndOfLayer},
        {"LlamaReduceScatterCreateHeads",
         {{"all_gather"},
          {"FastReduceNC", Runs::Behind, slices},
          {"Matmul", Runs::Written},
          {"NLPCreateQKVHeadsDecode"}}},
        {"RotaryEmbeddingLlamaFusedQK",
         {{"RotaryEmbeddingLlama"}, {"RotaryEmbeddingLlama", Runs::Beside}}},
        {"PagedFusedUpdateCache", {{"PagedUpdateCache"}, {"PagedUpdateCache", Runs::Beside}}},
        {"AllGatherConcat", {{"NLPConcatHeadsDecode"}, {"all_gather"}, {"Matmul", Runs::Written}}},
        {"Matmul_RS", {{"Matmul"}, {"reduce_scatter"}, {"Matmul", Runs::Beside}}},
        {"AllReduceAsync", {{"all_gather"}, {"FastReduceNC", Runs::Behind, slices}}},
    };
}

}  // namespace

Profile llama_galaxy(const Config& config, const fabric::Mesh& mesh) {
    check_mesh(mesh);
    Profile profile;
    profile.name = "llama-galaxy";
    profile.shape = mesh.shape;
    for (const int axis : {0, 1}) {
        const auto index = static_cast<std::size_t>(axis);
        // FABRIC_1D_RING.
        profile.topology[index] = fabric::usable_topology(mesh, axis, fabric::Topology::Ring);
        profile.links[index] = std::max(1, mesh.links[index]);
    }
    profile.padded_vocab =
        config.vocab_size <= kVocab
            ? kVocab
            : core::round_up(config.vocab_size, tensor::kTileSide * kShape.chips());
    profile.lm_head_columns = profile.padded_vocab;  // one product (lm_head.py)
    profile.reduce_rows = profile.reduce_cols = AllReduceForm::ReduceScatterAllGather;
    profile.decode_reduce = AllReduceForm::GatherAndSum;  // all_reduce_async sums what it gathers
    profile.gate_up = Profile::GateUp::ReduceScatter;
    profile.decode_norm = profile.prefill_norm = NormForm::GatherStatistics;
    profile.payload = Profile::Payload::CclDtype;
    profile.slots = kSlots;
    profile.sampling = Profile::Sampling::OnDevice;
    profile.decode_fusions = fusions();
    profile.prefetcher = Prefetcher{kRingCores, kBufferRoom};
    return profile;
}

}  // namespace model
