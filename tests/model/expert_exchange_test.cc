// Experts that tokens travel to: the same values as without, and all-to-alls of the rows that
// balanced routing would send. Which rows really go: tests/dispatch/expert_exchange_test.cc.
#include "model/expert_exchange.h"

#include "model/split.h"
#include "tests/model/architectures_fixture.h"
#include "tests/model/made_checkpoint.h"

namespace model::testing {
namespace {

using Over = Profile::ExpertsOver;

constexpr const char* kSoftware = "expert-parallel";

DeploymentOptions exchanging(std::int64_t users) {
    DeploymentOptions options;
    options.software = kSoftware;
    options.batch = users;
    options.context = 128;
    return options;
}

/// The all-to-alls of a step, by label and rows from each chip to each other.
std::vector<std::pair<std::string, std::int64_t>> exchanges(const dispatch::Program& program) {
    std::vector<std::pair<std::string, std::int64_t>> found;
    program.for_each([&](const dispatch::Command& command, std::int32_t layer) {
        const auto* move = std::get_if<dispatch::CollectiveCommand>(&command.body);
        if (layer != 0 || move == nullptr || !move->exchanges_rows()) return;
        EXPECT_EQ(move->collective.kind, ccl::Kind::AllToAll);
        found.emplace_back(command.label, move->collective.slice_pages.front());
    });
    return found;
}

TEST(BalancedRows, are_the_share_of_tokens_with_an_expert_on_a_chip) {
    // 8 chips of one expert each, 2 of 8 chosen: a quarter of the tokens. Two experts each on 4
    // chips: 1 - 6/8 x 5/7 = 13/28 of them. All of them where all experts are chosen.
    tensor::Experts experts{.experts = 8, .top_k = 2};
    EXPECT_EQ(balanced_rows(4, 1, experts), 1);
    EXPECT_EQ(balanced_rows(16, 1, experts), 4);
    EXPECT_EQ(balanced_rows(28, 2, experts), 13);
    EXPECT_EQ(balanced_rows(1, 1, experts), 1);
    experts.top_k = 8;
    EXPECT_EQ(balanced_rows(5, 1, experts), 5);
}

TEST(ExpertExchange, brings_rows_there_and_back_where_they_divide) {
    // 32 users over 8 chips: 4 each, one of them to each chip. A single user stays.
    const MadeCheckpoint files({8, 2, 96});
    const auto many = files.on("t3k", "performance", exchanging(32));
    EXPECT_EQ(exchanges(*many->decode()), (std::vector<std::pair<std::string, std::int64_t>>{
                                              {"feed_forward.experts.all_to_all_dispatch", 1},
                                              {"feed_forward.experts.all_to_all_combine", 1}}));
    EXPECT_EQ(exchanges(*many->prefill(128, StepShape::Chunk::First)).front().second, 4);
    EXPECT_TRUE(exchanges(*files.on("t3k", "performance", exchanging(1))->decode()).empty());
}

TEST(ExpertExchange, takes_whole_experts_along_one_axis) {
    // On 2-D meshes the columns of an expert along the other; a model without experts is refused.
    const MadeCheckpoint files({8, 2, 96});
    const auto over = [&](const char* mesh) {
        return software_profile(kSoftware, files.config(), mesh_named(mesh)).experts_over;
    };
    EXPECT_EQ(over("t3k")[1], Over::Experts);
    EXPECT_EQ(over("t3k:2x4"), (std::array{Over::Width, Over::Experts}));
    const MadeCheckpoint three({3, 1, 128});
    EXPECT_EQ(split_problems(three.config(), mesh_named("n300"), kSoftware),
              std::vector<std::string>{"num_experts must be divisible by num_devices: 3 % 2"});
    EXPECT_EQ(split_problems(three.config(), mesh_named("n300")), std::vector<std::string>{});
    const MadeCheckpoint dense({0, 0, 128});
    const std::string text =
        error_text([&] { software_profile(kSoftware, dense.config(), mesh_named("n300")); });
    EXPECT_NE(text.find("a model with experts"), text.npos) << text;
}

TEST(ExpertExchange, gives_the_reference_in_fp32) {
    // Rows are summed in the order of chips: nothing else differs from tensor-parallel experts.
    for (const char* mesh : {"n300", "t3k", "t3k:2x4"}) {
        for (const std::int64_t users : {1, 8}) {
            SCOPED_TRACE(std::string(mesh) + " " + std::to_string(users));
            FixtureRun run{.evaluation = {.prefill = 80, .users = users}, .software = kSoftware};
            const EvaluateReport report = evaluated("mixtral", mesh, run);
            ASSERT_EQ(report.shortage, "");
            EXPECT_LE(report.max_abs_error, tolerance("mixtral"));
            EXPECT_LE(report.max_abs_error_hidden, 2e-3);
        }
    }
    // Six experts, top 3, three on each chip.
    FixtureRun run{.evaluation = {.prefill = 33}, .software = kSoftware};
    EXPECT_LE(evaluated("odd/mixtral-six-experts", "n300", run).max_abs_error,
              tolerance("odd/mixtral-six-experts"));
}

}  // namespace
}  // namespace model::testing
