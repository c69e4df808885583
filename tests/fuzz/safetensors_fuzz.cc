// Fuzz program of safetensors files (libFuzzer, clang only); see checkpoint_target.h. How to build
// and run it: config_fuzz.cc.
#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/fuzz/checkpoint_target.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::judge_safetensors(std::as_bytes(std::span(data, size)));
    return 0;
}
