// How fast text becomes token ids on one core, and back: bytes of text per second.
// The text has 4 MB of made-up words with the frequencies of a language (Zipf) and a tenth of
// numbers; the worst cases are runs without a place to split and words that never repeat.
#include <benchmark/benchmark.h>

#include <cmath>
#include <filesystem>
#include <random>
#include <string>
#include <vector>

#include "core/json.h"
#include "model/tokenizer.h"

namespace {

using model::AddSpecial;
using model::Tokenizer;

const std::filesystem::path kRoot = TESSERA_SOURCE_DIR;
constexpr std::size_t kTextBytes = 4'000'000;

/// Byte-level BPE with Llama 3's pattern, 2048 tokens.
Tokenizer bytes() { return Tokenizer::load(kRoot / "models/tiny-shakespeare"); }

/// Characters with byte pieces, Llama 2's kind, from the test data.
Tokenizer characters() {
    const std::filesystem::path folder = kRoot / "tests/data/tokenizers";
    nlohmann::json file = core::read_json(folder / "kinds.json").at("llama2_old");
    file["model"] = core::read_json(folder / "base_words.json");
    return Tokenizer::parse(file.dump(), "llama2_old");
}

std::string word(std::mt19937& random) {
    std::string text;
    for (std::size_t size = 2 + random() % 9; size > 0; --size) {
        text += static_cast<char>('a' + random() % 26);
    }
    return text;
}

/// Words of a vocabulary of `count`, the n-th one as often as 1/n.
std::string zipf_text(std::size_t count) {
    std::mt19937 random(17);
    std::vector<std::string> words;
    while (words.size() < count) words.push_back(word(random));
    std::string text;
    while (text.size() < kTextBytes) {
        const double share = std::generate_canonical<double, 53>(random);
        const auto index =
            static_cast<std::size_t>(std::pow(static_cast<double>(count), share)) - 1;
        text += random() % 10 == 0 ? std::to_string(random() % 100000) : words[index % count];
        text += random() % 12 == 0 ? ".\n" : " ";
    }
    return text;
}

void encode(benchmark::State& state, const Tokenizer& tokenizer, const std::string& text) {
    std::size_t tokens = 0;
    for (auto _ : state) tokens = tokenizer.encode(text, AddSpecial::No).size();
    const auto rounds = static_cast<double>(state.iterations());
    state.SetBytesProcessed(static_cast<std::int64_t>(rounds * static_cast<double>(text.size())));
    state.counters["tokens"] = static_cast<double>(tokens);
}

void words_to_bytes(benchmark::State& state) { encode(state, bytes(), zipf_text(50'000)); }
void words_to_characters(benchmark::State& state) {
    encode(state, characters(), zipf_text(50'000));
}
void new_words_to_bytes(benchmark::State& state) { encode(state, bytes(), zipf_text(400'000)); }
void one_letter_to_bytes(benchmark::State& state) {
    encode(state, bytes(), std::string(1 << 20, 'e'));
}
void one_letter_to_characters(benchmark::State& state) {
    encode(state, characters(), std::string(1 << 20, 'x'));
}
void spaces_to_characters(benchmark::State& state) {
    encode(state, characters(), std::string(1 << 20, ' '));
}

void decode(benchmark::State& state) {
    const Tokenizer tokenizer = bytes();
    const std::string text = zipf_text(50'000);
    const std::vector<std::int32_t> ids = tokenizer.encode(text, AddSpecial::No);
    for (auto _ : state) benchmark::DoNotOptimize(tokenizer.decode(ids));
    const auto rounds = static_cast<double>(state.iterations());
    state.SetBytesProcessed(static_cast<std::int64_t>(rounds * static_cast<double>(text.size())));
}

BENCHMARK(words_to_bytes)->Unit(benchmark::kMillisecond);
BENCHMARK(words_to_characters)->Unit(benchmark::kMillisecond);
BENCHMARK(new_words_to_bytes)->Unit(benchmark::kMillisecond);
BENCHMARK(one_letter_to_bytes)->Unit(benchmark::kMillisecond);
BENCHMARK(one_letter_to_characters)->Unit(benchmark::kMillisecond);
BENCHMARK(spaces_to_characters)->Unit(benchmark::kMillisecond);
BENCHMARK(decode)->Unit(benchmark::kMillisecond);

}  // namespace
