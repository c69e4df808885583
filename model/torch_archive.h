// Tensors of a file written by torch.save (.pth, .pt, .refpt): a zip archive with a pickle and one
// entry per storage. Invariant: every view lies inside its storage, and is contiguous; several
// tensors may share a storage.
// Format: pytorch/pytorch: torch/serialization.py (_save), caffe2/serialize/inline_container.h.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "model/tensor_view.h"

namespace model {

/// Whether the bytes begin as a file of torch.save does, be it of the old kind.
bool is_torch_file(std::span<const std::byte> file);

/// The tensors of one file's bytes; the views point into `file`. Throws core::Error naming the
/// tensor, also for the kind of file from before PyTorch 1.6.
TensorTable parse_torch_archive(std::span<const std::byte> file, std::string_view where);

}  // namespace model
