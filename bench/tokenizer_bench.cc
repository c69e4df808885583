// How fast text becomes token ids on one core, and back: bytes of text per second.
// Kinds: BPE of bytes and of characters, SentencePiece's unigram and BPE.
// The text has 4 MB of made-up words with the frequencies of a language (Zipf) and a tenth of
// numbers; the worst cases are runs without a place to split and words that never repeat.
#include <benchmark/benchmark.h>

#include <cmath>
#include <filesystem>
#include <random>
#include <set>
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

// A field of a protocol buffer: number and wire type, then the bytes with their length.
void add_field(std::string& message, int number, std::string_view bytes) {
    message += static_cast<char>(number << 3 | 2);
    for (std::size_t size = bytes.size(); size > 0; size >>= 7) {
        message += static_cast<char>((size & 0x7f) | (size >= 0x80 ? 0x80 : 0));
    }
    message += bytes;
}

std::string piece(std::string_view text, float score, int type) {
    std::string message;
    add_field(message, 1, text);
    message += static_cast<char>(2 << 3 | 5);
    message.append(reinterpret_cast<const char*>(&score), sizeof score);
    message += static_cast<char>(3 << 3);
    message += static_cast<char>(type);
    return message;
}

std::string word(std::mt19937& random) {
    std::string text;
    for (std::size_t size = 2 + random() % 9; size > 0; --size) {
        text += static_cast<char>('a' + random() % 26);
    }
    return text;
}

std::vector<std::string> zipf_words(std::size_t count, std::mt19937& random) {
    std::vector<std::string> words;
    while (words.size() < count) words.push_back(word(random));
    return words;
}

/// Words of a vocabulary of `count`, the n-th one as often as 1/n.
std::string zipf_text(std::size_t count) {
    std::mt19937 random(17);
    const std::vector<std::string> words = zipf_words(count, random);
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

/// A tokenizer.model: characters, all pairs and triples of letters, and the 12000 likeliest words
/// of zipf_text(50'000). `model`: 1 unigram, with the spaces of T5; 2 BPE, with those of Llama 2.
Tokenizer sentencepiece(char model) {
    std::set<std::string> pieces;
    const std::string letters = "abcdefghijklmnopqrstuvwxyz";
    for (const char a : letters + "0123456789.") pieces.emplace(1, a);
    for (const char a : letters) {
        for (const char b : letters) {
            pieces.insert({a, b});
            for (const char c : letters) pieces.insert({a, b, c});
        }
    }
    const std::string mark = "\xe2\x96\x81";
    pieces.insert(mark);
    std::mt19937 random(17);
    for (const std::string& text : zipf_words(12'000, random)) {
        for (std::size_t size = 1; size <= text.size(); ++size) {
            pieces.insert(mark + text.substr(0, size));
        }
    }
    std::string file;
    add_field(file, 1, piece("<unk>", 0, 2));
    float score = -2;
    for (const std::string& text : pieces) {
        score -= 1e-4F;
        add_field(file, 1, piece(text, score - 8 / static_cast<float>(text.size()), 1));
    }
    add_field(file, 2, std::string("\x18") + model);      // model_type
    if (model == 2) add_field(file, 3, {"\x20\x00", 2});  // remove_extra_whitespaces: no
    return Tokenizer::parse_model(file, "bench");
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

void words_to_unigrams(benchmark::State& state) {
    encode(state, sentencepiece(1), zipf_text(50'000));
}
void new_words_to_unigrams(benchmark::State& state) {
    encode(state, sentencepiece(1), zipf_text(400'000));
}
void one_letter_to_unigrams(benchmark::State& state) {
    encode(state, sentencepiece(1), std::string(1 << 20, 'e'));
}
void words_to_sentencepiece_bpe(benchmark::State& state) {
    encode(state, sentencepiece(2), zipf_text(50'000));
}
void one_letter_to_sentencepiece_bpe(benchmark::State& state) {
    encode(state, sentencepiece(2), std::string(1 << 20, 'e'));
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
BENCHMARK(words_to_unigrams)->Unit(benchmark::kMillisecond);
BENCHMARK(new_words_to_unigrams)->Unit(benchmark::kMillisecond);
BENCHMARK(one_letter_to_unigrams)->Unit(benchmark::kMillisecond);
BENCHMARK(words_to_sentencepiece_bpe)->Unit(benchmark::kMillisecond);
BENCHMARK(one_letter_to_sentencepiece_bpe)->Unit(benchmark::kMillisecond);
BENCHMARK(decode)->Unit(benchmark::kMillisecond);

}  // namespace
