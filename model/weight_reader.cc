#include "model/weight_reader.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "model/rope.h"
#include "tensor/formats.h"

namespace model {

using dispatch::Buffer;
using tensor::Placement;
using tensor::Spec;

Range part_of(std::int64_t extent, const std::array<Placement, 2>& placed, int dim,
              mesh::Shape shape, mesh::Coord where) {
    Range range{0, extent};
    const std::array<std::int32_t, 2> index{where.row, where.col};
    for (const std::size_t axis : {std::size_t{0}, std::size_t{1}}) {
        const std::int64_t chips = shape.extent(static_cast<int>(axis));
        if (!placed[axis].is_sharded(dim) || chips == 1) continue;
        range.count /= chips;
        range.first += index[axis] * range.count;
    }
    return range;
}

Spec stripe_of(const Spec& weight) {
    constexpr std::int64_t kFloats = (std::int64_t{2} << 20) / 4;
    const tensor::Shape& shape = weight.shape;
    if (shape.rank() < 2) return weight;
    const std::int64_t cols = shape.cols();
    if (weight.layout == tensor::Layout::RowMajor) {
        const std::int64_t height = std::max<std::int64_t>(1, kFloats / cols);
        return {{std::min(height, shape.rows()), cols}, weight.dtype, weight.layout};
    }
    const std::int64_t tiles = kFloats / shape[-2] / tensor::kTileSide;
    const std::int64_t width = std::max<std::int64_t>(1, tiles) * tensor::kTileSide;
    return {{shape[-2], std::min(width, cols)}, weight.dtype, weight.layout};
}

namespace {

constexpr std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// The tensor's place of a stored row or column; -1 where a padded head has zeros.
std::int64_t unpadded(std::int64_t stored, const tensor::StoredHeads& map) {
    if (map.heads.empty()) return stored;
    const std::int64_t head = map.heads.at(at(stored / map.head_dim));
    return head < 0 ? -1 : head * map.head_dim + stored % map.head_dim;
}

// Column n of a head in Meta's interleaved layout comes from this row of the Hugging Face tensor:
// of the channels that turn, pair i is (i, i + half). -1: a column of zeros.
std::int64_t source_row(std::int64_t stored, const tensor::WeightSource& source) {
    const std::int64_t column = unpadded(stored, source.column_heads);
    if (column < 0) return -1;
    if (source.rope_head_dim == 0) return source.first_row + column;
    const std::int64_t turning = source.rope_dims > 0 ? source.rope_dims : source.rope_head_dim;
    const std::int64_t head = column / source.rope_head_dim * source.rope_head_dim;
    const std::int64_t within = column % source.rope_head_dim;
    const std::int64_t row = within < turning ? within / 2 + (within % 2) * (turning / 2) : within;
    return source.first_row + head + row;
}

std::int64_t rows_of(const tensor::WeightSource& source) {
    return source.rows > 0 ? source.rows : source.columns;
}

std::string with_number(std::string text, std::string_view mark, std::int64_t number) {
    const std::size_t place = text.find(mark);
    return place == std::string::npos ? text
                                      : text.replace(place, mark.size(), std::to_string(number));
}

void prefetch_rows(const TensorView& view, Range rows) {
    for (const auto bytes : view.rows(rows.first, rows.count)) core::prefetch(bytes);
}

void release_rows(const TensorView& view, Range rows) {
    for (const auto bytes : view.rows(rows.first, rows.count)) core::release(bytes);
}

// Neighbouring columns of one chip that come from one tensor [rows, depth].
struct Columns {
    const tensor::WeightSource* source = nullptr;
    const TensorView* view = nullptr;
    std::int64_t depth = 0;
    Range taken;             // of the source's columns
    std::int64_t first = 0;  // of the chip's columns
};

// One chip's [K, N] matrix: rows `k` of what its columns hold.
struct Matrix {
    Range k;
    std::int64_t columns = 0;
    std::vector<Columns> parts;
};

class PartReader {
public:
    PartReader(const Buffer& buffer, std::int32_t layer, mesh::Shape shape, mesh::Coord where,
               const Checkpoint& checkpoint, const Config& config)
        : buffer_(buffer),
          layer_(layer),
          shape_(shape),
          where_(where),
          checkpoint_(checkpoint),
          config_(config) {}

