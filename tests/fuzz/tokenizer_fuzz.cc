// Fuzz program of tokenizer.json (libFuzzer, clang only); see checkpoint_target.h. How to build and
// run it: config_fuzz.cc.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/checkpoint_target.h"

// The name and type are libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::judge_tokenizer({reinterpret_cast<const char*>(data), size});
    return 0;
}
