// What a config.json from a stranger may cause: an answer, or a core::Error that says what is
// wrong. Anything else (another exception, a broken rule of ours, a crash, no end, more than 2 GiB)
// is a bug. One function for the fuzz program (config_fuzz.cc) and for the test that runs a sample
// of spoiled files in every build (config_fuzz_test.cc).
#pragma once

#include <string>
#include <string_view>

namespace fuzz {

/// How far an input got.
enum class Verdict {
    Refused,   // parse_config said no
    NoSplit,   // the heads do not go over the mesh, or nobody can lay the network out
    NoMemory,  // planned; something does not fit
    Fits,
};

/// Parses `text` and plans it at its own context on one of three meshes, chosen by its bytes.
/// Lets every exception but core::Error through.
Verdict judge_config(std::string_view text);

}  // namespace fuzz
