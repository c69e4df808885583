// A tensor of a checkpoint where it lies: in one run of bytes, or in pieces that are put together
// when they are read. Invariant: every run lies inside its file; nothing is copied whole.
// Halves are widened exactly; elements are little-endian.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.h"

namespace model {

/// The dtypes a file may hold; what can be computed with is tensor::DType.
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
/// All names, separated by ", ".
std::string known_stored_types();

/// How a tensor is put together that does not lie in one run of bytes.
struct Pieces {
    std::vector<std::span<const std::byte>> parts;  // of equal size, each row-major
    int axis = 0;                                   // along which they follow each other: 0, 1
    /// Above 0: rows per head. Pair i of a head's rows is (2i, 2i + 1) in the parts, as Meta
    /// stores it, and (i, i + half) in the view, as Hugging Face does.
    std::int64_t interleaved_head = 0;
};

/// A tensor where it lies in its file, row-major little-endian; `bytes` need not be aligned.
struct TensorView {
    StoredType dtype = StoredType::F32;
    std::vector<std::int64_t> shape;
    std::span<const std::byte> bytes;
    /// Set: a [rows, columns] in pieces, and `bytes` is empty.
    std::shared_ptr<const Pieces> pieces = nullptr;

    std::int64_t elements() const;
    /// The bytes from element `first` up to where they stop lying together.
    std::span<const std::byte> run(std::int64_t first) const;
    /// The bytes that hold rows [first, first + count) of the outermost axis, and at most the rest
    /// of their heads.
    std::vector<std::span<const std::byte>> rows(std::int64_t first, std::int64_t count) const;
    /// "BF16 [2048, 256]".
    std::string text() const;
};

/// Bytes of `view`'s shape in its dtype; nothing when they are 2^63 or more.
/// Requires: no axis is negative.
std::optional<core::Bytes> shape_bytes(const TensorView& view);

using TensorTable = std::map<std::string, TensorView, std::less<>>;

/// Elements [first, first + count) to `out`, widened exactly. Requires: the range is inside.
/// Throws Error unless the dtype is F32, F16 or BF16.
void to_floats(const TensorView& view, std::int64_t first, std::int64_t count, float* out);
/// The same for I32 and I64.
void to_integers(const TensorView& view, std::int64_t first, std::int64_t count, std::int64_t* out);

float f16_to_float(std::uint16_t bits);

}  // namespace model
