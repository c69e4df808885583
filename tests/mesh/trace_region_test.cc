// What trace_region_size costs, by the date of the software, and how traces lie in it.
// Numbers: tenstorrent/tt-metal #47122, #47766, #35259 and tt_metal/distributed/mesh_trace.cpp.
#include "mesh/trace_region.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "core/error.h"

namespace {

using core::Bytes;
using mesh::TraceEra;

std::int64_t per_bank(TraceEra era, std::int64_t size, std::int32_t banks, std::int64_t alignment) {
    return mesh::trace_region_per_bank(era, Bytes{size}, banks, Bytes{alignment}).value;
}

TEST(TraceRegion, era_a_takes_the_size_from_every_bank) {
    // 100 MB asked for, 1.2 GB lost: the surprise that led to the later eras.
    EXPECT_EQ(per_bank(TraceEra::A, 100'000'000, 12, 32), 100'000'000);
    EXPECT_EQ(per_bank(TraceEra::A, 100'000'000, 12, 32) * 12, 1'200'000'000);
    EXPECT_EQ(per_bank(TraceEra::A, 10'001, 12, 32), 10'016);
    EXPECT_EQ(per_bank(TraceEra::A, 10'001, 8, 64), 10'048);
}

TEST(TraceRegion, era_b_divides_and_rounds_to_the_dram_alignment) {
    // The bank became so small that traces within the total did not fit any more.
    EXPECT_EQ(per_bank(TraceEra::B, 10'000, 12, 32), 864);
    EXPECT_EQ(per_bank(TraceEra::B, 3072, 12, 32), 256);
    EXPECT_EQ(per_bank(TraceEra::B, 1'753'088, 12, 32), 146'112);
}

TEST(TraceRegion, era_c_divides_and_rounds_to_the_largest_trace_page) {
    // Whole 8 KiB pages per bank, so a trace within the total always fits.
    EXPECT_EQ(per_bank(TraceEra::C, 100'000'000, 12, 32), 8'339'456);
    EXPECT_EQ(per_bank(TraceEra::C, 100'000'000, 12, 32) * 12, 100'073'472);
    EXPECT_EQ(per_bank(TraceEra::C, 10'000, 12, 32), 8192);
    EXPECT_EQ(per_bank(TraceEra::C, 1'753'088, 12, 32), 147'456);
    EXPECT_EQ(per_bank(TraceEra::C, 220'000'000, 8, 64) * 8, 220'004'352);
}

TEST(TraceRegion, qwen3_32b_on_galaxy_lost_a_sixth_of_the_chip_in_era_a) {
    // A published setting; the loss in bytes is what `check` must show.
    const std::int64_t lost = 12 * per_bank(TraceEra::A, 184'915'840, 12, 32);
    EXPECT_EQ(lost, 2'218'990'080);
    EXPECT_NEAR(static_cast<double>(lost) / (12.0 * 1'073'741'824), 0.172, 0.0005);
}

TEST(TraceRegion, size_zero_reserves_nothing_in_any_era) {
    // Zero means dynamic trace buffers; rounding up must not turn it into a page.
    for (const TraceEra era : {TraceEra::A, TraceEra::B, TraceEra::C}) {
        EXPECT_EQ(per_bank(era, 0, 12, 32), 0);
    }
}

TEST(TraceRegion, a_negative_size_is_bad_input) {
    // It comes from a flag or a file.
    EXPECT_THROW(per_bank(TraceEra::A, -1, 12, 32), core::Error);
}

TEST(TraceRegion, every_era_reserves_at_least_the_size) {
    // Law: the banks together never hold less than was asked for, and C wastes under a row.
    for (const std::int64_t size : {1, 31, 32, 33, 8191, 8192, 98'304, 98'305, 53'764'096}) {
        for (const std::int32_t banks : {7, 8, 12}) {
            const std::int64_t a = banks * per_bank(TraceEra::A, size, banks, 64);
            const std::int64_t b = banks * per_bank(TraceEra::B, size, banks, 64);
            const std::int64_t c = banks * per_bank(TraceEra::C, size, banks, 64);
            EXPECT_GE(b, size);
            EXPECT_GE(c, b);
            EXPECT_GE(a, size);
            EXPECT_LT(c, size + banks * 8192);
        }
    }
}

TEST(TraceLayout, a_published_trace_takes_968_pages) {
    // 7,929,856 B on a Wormhole Galaxy chip lands as 663,552 B on each of 12 banks.
    const mesh::TraceLayout layout = mesh::trace_layout(Bytes{7'929'856}, 12);
    EXPECT_EQ(layout.page.value, 8192);
    EXPECT_EQ(layout.pages, 968);
    EXPECT_EQ(layout.padded.value, 7'929'856);
    EXPECT_EQ(core::ceil_div(layout.pages, 12) * layout.page.value, 663'552);
}

TEST(TraceLayout, small_traces_take_the_page_that_wastes_least) {
    // 10,000 B over 12 banks: 1024 B pages waste 2288 B of a row, 2048 B pages 14,576 B.
    EXPECT_EQ(mesh::trace_layout(Bytes{10'000}, 12).page.value, 1024);
    EXPECT_EQ(mesh::trace_layout(Bytes{10'000}, 12).padded.value, 10'240);
    // 24,576 B fill a row of 2048 B pages exactly, which wastes no more than 1024 B pages do;
    // 4096 B pages would waste a whole row.
    EXPECT_EQ(mesh::trace_layout(Bytes{24'576}, 12).page.value, 2048);
    // 98,304 B fill a row of 8192 B pages exactly.
    EXPECT_EQ(mesh::trace_layout(Bytes{98'304}, 12).page.value, 8192);
    // 98,305 B: two rows of 4096 B pages and a bit, so 4096 is taken whatever it wastes; a row
    // of 8192 B pages is filled only once and wastes more.
    const mesh::TraceLayout two_rows = mesh::trace_layout(Bytes{98'305}, 12);
    EXPECT_EQ(two_rows.page.value, 4096);
    EXPECT_EQ(two_rows.pages, 25);
}

TEST(TraceLayout, from_two_rows_of_the_largest_page_on_it_is_always_taken) {
    // 196,608 B on 12 banks: padding is then to one page, not to a full row of banks.
    for (const std::int64_t extra : {0, 1, 1023, 5000, 90'000}) {
        const mesh::TraceLayout layout = mesh::trace_layout(Bytes{196'608 + extra}, 12);
        EXPECT_EQ(layout.page.value, 8192);
        EXPECT_EQ(layout.padded.value, core::round_up(196'608 + extra, std::int64_t{8192}));
    }
}

TEST(TraceLayout, whole_pages_hold_the_trace_and_less_than_one_page_is_padding) {
    // Law over sizes and bank counts, odd ones too.
    for (std::int64_t size = 1; size < 2'000'000; size = size * 3 + 7) {
        for (const std::int32_t banks : {7, 8, 12}) {
            const mesh::TraceLayout layout = mesh::trace_layout(Bytes{size}, banks);
            EXPECT_EQ(layout.padded.value, layout.pages * layout.page.value);
            EXPECT_GE(layout.padded.value, size);
            EXPECT_LT(layout.padded.value - size, layout.page.value);
        }
    }
    EXPECT_EQ(mesh::trace_layout(Bytes{0}, 12).pages, 0);
}

TEST(TraceLayout, before_2026_a_larger_page_must_not_waste_more) {
    // 751,616 B is 367 pages of 2048 B: the size users were shown, not rounded to 8192 B.
    const mesh::TraceLayout layout =
        mesh::trace_layout(Bytes{751'616}, 12, mesh::TracePages::Before2026);
    EXPECT_EQ(layout.page.value, 2048);
    EXPECT_EQ(layout.padded.value, 751'616);
    EXPECT_EQ(mesh::trace_layout(Bytes{751'616}, 12).padded.value, 753'664);
}

TEST(TraceOverflow, text_is_the_real_one) {
    // Users search for this text; it must match to the letter.
    EXPECT_EQ(mesh::trace_overflow_text(Bytes{751'616}, 0, Bytes{0}),
              "Creating trace buffers of size 751616B on MeshDevice 0, but only 0B is allocated "
              "for trace region.");
}

}  // namespace
