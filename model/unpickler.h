// The tensors that a pickle of torch.save describes: a dict of them, by name. A restricted reader:
// it knows the opcodes that torch.save emits (protocols 2 to 4) and a closed list of globals, all
// of them data; nothing is imported or called, so nothing in a file can run.
// Invariant: stack, memo and texts are bounded by the pickle's own length and kMostValues; there is
// no recursion. Cross-check: pytorch/pytorch: torch/_weights_only_unpickler.py.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "model/tensor_view.h"

namespace model {

/// A tensor as the pickle describes it; nothing of it has been held against the file yet.
struct PickledTensor {
    StoredType dtype = StoredType::F32;
    std::string_view storage;  // key of its bytes in the archive: "0"
    std::int64_t storage_elements = 0;
    std::int64_t offset = 0;  // in elements
    std::vector<std::int64_t> shape;
    std::vector<std::int64_t> strides;
};

using PickledTable = std::map<std::string, PickledTensor, std::less<>>;

/// Values on the stack and in the memo over the whole run; a Llama of 405B takes 70 thousand.
inline constexpr std::size_t kMostValues = std::size_t{1} << 21;

/// The tensors of the dict in `pickle`, which must outlive the result; entries that are not tensors
/// are left out. `where` names the file in messages. Throws core::Error.
PickledTable unpickle_tensors(std::span<const std::byte> pickle, std::string_view where);

}  // namespace model
