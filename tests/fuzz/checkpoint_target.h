// What files of weights and tokens from a stranger may cause: an answer, or a core::Error. Anything
// else (another exception, a broken rule of ours, a crash, no end, more than 2 GiB) is a bug.
// For the fuzz programs (safetensors_fuzz.cc, torch_fuzz.cc, tokenizer_fuzz.cc) and for the test
// that runs a sample of spoiled files in every build (checkpoint_fuzz_test.cc).
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

namespace fuzz {

enum class Reading { Refused, Read };

/// Parses a safetensors file and reads the ends of its tensors.
Reading judge_safetensors(std::span<const std::byte> file);
/// The same of a torch.save archive, also as two shards in Meta's layout. Bytes that are no zip
/// archive are taken for the pickle of one, so that check sums do not keep a fuzzer out.
Reading judge_torch(std::span<const std::byte> file);
/// Parses a tokenizer.json, encodes a text and decodes it again.
Reading judge_tokenizer(std::string_view text);

}  // namespace fuzz