    void read(std::byte* target) {
        read_part(target);
        // A fault maps neighbouring pages as well, also of stripes that were given back.
        for (const TensorView* view : used_) release_rows(*view, {0, view->shape.front()});
    }

private:
    void read_part(std::byte* target) {
        const int rank = buffer_.spec.shape.rank();
        if (!has_values()) {
            std::memset(target, 0, at(buffer_.spec.bytes().value));
        } else if (buffer_.owner == dispatch::Owner::RopeTables) {
            pack(rope_values(), target);
        } else if (rank == 1) {
            pack(vector_values(), target);
        } else if (rank == 3) {
            read_experts(target);
        } else if (buffer_.spec.layout == tensor::Layout::RowMajor) {
            read_table(target);
        } else {
            read_matrix(matrix(), target);
        }
    }

    // Of a value in summands the first chip along the axis has all, the others zeros.
    bool has_values() const {
        return !(buffer_.placement[0].is_partial() && where_.row > 0) &&
               !(buffer_.placement[1].is_partial() && where_.col > 0);
    }

    Range part(std::int64_t extent, int dim) const {
        return part_of(extent, buffer_.placement, dim, shape_, where_);
    }

    // A tensor of weights, of the shape the network needs.
    const TensorView& tensor(const std::string& pattern, std::int64_t expert,
                             std::span<const std::int64_t> shape) {
        const std::string name =
            with_number(with_number(pattern, "{layer}", layer_), "{expert}", expert);
        const TensorView& view = checkpoint_.at(name, shape);
        const bool floats = view.dtype == StoredType::F32 || view.dtype == StoredType::F16 ||
                            view.dtype == StoredType::BF16;
        if (!floats) {
            throw core::Error::mismatch(checkpoint_.where(), name, "F32, F16 or BF16",
                                        model::name(view.dtype));
        }
        used_.push_back(&view);
        return view;
    }

    // A small value that is made whole.
    void pack(const std::vector<float>& values, std::byte* target) const {
        std::memset(target, 0, at(buffer_.spec.bytes().value));
        tensor::write_rows(buffer_.spec, target, 0, buffer_.spec.shape.rows(), values.data(),
                           tensor::Packer::Host);
    }

    // Hugging Face tensors [N, K] side by side.
    Matrix matrix() {
        const std::int64_t k_all = buffer_.global.shape[0];
        Matrix matrix{part(k_all, 0), buffer_.spec.shape[1], {}};
        std::int64_t column = 0;
        std::int64_t global_column = 0;
        const Range padded = part(buffer_.global.shape[1], 1);
        const bool one_source = buffer_.sources.size() == 1;
        for (const tensor::WeightSource& source : buffer_.sources) {
            const std::int64_t depth = source.depth > 0 ? source.depth : k_all;
            const std::array<std::int64_t, 2> expected{rows_of(source), depth};
            // A single source may be padded with zero columns: cut the padded width, then clip.
            // A split holds some columns of it.
            const Range n = one_source ? Range{padded.first + buffer_.first_column, matrix.columns}
                                       : part(source.columns, 1);
            matrix.parts.push_back(
                {&source, &tensor(source.tensor, -1, expected), depth, n, column});
            column += n.count;
            global_column += source.columns;
        }
        core::require(column == matrix.columns && global_column <= buffer_.global.shape[1],
                      "the sources of a weight fill its columns");
        return matrix;
    }

    // The experts of this chip one after another; `expert` counts all experts.
    void read_experts(std::byte* target) {
        const tensor::WeightSource& source = buffer_.sources.front();
        const std::int64_t k_all = buffer_.global.shape[1];
        const std::array<std::int64_t, 2> expected{rows_of(source), k_all};
        const Range experts = part(buffer_.global.shape[0], 0);
        const std::int64_t bytes = buffer_.spec.bytes().value / buffer_.spec.shape[0];
        for (std::int64_t i = 0; i < experts.count; ++i) {
            const TensorView& view = tensor(source.tensor, experts.first + i, expected);
            const Range n = part(buffer_.global.shape[2], 2);
            read_matrix({part(k_all, 1), n.count, {{&source, &view, k_all, n, 0}}},
                        target + i * bytes);
        }
    }

