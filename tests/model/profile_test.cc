// tt_transformers' rules of layout and divisibility: tenstorrent/tt-metal
// models/tt_transformers/tt/model_config.py @0039cbf0861e, tree of 2026-05-23.
#include "model/profile.h"

#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using tensor::Placement;
using tensor::Role;

Profile profile_of(const Config& config, std::string_view mesh) {
    return software_profile("tt-transformers", config, mesh_named(mesh));
}

TEST(SoftwareProfile, pads_the_vocabulary_to_tiles_on_every_chip) {
    // ceil(vocab / (32 x devices)) x 32 x devices, and 128 Ki columns on 32 chips.
    Config config = llama(kLlama8B);
    EXPECT_EQ(profile_of(config, "n150").padded_vocab, 128256);
    EXPECT_EQ(profile_of(config, "t3k").padded_vocab, 128256);
    EXPECT_EQ(profile_of(config, "galaxy").padded_vocab, 131072);
    config.vocab_size = 32001;
    EXPECT_EQ(profile_of(config, "n150").padded_vocab, 32032);
    EXPECT_EQ(profile_of(config, "t3k").padded_vocab, 32256);
    config.vocab_size = 151936;  // Qwen2.5: larger than 128 Ki; nothing is dropped here
    EXPECT_GE(profile_of(config, "galaxy").padded_vocab, 151936);
}

TEST(SoftwareProfile, wo_is_column_parallel_on_rings_of_eight_where_dim_divides_2048) {
    // use_fused_all_gather_matmul: dim / 32 / 8 % 8 == 0: 2048, 4096, 8192, not 3072 or 5120.
    using enum Profile::AttentionOut;
    Config config = llama(kLlama8B);
    const auto wo = [&](std::int64_t dim, std::string_view mesh) {
        config.hidden_size = dim;
        return profile_of(config, mesh).wo;
    };
    EXPECT_EQ(wo(2048, "t3k"), ColumnParallel);
    EXPECT_EQ(wo(4096, "t3k"), ColumnParallel);
    EXPECT_EQ(wo(8192, "t3k"), ColumnParallel);
    EXPECT_EQ(wo(3072, "t3k"), RowParallel);
    EXPECT_EQ(wo(5120, "t3k"), RowParallel);
    EXPECT_EQ(wo(4096, "n300"), RowParallel);
    EXPECT_EQ(wo(8192, "galaxy"), RowParallel);
    EXPECT_EQ(wo(8192, "t3k:2x4"), RowParallel);
}

TEST(SoftwareProfile, rings_begin_with_eight_chips_where_they_are_wired) {
    // ccl_topology(): linear below 8 devices; a Galaxy without torus cables has lines only.
    using enum fabric::Topology;
    const Config config = llama(kLlama8B);
    EXPECT_EQ(profile_of(config, "n300").topology[1], Line);
    EXPECT_EQ(profile_of(config, "n150x4").topology[1], Line);
    EXPECT_EQ(profile_of(config, "t3k").topology[1], Ring);
    EXPECT_EQ(profile_of(config, "p150x8").topology[1], Ring);
    EXPECT_EQ(profile_of(config, "galaxy").topology[0], Line);
    EXPECT_EQ(profile_of(config, "galaxy").topology[1], Line);
}

TEST(SoftwareProfile, norms_gather_statistics_on_two_axes_and_in_wide_prefills) {
    // On one axis only prefill with dim > 4096 distributes the norm.
    using enum NormForm;
    EXPECT_EQ(profile_of(llama(kLlama8B), "t3k").prefill_norm, GatherInput);
    EXPECT_EQ(profile_of(llama(kLlama70B), "t3k").prefill_norm, GatherStatistics);
    EXPECT_EQ(profile_of(llama(kLlama70B), "t3k").decode_norm, GatherInput);
    EXPECT_EQ(profile_of(llama(kLlama8B), "galaxy").decode_norm, GatherStatistics);
}

TEST(SoftwareProfile, sums_over_a_galaxy_take_the_form_of_the_width) {
    // dim 8192 is reduce-scattered, narrower models are gathered and summed; qkv always is.
    using enum AllReduceForm;
    const Profile wide = profile_of(llama(kLlama70B), "galaxy");
    const Profile narrow = profile_of(llama(kLlama8B), "galaxy");
    EXPECT_EQ(all_reduce_form(wide, Role::Residual, tensor::Phase::Decode, 0),
              ReduceScatterAllGather);
    EXPECT_EQ(all_reduce_form(narrow, Role::Residual, tensor::Phase::Decode, 0), GatherAndSum);
    EXPECT_EQ(all_reduce_form(wide, Role::Qkv, tensor::Phase::Decode, 1), GatherAndSum);
    EXPECT_EQ(wide.gate_up, Profile::GateUp::ReduceScatter);
    EXPECT_EQ(narrow.gate_up, Profile::GateUp::AllReduce);
    EXPECT_EQ(wide.payload, Profile::Payload::CclDtype);
    EXPECT_EQ(profile_of(llama(kLlama70B), "t3k").payload, Profile::Payload::OwnDtype);
}

TEST(SoftwareProfile, another_software_is_refused) {
    // A profile that does not exist must not silently be this one.
    const std::string text =
        error_text([] { software_profile("vllm", llama(kLlama8B), mesh_named("n150")); });
    EXPECT_NE(text.find("--software"), text.npos) << text;
    EXPECT_NE(text.find("\"vllm\""), text.npos) << text;
    EXPECT_EQ(software_names(), (std::vector<std::string_view>{"tt-transformers", "expert-parallel",
                                                               "llama-galaxy"}));
}

TEST(PlacementOf, shards_heads_and_dim_as_tt_transformers_does) {
    // One axis: columns of wqkv, w1, w3, the head; rows of w2. Two: N over rows, K over columns.
    const Profile line = profile_of(llama(kLlama3B), "n300");
    const Profile grid = profile_of(llama(kLlama70B), "galaxy");
    const auto on = [](const Profile& profile, Role role) {
        return placement_of(profile, role, tensor::Phase::Decode);
    };
    const Placement all = Placement::replicated();
    const Placement rows = Placement::sharded(0);
    const Placement cols = Placement::sharded(1);
    EXPECT_EQ(on(line, Role::WeightQkv), (Placements{all, cols}));
    EXPECT_EQ(on(line, Role::WeightO), (Placements{all, rows}));
    EXPECT_EQ(on(line, Role::WeightDown), (Placements{all, rows}));
    EXPECT_EQ(on(line, Role::NormWeight), (Placements{all, all}));
    EXPECT_EQ(on(line, Role::KvCache), (Placements{all, cols}));
    EXPECT_EQ(on(grid, Role::WeightQkv), (Placements{cols, rows}));
    EXPECT_EQ(on(grid, Role::WeightGateUp), (Placements{cols, rows}));
    EXPECT_EQ(on(grid, Role::WeightO), (Placements{rows, cols}));
    EXPECT_EQ(on(grid, Role::WeightDown), (Placements{rows, cols}));
    EXPECT_EQ(on(grid, Role::KvCache), (Placements{cols, rows}));
    EXPECT_EQ(on(grid, Role::EmbeddingTable), (Placements{all, cols}));
    EXPECT_EQ(on(grid, Role::RopeTable), (Placements{all, all}));
}

}  // namespace
}  // namespace model::testing
