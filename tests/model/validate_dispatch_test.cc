// Tables of launches and host transfers: what a row asks, what is skipped, and the errors on rows
// of the published goldens (tenstorrent/tt-metal perf_microbenchmark/dispatch).
#include <gtest/gtest.h>

#include <cmath>

#include "core/error.h"
#include "tests/model/validate_fixture.h"

namespace model::testing {
namespace {

Validation dispatch_rows(const std::vector<std::string>& rows) {
    std::string table = "category,metric,arch,system,config,value,unit,source_date\n";
    for (const std::string& row : rows) table += row + "\n";
    return validated(table);
}

Validation pcie_rows(const std::vector<std::string>& rows) {
    std::string table =
        "product,arch,level,test,direction,chip,page_size_bytes,contiguous_pages,transfer_bytes,"
        "host_memory,value,unit\n";
    for (const std::string& row : rows) table += row + "\n";
    return validated(table);
}

TEST(ValidateDispatch, cases_of_the_benchmark_are_answered_by_their_shape) {
    // Rows of pgm_dispatch.json (2026-10) of every group, all within 20 %.
    const Validation found = dispatch_rows(
        {"program_dispatch_trace_replay,IterationTime per program,wormhole_b0,n300,"
         "all_processors_all_cores_1cb_8g; kernel_size=256 B,5.296e-06,s,2026-10-08",
         "program_dispatch_trace_replay,IterationTime per program,blackhole,p150,"
         "kernel_groups_5_shadow; kernel_size=8192 B,8.106e-05,s,2026-10-06",
         "program_dispatch_trace_replay,IterationTime per program,wormhole_b0,n300,"
         "kernel_groups_5_shadow; kernel_size=256 B,4.548e-05,s,2026-10-08",
         "program_dispatch_trace_replay,IterationTime per program,wormhole_b0,n300,"
         "load_prefetcher_test; kernel_size=12288 B,7.27e-06,s,2026-10-08",
         "kernel_cycles_sweep,IterationTime per program,wormhole_b0,n300,"
         "256_bytes_brisc_only_left_processors_subdevices_trace; slow_kernel_cycles=4000,4.719e-06,"
         "s,2026-10-08",
         "program_dispatch_no_trace,IterationTime per program,wormhole_b0,n300,"
         "kernel_groups_no_trace; kernel_size=8192 B,2.309e-05,s,2026-10-08"});
    EXPECT_EQ(found.kind, "dispatch");
    EXPECT_EQ(found.scores.rows, 6);
    for (const JudgedRow& row : found.rows) {
        EXPECT_LE(std::abs(row.error_pct(row.predicted_value).value()), 20) << row.asked;
    }
}

TEST(ValidateDispatch, the_same_case_of_an_older_golden_asks_the_older_release) {
    // 1.054 us in October 2026 was 1.569 us in May.
    const Validation latency = validated(
        "arch,benchmark,config,arg_kernel_bytes_or_cycles,value,unit\n"
        "wormhole_b0,BM_pgm_dispatch,brisc_only_trace,256,1.5692,us per program\n"
        "wormhole_b0,BM_pgm_dispatch_vary_slow_cycles,256_bytes_brisc_only_all_processors_trace,"
        "2000,2.8076,us per program\n");
    EXPECT_EQ(latency.kind, "dispatch latency");
    EXPECT_LE(latency.scores.p90_ape_pct.value(), 5);
    const Validation newest =
        dispatch_rows({"program_dispatch_trace_replay,IterationTime per program,wormhole_b0,n300,"
                       "brisc_only_trace; kernel_size=256 B,1.054e-06,s,2026-10-08"});
    EXPECT_LT(newest.rows.at(0).predicted_value, latency.rows.at(0).predicted_value);
}

TEST(ValidateDispatch, what_is_no_launch_is_skipped_with_the_reason) {
    const Validation found =
        dispatch_rows({"memory,worker L1 size,wormhole_b0,n150,x,1499136,B,2026-01-01",
                       "host_cost,BM_trace_replay,not stated,x,y,1870,ns,2026-01-01",
                       "program_dispatch_trace_replay,IterationTime per program,wormhole_b0,n300,"
                       "unheard_of_trace; kernel_size=256 B,1e-06,s,2026-10-08"});
    EXPECT_EQ(found.scores.rows, 0);
    EXPECT_EQ(found.rows.at(0).why, "no launch: memory");
    EXPECT_EQ(found.rows.at(1).why, "host time, architecture not stated");
    EXPECT_EQ(found.rows.at(2).why, "no case of the benchmark: unheard_of_trace");
}

TEST(ValidateDispatch, a_bad_field_is_named) {
    const auto message = [](const std::string& row) -> std::string {
        try {
            dispatch_rows({row});
        } catch (const core::Error& error) {
            return error.message();
        }
        return "no error";
    };
    const std::string head = "program_dispatch_trace_replay,t,";
    EXPECT_NE(message(head + "wormhole_b0,n,brisc_only_trace,1,us,2026-10-08").find("unit"),
              std::string::npos);
    EXPECT_NE(message(head + "grayskull,n,brisc_only_trace,1,s,2026-10-08").find("arch"),
              std::string::npos);
    EXPECT_NE(message(head + "blackhole,n,brisc_only_trace; kernel_size=a B,1,s,2026-10-08")
                  .find("config"),
              std::string::npos);
}

TEST(ValidatePcie, transfers_are_answered_by_pages_memory_and_chip) {
    // Rows of benchmark_rw_buffer goldens (2026-05) and of PCIe_bandwidth.md, within 20 %.
    const std::string host = "host API through command queue (fast dispatch)";
    const Validation found = pcie_rows(
        {"N300,wormhole_b0," + host + ",Write,H2D,0 local,64,,67108864,unpinned,1.1488,GB/s",
         "N300,wormhole_b0," + host + ",Read,D2H,1 remote,2048,,67108864,unpinned,5.2546,GB/s",
         "N300,wormhole_b0," + host + ",Read,D2H,0 local,1024,,67108864,pinned,9.7162,GB/s",
         "N300,wormhole_b0," + host +
             ",WriteSharded,H2D,1 remote,1024,4,67108864,unpinned,9.128,"
             "GB/s",
         "P150,blackhole," + host + ",Read,D2H,0 local,512,,67108864,unpinned,13.4907,GB/s",
         "P150,blackhole,\"device kernel, one Tensix core\",write,D2H,0 local,64,,64000000,,1.3,"
         "GB/s"});
    EXPECT_EQ(found.kind, "host transfers");
    EXPECT_EQ(found.scores.rows, 6);
    for (const JudgedRow& row : found.rows) {
        EXPECT_LE(std::abs(row.error_pct(row.predicted_value).value()), 20) << row.asked;
    }
}

TEST(ValidatePcie, transfers_of_the_table_of_launches_are_transfers_too) {
    // dispatch.csv carries the newest bandwidths, in B/s.
    const Validation found = dispatch_rows(
        {"host_device_bandwidth,Write,blackhole,p150,"
         "page_size=2048 B; size=67108864 B; buffer=DRAM; device=0,2.148e+10,B/s,2026-10-06",
         "host_device_bandwidth,Read,wormhole_b0,n300,"
         "page_size=2048 B; size=67108864 B; buffer=DRAM; device=1,5.349e+09,B/s,2026-10-06"});
    EXPECT_EQ(found.scores.rows, 2);
    EXPECT_LE(found.scores.p90_ape_pct.value(), 5);
}

}  // namespace
}  // namespace model::testing