    void read_matrix(const Matrix& matrix, std::byte* target) const {
        const Spec whole{
            {matrix.k.count, matrix.columns}, buffer_.spec.dtype, tensor::Layout::Tile};
        const std::int64_t width = stripe_of(whole).shape.cols();
        std::vector<float> values;
        std::vector<std::byte> tiles;
        for (std::int64_t first = 0; first < matrix.columns; first += width) {
            const Range stripe{first, std::min(width, matrix.columns - first)};
            values.assign(at(matrix.k.count * stripe.count), 0.0F);
            for (const Columns& columns : matrix.parts) {
                read_columns(columns, matrix.k, stripe, values);
            }
            const Spec spec{{matrix.k.count, stripe.count}, whole.dtype, whole.layout};
            tiles.assign(at(spec.bytes().value), std::byte{0});
            tensor::write_rows(spec, tiles.data(), 0, matrix.k.count, values.data(),
                               tensor::Packer::Host);
            place(spec, tiles.data(), whole, first / tensor::kTileSide, target);
        }
    }

    // The tiles of a stripe into the matrix, whose tile column `column` is the stripe's first.
    static void place(const Spec& stripe, const std::byte* tiles, const Spec& whole,
                      std::int64_t column, std::byte* target) {
        const std::int64_t tile = whole.page_bytes().value;
        const std::int64_t line = stripe.tile_cols() * tile;
        for (std::int64_t row = 0; row < whole.tile_rows(); ++row) {
            std::memcpy(target + (row * whole.tile_cols() + column) * tile, tiles + row * line,
                        at(line));
        }
    }

    // What `columns` has of a stripe, to values [k, stripe].
    static void read_columns(const Columns& columns, Range k, Range stripe,
                             std::vector<float>& values) {
        const std::int64_t begin = std::max(stripe.first, columns.first);
        const std::int64_t end =
            std::min(stripe.first + stripe.count, columns.first + columns.taken.count);
        std::vector<float> column(at(k.count));
        std::int64_t lowest = columns.view->shape.front();
        std::int64_t highest = -1;
        for (std::int64_t n = begin; n < end; ++n) {
            const std::int64_t stored = columns.taken.first + n - columns.first;
            if (stored >= columns.source->columns) break;
            const std::int64_t row = source_row(stored, *columns.source);
            if (row < 0) continue;
            lowest = std::min(lowest, row);
            highest = std::max(highest, row);
            read_column(columns, row, k, column);
            float* target = values.data() + (n - stripe.first);
            for (std::int64_t r = 0; r < k.count; ++r) target[r * stripe.count] = column[at(r)];
        }
        if (highest < 0) return;
        release_rows(*columns.view, {lowest, highest - lowest + 1});
        const std::int64_t left = columns.view->shape.front() - highest - 1;
        prefetch_rows(*columns.view, {highest + 1, std::min(left, stripe.count)});
    }

    // Values `k` of a stored column, from row `row` of the tensor. What it does not have stays
    // zero.
    static void read_column(const Columns& columns, std::int64_t row, Range k,
                            std::vector<float>& column) {
        const tensor::StoredHeads& heads = columns.source->row_heads;
        if (heads.heads.empty()) {
            const std::int64_t count = std::min(k.count, columns.depth - k.first);
            if (count > 0) {
                to_floats(*columns.view, row * columns.depth + k.first, count, column.data());
            }
            return;
        }
        std::int64_t run = 0;
        for (std::int64_t i = 0; i < k.count; i += run) {
            const std::int64_t stored = k.first + i;
            run = std::min(k.count - i, heads.head_dim - stored % heads.head_dim);
            const std::int64_t from = unpadded(stored, heads);
            if (from < 0) continue;
            to_floats(*columns.view, row * columns.depth + from, run, column.data() + i);
        }
    }

