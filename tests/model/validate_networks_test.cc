// Tables of packets between chips, of the network on chip and of DRAM: what a row asks, what it is
// held against, what is skipped. Rows are of tenstorrent/tt-metal: tests/tt_metal/tt_metal/
// perf_microbenchmark/routing/golden, tt_metal/impl/experimental/noc_estimator/latencies and
// tech_reports/Saturating_DRAM_bandwidth.
#include <gtest/gtest.h>

#include "core/error.h"
#include "fabric/packets.h"
#include "mesh/kernel_spec.h"
#include "tests/model/validate_fixture.h"

namespace model::testing {
namespace {

using namespace core::literals;

constexpr const char* kPackets =
    "system,metric,test_name,ntype,topology,num_devices,num_links,packet_or_payload_bytes,avg\n";

fabric::System system_of(const char* spec) {
    return std::get<fabric::Mesh>(fabric::open_mesh({TESSERA_SOURCE_DIR "/topologies"}, spec))
        .system;
}

template <class Ask>
std::string error_of(Ask ask) {
    try {
        ask();
    } catch (const core::Error& error) {
        return error.message();
    }
    return "no error";
}

TEST(ValidatePackets, a_row_is_the_stream_its_test_names) {
    const Validation found = validated(
        std::string(kPackets) +
        "WH_T3K,bandwidth,LinearMulticast,NOC_UNICAST_WRITE,Linear,\"[2,4]\",1,4096,11.629360\n"
        "WH_T3K,bandwidth,HalfRingMulticast,NOC_UNICAST_WRITE,Ring,[8],1,4096,9.707757\n"
        "WH_T3K,bandwidth,SingleSenderLinearUnicastAllDevices,NOC_FUSED_UNICAST_ATOMIC_INC,Linear,"
        "\"[2,4]\",1,4096,11.572551\n"
        "WH_T3K,bandwidth,NeighborExchangeUnicast,NOC_UNICAST_WRITE,NeighborExchange,[0],1,4096,"
        "8.262426\n"
        "WH_T3K,latency_roundtrip_1hop,LatencyLinearUnicast,NOC_UNICAST_WRITE,Linear,8,1,16,"
        "1578.90\n");
    ASSERT_EQ(found.scores.rows, 5);
    const fabric::System t3k = system_of("t3k");
    const auto rate = [&](const fabric::Stream& stream) {
        return 4.096e-6 / core::to_seconds(fabric::packet_time(t3k.link, t3k.chip, stream));
    };
    EXPECT_DOUBLE_EQ(found.rows[0].predicted_value, rate({.payload = 4096_B}));
    EXPECT_DOUBLE_EQ(found.rows[1].predicted_value,
                     rate({.routing = fabric::Routing::HalfRing, .payload = 4096_B}));
    EXPECT_DOUBLE_EQ(
        found.rows[2].predicted_value,
        rate({.write = fabric::PacketWrite::Increment, .payload = 4096_B, .receivers = 3}));
    EXPECT_DOUBLE_EQ(found.rows[3].predicted_value, rate({.payload = 4096_B, .fed = 3}));
    EXPECT_DOUBLE_EQ(
        found.rows[4].predicted_value,
        2e3 * core::to_us(fabric::first_packet(t3k.link, t3k.chip, {.payload = 16_B})));
    EXPECT_LT(found.scores.median_ape_pct.value(), 8);
}

TEST(ValidatePackets, what_cannot_be_asked_is_skipped_and_bad_numbers_are_named) {
    const Validation found =
        validated(std::string(kPackets) +
                  "WH_T3K,bandwidth,LinearMulticast,NOC_READ,Linear,[4],1,4096,1\n"
                  "WH_T3K,bandwidth,LinearMulticast,NOC_UNICAST_WRITE,Hypercube,[4],1,4096,1\n"
                  "WH_T3K,packets,LinearMulticast,NOC_UNICAST_WRITE,Linear,[4],1,4096,1\n"
                  "Abacus,bandwidth,LinearMulticast,NOC_UNICAST_WRITE,Linear,[4],1,4096,1\n");
    EXPECT_EQ(found.skipped.size(), 4u);
    EXPECT_EQ(found.skipped.count("packets of NOC_READ"), 1u);
    EXPECT_EQ(error_of([] {
                  validated(std::string(kPackets) +
                            "WH_T3K,bandwidth,LinearMulticast,NOC_UNICAST_WRITE,Linear,[4],1,4096,"
                            "0\n");
              }),
              "t.csv:2: avg: expected GB/s of a link, above 0, got \"0\"");
}

constexpr const char* kCycles =
    "arch,mechanism,pattern,memory,num_transactions,num_subordinates,same_axis,stateful,loopback,"
    "b64,b128,b256,b512,b1024,b2048,b4096,b8192,b16384,b32768,b65536\n";

TEST(ValidateNoc, every_size_of_a_line_is_a_question) {
    const Validation found = validated(
        std::string(kCycles) +
        "wormhole_b0,UNICAST,ONE_FROM_ONE,L1,4,0,True,False,False,263,271,271,279,359,496,792,1375,"
        "2509,4800,9352\n"
        "wormhole_b0,UNICAST,ONE_TO_ALL,L1,4,4,True,True,False,446,454,453,461,498,631,906,906,906,"
        "906,906\n"
        "blackhole,UNICAST,ONE_FROM_ONE,DRAM_SHARDED,1,0,False,False,False,481,481,500,506,540,538,"
        "578,665,841,,\n");
    EXPECT_EQ(found.rows.size(), 11u + 11u + 9u);
    EXPECT_EQ(found.skipped.at("the source repeats the value of a smaller size"), 4);
    EXPECT_EQ(found.rows[10].line, 2);
    EXPECT_EQ(found.rows[11].line, 3);
    mesh::NocTraffic traffic{.op = mesh::NocOp::Read, .transactions = 4, .size = 65536_B};
    traffic.path = mesh::NocPath::SameColumn;
    const mesh::NocSpec noc = system_of("n300").chip.kernels->noc;
    EXPECT_DOUBLE_EQ(found.rows[10].predicted_value,
                     static_cast<double>(mesh::noc_time(noc, traffic).total().value));
    EXPECT_DOUBLE_EQ(found.rows[10].measured_value, 9352);
    EXPECT_LT(found.scores.median_ape_pct.value(), 10);
}

TEST(ValidateNoc, cores_and_mechanisms_that_are_not_known_are_skipped) {
    const Validation found =
        validated(std::string(kCycles) +
                  "wormhole_b0,BROADCAST,ONE_TO_ALL,L1,4,4,True,False,False,1,1,2,,,,,,,,\n"
                  "wormhole_b0,UNICAST,ONE_TO_ALL,L1,4,13,True,False,False,1,1,2,,,,,,,,\n"
                  "quasar,UNICAST,ONE_TO_ALL,L1,4,4,True,False,False,1,1,2,,,,,,,,\n");
    EXPECT_EQ(found.skipped.size(), 3u);
    EXPECT_EQ(found.skipped.at("no known grid of 13 cores"), 1);
    EXPECT_NE(error_of([] {
                  validated(std::string(kCycles) +
                            "blackhole,UNICAST,ONE_TO_ALL,L1,4,4,maybe,False,False,1,,,,,,,,,,\n");
              }).find("True or False"),
              std::string::npos);
}

TEST(ValidateNoc, bandwidths_are_of_streams_of_the_largest_packets) {
    const Validation found = validated(
        "test,arch,riscv,value,unit\n"
        "One to One Directed Ideal,wormhole_b0,riscv_0,30,bytes/cycle\n"
        "Multi Interleaved 6x6 Directed Ideal,wormhole_b0,riscv_0,1.9,bytes/cycle\n"
        "Conv Halo Gather,wormhole_b0,riscv_1,10,bytes/cycle\n"
        "tt-npe worker injection/absorption,wormhole_b0,,28.1,bytes/cycle\n");
    EXPECT_EQ(found.scores.rows, 2);
    EXPECT_EQ(found.skipped.size(), 2u);
    const double flit = system_of("n300").chip.kernels->noc.flit_cycles;
    EXPECT_NEAR(found.rows[0].predicted_value, 8192 / (257 * flit), 0.1);
}

TEST(ValidateDram, readers_near_and_far_and_one_at_a_time) {
    const Validation found = validated(
        "arch,product,test,kind,value,unit,peak_GBps,reader_cores,K,N,dtype,packet_bytes,"
        "outstanding,placement\n"
        "wormhole_b0,W,DRAM u-benchmark,measured,310,GB/s,336,12,,,,,,bank-adjacent\n"
        "blackhole,P150,interleaved read,measured,186,GB/s,512,8,,,,16384,1,arbitrary\n"
        "wormhole_b0,W,DRAM spec speed,spec,336,GB/s,336,,,,,,,\n"
        "wormhole_b0,W,test_dram_read_l1_write_core,measured,226,GB/s,,12,1024,2304,BFLOAT8_B,,,\n"
        "wormhole_b0,W,test_dram_read_l1_write_core,measured,244,GB/s,,12,2048,3840,BFLOAT4_B,,,"
        "\n");
    EXPECT_EQ(found.scores.rows, 4);
    EXPECT_EQ(found.skipped.at("a rating, no measurement"), 1);
    EXPECT_NEAR(found.rows[0].predicted_value, 310, 5);  // 12 GT/s gave the share of the peak
    EXPECT_NEAR(found.rows[1].predicted_value, 186, 25);
    EXPECT_LT(found.rows[3].predicted_value, found.rows[4].predicted_value);
    EXPECT_LT(found.scores.p90_ape_pct.value(), 15);
}

}  // namespace
}  // namespace model::testing
