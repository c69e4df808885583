// Laws of the network on chip and a few published cycles (tenstorrent/tt-metal:
// tt_metal/impl/experimental/noc_estimator/latencies/noc_latencies.yaml); all of the table:
// docs/noc.md.
#include "mesh/noc.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"
#include "mesh/kernel_spec.h"

namespace mesh {
namespace {

using namespace core::literals;

NocSpec noc_of(const char* arch) {
    return load_kernels(std::string(TESSERA_SOURCE_DIR "/topologies/kernels/") + arch + ".yaml")
        .noc;
}

const NocSpec& wormhole() {
    static const NocSpec noc = noc_of("wormhole_b0");
    return noc;
}

double cycles(const NocSpec& noc, const NocTraffic& traffic) {
    return static_cast<double>(noc_time(noc, traffic).total().value);
}

TEST(Noc, a_turn_costs_the_other_ring_once_around) {
    // The networks are one-way: what goes d hops there comes back over the rest of the ring.
    for (const char* arch : {"wormhole_b0", "blackhole"}) {
        const NocSpec noc = noc_of(arch);
        const NocTime turns = noc_time(noc, {});
        const NocTime column = noc_time(noc, {.path = NocPath::SameColumn});
        const NocTime row = noc_time(noc, {.path = NocPath::SameRow});
        EXPECT_DOUBLE_EQ(turns.way - column.way, noc.hop_cycles * noc.torus.x) << arch;
        EXPECT_DOUBLE_EQ(turns.way - row.way, noc.hop_cycles * noc.torus.y) << arch;
    }
}

TEST(Noc, a_stream_is_cut_into_packets_of_a_header_and_data_flits) {
    // 65536 B: eight packets of 8192 B, each 256 flits of 32 B and a header.
    const NocSpec& noc = wormhole();
    EXPECT_DOUBLE_EQ(noc_time(noc, {.size = 64_KiB}).data, 8 * 257 * noc.flit_cycles);
    EXPECT_DOUBLE_EQ(noc_time(noc, {.size = 8192_B}).data, 257 * noc.flit_cycles);
    EXPECT_DOUBLE_EQ(noc_time(noc, {.size = 8193_B}).data, (257 + 2) * noc.flit_cycles);
    EXPECT_DOUBLE_EQ(noc_time(noc, {.size = 1_B}).data, 2 * noc.flit_cycles);
}

TEST(Noc, small_transactions_are_bound_by_issue_and_large_ones_by_flits) {
    const NocSpec& noc = wormhole();
    const NocTime small = noc_time(noc, {.transactions = 256, .size = 64_B});
    const NocTime large = noc_time(noc, {.transactions = 256, .size = 8192_B});
    EXPECT_GT(small.issue, small.data);
    EXPECT_LT(large.issue, large.data);
}

TEST(Noc, linked_multicasts_reserve_their_path_once) {
    const NocSpec& noc = wormhole();
    NocTraffic plain{.op = NocOp::Multicast, .transactions = 2, .size = 1024_B};
    plain.targets = {8, 7};
    NocTraffic linked = plain;
    linked.op = NocOp::MulticastLinked;
    NocTraffic one = plain;
    one.transactions = 1;
    NocTraffic one_linked = linked;
    one_linked.transactions = 1;
    EXPECT_DOUBLE_EQ(cycles(noc, one), cycles(noc, one_linked));
    EXPECT_LT(cycles(noc, linked), cycles(noc, plain));
    EXPECT_NEAR(cycles(noc, plain) - cycles(noc, one), noc_time(noc, one).data, 1);
}

TEST(Noc, more_cores_that_send_to_each_other_are_slower_per_byte) {
    // Every link of a one-way ring of k senders carries (k - 1) / 2 of what one sends.
    const NocSpec& noc = wormhole();
    double before = 0;
    for (const std::int32_t side : {1, 2, 3, 5, 7}) {
        NocTraffic traffic{.transactions = side * side, .size = 8192_B};
        traffic.targets = {side, side};
        traffic.senders = side * side;
        const double per_transaction = cycles(noc, traffic) / (side * side);
        if (side > 1) {
            EXPECT_GT(per_transaction, before) << side;
        }
        before = per_transaction;
    }
}

TEST(Noc, more_or_larger_transactions_are_never_faster) {
    for (const NocOp op : {NocOp::Read, NocOp::Write, NocOp::Multicast, NocOp::MulticastLinked}) {
        for (const NocMemory memory :
             {NocMemory::L1, NocMemory::DramBank, NocMemory::DramInterleaved}) {
            NocTraffic traffic{.op = op, .memory = memory};
            double size_before = 0;
            for (const std::int64_t size : {1, 64, 65, 4096, 8192, 8193, 65536}) {
                traffic.size = {size};
                traffic.transactions = 1;
                EXPECT_GE(cycles(wormhole(), traffic), size_before);
                size_before = cycles(wormhole(), traffic);
                traffic.transactions = 16;
                EXPECT_GT(cycles(wormhole(), traffic), size_before);
            }
        }
    }
}

TEST(Noc, published_cycles_are_met) {
    struct Published {
        const char* arch;
        NocTraffic traffic;
        double cycles;
    };
    const NocTraffic multicast{.op = NocOp::Multicast,
                               .transactions = 64,
                               .size = 4096_B,
                               .targets = {5, 5},
                               .sender = NocSender::AmongTargets};
    const Published rows[] = {
        {"wormhole_b0", {.size = 64_B}, 293},
        {"wormhole_b0", {.size = 64_B, .path = NocPath::SameColumn}, 210},
        {"blackhole", {.size = 64_B}, 358},
        {"blackhole", {.size = 64_B, .path = NocPath::SameColumn}, 208},
        {"wormhole_b0", {.op = NocOp::Read, .transactions = 256, .size = 8192_B}, 73634},
        {"blackhole", {.op = NocOp::Read, .transactions = 256, .size = 8192_B}, 34473},
        {"wormhole_b0", {.transactions = 55, .size = 8192_B, .targets = {8, 7}}, 14754},
        {"wormhole_b0", multicast, 21425},
        {"blackhole", multicast, 14133},
        {"wormhole_b0",
         {.transactions = 224, .size = 8192_B, .senders = 56, .targets = {8, 7}},
         513354},
    };
    for (const Published& row : rows) {
        EXPECT_NEAR(cycles(noc_of(row.arch), row.traffic) / row.cycles, 1, 0.1)
            << row.arch << " " << row.cycles;
    }
}

TEST(Noc, traffic_without_size_or_cores_is_our_own_mistake) {
    EXPECT_THROW(noc_time(wormhole(), {.transactions = 0}), std::logic_error);
    EXPECT_THROW(noc_time(wormhole(), {.size = 0_B}), std::logic_error);
    EXPECT_THROW(noc_time(wormhole(), {.senders = 0}), std::logic_error);
    EXPECT_THROW(noc_time(wormhole(), {.targets = {0, 1}}), std::logic_error);
}

TEST(NocSection, a_missing_key_is_named) {
    // Constants are data; a file without one of them must not load.
    std::string text =
        core::read_text(TESSERA_SOURCE_DIR "/topologies/kernels/wormhole_b0.yaml", 1_MiB);
    const std::size_t at = text.find("  contention:");
    ASSERT_NE(at, std::string::npos);
    text.erase(at, text.find('\n', at) - at + 1);
    try {
        parse_kernels(text, "k.yaml");
        FAIL() << "loaded without contention";
    } catch (const core::Error& error) {
        EXPECT_NE(error.message().find("noc.contention"), std::string::npos) << error.message();
    }
}

}  // namespace
}  // namespace mesh