    // Row-major tables: the same axis order as in the checkpoint.
    void read_table(std::byte* target) {
        const tensor::Shape& whole = buffer_.global.shape;
        const TensorView& view = tensor(buffer_.sources.front().tensor, -1, whole.extents());
        const Range cols = part(whole.cols(), whole.rank() - 1);
        const std::int64_t height = stripe_of(buffer_.global).shape.rows();
        std::vector<float> values;
        for (std::int64_t first = 0; first < whole.rows(); first += height) {
            const std::int64_t count = std::min(height, whole.rows() - first);
            values.resize(at(count * cols.count));
            for (std::int64_t r = 0; r < count; ++r) {
                to_floats(view, (first + r) * whole.cols() + cols.first, cols.count,
                          values.data() + r * cols.count);
            }
            tensor::write_rows(buffer_.spec, target, first, count, values.data(),
                               tensor::Packer::Host);
            release_rows(view, {first, count});
        }
    }

    // The sources of a vector end to end, each cut by itself.
    std::vector<float> vector_values() {
        std::vector<float> values(at(buffer_.spec.shape.elements()));
        std::int64_t column = 0;
        for (const tensor::WeightSource& source : buffer_.sources) {
            const std::array<std::int64_t, 1> expected{rows_of(source)};
            const TensorView& view = tensor(source.tensor, -1, expected);
            const Range n = part(source.columns, 0);
            for (std::int64_t i = 0; i < n.count; ++i) {
                const std::int64_t from = source_row(n.first + i, source);
                if (from >= 0) to_floats(view, from, 1, values.data() + column + i);
            }
            column += n.count;
        }
        core::require(column == buffer_.spec.shape[0], "the sources of a vector fill it");
        return values;
    }

    std::vector<float> rope_values() const {
        const std::int64_t context = buffer_.spec.shape[0];
        const RopeTable rope = rope_table(config_, context);
        const bool cosine = buffer_.name.ends_with("cos");
        const std::int64_t dim = buffer_.spec.shape[1];
        std::vector<float> values(at(buffer_.spec.shape.elements()));
        for (std::int64_t position = 0; position < context; ++position) {
            for (std::int64_t i = 0; i < dim; ++i) {
                float& value = values[at(position * dim + i)];
                if (at(i / 2) >= rope.frequencies.size()) {
                    value = cosine ? 1.0F : 0.0F;  // channels that do not turn
                    continue;
                }
                // The reference computes the angle in float32, as Hugging Face does.
                const float angle =
                    static_cast<float>(position) * static_cast<float>(rope.frequencies[at(i / 2)]);
                const auto wide = static_cast<double>(angle);
                value = static_cast<float>((cosine ? std::cos(wide) : std::sin(wide)) * rope.scale);
            }
        }
        return values;
    }

    const Buffer& buffer_;
    std::int32_t layer_;
    mesh::Shape shape_;
    mesh::Coord where_;
    const Checkpoint& checkpoint_;
    const Config& config_;
    std::vector<const TensorView*> used_;
};

}  // namespace

void read_weight(const Buffer& buffer, std::int32_t layer, mesh::Shape shape, mesh::Coord where,
                 const Checkpoint& checkpoint, const Config& config, std::byte* target) {
    PartReader(buffer, layer, shape, where, checkpoint, config).read(target);
}

std::vector<float> assemble_rows(const Buffer& buffer, mesh::Shape shape,
                                 const dispatch::HostData& data, Range wanted) {
    const tensor::Shape& whole = buffer.global.shape;
    std::vector<float> values(at(wanted.count * whole.cols()));
    for (const std::int32_t chip : dispatch::holders(buffer, shape)) {
        const mesh::Coord where = shape.coord(chip);
        const Range cols = part_of(whole.cols(), buffer.placement, whole.rank() - 1, shape, where);
        const Range rows = part_of(whole.rows(), buffer.placement, 0, shape, where);
        const std::int64_t end = std::min(rows.first + rows.count, wanted.first + wanted.count);
        std::vector<float> row(at(cols.count));
        for (std::int64_t r = std::max(rows.first, wanted.first); r < end; ++r) {
            tensor::read_rows(buffer.spec, data[at(chip)].data(), r - rows.first, 1, row.data());
            std::copy(row.begin(), row.end(),
                      values.begin() + (r - wanted.first) * whole.cols() + cols.first);
        }
    }
    return values;
}

}  // namespace model
