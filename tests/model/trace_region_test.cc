// The trace region of captured shapes against published totals, and its laws. Totals are what
// tt-metal printed ("Creating trace buffers of size ..."); docs/trace-region.md says what each run
// had captured as far as its source does.
#include "model/trace_region.h"

#include "mesh/trace_region.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

using Kind = Capture::Kind;

const TraceDefaults& shipped() {
    static const TraceDefaults defaults =
        TraceDefaults::load(project_file("topologies/software/trace_regions.yaml"));
    return defaults;
}

/// Batch 32; ethernet dispatch on N300 and T3K is ttnn's default (ttnn/ttnn/device.py).
DeploymentOptions served(mesh::DispatchCore dispatch) {
    DeploymentOptions options;
    options.batch = 32;
    options.context = 8192;
    options.prefill_chunk = 8192;
    options.device.dispatch_core = dispatch;
    return options;
}

std::vector<Capture> decode_and(std::initializer_list<std::int64_t> lengths) {
    std::vector<Capture> captures{{Kind::Decode, 32, 0}};
    for (const std::int64_t rows : lengths) captures.push_back({Kind::Prefill, 1, rows});
    return captures;
}

// 100 x (computed / measured - 1).
double error_of(Deployment deployment, const std::vector<Capture>& captures, double measured) {
    const TraceRegionReport report = trace_region_report(deployment, captures);
    return 100 * (static_cast<double>(report.total.value) / measured - 1);
}

TEST(TraceRegionGolden, llama_8b_on_n300_is_the_total_it_was_calibrated_on) {
    // tenstorrent/tt-inference-server #1839: 36,410,368 B when decode was captured after five
    // prefill lengths.
    EXPECT_NEAR(
        error_of(deployed(kLlama8B, "n300", "Llama-3.1-8B", served(mesh::DispatchCore::Ethernet)),
                 decode_and({128, 1024, 2048, 4096, 8192}), 36'410'368),
        0.9, 1.0);
}

TEST(TraceRegionGolden, llama_70b_on_t3k_is_within_nine_percent) {
    // Held out. tt-metal models/model_trace_region_sizes.yaml: decode and prefill of 128 for 32, 1,
    // 2, 4, 8 and 16 users; 124,559,360 B include one more capture that is not named.
    std::vector<Capture> captures{{Kind::Decode, 32, 0}};
    for (const std::int64_t users : {32, 1, 2, 4, 8, 16}) {
        captures.push_back({Kind::Prefill, users, 128});
    }
    EXPECT_NEAR(
        error_of(deployed(kLlama70B, "t3k", "Llama-3.3-70B", served(mesh::DispatchCore::Ethernet)),
                 captures, 124'559'360),
        -6.9, 1.0);
}

TEST(TraceRegionGolden, llama_8b_on_t3k_is_within_twenty_three_percent) {
    // Held out. tt-metal models/model_trace_region_sizes.yaml: 53,764,096 B; the set is assumed to
    // be the one of the 70B (the source says batch 32 with sampling on the device).
    std::vector<Capture> captures{{Kind::Decode, 32, 0}};
    for (const std::int64_t users : {32, 1, 2, 4, 8, 16}) {
        captures.push_back({Kind::Prefill, users, 128});
    }
    EXPECT_NEAR(
        error_of(deployed(kLlama8B, "t3k", "Llama-3.1-8B", served(mesh::DispatchCore::Ethernet)),
                 captures, 53'764'096),
        -21.5, 1.0);
}

