// How libFuzzer changes JSON: mostly by structure (json_mutator.h). Part of the fuzz programs whose
// input is JSON.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <string>

#include "tests/fuzz/json_mutator.h"

// The names and types of these two are libFuzzer's.
extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned int seed) {
    std::mt19937 random(seed);
    // Mostly by structure; a quarter by bytes, for the parser itself.
    if (random() % 4 != 0) {
        const std::string text = fuzz::mutated({reinterpret_cast<const char*>(data), size}, random);
        if (!text.empty() && text.size() <= max_size) {
            std::memcpy(data, text.data(), text.size());
            return text.size();
        }
    }
    return LLVMFuzzerMutate(data, size, max_size);
}
