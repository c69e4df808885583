// Fuzz program of config.json (libFuzzer, clang only): bytes -> parse -> plan; see config_target.h.
//   cmake -S . -B build/fuzz -G Ninja -DCMAKE_CXX_COMPILER=clang++-14 -DTESSERA_FUZZ=ON
//         -DCMAKE_BUILD_TYPE=RelWithDebInfo "-DTESSERA_SANITIZE=fuzzer-no-link;address;undefined"
//   ninja -C build/fuzz fuzz_programs && ctest --test-dir build/fuzz -L fuzz  (a minute each)
//   build/fuzz/tests/fuzz/config_fuzz FILE                                    (one input again)
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/config_target.h"

// The name and type are libFuzzer's.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    fuzz::judge_config({reinterpret_cast<const char*>(data), size});
    return 0;
}
