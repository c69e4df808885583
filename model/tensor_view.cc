#include "model/tensor_view.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>

#include "core/error.h"

namespace model {

static_assert(std::endian::native == std::endian::little, "views are read in place");

namespace {

using core::Error;

constexpr std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

struct TypeRow {
    StoredType type;
    std::string_view name;
    std::int64_t bytes;
};

constexpr std::array kTypes{
    TypeRow{StoredType::Bool, "BOOL", 1},      TypeRow{StoredType::U8, "U8", 1},
    TypeRow{StoredType::I8, "I8", 1},          TypeRow{StoredType::F8E5M2, "F8_E5M2", 1},
    TypeRow{StoredType::F8E4M3, "F8_E4M3", 1}, TypeRow{StoredType::I16, "I16", 2},
    TypeRow{StoredType::U16, "U16", 2},        TypeRow{StoredType::F16, "F16", 2},
    TypeRow{StoredType::BF16, "BF16", 2},      TypeRow{StoredType::I32, "I32", 4},
    TypeRow{StoredType::U32, "U32", 4},        TypeRow{StoredType::F32, "F32", 4},
    TypeRow{StoredType::F64, "F64", 8},        TypeRow{StoredType::I64, "I64", 8},
    TypeRow{StoredType::U64, "U64", 8},
};

const TypeRow& row_of(StoredType type) {
    const auto row = std::find_if(kTypes.begin(), kTypes.end(),
                                  [&](const TypeRow& entry) { return entry.type == type; });
    core::require(row != kTypes.end(), "every StoredType has a row");
    return *row;
}

// The row of Meta's order that is row `row` of Hugging Face's.
std::int64_t interleaved_row(std::int64_t row, std::int64_t head) {
    const std::int64_t within = row % head;
    const std::int64_t half = head / 2;
    return row - within + 2 * (within % half) + within / half;
}

std::span<const std::byte> run_of_pieces(const TensorView& view, std::int64_t first) {
    const Pieces& pieces = *view.pieces;
    const auto count = static_cast<std::int64_t>(pieces.parts.size());
    const std::int64_t columns = view.shape[1];
    const std::int64_t column = first % columns;
    std::int64_t row = first / columns;
    if (pieces.interleaved_head > 0) row = interleaved_row(row, pieces.interleaved_head);
    const std::int64_t bytes = element_bytes(view.dtype).value;
    if (pieces.axis == 0) {
        const std::int64_t rows = view.shape[0] / count;
        return pieces.parts[at(row / rows)].subspan(at((row % rows * columns + column) * bytes),
                                                    at((columns - column) * bytes));
    }
    const std::int64_t wide = columns / count;
    const std::int64_t within = column % wide;
    return pieces.parts[at(column / wide)].subspan(at((row * wide + within) * bytes),
                                                   at((wide - within) * bytes));
}

// Calls take(bytes, elements, out) for each run of [first, first + count).
template <class Out, class Take>
void for_runs(const TensorView& view, std::int64_t first, std::int64_t count, Out* out, Take take) {
    core::require(first >= 0 && count >= 0 && first <= view.elements() - count,
                  "elements read from a tensor lie inside it");
    const std::int64_t bytes = element_bytes(view.dtype).value;
    while (count > 0) {
        const std::span<const std::byte> run = view.run(first);
        const std::int64_t elements =
            std::min(count, static_cast<std::int64_t>(run.size()) / bytes);
        take(run.data(), elements, out);
        first += elements;
        count -= elements;
        out += elements;
    }
}

template <class From, class To>
void copy_elements(const std::byte* at, std::int64_t count, To* out) {
    for (std::int64_t i = 0; i < count; ++i, at += sizeof(From)) {
        From value;
        std::memcpy(&value, at, sizeof value);
        out[i] = static_cast<To>(value);
    }
}

template <class Widen>
void widen_halves(const std::byte* at, std::int64_t count, float* out, Widen widen) {
    for (std::int64_t i = 0; i < count; ++i, at += 2) {
        std::uint16_t bits;
        std::memcpy(&bits, at, sizeof bits);
        out[i] = widen(bits);
    }
}

}  // namespace

core::Bytes element_bytes(StoredType type) { return {row_of(type).bytes}; }

std::string_view name(StoredType type) { return row_of(type).name; }

std::optional<StoredType> parse_stored_type(std::string_view text) {
    for (const TypeRow& row : kTypes) {
        if (row.name == text) return row.type;
    }
    return std::nullopt;
}

std::string known_stored_types() {
    std::string text;
    for (const TypeRow& row : kTypes) text.append(text.empty() ? "" : ", ").append(row.name);
    return text;
}

std::optional<core::Bytes> shape_bytes(const TensorView& view) {
    if (std::find(view.shape.begin(), view.shape.end(), 0) != view.shape.end()) {
        return core::Bytes{0};
    }
    std::int64_t bytes = element_bytes(view.dtype).value;
    for (const std::int64_t axis : view.shape) {
        if (__builtin_mul_overflow(bytes, axis, &bytes)) return std::nullopt;
    }
    return core::Bytes{bytes};
}

std::int64_t TensorView::elements() const {
    if (pieces) return shape[0] * shape[1];
    return core::Bytes{static_cast<std::int64_t>(bytes.size())} / element_bytes(dtype);
}

std::span<const std::byte> TensorView::run(std::int64_t first) const {
    return pieces ? run_of_pieces(*this, first)
                  : bytes.subspan(at(first * element_bytes(dtype).value));
}

std::vector<std::span<const std::byte>> TensorView::rows(std::int64_t first,
                                                         std::int64_t count) const {
    const std::int64_t all = shape.empty() ? 1 : shape.front();
    core::require(first >= 0 && count >= 0 && first <= all - count, "rows lie in the tensor");
    const std::int64_t row = all == 0 ? 0 : elements() / all * element_bytes(dtype).value;
    if (!pieces) return {bytes.subspan(at(first * row), at(count * row))};
    const auto parts = static_cast<std::int64_t>(pieces->parts.size());
    const std::int64_t head = std::max<std::int64_t>(1, pieces->interleaved_head);
    const std::int64_t begin = first / head * head;
    const std::int64_t end = std::min(all, core::round_up(first + count, head));
    std::vector<std::span<const std::byte>> spans;
    for (std::int64_t i = 0; i < parts; ++i) {
        if (pieces->axis == 1) {
            const std::int64_t wide = row / parts;
            spans.push_back(
                pieces->parts[at(i)].subspan(at(begin * wide), at((end - begin) * wide)));
            continue;
        }
        const std::int64_t height = all / parts;
        const std::int64_t low = std::clamp<std::int64_t>(begin - i * height, 0, height);
        const std::int64_t high = std::clamp<std::int64_t>(end - i * height, 0, height);
        spans.push_back(pieces->parts[at(i)].subspan(at(low * row), at((high - low) * row)));
    }
    return spans;
}

std::string TensorView::text() const {
    std::string out(name(dtype));
    out.append(" [");
    for (std::size_t i = 0; i < shape.size(); ++i) {
        out.append(i == 0 ? "" : ", ").append(std::to_string(shape[i]));
    }
    return out.append("]");
}

float f16_to_float(std::uint16_t bits) {
    const std::uint32_t sign = static_cast<std::uint32_t>(bits & 0x8000u) << 16;
    const std::uint32_t exponent = (bits >> 10) & 0x1fu;
    const std::uint32_t mantissa = bits & 0x3ffu;
    if (exponent == 0) {
        // Zero or subnormal: mantissa x 2^-24, exact in fp32.
        const float magnitude = static_cast<float>(mantissa) * 0x1p-24f;
        return std::bit_cast<float>(sign | std::bit_cast<std::uint32_t>(magnitude));
    }
    const std::uint32_t wide = exponent == 0x1f ? 0xffu : exponent + (127 - 15);
    return std::bit_cast<float>(sign | (wide << 23) | (mantissa << 13));
}

void to_floats(const TensorView& view, std::int64_t first, std::int64_t count, float* out) {
    switch (view.dtype) {
        case StoredType::F32:
            return for_runs(view, first, count, out, copy_elements<float, float>);
        case StoredType::F16:
            return for_runs(view, first, count, out,
                            [](const std::byte* from, std::int64_t elements, float* to) {
                                widen_halves(from, elements, to, f16_to_float);
                            });
        case StoredType::BF16:
            return for_runs(view, first, count, out,
                            [](const std::byte* from, std::int64_t elements, float* to) {
                                widen_halves(from, elements, to, [](std::uint16_t bits) {
                                    return std::bit_cast<float>(std::uint32_t{bits} << 16);
                                });
                            });
        default:
            throw Error::mismatch("weights", "dtype", "F32, F16 or BF16", name(view.dtype));
    }
}

void to_integers(const TensorView& view, std::int64_t first, std::int64_t count,
                 std::int64_t* out) {
    if (view.dtype == StoredType::I32) {
        return for_runs(view, first, count, out, copy_elements<std::int32_t, std::int64_t>);
    }
    if (view.dtype == StoredType::I64) {
        return for_runs(view, first, count, out, copy_elements<std::int64_t, std::int64_t>);
    }
    throw Error::mismatch("tensor", "dtype", "I32 or I64", name(view.dtype));
}

}  // namespace model
