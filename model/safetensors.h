// Weights in safetensors files, one file or shards with an index, memory-mapped, never copied
// whole; Checkpoint also opens Meta's .pth (meta_checkpoint.h). Invariant: every view lies inside
// its file, views of a file neither overlap nor leave holes, and shape x element size is the view's
// length. Bytes after the last tensor are tolerated. Format: huggingface/safetensors README.md;
// checks as in safetensors/src/tensor.rs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/digest.h"
#include "core/files.h"
#include "model/tensor_view.h"

namespace model {

/// The tensors of one file's bytes; the views point into `file`. Throws Error.
TensorTable parse_safetensors(std::span<const std::byte> file, std::string_view where);

/// The tensors of a checkpoint folder or of one file. The mappings live as long as this object.
class Checkpoint {
public:
    /// `path`: a folder with model.safetensors, model.safetensors.index.json or Meta's
    /// consolidated.*.pth beside params.json; or one file, safetensors or of torch.save.
    static Checkpoint open(const std::filesystem::path& path);

    /// The vocabulary that Meta's files in `folder` are for; nothing when there are none.
    static std::optional<std::int64_t> meta_vocab(const std::filesystem::path& folder);

    /// In the order of their names.
    std::vector<std::string> names() const;
    /// Null when there is no such tensor.
    const TensorView* find(std::string_view name) const;
    /// Throws Error when there is no such tensor.
    const TensorView& at(std::string_view name) const;
    /// at(), and Error unless the shape is `shape`.
    const TensorView& at(std::string_view name, std::span<const std::int64_t> shape) const;

    /// Digest of what the files hold, as far as can be told without reading them whole: their
    /// names, sizes and times, config.json beside them, and the name, type, shape and some bytes of
    /// every tensor.
    std::uint64_t identity() const;

    /// The folder or file, for messages.
    const std::string& where() const { return where_; }

private:
    explicit Checkpoint(std::string where) : where_(std::move(where)) {}
    std::span<const std::byte> map(const std::filesystem::path& path);
    TensorTable tensors_of(const std::filesystem::path& path);
    void add_meta(const std::filesystem::path& folder, std::int64_t head_dim);
    void add_shards(const std::filesystem::path& folder);

    std::string where_;
    std::filesystem::path folder_;
    std::vector<core::MappedFile> files_;
    core::Digest files_digest_;
    TensorTable tensors_;
};

}  // namespace model