TEST(TraceRegionGolden, sets_that_ran_in_a_published_region_fit_it) {
    // Settings of the demo that hold their sets: a "no" here would be wrong.
    const auto total = [](Deployment deployment, std::initializer_list<std::int64_t> lengths) {
        return trace_region_report(deployment, decode_and(lengths)).total.value;
    };
    const auto worker = served(mesh::DispatchCore::Worker);
    const auto ethernet = served(mesh::DispatchCore::Ethernet);
    EXPECT_LE(total(deployed(kLlama8B, "n150", "Llama-3.1-8B", worker), {128, 1024}), 25'000'000);
    EXPECT_LE(total(deployed(kLlama3B, "n150", "Llama-3.2-3B", worker), {128}), 10'000'000);
    EXPECT_LE(
        total(deployed(kLlama8B, "t3k", "Llama-3.1-8B", ethernet), {128, 1024, 2048, 4096, 8192}),
        50'000'000);
}

TEST(TraceRegionGolden, sets_that_overflowed_a_published_region_do_not_fit_it) {
    // tenstorrent/tt-inference-server #1839: 33,000,000 B were too few.
    auto options = served(mesh::DispatchCore::Ethernet);
    Deployment n300 = deployed(kLlama8B, "n300", "Llama-3.1-8B", options);
    EXPECT_FALSE(trace_region_report(n300, decode_and({128, 1024, 2048, 4096, 8192}))
                     .fits(core::Bytes{33'000'000}));
    // tenstorrent/tt-metal #48636: 25,000,000 B were too few for batch 32 on N150.
    Deployment n150 =
        deployed(kLlama8B, "n150", "Llama-3.1-8B", served(mesh::DispatchCore::Worker));
    std::vector<Capture> captures{{Kind::Decode, 32, 0}};
    for (const std::int64_t users : {32, 1, 2, 4, 8, 16}) {
        captures.push_back({Kind::Prefill, users, 128});
    }
    EXPECT_FALSE(trace_region_report(n150, captures).fits(core::Bytes{25'000'000}));
}

TEST(TraceRegionGolden, a_prefill_on_four_blackhole_chips_stays_below_its_published_bound) {
    // A known weakness, so that a change shows. tenstorrent/tt-inference-server #3400: the 70B
    // passed a region of 58,000,000 B with 93,102,080, so its last prefill took 35,102,080 at
    // least.
    Deployment deployment =
        deployed(kLlama70B, "p300x2", "Llama-3.3-70B", served(mesh::DispatchCore::Worker));
    const std::vector<Capture> prefill{{Kind::Prefill, 1, 128}};
    EXPECT_NEAR(error_of(deployment, prefill, 35'102'080), -15.8, 1.0);
    // The recommendation covers it.
    EXPECT_GE(trace_region_report(deployment, prefill).recommended.value, 35'102'080);
}

TEST(TraceRegionReport, grows_with_every_captured_shape) {
    // Law: one more trace is at least one more page, and never makes the others smaller.
    const auto deployment = demo_on(mesh_named("n300"), "bf16", demo_options(2));
    const std::vector<Capture> all{{Kind::Decode, 2, 0},
                                   {Kind::Decode, 1, 0},
                                   {Kind::Prefill, 1, 32},
                                   {Kind::Prefill, 1, 128},
                                   {Kind::Prefill, 2, 128}};
    TraceRegionReport before;
    for (std::size_t count = 1; count <= all.size(); ++count) {
        const TraceRegionReport report =
            trace_region_report(*deployment, std::span(all).first(count));
        ASSERT_EQ(report.captures.size(), count);
        const CapturedTrace& added = report.captures.back();
        EXPECT_GT(added.bytes.value, 0);
        EXPECT_GE(added.padded, added.bytes);
        EXPECT_EQ(report.total, before.total + added.padded);
        EXPECT_GE(report.recommended, before.recommended);
        EXPECT_GE(report.recommended.value * 100,
                  report.total.value * (100 + trace_margin(mesh::Arch::WormholeB0)));
        before = report;
    }
}

