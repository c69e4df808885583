#include "model/profile.h"

#include "core/error.h"
#include "core/units.h"
#include "model/head_padding.h"
#include "model/profile_galaxy.h"

namespace model {
namespace {

using tensor::Phase;
using tensor::Placement;
using tensor::Role;

constexpr std::int64_t kGalaxyChips = 32;
// model_config.py: padded_vocab_size = 128 * 1024 on 32 chips.
constexpr std::int64_t kGalaxyVocab = 128 * 1024;

// model_config.py ccl_topology(): a ring from 8 chips on; one chip group per axis here.
fabric::Topology requested_topology(const fabric::Mesh& mesh) {
    const std::string& system = mesh.system.name;
    const bool small_ring = system == "p150x4" || system == "p300x2";
    return small_ring || mesh.chip_count() >= 8 ? fabric::Topology::Ring : fabric::Topology::Line;
}

// use_fused_all_gather_matmul: 8 devices, ring, dim / 32 / 8 % 8 == 0, not a Galaxy.
bool gathers_before_wo(const Config& config, const fabric::Mesh& mesh, const Profile& profile) {
    return !profile.is_2d() && mesh.chip_count() == 8 &&
           profile.topology[1] == fabric::Topology::Ring && config.hidden_size % 2048 == 0;
}

// lm_head.py and model_config.py, max_columns_per_device_lm_head: 668 columns per core on Wormhole;
// on Blackhole an eighth of Llama's vocabulary, less on 4 and 8 chips.
std::int64_t lm_head_columns(const Config& config, const fabric::Mesh& mesh) {
    constexpr std::int64_t kLlamaVocab = 128256;
    const std::int64_t chips = mesh.chip_count();
    if (mesh.system.chip.arch == mesh::Arch::WormholeB0) {
        return 668 * lm_head_cores(config.hidden_size, chips);
    }
    if (chips == 4) return kLlamaVocab / 4 / 8;
    if (chips == 8) return kLlamaVocab / 8 / 16;
    return kLlamaVocab / 8;
}

const LayerConfig* layer_with_experts(const Config& config) {
    for (const LayerConfig& layer : config.layers) {
        if (layer.feed_forward == LayerConfig::FeedForward::Experts) return &layer;
    }
    return nullptr;
}

using ExpertsOver = Profile::ExpertsOver;

/// Every chip has a multiple of `smallest` of an expert's columns, and equally many experts.
bool shares_evenly(const LayerConfig& layer, const std::array<ExpertsOver, 2>& over,
                   mesh::Shape shape, std::int64_t smallest) {
    std::int64_t widths = 1;
    std::int64_t experts = 1;
    for (const int axis : {0, 1}) {
        const ExpertsOver shared = over[static_cast<std::size_t>(axis)];
        if (shared == ExpertsOver::Width) widths *= shape.extent(axis);
        if (shared == ExpertsOver::Experts) experts *= shape.extent(axis);
    }
    const std::int64_t unit = widths > 1 ? smallest * widths : 1;
    return layer.expert_intermediate_size % unit == 0 && layer.experts % experts == 0;
}

// mixtral_moe.py and mixtral_mlp.py of tt_transformers know one layout: as many chips as experts,
// one whole expert on each, which multiplies all rows. GUESS for all else: columns of every expert
// on 1-D meshes while they are whole tiles, else the experts; on 2-D meshes one along each axis,
// and copies along one where nothing else divides.
void place_experts(const Config& config, Profile& profile) {
    const LayerConfig* layer = layer_with_experts(config);
    if (layer == nullptr) return;
    if (!profile.is_2d() && layer->experts == profile.shape.chips() &&
        config.architecture == Architecture::Mixtral) {
        profile.experts_over.fill(ExpertsOver::Experts);
        profile.expert_rows = tensor::Experts::Rows::All;
        return;
    }
    constexpr ExpertsOver kWidth = ExpertsOver::Width;
    constexpr ExpertsOver kExperts = ExpertsOver::Experts;
    constexpr ExpertsOver kCopies = ExpertsOver::Copies;
    std::vector<std::array<ExpertsOver, 2>> choices{{kWidth, kWidth}, {kExperts, kExperts}};
    if (profile.is_2d()) {
        choices = {{kWidth, kExperts}, {kExperts, kWidth}, {kExperts, kExperts}, {kWidth, kWidth}};
    }
    for (const std::int64_t smallest : {tensor::kTileSide, std::int64_t{1}}) {
        for (const auto& over : choices) {
            if (!shares_evenly(*layer, over, profile.shape, smallest)) continue;
            profile.experts_over = over;
            return;
        }
        choices.insert(choices.end(), {{kWidth, kCopies}, {kCopies, kWidth}});
        if (!profile.is_2d()) return;
    }
}

Profile tt_transformers(const Config& config, const fabric::Mesh& mesh) {
    Profile profile;
    profile.name = "tt-transformers";
    profile.shape = mesh.shape;
    const fabric::Topology wanted = requested_topology(mesh);
    for (const int axis : {0, 1}) {
        const auto index = static_cast<std::size_t>(axis);
        profile.topology[index] = fabric::usable_topology(mesh, axis, wanted);
        profile.links[index] = std::max(1, mesh.links[index]);
    }
    const std::int64_t chips = mesh.chip_count();
    profile.padded_vocab = chips == kGalaxyChips && config.vocab_size <= kGalaxyVocab
                               ? kGalaxyVocab
                               : core::round_up(config.vocab_size, tensor::kTileSide * chips);
    profile.lm_head_columns = lm_head_columns(config, mesh);
    profile.wo = gathers_before_wo(config, mesh, profile) ? Profile::AttentionOut::ColumnParallel
                                                          : Profile::AttentionOut::RowParallel;
    const bool wide = config.hidden_size == 8192;
    if (profile.is_2d()) {
        profile.reduce_rows =
            wide ? AllReduceForm::ReduceScatterAllGather : AllReduceForm::GatherAndSum;
        profile.gate_up = wide ? Profile::GateUp::ReduceScatter : Profile::GateUp::AllReduce;
        profile.decode_norm = profile.prefill_norm = NormForm::GatherStatistics;
        profile.payload = Profile::Payload::CclDtype;
    } else if (config.hidden_size > 4096) {
        profile.prefill_norm = NormForm::GatherStatistics;
    }
    place_experts(config, profile);
    return profile;
}

// Whole experts along one axis, on 2-D meshes the columns of each along the other.
Profile expert_parallel(const Config& config, const fabric::Mesh& mesh) {
    const LayerConfig* layer = layer_with_experts(config);
    if (layer == nullptr) {
        throw core::Error::mismatch("--software", "expert-parallel", "a model with experts",
                                    std::string(name(config.architecture)))
            .hint("--software tt-transformers runs models without");
    }
    Profile profile = tt_transformers(config, mesh);
    profile.name = "expert-parallel";
    profile.expert_rows_travel = Profile::ExpertRows::Travel;
    profile.expert_rows = tensor::Experts::Rows::Chosen;
    profile.experts_over.fill(ExpertsOver::Experts);
    if (!profile.is_2d()) return profile;
    profile.experts_over[0] = ExpertsOver::Width;
    const std::array across{ExpertsOver::Experts, ExpertsOver::Width};
    const bool along_columns = shares_evenly(*layer, profile.experts_over, profile.shape, 1);
    if (!along_columns && shares_evenly(*layer, across, profile.shape, 1)) {
        profile.experts_over = across;
    }
    return profile;
}

bool is_of_experts(Role role) {
    return role == Role::WeightExpertsGateUp || role == Role::WeightExpertsDown ||
           role == Role::BiasExpertsGateUp || role == Role::BiasExpertsDown;
}

Placement of_experts(Role role, ExpertsOver over) {
    if (over == ExpertsOver::Copies) return Placement::replicated();
    if (over == ExpertsOver::Experts) return Placement::sharded(0);
    if (role == Role::WeightExpertsGateUp) return Placement::sharded(2);
    return role == Role::BiasExpertsDown ? Placement::partial() : Placement::sharded(1);
}

Placements one_dimensional(const Profile& profile, Role role) {
    const int axis = profile.shape.cols > 1 ? 1 : 0;
    Placements placed;
    auto& along = placed[static_cast<std::size_t>(axis)];
    switch (role) {
        case Role::EmbeddingTable:
        case Role::WeightQkv:
        case Role::WeightColumns:
        case Role::WeightGateUp:
        case Role::WeightLmHead:
        case Role::KvCache:
            along = Placement::sharded(1);
            break;
        case Role::BiasDown:
            along = Placement::partial();  // beside the sums of the rows of w2
            break;
        case Role::BiasQkv:
        case Role::BiasGateUp:
        case Role::BiasO:
        case Role::BiasLmHead:
        case Role::WeightLatentIn:
        case Role::WeightLatentHeads:
            along = Placement::sharded(0);
            break;
        case Role::ConvState:
            along = Placement::sharded(2);
            break;
        case Role::WeightO:
            along = Placement::sharded(profile.wo == Profile::AttentionOut::ColumnParallel ? 1 : 0);
            break;
        case Role::WeightDown:
            along = Placement::sharded(0);
            break;
        default:
            break;
    }
    return placed;
}

// Heads, ffn and vocabulary over the rows (axis 0), dim and users over the columns (axis 1).
Placements two_dimensional(Role role) {
    switch (role) {
        case Role::EmbeddingTable:
            return {Placement::replicated(), Placement::sharded(1)};
        case Role::NormWeight:
        case Role::BiasO:
        case Role::LatentCache:
        case Role::WeightLatentIn:
            return {Placement::replicated(), Placement::sharded(0)};
        case Role::BiasQkv:
        case Role::BiasLmHead:
        case Role::WeightLatentHeads:
            return {Placement::sharded(0), Placement::replicated()};
        case Role::WeightQkv:
        case Role::WeightColumns:
        case Role::WeightGateUp:
        case Role::WeightLmHead:
            return {Placement::sharded(1), Placement::sharded(0)};
        case Role::WeightO:
        case Role::WeightDown:
            return {Placement::sharded(0), Placement::sharded(1)};
        case Role::BiasGateUp:
            return {Placement::sharded(0), Placement::partial()};
        case Role::BiasDown:
            return {Placement::partial(), Placement::sharded(0)};
        case Role::KvCache:
            return {Placement::sharded(1), Placement::sharded(0)};
        case Role::ConvState:
            return {Placement::sharded(2), Placement::sharded(1)};
        default:
            return {};
    }
}

}  // namespace

std::int64_t lm_head_cores(std::int64_t dim, std::int64_t chips) {
    std::int64_t rows_from = 8;
    if (chips == kGalaxyChips) {
        rows_from = 4;
        while (rows_from > 1 && dim % (32 * 32 * rows_from) != 0) --rows_from;
    }
    for (std::int64_t cols = 8; cols > 0; --cols) {
        for (std::int64_t rows = rows_from; rows > 0; --rows) {
            if (dim % (32 * rows * cols) == 0) return rows * cols;
        }
        rows_from = 8;
    }
    return 1;
}

std::vector<std::string_view> software_names() {
    return {"tt-transformers", "expert-parallel", "llama-galaxy"};
}

Profile software_profile(std::string_view software, const Config& config,
                         const fabric::Mesh& mesh) {
    if (software == "tt-transformers") return tt_transformers(config, mesh);
    if (software == "expert-parallel") return expert_parallel(config, mesh);
    if (software == "llama-galaxy") return llama_galaxy(config, mesh);
    throw core::Error::mismatch("--software", "",
                                "tt-transformers, expert-parallel or llama-galaxy",
                                "\"" + std::string(software) + "\"");
}

Config stored_config(const Profile& profile, const Config& config) {
    if (!profile.prefetcher) return config;
    // Each core of the ring holds whole tiles of the columns of w1 and w3.
    return pad_feed_forward(config, "", profile.shape.rows, profile.prefetcher->cores);
}

Placements placement_of(const Profile& profile, Role role, Phase) {
    if (is_of_experts(role)) {
        Placements placed;
        for (const int axis : {0, 1}) {
            const auto index = static_cast<std::size_t>(axis);
            if (profile.shape.extent(axis) == 1) continue;
            placed[index] = of_experts(role, profile.experts_over[index]);
        }
        return placed;
    }
    return profile.is_2d() ? two_dimensional(role) : one_dimensional(profile, role);
}

std::optional<Placement> pinned(const Profile& profile, Role role, Phase phase, int axis) {
    if (!profile.is_2d()) {
        const int own = profile.shape.cols > 1 ? 1 : 0;
        const bool stream = role == Role::Residual || role == Role::Contribution;
        if (stream && axis == own) return Placement::sharded(1);
        // model.py: a decode step gathers the logits for the host; prefill does not.
        const bool logits = role == Role::Logits && phase == Phase::Decode;
        return logits && axis == own ? std::optional(Placement::replicated()) : std::nullopt;
    }
    if (axis == 0) {
        const bool stream = role == Role::Residual || role == Role::Contribution;
        const bool logits = role == Role::Logits && phase == Phase::Decode &&
                            profile.sampling == Profile::Sampling::ByRelease;
        return stream || logits ? std::optional(Placement::replicated()) : std::nullopt;
    }
    switch (role) {
        case Role::Residual:
        case Role::Contribution:
            return Placement::sharded(1);
        case Role::Qkv:
            // Decode: each column keeps its own users (slice_mat); prefill: all of the prompt.
            return phase == Phase::Decode ? Placement::sharded(0) : Placement::replicated();
        case Role::RopeRows:
            return Placement::sharded(0);
        case Role::FeedForward:
            return profile.gate_up == Profile::GateUp::ReduceScatter ? Placement::sharded(1)
                                                                     : Placement::replicated();
        case Role::Logits:
            return Placement::replicated();
        default:
            return {};
    }
}

AllReduceForm all_reduce_form(const Profile& profile, Role role, Phase phase, int axis) {
    if (phase == Phase::Decode && profile.decode_reduce) return *profile.decode_reduce;
    // lm_head.py: a composite all-reduce over axis 1.
    if (role == Role::Logits) return AllReduceForm::ReduceScatterAllGather;
    // ccl.py, tt_all_reduce on one axis: a reduce-scatter; what needs all of it gathers.
    if (!profile.is_2d()) return AllReduceForm::ReduceScatterAllGather;
    return axis == 0 ? profile.reduce_rows : profile.reduce_cols;
}

dispatch::MemoryConfig weight_memory(const Profile& profile, Role role) {
    dispatch::MemoryConfig memory{mesh::BufferType::Dram, dispatch::MemoryLayout::Interleaved, 0};
    const bool galaxy = profile.shape.chips() == kGalaxyChips && !profile.prefetcher;
    switch (role) {
        case Role::WeightLmHead:
            memory.layout = dispatch::MemoryLayout::DramWidthSharded;
            break;
        case Role::WeightQkv:
        case Role::WeightLatentIn:
        case Role::WeightGateUp:
        case Role::WeightDown:
            if (!galaxy) memory.layout = dispatch::MemoryLayout::DramWidthSharded;
            break;
        case Role::WeightO:
            if (!galaxy && profile.wo == Profile::AttentionOut::RowParallel) {
                memory.layout = dispatch::MemoryLayout::DramWidthSharded;
            }
            break;
        case Role::WeightExpertsGateUp:
        case Role::WeightExpertsDown:
            // One expert on each chip is a matmul like others (mixtral_mlp.py, get_mem_config).
            if (profile.expert_rows == tensor::Experts::Rows::All) {
                memory.layout = dispatch::MemoryLayout::DramWidthSharded;
            }
            break;
        default:
            break;
    }
    return memory;
}

}  // namespace model
