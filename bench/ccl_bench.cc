// How fast the host times collectives: a large ring by one of its ranks, a group rank by rank.
// Measures the host; what the simulator predicts is tested in tests/ccl.
#include <benchmark/benchmark.h>

#include <numeric>

#include "ccl/estimate.h"
#include "ccl/timing.h"
#include "core/error.h"

namespace {

/// A ring of `chips` in one row, with the links of a T3K.
fabric::Mesh ring(std::int32_t chips) {
    const fabric::Catalog catalog{TESSERA_SOURCE_DIR "/topologies"};
    fabric::Mesh mesh;
    mesh.system.link = fabric::load_system(catalog, "t3k").link;
    mesh.system.wiring.chips = chips;
    mesh.shape = {1, chips};
    mesh.links = {0, 1};
    mesh.wrap_wired = {false, true};
    mesh.system.wiring.edges = {{{0}, {1}, 1}, {{0}, {chips - 1}, 1}};
    for (std::int32_t chip = 1; chip + 1 < chips; ++chip) {
        mesh.system.wiring.edges.push_back({{chip}, {chip + 1}, 1});
    }
    for (std::int32_t chip = 0; chip < chips; ++chip) mesh.chips.push_back({chip});
    return mesh;
}

/// 1 MiB per chip.
void gather_on_a_ring(benchmark::State& state) {
    const auto chips = static_cast<std::int32_t>(state.range(0));
    const fabric::Mesh mesh = ring(chips);
    ccl::Question question;
    question.total = core::Bytes{std::int64_t{chips} << 20};
    question.page = core::Bytes{2048};
    for (auto _ : state) benchmark::DoNotOptimize(ccl::estimate(mesh, question).time());
    state.counters["simulated_us"] = core::to_us(ccl::estimate(mesh, question).time());
}
BENCHMARK(gather_on_a_ring)
    ->Arg(8)
    ->Arg(32)
    ->Arg(64)
    ->Arg(256)
    ->Arg(1024)
    ->Unit(benchmark::kMillisecond);

/// A decode step's: 32 rows x 8192 bf16, scattered and gathered over a T3K.
void decode_collectives(benchmark::State& state) {
    const fabric::Mesh mesh = ring(8);
    ccl::Question question;
    question.total = core::Bytes{32 * 8192 * 2};
    question.page = core::Bytes{2048};
    question.kind = ccl::Kind::AllReduce;
    for (auto _ : state) benchmark::DoNotOptimize(ccl::estimate(mesh, question).time());
}
BENCHMARK(decode_collectives)->Unit(benchmark::kMicrosecond);

}  // namespace
