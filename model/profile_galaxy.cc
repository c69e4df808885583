#include "model/profile_galaxy.h"

#include <algorithm>

#include "core/error.h"
#include "core/units.h"

namespace model {
namespace {

constexpr mesh::Shape kShape{8, 4};
constexpr std::int64_t kSlots = 32;             // model_config.py: max_batch_size
constexpr std::int64_t kVocab = 128 * 1024;     // lm_head.py: padded_vocab_size
constexpr std::int64_t kLmHeadCores = 32;       // model_config.py; whole tiles each
constexpr std::int32_t kRingCores = 24;         // model_config.py: RING_SIZE
constexpr core::Bytes kBufferRoom{728 * 1088};  // prefetcher_common.py: global_cb_size of a core
constexpr mesh::Grid kSenders{2, 6};   // prefetcher_common.py: num_reader_cores, one per DRAM bank
constexpr mesh::Grid kWorkers{5, 10};  // model_config.py: sub_core_grids, columns 1-3, 5, 6 of 7x10

void check_mesh(const fabric::Mesh& mesh) {
    const mesh::ChipSpec& chip = mesh.system.chip;
    if (mesh.shape == kShape && chip.arch == mesh::Arch::WormholeB0) return;
    throw core::Error::mismatch("--software", "llama-galaxy", "8x4 Wormhole chips (--mesh galaxy)",
                                mesh.shape.text() + " " + mesh::to_text(chip.arch) + " chips")
        .hint("tt-transformers runs on other meshes");
}

// Columns of chips share the hidden size in whole tiles. Whether heads divide is model/split.h's.
void check_sizes(const Config& config) {
    const auto refuse = [](std::string_view key, const std::string& expected,
                           const std::string& found) {
        throw core::Error::mismatch("--software llama-galaxy", key, expected, found)
            .hint("tt-transformers runs other networks");
    };
    constexpr std::int64_t kParts = tensor::kTileSide * kShape.cols;
    if (config.hidden_size % kParts != 0) {
        refuse("hidden_size", "a multiple of " + std::to_string(kParts),
               std::to_string(config.hidden_size));
    }
    for (const LayerConfig& layer : config.layers) {
        if (layer.experts > 0) {
            refuse("feed-forward", "a dense one", std::to_string(layer.experts) + " experts");
        }
    }
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
        {"AllGatherConcat", {{"all_gather"}, {"NLPConcatHeadsDecode", Runs::Behind, slices}}},
        {"Matmul_RS", {{"Matmul"}, {"reduce_scatter"}, {"Matmul", Runs::Beside}}},
        {"AllReduceAsync", {{"all_gather"}, {"FastReduceNC", Runs::Behind, slices}}},
    };
}

}  // namespace

Profile llama_galaxy(const Config& config, const fabric::Mesh& mesh) {
    check_mesh(mesh);
    check_sizes(config);
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
            : core::round_up(config.vocab_size, tensor::kTileSide * kShape.rows * kLmHeadCores);
    profile.lm_head_columns = profile.padded_vocab;  // one product (lm_head.py)
    profile.reduce_rows = profile.reduce_cols = AllReduceForm::ReduceScatterAllGather;
    profile.decode_reduce = AllReduceForm::GatherAndSum;  // all_reduce_async sums what it gathers
    profile.gate_up = Profile::GateUp::ReduceScatter;
    profile.decode_norm = profile.prefill_norm = NormForm::GatherStatistics;
    profile.payload = Profile::Payload::CclDtype;
    profile.slots = kSlots;
    profile.sampling = Profile::Sampling::OnDevice;
    profile.decode_fusions = fusions();
    profile.prefetcher = Prefetcher{kRingCores, kBufferRoom, kSenders, kWorkers};
    profile.dispatch_axis = mesh::DispatchAxis::Column;  // tests: DispatchCoreAxis.COL
    return profile;
}

}  // namespace model
