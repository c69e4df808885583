// Checkpoints in Meta's layout: consolidated.00.pth ... beside a params.json, Mistral's
// consolidated.safetensors, or the layers_*.pth that tt_transformers repacks them into. Tensors get
// their Hugging Face names and order of rows, in views over all shards: nothing is copied or
// written. Invariant: a tensor has the same dtype and shape in every shard, and norms the same
// values. Rules: tenstorrent/tt-metal: models/tt_transformers/tt/load_checkpoints.py; axes by
// tensor from meta-llama/llama-models: models/llama3/model.py (ColumnParallelLinear,
// RowParallelLinear).
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "model/tensor_view.h"

namespace model {

/// consolidated.00.pth ... in their order, layers_*.pth or consolidated.safetensors; empty when the
/// folder has none.
/// Throws core::Error when a number is missing.
std::vector<std::filesystem::path> meta_files(const std::filesystem::path& folder);

/// Whether the files hold whole tensors each (layers_*.pth) instead of a part of every one: then
/// the last norm is in one of them alone.
bool are_whole_tensors(std::span<const TensorTable> files);

/// The tensors of all files under one roof; throws core::Error when two have one of a name.
TensorTable joined(std::vector<TensorTable> files, std::string_view where);

/// The tensors under Hugging Face names, of `shards` in order. `head_dim` undoes the order in
/// which Meta keeps the rows of wq and wk. Requires: head_dim is even and above 0. Without an
/// output.weight the embedding is the LM head. Throws core::Error naming the tensor.
TensorTable meta_tensors(std::span<const TensorTable> shards, std::int64_t head_dim,
                         std::string_view where);

}  // namespace model
