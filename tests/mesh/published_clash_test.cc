// Circular buffers that did not fit beside L1 buffers, or into L1 at all, as people posted them:
// the same addresses give the same text, and one byte less gives none. The number of bytes short is
// what the posts ask for and the text does not say.
#include <gtest/gtest.h>

#include "mesh/bank_allocator.h"

namespace {

using core::Bytes;

struct Clash {
    const char* where;
    std::int32_t program;
    const char* cores;
    std::int64_t buffer;  // lowest L1 address
    std::int64_t end;     // of the circular buffers
    std::int64_t bytes_short;
    const char* text;
};

constexpr Bytes kWormholeL1{1'499'136};
constexpr Bytes kBlackholeL1{1'572'864};

TEST(PublishedClash, has_the_posted_text) {
    // Tools match this text; the program's number and the cores are part of it.
    for (const Clash& clash :
         {Clash{"tt-metal #28835", 77, "[(x=0,y=0) - (x=7,y=7)]", 974'336, 1'089'536, 115'200,
                "Statically allocated circular buffers in program 77 clash with L1 buffers on core "
                "range [(x=0,y=0) - (x=7,y=7)]. L1 buffer allocated at 974336 and static circular "
                "buffer region ends at 1089536"},
          {"tt-inference-server #2288", 238, "[(x=0,y=0) - (x=7,y=7)]", 1'261'952, 1'284'960,
           23'008,
           "Statically allocated circular buffers in program 238 clash with L1 buffers on core "
           "range [(x=0,y=0) - (x=7,y=7)]. L1 buffer allocated at 1261952 and static circular "
           "buffer region ends at 1284960"},
          {"tt-mlir #3643", 15, "[(x=0,y=0) - (x=7,y=7)]", 351'360, 465'952, 114'592,
           "Statically allocated circular buffers in program 15 clash with L1 buffers on core "
           "range [(x=0,y=0) - (x=7,y=7)]. L1 buffer allocated at 351360 and static circular "
           "buffer region ends at 465952"},
          {"tt-metal #8065", 4, "[(x=0,y=0) - (x=11,y=7)]", 267'584, 435'136, 167'552,
           "Statically allocated circular buffers in program 4 clash with L1 buffers on core range "
           "[(x=0,y=0) - (x=11,y=7)]. L1 buffer allocated at 267584 and static circular buffer "
           "region ends at 435136"}}) {
        EXPECT_EQ(clash.end - clash.buffer, clash.bytes_short) << clash.where;
        mesh::CircularBufferRegion region{clash.program, clash.cores, clash.end};
        EXPECT_EQ(mesh::circular_buffer_failure(region, clash.buffer, kWormholeL1), clash.text)
            << clash.where;
        region.end -= clash.bytes_short - 1;  // still one byte into the buffer
        EXPECT_TRUE(mesh::circular_buffer_failure(region, clash.buffer, kWormholeL1));
        region.end -= 1;  // touching is allowed
        EXPECT_EQ(mesh::circular_buffer_failure(region, clash.buffer, kWormholeL1), std::nullopt)
            << clash.where;
    }
}

TEST(PublishedClash, posts_without_a_program_give_their_two_addresses) {
    // tt-metal #33245 and tt-xla #5206 are cited with the addresses alone.
    for (const auto& [buffer, end] : {std::pair{567'488, 754'528}, std::pair{104'448, 107'936}}) {
        const auto text =
            mesh::circular_buffer_failure({0, "[(x=0,y=0) - (x=7,y=7)]", end}, buffer, kWormholeL1);
        ASSERT_TRUE(text.has_value());
        EXPECT_TRUE(text->ends_with(". L1 buffer allocated at " + std::to_string(buffer) +
                                    " and static circular buffer region ends at " +
                                    std::to_string(end)))
            << *text;
    }
}

TEST(PublishedClash, more_than_l1_has_the_posted_text) {
    // tt-metal #17947, tt-inference-server #225 (Wormhole), tt-metal #35410 (Blackhole p100).
    struct Grown {
        const char* cores;
        std::int64_t end;
        Bytes l1;
        const char* text;
    };
    for (const Grown& grown :
         {Grown{"[(x=0,y=0) - (x=7,y=7)]", 1'741'152, kWormholeL1,
                "Statically allocated circular buffers on core range [(x=0,y=0) - (x=7,y=7)] grow "
                "to 1741152 B which is beyond max L1 size of 1499136 B"},
          {"[(x=0,y=0) - (x=3,y=0)]", 2'292'704, kWormholeL1,
           "Statically allocated circular buffers on core range [(x=0,y=0) - (x=3,y=0)] grow to "
           "2292704 B which is beyond max L1 size of 1499136 B"},
          {"[(x=0,y=0) - (x=6,y=7)]", 1'574'080, kBlackholeL1,
           "Statically allocated circular buffers on core range [(x=0,y=0) - (x=6,y=7)] grow to "
           "1574080 B which is beyond max L1 size of 1572864 B"}}) {
        mesh::CircularBufferRegion region{0, grown.cores, grown.end};
        EXPECT_EQ(mesh::circular_buffer_failure(region, std::nullopt, grown.l1), grown.text);
        region.end = grown.l1.value;
        EXPECT_EQ(mesh::circular_buffer_failure(region, std::nullopt, grown.l1), std::nullopt);
    }
}

}  // namespace
