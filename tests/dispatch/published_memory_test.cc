// Out-of-memory texts that people posted, reproduced to the letter from a tensor and a chip: the
// size, the bytes of each bank and the bank size all come out of the tensor's spec, the chip file
// and the allocator. What of a text is not in the post (older ones print less) is not checked.
// Shapes in comments "derived" are ours: the post names only bytes, and these give them.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "dispatch/mesh_device.h"
#include "dispatch/program.h"
#include "mesh/banks.h"
#include "mesh/trace_region.h"

namespace dispatch {
namespace {

using core::Bytes;
using mesh::BankAllocator;
using mesh::BufferType;
using mesh::MessageEra;
using tensor::DType;
using tensor::Layout;
using tensor::Spec;

constexpr MemoryConfig kDram{};
constexpr MemoryConfig kDramSharded{BufferType::Dram, MemoryLayout::DramWidthSharded, 0};

constexpr MemoryConfig on_cores(std::int32_t cores) {
    return {BufferType::L1, MemoryLayout::WidthSharded, cores};
}

Spec tiled(tensor::Shape shape, DType dtype = DType::BFloat16) {
    return {.shape = std::move(shape), .dtype = dtype, .layout = Layout::Tile};
}
Spec row_major(tensor::Shape shape) {
    return {.shape = std::move(shape), .dtype = DType::BFloat16, .layout = Layout::RowMajor};
}

mesh::ChipSpec real_chip(const std::string& name) {
    return mesh::load_chip(TESSERA_SOURCE_DIR "/topologies/chips/" + name + ".yaml");
}

/// How full the bank was: what was allocated, and the largest of the holes between.
struct Fill {
    std::int64_t allocated = 0;
    std::int64_t largest = 0;
};

struct Posted {
    const char* where;
    Spec spec;
    MemoryConfig memory;
    std::int64_t bank;         // 0: not posted, the whole memory
    std::optional<Fill> fill;  // none: not posted
    std::string text;
    std::string chip = "n150";
};
// What a failed case is called in the output.
void PrintTo(const Posted& posted, std::ostream* out) { *out << posted.where; }

std::int64_t take(BankAllocator& allocator, std::int64_t per_bank) {
    const std::int32_t banks = allocator.config().banks;
    return std::get<mesh::Allocation>(
               allocator.allocate(Bytes{per_bank * banks}, banks, Bytes{per_bank}))
        .address;
}

/// Holes of the largest size and one of the rest, a block of 32 bytes between each two of them.
void fill(BankAllocator& allocator, Fill full) {
    std::int64_t free = allocator.config().size.value - full.allocated;
    std::int64_t walls = full.allocated;
    std::vector<std::int64_t> holes;
    while (free > 0) {
        const std::int64_t hole = std::min(free, full.largest);
        holes.push_back(take(allocator, hole));
        free -= hole;
        if (free == 0) break;
        walls -= 32;
        take(allocator, 32);
    }
    if (walls > 0) take(allocator, walls);
    for (const std::int64_t hole : holes) allocator.free(hole);
}

/// The memory of a chip with banks of the posted size.
BankAllocator memory_of(const Posted& posted) {
    const bool is_dram = posted.memory.type == BufferType::Dram;
    // The three wordings in order of age: no bank size, a bank size, statistics.
    const MessageEra era = posted.bank == 0 ? MessageEra::Y2024
                           : posted.fill    ? MessageEra::Y2026
                                            : MessageEra::Y2025;
    const mesh::ChipSpec chip = real_chip(posted.chip);
    if (!is_dram) {
        return BankAllocator(mesh::l1_banks(chip, chip.worker_grid,
                                            {.small = {}, .worker = Bytes{posted.bank}}, era));
    }
    const Bytes whole = mesh::dram_banks(chip, Bytes{0}, era).size;
    const Bytes taken = posted.bank == 0 ? Bytes{0} : whole - Bytes{posted.bank};
    return BankAllocator(mesh::dram_banks(chip, taken, era));
}

std::string text_of(const Posted& posted) {
    BankAllocator allocator = memory_of(posted);
    const std::int64_t bank = allocator.config().size.value;
    fill(allocator, posted.fill.value_or(Fill{bank, bank}));
    const AllocationRequest request =
        allocation_request(posted.spec, posted.memory, real_chip(posted.chip).dram.banks);
    const auto result =
        allocator.allocate(request.size, request.pages, request.page, request.banks);
    const auto* failure = std::get_if<mesh::Failure>(&result);
    if (failure == nullptr) return "it fits";
    EXPECT_EQ(failure->statistics.allocated + failure->statistics.free, failure->statistics.bank);
    return failure->text;
}

std::string dram(std::int64_t size, std::int64_t per_bank) {
    return "Out of Memory: Not enough space to allocate " + std::to_string(size) +
           " B DRAM buffer across 12 banks, where each bank needs to store " +
           std::to_string(per_bank) + " B";
}
std::string l1(std::int64_t size, std::int32_t banks, std::int64_t per_bank) {
    return "Out of Memory: Not enough space to allocate " + std::to_string(size) +
           " B L1 buffer across " + std::to_string(banks) +
           " banks, where each bank needs to store " + std::to_string(per_bank) + " B";
}

class PublishedOutOfMemory : public ::testing::TestWithParam<Posted> {};

TEST_P(PublishedOutOfMemory, has_the_posted_text) {
    // The numbers people search for; a planner that prints others explains nothing.
    EXPECT_EQ(text_of(GetParam()), GetParam().text) << GetParam().where;
}

TEST_P(PublishedOutOfMemory, has_room_in_an_empty_bank_unless_it_never_could) {
    // The same request without the other buffers: only one post is about a tensor that is itself
    // too large.
    const Posted& posted = GetParam();
    BankAllocator allocator = memory_of(posted);
    const AllocationRequest request =
        allocation_request(posted.spec, posted.memory, real_chip(posted.chip).dram.banks);
    const auto result =
        allocator.allocate(request.size, request.pages, request.page, request.banks);
    const bool too_large = std::string_view(posted.where) == "tt-metal #35431";
    EXPECT_EQ(std::holds_alternative<mesh::Allocation>(result), !too_large) << posted.where;
}

// Until 2025-09 the text ended after "store {} B".
INSTANTIATE_TEST_SUITE_P(
    UntilMid2025, PublishedOutOfMemory,
    ::testing::Values(
        // w1 of Llama-3.1-8B in bfp4: 14336 columns padded to 12 x 38 tiles.
        Posted{"tt-inference-server #314", tiled({4096, 14336}, DType::BFloat4_b), kDramSharded, 0,
               std::nullopt, dram(33'619'968, 2'801'664)},
        // The K cache of a layer of Llama-3.1-8B, shape as posted.
        Posted{"tt-metal #21904", tiled({1034, 8, 64, 128}, DType::BFloat8_b), kDram, 0,
               std::nullopt, dram(71'999'488, 6'000'320)},
        // Prefill of Qwen2.5-72B over 8 chips in chunks of 32k: ffn 32768 / 8, then dim.
        Posted{"tt-metal #24105", tiled({32768, 4096}), kDram, 0, std::nullopt,
               dram(268'435'456, 22'370'304)},
        Posted{"tt-metal #19890", tiled({32768, 8192}), kDram, 0, std::nullopt,
               dram(536'870'912, 44'740'608)},
        // The K cache of a layer of Mistral-7B; derived: 2105 blocks of 64 tokens.
        Posted{"vllm #152", tiled({2105, 8, 64, 128}, DType::BFloat8_b), kDram, 0, std::nullopt,
               dram(146'575'360, 12'214'976)}));

// Then it named the bank, without what is in it.
INSTANTIATE_TEST_SUITE_P(
    Autumn2025, PublishedOutOfMemory,
    ::testing::Values(
        // Llama-3.2-90B over 8 chips, chunks of 32k, ffn 28672 / 8; 25 MB of each bank for traces.
        Posted{"tt-metal #30619", tiled({32768, 3584}), kDram, 1'048'741'792, std::nullopt,
               dram(234'881'024, 19'574'784) + ", but bank size is only 1048741792 B"},
        // w3 of Llama-3.2-11B on one chip, a chunk of 4096 tokens.
        Posted{"tt-metal #31076", tiled({4096, 14336}), kDram, 1'046'181'792, std::nullopt,
               dram(117'440'512, 9'787'392) + ", but bank size is only 1046181792 B"},
        // Llama-3.3-70B on a Galaxy, 128k rows at once, ffn 28672 / 8.
        Posted{"tt-metal #29905", tiled({131072, 3584}, DType::BFloat8_b), kDram, 881'300'448,
               std::nullopt, dram(499'122'176, 41'594'240) + ", but bank size is only 881300448 B"},
        // Llama-3.2-90B; derived: 393,216 tiles of bfp8.
        Posted{"tt-inference-server #989", tiled({131072, 3072}, DType::BFloat8_b), kDram,
               1'046'181'792, std::nullopt,
               dram(427'819'008, 35'651'584) + ", but bank size is only 1046181792 B"},
        // The embedding of Bloom 1b7 to 7b1; derived: 250,880 x 2048.
        Posted{"tt-xla #1957", tiled({250880, 2048}), kDram, 1'073'741'792, std::nullopt,
               dram(1'027'604'480, 85'635'072) + ", but bank size is only 1073741792 B"},
        // The embedding of TinyLlama; derived: 32000 x 2048.
        Posted{"tt-metal #31211", tiled({32000, 2048}), kDram, 1'073'741'792, std::nullopt,
               dram(131'072'000, 10'924'032) + ", but bank size is only 1073741792 B"},
        // max_pool2d; derived: 10,553 rows of 64 channels on each of 64 cores.
        Posted{"tt-metal #35431", row_major({675392, 64}), on_cores(64), 1'330'944, std::nullopt,
               l1(86'450'176, 64, 1'350'784) + ", but bank size is only 1330944 B"},
        // MobileNetV2 on Blackhole; derived: 316 tiles on each of 20 cores.
        Posted{"tt-mlir #5343", tiled({32, 6320 * 32}), on_cores(20), 1'437'056, std::nullopt,
               l1(12'943'360, 20, 647'168) + ", but bank size is only 1437056 B", "p150"}));

// Since 2026 it tells what is free, and in how large pieces.
INSTANTIATE_TEST_SUITE_P(
    Since2026, PublishedOutOfMemory,
    ::testing::Values(
        // The embedding of Llama-3.1-8B.
        Posted{"tt-forge #855", tiled({128256, 4096}), kDram, 1'073'741'792,
               Fill{943'941'568, 34'201'600},
               dram(1'050'673'152, 87'556'096) +
                   ", but bank size is 1073741792 B (allocated: 943941568 B, free: 129800224 B, "
                   "largest free block: 34201600 B)"},
        Posted{"tt-xla #5494", tiled({128256, 4096}), kDram, 1'070'773'184,
               Fill{999'249'056, 71'231'936},
               dram(1'050'673'152, 87'556'096) +
                   ", but bank size is 1070773184 B (allocated: 999249056 B, free: 71524128 B, "
                   "largest free block: 71231936 B)"},
        // The embedding of Ministral-8B. Row-major it would be 10,923 rows, 89,481,216 B.
        Posted{"tt-forge #854", tiled({131072, 4096}), kDram, 1'073'741'792,
               Fill{952'757'280, 34'953'216},
               dram(1'073'741'824, 89'479'168) +
                   ", but bank size is 1073741792 B (allocated: 952757280 B, free: 120984512 B, "
                   "largest free block: 34953216 B)"},
        Posted{"tt-xla #5535, ministral_8b", tiled({131072, 4096}), kDram, 1'070'773'184,
               Fill{1'003'628'544, 67'140'352},
               dram(1'073'741'824, 89'479'168) +
                   ", but bank size is 1070773184 B (allocated: 1003628544 B, free: 67144640 B, "
                   "largest free block: 67140352 B)"},
        // The embedding of Qwen3-8B.
        Posted{"tt-xla #5535, qwen3_8b", tiled({151936, 4096}), kDram, 1'070'773'184,
               Fill{1'054'848'640, 15'475'264},
               dram(1'244'659'712, 103'723'008) +
                   ", but bank size is 1070773184 B (allocated: 1054848640 B, free: 15924544 B, "
                   "largest free block: 15475264 B)"},
        Posted{"tt-xla #4130", tiled({2048, 14336}), kDram, 1'071'821'792,
               Fill{888'424'448, 3'382'944},
               dram(58'720'256, 4'894'720) +
                   ", but bank size is 1071821792 B (allocated: 888424448 B, free: 183397344 B, "
                   "largest free block: 3382944 B)"},
        Posted{"tt-mlir #6785", tiled({4096, 14336}), kDram, 1'073'741'792,
               Fill{976'657'856, 4'587'840},
               dram(117'440'512, 9'787'392) +
                   ", but bank size is 1073741792 B (allocated: 976657856 B, free: 97083936 B, "
                   "largest free block: 4587840 B)"},
        // Logits of gpt-oss; derived: 8192 rows of 201,088, row-major (a row is a page).
        Posted{"tt-xla #4685", row_major({8192, 201088}), kDram, 1'071'821'792,
               Fill{784'847'680, 216'504'544},
               dram(3'294'625'792, 274'686'208) +
                   ", but bank size is 1071821792 B (allocated: 784847680 B, free: 286974112 B, "
                   "largest free block: 216504544 B)"},
        // Falcon3-7B; derived: 270 tiles on each of 48 cores.
        Posted{"tt-mlir #8044", tiled({32, 12960 * 32}), on_cores(48), 1'329'888,
               Fill{417'792, 522'240},
               l1(26'542'080, 48, 552'960) +
                   ", but bank size is 1329888 B (allocated: 417792 B, free: 912096 B, largest "
                   "free block: 522240 B)"},
        // Qwen3-32B; derived: 297 tiles on each of 64 cores.
        Posted{"tt-mlir #8110", tiled({32, 19008 * 32}), on_cores(64), 1'329'888,
               Fill{323'936, 591'872},
               l1(38'928'384, 64, 608'256) +
                   ", but bank size is 1329888 B (allocated: 323936 B, free: 1005952 B, largest "
                   "free block: 591872 B)"}));

TEST(PublishedOutOfMemory, a_trace_of_3072_bytes_finds_256_in_each_bank) {
    // tt-metal #49324, before PR #47766: the region was divided over the banks, its page was not.
    const mesh::ChipSpec n300 = real_chip("n300");
    const auto region = [&](mesh::TraceEra era) {
        return mesh::trace_region_per_bank(era, Bytes{3072}, 12, n300.dram.alignment);
    };
    const mesh::TraceLayout trace = mesh::trace_layout(Bytes{3072}, 12);
    const auto end_capture = [&](mesh::TraceEra era) {
        BankAllocator memory(mesh::trace_banks(n300, region(era), MessageEra::Y2026));
        return memory.allocate(trace.padded, trace.pages, trace.page);
    };
    EXPECT_EQ(std::get<mesh::Failure>(end_capture(mesh::TraceEra::B)).text,
              "Out of Memory: Not enough space to allocate 3072 B TRACE buffer across 12 banks, "
              "where each bank needs to store 1024 B, but bank size is 256 B (allocated: 0 B, "
              "free: 256 B, largest free block: 256 B)");
    EXPECT_TRUE(std::holds_alternative<mesh::Allocation>(end_capture(mesh::TraceEra::C)));
}

TEST(PublishedOutOfMemory, posted_banks_are_two_to_the_thirty_less_32_less_the_trace_region) {
    // tt-metal #30619 (the demo's 25,000,000), #31076, #29905 and tt-xla #4130: each bank is short
    // of the whole by a multiple of the alignment that the option can have been.
    const mesh::ChipSpec n150 = real_chip("n150");
    for (const auto& [region, bank] : {std::pair{0, 1'073'741'792},
                                       {25'000'000, 1'048'741'792},
                                       {27'560'000, 1'046'181'792},
                                       {192'441'344, 881'300'448},
                                       {1'920'000, 1'071'821'792},
                                       {52'000'000, 1'021'741'792}}) {
        const DeviceMemory memory = device_memory(n150, {.trace_region_size = Bytes{region}});
        EXPECT_EQ(memory.dram.size.value, bank);
        EXPECT_EQ(memory.dram.size.value + region + 32, 1 << 30);
    }
}

}  // namespace
}  // namespace dispatch
