// How fast this machine reads stored weights and rows: the floor of `run` and `eval`.
// Weights/s count every stored value read once per call; multiply-adds are rows times that.
// Sizes are one MLP matrix of an 8B Llama split over four chips, larger than a core's own caches.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "tensor/formats.h"
#include "tensor/kernels/matmul.h"
#include "tensor/kernels/vector.h"

namespace {

using tensor::DType;
using tensor::Packer;
using tensor::Spec;

std::vector<float> normal(std::int64_t count, double deviation) {
    std::mt19937 random(17);
    std::normal_distribution<double> next(0.0, deviation);
    std::vector<float> values(static_cast<std::size_t>(count));
    for (float& v : values) v = static_cast<float>(next(random));
    return values;
}

std::vector<std::byte> stored(const Spec& spec) {
    std::vector<std::byte> bytes(static_cast<std::size_t>(spec.bytes().value));
    const std::vector<float> row = normal(spec.shape.cols(), 0.02);
    for (std::int64_t r = 0; r < spec.shape.rows(); ++r) {
        tensor::write_rows(spec, bytes.data(), r, 1, row.data(), Packer::Host);
    }
    return bytes;
}

DType dtype_of(const benchmark::State& state) { return static_cast<DType>(state.range(0)); }

/// Arguments: format, rows of activations.
void matmul(benchmark::State& state) {
    const Spec w{{4096, 3584}, dtype_of(state)};
    const std::vector<std::byte> bytes = stored(w);
    const std::int64_t rows = state.range(1);
    const std::vector<float> x = normal(rows * 4096, 1.0);
    std::vector<float> out(static_cast<std::size_t>(rows * 3584));
    for (auto _ : state) {
        tensor::kernels::matmul(x.data(), 4096, rows, w, bytes.data(), 0, 3584, out.data(), 3584);
        benchmark::DoNotOptimize(out.data());
        benchmark::ClobberMemory();
    }
    const auto calls = static_cast<double>(state.iterations());
    const double weights = 4096.0 * 3584.0 * calls;
    state.SetLabel(std::string(tensor::name(w.dtype)));
    state.counters["weights/s"] = benchmark::Counter(weights, benchmark::Counter::kIsRate);
    state.counters["flop/s"] =
        benchmark::Counter(2.0 * weights * static_cast<double>(rows), benchmark::Counter::kIsRate);
    state.SetBytesProcessed(static_cast<std::int64_t>(bytes.size()) * state.iterations());
}

/// Arguments: format, rows of 4096 at a time.
void read_rows(benchmark::State& state) {
    const Spec spec{{1024, 4096}, dtype_of(state)};
    const std::vector<std::byte> bytes = stored(spec);
    const std::int64_t rows = state.range(1);
    std::vector<float> out(static_cast<std::size_t>(rows * 4096));
    std::int64_t row = 0;
    for (auto _ : state) {
        tensor::read_rows(spec, bytes.data(), row, rows, out.data());
        benchmark::ClobberMemory();
        row = (row + rows) % 1024;
    }
    state.SetLabel(std::string(tensor::name(spec.dtype)));
    state.SetItemsProcessed(state.iterations() * rows * 4096);
}

/// Arguments: format, packer, rows of 4096 at a time.
void write_rows(benchmark::State& state) {
    const Spec spec{{1024, 4096}, dtype_of(state)};
    std::vector<std::byte> bytes = stored(spec);
    const auto packer = static_cast<Packer>(state.range(1));
    const std::int64_t rows = state.range(2);
    const std::vector<float> in = normal(rows * 4096, 1.0);
    std::int64_t row = 0;
    for (auto _ : state) {
        tensor::write_rows(spec, bytes.data(), row, rows, in.data(), packer);
        benchmark::ClobberMemory();
        row = (row + rows) % 1024;
    }
    state.SetLabel(std::string(tensor::name(spec.dtype)));
    state.SetItemsProcessed(state.iterations() * rows * 4096);
}

void dot(benchmark::State& state) {
    const std::int64_t n = state.range(0);
    const std::vector<float> a = normal(n, 1.0);
    for (auto _ : state) benchmark::DoNotOptimize(tensor::kernels::dot(a.data(), a.data(), n));
    state.SetItemsProcessed(state.iterations() * n);
}

void softmax(benchmark::State& state) {
    const std::int64_t n = state.range(0);
    const std::vector<float> x = normal(n, 3.0);
    std::vector<float> out(x.size());
    for (auto _ : state) {
        tensor::kernels::softmax(x.data(), out.data(), n);
        benchmark::ClobberMemory();
    }
    state.SetItemsProcessed(state.iterations() * n);
}

const std::vector<std::int64_t> kFormats = {
    static_cast<std::int64_t>(DType::Float32), static_cast<std::int64_t>(DType::BFloat16),
    static_cast<std::int64_t>(DType::BFloat8_b), static_cast<std::int64_t>(DType::BFloat4_b),
    static_cast<std::int64_t>(DType::BFloat2_b)};
const std::vector<std::int64_t> kPackers = {static_cast<std::int64_t>(Packer::Host),
                                            static_cast<std::int64_t>(Packer::Device)};

BENCHMARK(matmul)->ArgsProduct({kFormats, {1, 4, 32, 256}})->Unit(benchmark::kMillisecond);
BENCHMARK(read_rows)->ArgsProduct({kFormats, {1, 32}})->Unit(benchmark::kMicrosecond);
BENCHMARK(write_rows)->ArgsProduct({kFormats, kPackers, {1, 32}})->Unit(benchmark::kMicrosecond);
BENCHMARK(dot)->Arg(64)->Arg(128)->Arg(4096);
BENCHMARK(softmax)->Arg(128)->Arg(8192);

}  // namespace
