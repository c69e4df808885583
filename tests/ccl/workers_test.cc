#include "ccl/workers.h"

#include <gtest/gtest.h>

namespace {

using ccl::Kind;
using ccl::Request;
using core::Bytes;
using fabric::Topology;
using namespace core::literals;

constexpr std::int32_t kPlenty = 110;

TEST(Workers, core_counts_are_those_of_profiled_collectives) {
    // tt-perf-report: tests/data/bh_8xp150_deepseek_v3_d_p.csv: lines of 4 P150 with 2 links, bf16;
    // 18 and 34 cores on the chips at the ends.
    const auto cores = [](Kind kind, std::int64_t columns, std::int32_t neighbours) {
        const Bytes total{3200 * columns * 2};
        const auto workers =
            ccl::usual_workers({kind, Topology::Line, 4, total, 2048_B, 2}, kPlenty);
        return workers->cores(2, neighbours);
    };
    EXPECT_EQ(cores(Kind::AllGather, 1536, 1), 18);
    EXPECT_EQ(cores(Kind::AllGather, 1536, 2), 20);
    EXPECT_EQ(cores(Kind::ReduceScatter, 1536, 1), 18);
    EXPECT_EQ(cores(Kind::ReduceScatter, 7168, 1), 34);
    EXPECT_EQ(cores(Kind::ReduceScatter, 7168, 2), 36);
}

TEST(Workers, few_bytes_take_one_worker_and_no_mux) {
    const auto gather =
        ccl::usual_workers({Kind::AllGather, Topology::Line, 2, 4_KiB, 2048_B, 1}, kPlenty);
    EXPECT_EQ(gather->per_direction, 1);
    EXPECT_FALSE(gather->mux);
    EXPECT_EQ(gather->cores(1, 1), 2);
    // A reduce-scatter on a line has its mux always.
    const auto scatter =
        ccl::usual_workers({Kind::ReduceScatter, Topology::Line, 2, 4_KiB, 2048_B, 1}, kPlenty);
    EXPECT_TRUE(scatter->mux);
}

TEST(Workers, too_few_cores_halve_them_until_they_fit) {
    const Request request{Kind::ReduceScatter, Topology::Line, 8, 1_GiB, 2048_B, 4};
    EXPECT_EQ(ccl::usual_workers(request, 72)->per_direction, 8);
    EXPECT_EQ(ccl::usual_workers(request, 71)->per_direction, 4);
    EXPECT_EQ(ccl::usual_workers(request, 16)->per_direction, 1);
    EXPECT_FALSE(ccl::usual_workers(request, 15));
}

TEST(Workers, other_kinds_have_programs_that_are_not_known) {
    EXPECT_FALSE(
        ccl::usual_workers({Kind::AllToAll, Topology::Line, 8, 1_MiB, 2048_B, 1}, kPlenty));
    EXPECT_FALSE(ccl::with_workers(Kind::Broadcast, Topology::Line, ccl::kModelWorkers));
}

}  // namespace
