// Weights in safetensors files, one file or shards with an index, memory-mapped, never copied
// whole. Invariant: every view lies inside its file, views of a file neither overlap nor leave
// holes, and shape x element size is the view's length. Bytes after the last tensor are tolerated.
// Format: huggingface/safetensors README.md; checks as in safetensors/src/tensor.rs.
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

#include "core/files.h"
#include "core/units.h"

namespace model {

/// The dtypes a safetensors header may name; what can be computed with is tensor::DType.
enum class StoredType {
    Bool,
    U8,
    I8,
    F8E5M2,
    F8E4M3,
    I16,
    U16,
    F16,
    BF16,
    I32,
    U32,
    F32,
    F64,
    I64,
    U64,
};

core::Bytes element_bytes(StoredType type);
/// As the header spells it: "BF16".
std::string_view name(StoredType type);
std::optional<StoredType> parse_stored_type(std::string_view text);

/// A tensor where it lies in its file, row-major little-endian; `bytes` need not be aligned.
struct TensorView {
    StoredType dtype = StoredType::F32;
    std::vector<std::int64_t> shape;
    std::span<const std::byte> bytes;

    std::int64_t elements() const;
    /// "BF16 [2048, 256]".
    std::string text() const;
};

using TensorTable = std::map<std::string, TensorView, std::less<>>;

/// Elements [first, first + count) to `out`, widened exactly. Requires: the range is inside.
/// Throws Error unless the dtype is F32, F16 or BF16.
void to_floats(const TensorView& view, std::int64_t first, std::int64_t count, float* out);
/// The same for I32 and I64.
void to_integers(const TensorView& view, std::int64_t first, std::int64_t count, std::int64_t* out);

float f16_to_float(std::uint16_t bits);

/// The tensors of one file's bytes; the views point into `file`. Throws Error.
TensorTable parse_safetensors(std::span<const std::byte> file, std::string_view where);

/// The tensors of a checkpoint folder or of one file. The mappings live as long as this object.
class Checkpoint {
public:
    /// `path`: a folder with model.safetensors or model.safetensors.index.json, or one file.
    static Checkpoint open(const std::filesystem::path& path);

    /// In the order of their names.
    std::vector<std::string> names() const;
    /// Null when there is no such tensor.
    const TensorView* find(std::string_view name) const;
    /// Throws Error when there is no such tensor.
    const TensorView& at(std::string_view name) const;
    /// at(), and Error unless the shape is `shape`.
    const TensorView& at(std::string_view name, std::span<const std::int64_t> shape) const;

    /// The folder or file, for messages.
    const std::string& where() const { return where_; }

private:
    explicit Checkpoint(std::string where) : where_(std::move(where)) {}
    void add_file(const std::filesystem::path& path);
    void add_shards(const std::filesystem::path& folder);

    std::string where_;
    std::vector<core::MappedFile> files_;
    TensorTable tensors_;
};

}  // namespace model