TEST(TraceRegionReport, says_what_the_region_takes_in_each_era) {
    // Era A takes the size from each of twelve banks, era C once, in whole pages.
    DeploymentOptions options = demo_options(1);
    const std::vector<Capture> captures{{Kind::Decode, 1, 0}, {Kind::Prefill, 1, 128}};
    const auto report_in = [&](mesh::TraceEra era) {
        options.device.trace_era = era;
        const auto deployment = demo_on(mesh_named("n150"), "bf16", options);
        return trace_region_report(*deployment, captures);
    };
    const TraceRegionReport a = report_in(mesh::TraceEra::A);
    const TraceRegionReport b = report_in(mesh::TraceEra::B);
    const TraceRegionReport c = report_in(mesh::TraceEra::C);
    EXPECT_EQ(a.total, c.total);
    EXPECT_EQ(a.recommended.value % 1'000'000, 0);
    EXPECT_EQ(a.taken_per_chip, a.recommended * 12);
    EXPECT_LT(c.taken_per_chip.value, c.recommended.value + 12 * 8192);
    for (const TraceRegionReport& report : {a, b, c}) {
        core::Bytes per_bank;
        for (const CapturedTrace& trace : report.captures) per_bank += trace.per_bank;
        EXPECT_GE(report.taken_per_bank, per_bank);
    }
}

TEST(TraceRegionReport, is_what_the_replica_books_for_its_decode_trace) {
    // The report and the device agree to the byte.
    const auto deployment = demo_on(mesh_named("n300"), "bf16", demo_options(2));
    Replica replica(*deployment, demo_checkpoint(), Replica::Trace::On);
    ASSERT_EQ(replica.shortage(), "");
    for (std::int64_t user = 0; user < 2; ++user) replica.prefill(user, made_prompt(5));
    replica.decode({1, 2}, {5, 5});
    const std::vector<Capture> captures{{Kind::Decode, 2, 0}};
    const TraceRegionReport report = trace_region_report(*deployment, captures);
    EXPECT_EQ(replica.device().trace_buffers_size(), report.total);
    EXPECT_EQ(report.captures[0].programs, deployment->decode()->command_count());
}

TEST(TraceRegionReport, of_nothing_asks_for_nothing_and_bad_captures_are_errors) {
    // Zero means dynamic trace buffers.
    const auto deployment = demo_on(mesh_named("n150"), "bf16", demo_options(1));
    EXPECT_EQ(trace_region_report(*deployment, {}).recommended, core::Bytes{0});
    const std::vector<Capture> nobody{{Kind::Decode, 0, 0}};
    EXPECT_THROW(trace_region_report(*deployment, nobody), core::Error);
    const std::vector<Capture> no_rows{{Kind::Prefill, 1, 0}};
    EXPECT_THROW(trace_region_report(*deployment, no_rows), core::Error);
}

TEST(CapturedShapes, are_decode_and_the_lengths_of_the_device_up_to_the_chunk) {
    // A length beyond the prefill chunk or the padded context is never run as one prefill.
    DeploymentOptions options = served(mesh::DispatchCore::Ethernet);
    const auto shapes = [&](const char* mesh) {
        std::string text;
        const Deployment deployment = deployed(kLlama8B, mesh, "Llama-3.1-8B", options);
        for (const Capture& capture : captured_shapes(shipped(), "Llama-3.1-8B", deployment)) {
            text += to_text(capture) + "; ";
        }
        return text;
    };
    EXPECT_EQ(shapes("n300"),
              "decode, 32 users; prefill 128; prefill 1024; prefill 2048; prefill 4096; prefill "
              "8192; ");
    options.prefill_chunk = 2048;
    EXPECT_EQ(shapes("n300"), "decode, 32 users; prefill 128; prefill 1024; prefill 2048; ");
    options.context = 900;
    EXPECT_EQ(shapes("n300"), "decode, 32 users; prefill 128; prefill 1024; ");
    EXPECT_EQ(shapes("n150x4"), "decode, 32 users; ");
    EXPECT_EQ(to_text(Capture{Kind::Prefill, 4, 128}), "prefill 128, 4 users");
}

}  // namespace
}  // namespace model::testing
