#include "model/profile.h"

#include "core/error.h"
#include "core/units.h"

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

// model_config.py: lm_head_core_grid takes the most rows of 8 cores that divide dim, else fewer
// columns.
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
    return profile;
}

Placements one_dimensional(const Profile& profile, Role role) {
    const int axis = profile.shape.cols > 1 ? 1 : 0;
    Placements placed;
    auto& along = placed[static_cast<std::size_t>(axis)];
    switch (role) {
        case Role::EmbeddingTable:
        case Role::WeightQkv:
        case Role::WeightGateUp:
        case Role::WeightLmHead:
        case Role::KvCache:
            along = Placement::sharded(1);
            break;
        case Role::BiasQkv:
            along = Placement::sharded(0);
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
            return {Placement::replicated(), Placement::sharded(0)};
        case Role::BiasQkv:
            return {Placement::sharded(0), Placement::replicated()};
        case Role::WeightQkv:
        case Role::WeightGateUp:
        case Role::WeightLmHead:
            return {Placement::sharded(1), Placement::sharded(0)};
        case Role::WeightO:
        case Role::WeightDown:
            return {Placement::sharded(0), Placement::sharded(1)};
        case Role::KvCache:
            return {Placement::sharded(1), Placement::sharded(0)};
        default:
            return {};
    }
}

std::string divisible(const char* what, std::int64_t value, std::int64_t chips) {
    return std::string(what) + " must be divisible by num_devices: " + std::to_string(value) +
           " % " + std::to_string(chips);
}

}  // namespace

std::vector<std::string_view> software_names() { return {"tt-transformers"}; }

Profile software_profile(std::string_view software, const Config& config,
                         const fabric::Mesh& mesh) {
    if (software == "tt-transformers") return tt_transformers(config, mesh);
    throw core::Error::mismatch("--software", "", "tt-transformers",
                                "\"" + std::string(software) + "\"");
}

Placements placement_of(const Profile& profile, Role role, Phase) {
    return profile.is_2d() ? two_dimensional(role) : one_dimensional(profile, role);
}

std::optional<Placement> pinned(const Profile& profile, Role role, Phase phase, int axis) {
    if (!profile.is_2d()) {
        const int own = profile.shape.cols > 1 ? 1 : 0;
        if (role == Role::Residual && axis == own) return Placement::sharded(1);
        return {};
    }
    if (axis == 0) {
        return role == Role::Residual ? std::optional(Placement::replicated()) : std::nullopt;
    }
    switch (role) {
        case Role::Residual:
            return Placement::sharded(1);
        case Role::Qkv:
            // Decode: each column keeps its own users (slice_mat); prefill: all of the prompt.
            return phase == Phase::Decode ? Placement::sharded(0) : Placement::replicated();
        case Role::FeedForward:
            return profile.gate_up == Profile::GateUp::ReduceScatter ? Placement::sharded(1)
                                                                     : Placement::replicated();
        case Role::Logits:
            return Placement::replicated();
        default:
            return {};
    }
}

AllReduceForm all_reduce_form(const Profile& profile, Role role, int axis) {
    // lm_head.py: a composite all-reduce over axis 1.
    if (role == Role::Logits) return AllReduceForm::ReduceScatterAllGather;
    return axis == 0 ? profile.reduce_rows : profile.reduce_cols;
}

dispatch::MemoryConfig weight_memory(const Profile& profile, Role role) {
    dispatch::MemoryConfig memory{mesh::BufferType::Dram, dispatch::MemoryLayout::Interleaved, 0};
    const bool galaxy = profile.shape.chips() == kGalaxyChips;
    switch (role) {
        case Role::WeightLmHead:
            memory.layout = dispatch::MemoryLayout::DramWidthSharded;
            break;
        case Role::WeightQkv:
        case Role::WeightGateUp:
        case Role::WeightDown:
            if (!galaxy) memory.layout = dispatch::MemoryLayout::DramWidthSharded;
            break;
        case Role::WeightO:
            if (!galaxy && profile.wo == Profile::AttentionOut::RowParallel) {
                memory.layout = dispatch::MemoryLayout::DramWidthSharded;
            }
            break;
        default:
            break;
    }
    return memory;
}

std::vector<std::string> split_problems(const Config& config, const fabric::Mesh& mesh) {
    std::vector<std::string> problems;
    const bool two_d = mesh.shape.rows > 1 && mesh.shape.cols > 1;
    const std::int64_t heads_over = two_d ? mesh.shape.rows : mesh.chip_count();
    const std::int64_t dim_over = two_d ? mesh.shape.cols : mesh.chip_count();
    const auto check = [&problems](const char* what, std::int64_t value, std::int64_t chips) {
        if (value % chips != 0) problems.push_back(divisible(what, value, chips));
    };
    check("n_heads", config.num_attention_heads, heads_over);
    check("n_kv_heads", config.num_key_value_heads, heads_over);
    check("dim", config.hidden_size, dim_over);
    check("intermediate_size", config.intermediate_size, heads_over);
    return problems;
}

}  // namespace model
