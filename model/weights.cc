#include "model/weights.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "core/error.h"
#include "core/parallel.h"
#include "model/rope.h"
#include "tensor/formats.h"

namespace model {
namespace {

using dispatch::Buffer;
using tensor::Placement;
using tensor::Spec;

constexpr std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// The part of one axis that a chip holds.
struct Range {
    std::int64_t first = 0;
    std::int64_t count = 0;
};

Range part_of(std::int64_t extent, const std::array<Placement, 2>& placed, int dim,
              mesh::Shape shape, mesh::Coord where) {
    Range range{0, extent};
    const std::array<std::int32_t, 2> index{where.row, where.col};
    for (const int axis : {0, 1}) {
        const std::int64_t chips = shape.extent(axis);
        if (!placed[at(axis)].is_sharded(dim) || chips == 1) continue;
        range.count /= chips;
        range.first += index[at(axis)] * range.count;
    }
    return range;
}

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

std::string tensor_name(const std::string& pattern, std::int32_t layer) {
    return with_number(pattern, "{layer}", layer);
}

// A tensor of weights, of the shape the network needs.
const TensorView& weight_tensor(const Checkpoint& checkpoint, const std::string& name,
                                std::span<const std::int64_t> shape) {
    const TensorView& view = checkpoint.at(name, shape);
    const bool floats = view.dtype == StoredType::F32 || view.dtype == StoredType::F16 ||
                        view.dtype == StoredType::BF16;
    if (!floats) {
        throw core::Error::mismatch(checkpoint.where(), name, "F32, F16 or BF16",
                                    model::name(view.dtype));
    }
    return view;
}

// Values [k.first, k.first + k.count) of a stored column, from row `row` of the tensor
// [rows, depth]. What the tensor does not have stays zero.
void read_column(const TensorView& view, std::int64_t row, std::int64_t depth,
                 const tensor::StoredHeads& heads, Range k, std::vector<float>& column) {
    if (heads.heads.empty()) {
        const std::int64_t count = std::min(k.count, depth - k.first);
        if (count > 0) to_floats(view, row * depth + k.first, count, column.data());
        return;
    }
    std::int64_t run = 0;
    for (std::int64_t i = 0; i < k.count; i += run) {
        const std::int64_t stored = k.first + i;
        run = std::min(k.count - i, heads.head_dim - stored % heads.head_dim);
        const std::int64_t from = unpadded(stored, heads);
        if (from >= 0) to_floats(view, row * depth + from, run, column.data() + i);
    }
}

// One chip's [K, N] part of a matrix stored as Hugging Face [N, K] tensors side by side.
void read_matrix(const Buffer& buffer, std::int32_t layer, const Checkpoint& checkpoint,
                 mesh::Shape shape, mesh::Coord where, std::vector<float>& out) {
    const std::int64_t k_all = buffer.global.shape[0];
    const std::int64_t n_local = buffer.spec.shape[1];
    const Range k = part_of(k_all, buffer.placement, 0, shape, where);
    std::int64_t column = 0;
    std::int64_t global_column = 0;
    const Range padded = part_of(buffer.global.shape[1], buffer.placement, 1, shape, where);
    const bool one_source = buffer.sources.size() == 1;
    for (const tensor::WeightSource& source : buffer.sources) {
        const std::int64_t depth = source.depth > 0 ? source.depth : k_all;
        const std::array<std::int64_t, 2> expected{rows_of(source), depth};
        const TensorView& view =
            weight_tensor(checkpoint, tensor_name(source.tensor, layer), expected);
        // A single source may be padded with zero columns: cut the padded width, then clip.
        // A split holds some columns of it.
        const Range n = one_source ? Range{padded.first + buffer.first_column, n_local}
                                   : part_of(source.columns, buffer.placement, 1, shape, where);
        std::vector<float> row(at(k.count));
        for (std::int64_t i = 0; i < n.count && n.first + i < source.columns; ++i) {
            const std::int64_t from = source_row(n.first + i, source);
            if (from < 0) continue;
            read_column(view, from, depth, source.row_heads, k, row);
            float* target = out.data() + column + i;
            for (std::int64_t r = 0; r < k.count; ++r) target[r * n_local] = row[at(r)];
        }
        column += n.count;
        global_column += source.columns;
    }
    core::require(column == n_local && global_column <= buffer.global.shape[1],
                  "the sources of a weight fill its columns");
}

// One chip's [K, N] part of one expert, [N, K] in the checkpoint. `expert` counts all experts.
void read_expert(const Buffer& buffer, std::int32_t layer, std::int64_t expert,
                 const Checkpoint& checkpoint, mesh::Shape shape, mesh::Coord where,
                 std::vector<float>& out) {
    const tensor::WeightSource& source = buffer.sources.front();
    const std::int64_t k_all = buffer.global.shape[1];
    const Range k = part_of(k_all, buffer.placement, 1, shape, where);
    const Range n = part_of(buffer.global.shape[2], buffer.placement, 2, shape, where);
    const std::array<std::int64_t, 2> expected{rows_of(source), k_all};
    const std::string name = with_number(tensor_name(source.tensor, layer), "{expert}", expert);
    const TensorView& view = weight_tensor(checkpoint, name, expected);
    std::vector<float> row(at(k.count));
    for (std::int64_t i = 0; i < n.count; ++i) {
        to_floats(view, source_row(n.first + i, source) * k_all + k.first, k.count, row.data());
        for (std::int64_t r = 0; r < k.count; ++r) out[at(r * n.count + i)] = row[at(r)];
    }
}

// One chip's part of a vector: its sources end to end, each cut by itself.
void read_vector(const Buffer& buffer, std::int32_t layer, const Checkpoint& checkpoint,
                 mesh::Shape shape, mesh::Coord where, std::vector<float>& out) {
    std::int64_t at_column = 0;
    for (const tensor::WeightSource& source : buffer.sources) {
        const std::array<std::int64_t, 1> expected{rows_of(source)};
        const TensorView& view =
            weight_tensor(checkpoint, tensor_name(source.tensor, layer), expected);
        const Range n = part_of(source.columns, buffer.placement, 0, shape, where);
        for (std::int64_t i = 0; i < n.count; ++i) {
            const std::int64_t from = source_row(n.first + i, source);
            if (from >= 0) to_floats(view, from, 1, out.data() + at_column + i);
        }
        at_column += n.count;
    }
    core::require(at_column == buffer.spec.shape[0], "the sources of a vector fill it");
}

// Row-major tables: the same axis order as in the checkpoint.
void read_table(const Buffer& buffer, std::int32_t layer, const Checkpoint& checkpoint,
                mesh::Shape shape, mesh::Coord where, std::vector<float>& out) {
    const tensor::Shape& whole = buffer.global.shape;
    const auto extents = whole.extents();
    const TensorView& view =
        weight_tensor(checkpoint, tensor_name(buffer.sources.front().tensor, layer), extents);
    const int last = whole.rank() - 1;
    const Range cols = part_of(whole.cols(), buffer.placement, last, shape, where);
    for (std::int64_t r = 0; r < whole.rows(); ++r) {
        to_floats(view, r * whole.cols() + cols.first, cols.count, out.data() + r * cols.count);
    }
}

void make_rope_table(const Buffer& buffer, const Config& config, std::vector<float>& out) {
    const std::int64_t context = buffer.spec.shape[0];
    const RopeTable rope = rope_table(config, context);
    const bool cosine = buffer.name.ends_with("cos");
    const std::int64_t dim = buffer.spec.shape[1];
    for (std::int64_t position = 0; position < context; ++position) {
        for (std::int64_t i = 0; i < dim; ++i) {
            float& value = out[at(position * dim + i)];
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
}

class Loader {
public:
    Loader(const dispatch::Program& program, const dispatch::Session& session,
           dispatch::Executor& executor, const Checkpoint& checkpoint, const Config& config)
        : program_(program),
          session_(session),
          executor_(executor),
          checkpoint_(checkpoint),
          config_(config) {}

    void load(const Buffer& buffer, std::int32_t instance) const {
        const mesh::Shape shape = program_.shape;
        const dispatch::DeviceBuffer& placed = session_.persistent(buffer.name, instance);
        for (std::int32_t chip = 0; chip < shape.chips(); ++chip) {
            const mesh::Coord where = shape.coord(chip);
            std::byte* target = executor_.data(placed.operand, chip);
            const std::int32_t twin = same_part(buffer, where);
            if (twin < chip) {
                const std::byte* source = executor_.data(placed.operand, twin);
                std::memcpy(target, source, at(buffer.spec.bytes().value));
                continue;
            }
            const std::int32_t layer = buffer.first_layer + instance;
            if (buffer.spec.shape.rank() == 3) {
                load_experts(buffer, layer, where, target);
                continue;
            }
            std::vector<float> values(at(buffer.spec.shape.elements()));
            if (has_values(buffer, where)) read(buffer, layer, where, values);
            tensor::write_rows(buffer.spec, target, 0, buffer.spec.shape.rows(), values.data(),
                               tensor::Packer::Host);
        }
    }

private:
    // The first chip that holds the same part as the one at `where`.
    std::int32_t same_part(const Buffer& buffer, mesh::Coord where) const {
        mesh::Coord first = where;
        if (buffer.placement[0].is_replicated()) first.row = 0;
        if (buffer.placement[1].is_replicated()) first.col = 0;
        return program_.shape.index(first);
    }

    // Of a value in summands the first chip along the axis has all, the others zeros.
    static bool has_values(const Buffer& buffer, mesh::Coord where) {
        return !(buffer.placement[0].is_partial() && where.row > 0) &&
               !(buffer.placement[1].is_partial() && where.col > 0);
    }

    // Experts one by one: all of them as floats would be several times the checkpoint's layer.
    void load_experts(const Buffer& buffer, std::int32_t layer, mesh::Coord where,
                      std::byte* target) const {
        const tensor::Shape& local = buffer.spec.shape;
        const Range experts =
            part_of(buffer.global.shape[0], buffer.placement, 0, program_.shape, where);
        std::vector<float> values(at(local[1] * local[2]));
        for (std::int64_t i = 0; i < experts.count; ++i) {
            read_expert(buffer, layer, experts.first + i, checkpoint_, program_.shape, where,
                        values);
            tensor::write_rows(buffer.spec, target, i * local[1], local[1], values.data(),
                               tensor::Packer::Host);
        }
    }

    void read(const Buffer& buffer, std::int32_t layer, mesh::Coord where,
              std::vector<float>& values) const {
        if (buffer.owner == dispatch::Owner::RopeTables) {
            make_rope_table(buffer, config_, values);
        } else if (buffer.spec.shape.rank() == 1) {
            read_vector(buffer, layer, checkpoint_, program_.shape, where, values);
        } else if (buffer.spec.layout == tensor::Layout::RowMajor) {
            read_table(buffer, layer, checkpoint_, program_.shape, where, values);
        } else {
            read_matrix(buffer, layer, checkpoint_, program_.shape, where, values);
        }
    }

    const dispatch::Program& program_;
    const dispatch::Session& session_;
    dispatch::Executor& executor_;
    const Checkpoint& checkpoint_;
    const Config& config_;
};

}  // namespace

void load_weights(const dispatch::Program& program, const dispatch::Session& session,
                  dispatch::Executor& executor, const Checkpoint& checkpoint, const Config& config,
                  std::set<std::string>& loaded) {
    const Loader loader(program, session, executor, checkpoint, config);
    std::vector<std::pair<const Buffer*, std::int32_t>> jobs;
    for (const Buffer& buffer : program.buffers) {
        if (buffer.kind != tensor::ValueKind::Weight) continue;
        if (!loaded.insert(buffer.name).second) continue;
        for (std::int32_t i = 0; i < buffer.instances; ++i) jobs.emplace_back(&buffer, i);
    }
    core::parallel_for(jobs.size(), [&](std::size_t index) {
        loader.load(*jobs[index].first, jobs[index].second);
    });
}

std::vector<float> assemble(const Buffer& buffer, mesh::Shape shape,
                            const dispatch::HostData& data) {
    const tensor::Shape& whole = buffer.global.shape;
    const int last = whole.rank() - 1;
    std::vector<float> values(at(whole.elements()));
    for (const std::int32_t chip : dispatch::holders(buffer, shape)) {
        const mesh::Coord where = shape.coord(chip);
        const Range cols = part_of(whole.cols(), buffer.placement, last, shape, where);
        const Range rows = part_of(whole.rows(), buffer.placement, 0, shape, where);
        std::vector<float> row(at(cols.count));
        for (std::int64_t r = 0; r < rows.count; ++r) {
            tensor::read_rows(buffer.spec, data[at(chip)].data(), r, 1, row.data());
            std::copy(row.begin(), row.end(),
                      values.begin() + (rows.first + r) * whole.cols() + cols.first);
        }
    }
    return values;
}

}  // namespace model
