// The demo model's greedy continuations by an independent float32 implementation
// (models/tiny-shakespeare/reference.json), and runs to compare with them.
#pragma once

#include <optional>

#include "core/json.h"
#include "model/generate.h"
#include "tests/model/model_fixture.h"

namespace model::testing {

using TokenRows = std::vector<std::vector<std::int32_t>>;

struct ReferenceCases {
    TokenRows prompts;
    TokenRows continuations;  // 64 tokens each; the smallest margin between logits is 0.0126
};

inline ReferenceCases reference_cases() {
    const auto json = core::read_json(project_file("models/tiny-shakespeare/reference.json"));
    ReferenceCases cases;
    for (const auto& one : json.at("cases")) {
        cases.prompts.push_back(one.at("prompt_token_ids").get<std::vector<std::int32_t>>());
        cases.continuations.push_back(one.at("token_ids").get<std::vector<std::int32_t>>());
    }
    core::require(cases.prompts.size() == 5, "the reference has five prompts");
    return cases;
}

/// Replicas of the demo model in float32, one per data-parallel group.
class DemoFleet {
public:
    DemoFleet(std::string_view mesh, std::int64_t groups, std::int64_t batch,
              std::int64_t block_size = 0, std::optional<std::uint64_t> page_seed = {},
              std::int64_t context = 128) {
        DeploymentOptions options = demo_options(batch, context);
        options.block_size = block_size;
        options.page_seed = page_seed;
        for (const fabric::Mesh& group : data_parallel_groups(mesh_named(mesh), groups)) {
            deployments_.push_back(demo_on(group, "fp32", options));
            replicas_.push_back(std::make_unique<Replica>(*deployments_.back(), demo_checkpoint(),
                                                          Replica::Trace::On));
        }
    }

    GenerateReport run(const TokenRows& prompts, const GenerateOptions& options,
                       const OnToken& on_token = {}) {
        return generate(replicas_, prompts, deployments_.front()->slots(), options, on_token);
    }

private:
    std::vector<std::unique_ptr<Deployment>> deployments_;
    std::vector<std::unique_ptr<Replica>> replicas_;
};

inline GenerateOptions tokens_of(std::int64_t count) {
    GenerateOptions options;
    options.max_new_tokens = count;
    return options;
}

}  // namespace model::testing
