#include "dispatch/kernel_question.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/error.h"
#include "mesh/kernel_spec.h"

namespace dispatch {
namespace {

using core::ceil_div;
using tensor::kTileSide;
using tensor::Spec;

// Passes over the tiles of a norm, as its compute kernels go: squares and their sum; times 1/rms
// and the weight; a layer norm also takes the mean away and adds a bias (layernorm.cpp,
// rmsnorm_pre_allgather.cpp, rmsnorm_post_allgather.cpp).
constexpr double kStatsPasses = 2;
constexpr double kApplyPasses = 3;
constexpr double kLayerNormPasses = 7;
constexpr double kRotaryPasses = 4;
constexpr double kTilesOfRegisters = 4;  // fp32 sums in half of them
// Softmax: maximum, difference, sum, product; the exponential and the reciprocal apart.
constexpr double kSoftmaxPasses = 4;
// generate_reduce_scaler and generate_bcast_scalar of their readers.
constexpr double kScaleTiles = 2;
// padded_slice and slice_write move rows of up to so many bytes behind one wait (max_read_size of
// their program factories).
constexpr double kRowBatch = 4096;
// A data-movement core loads an element of L1 (tenstorrent/tt-isa-documentation:
// TensixTile/BabyRISCV: a load of L1 takes 8 cycles) and stores it.
constexpr double kElementCycles = 8;

// A core's share of a sharded tensor, in tiles.
struct Share {
    std::int64_t rows = 1;
    std::int64_t cols = 1;
    std::int64_t tiles() const { return rows * cols; }
};

std::int64_t all_tile_rows(const Spec& spec) { return spec.tile_rows() * spec.shape.outer(); }

double tile_of(const Spec& spec) {
    return static_cast<double>(tensor::tile_bytes(spec.dtype).value);
}

double as_double(std::int64_t value) { return static_cast<double>(value); }
double cycles_of(core::Cycles cycles) { return as_double(cycles.value); }

bool is_sharded(const KernelOperand& operand) { return operand.place() == Place::Local; }

// Block sharding: the squarest grid of so many cores, its longer side along the rows.
Share share_of(const KernelOperand& operand, std::int32_t cores) {
    const Spec& spec = operand.spec;
    const std::int64_t rows = all_tile_rows(spec);
    std::int64_t row_cores = 1;
    std::int64_t col_cores = 1;
    if (operand.memory.layout == MemoryLayout::WidthSharded) {
        col_cores = cores;
    } else if (operand.memory.layout == MemoryLayout::BlockSharded) {
        for (std::int64_t side = 1; side * side <= cores; ++side) {
            if (cores % side == 0) col_cores = side;
        }
        row_cores = cores / col_cores;
    } else {
        row_cores = cores;
    }
    return {ceil_div(rows, row_cores), ceil_div(spec.tile_cols(), col_cores)};
}

// Rows of tiles over the cores; fewer of them than cores are cut along their columns.
Share rows_over(const KernelOperand& operand, std::int32_t cores) {
    if (is_sharded(operand)) return share_of(operand, cores);
    const std::int64_t rows = all_tile_rows(operand.spec);
    const std::int64_t cols = operand.spec.tile_cols();
    if (rows >= cores) return {ceil_div(rows, std::int64_t{cores}), cols};
    return {1, ceil_div(rows * cols, std::int64_t{cores})};
}

// Of the 32 rows of a tile, those that are not padding, on average.
double valid_rows(const Spec& spec) {
    const std::int64_t rows = spec.shape.rank() < 2 ? 1 : spec.shape[-2];
    return as_double(rows) / as_double(ceil_div(rows, kTileSide));
}

/// Builds the work of one question.
class Builder {
public:
    Builder(const KernelQuestion& question, const mesh::ChipSpec& chip)
        : question_(question), chip_(chip), spec_(chip.kernels->stream) {
        work_.cores = question.cores;
        for (const KernelOperand& operand : question.in) {
            if (operand.place() == Place::Dram) work_.dram_read += operand.moved;
        }
        if (out().place() == Place::Dram) work_.dram_written = out().moved;
    }

    KernelWork build();

private:
    const KernelOperand& first() const { return question_.in.front(); }
    const KernelOperand& out() const { return question_.out; }
    double fpu() const { return as_double(chip_.eltwise_tile_cycles); }
    std::int64_t per_core(std::int64_t count) const {
        return ceil_div(count, std::int64_t{question_.cores});
    }
    double moved(Place place, double pages, double bytes, double batch) const {
        return stream_cycles({place, pages, bytes, batch}, chip_);
    }
    double page_of(const KernelOperand& operand) const {
        return as_double(operand.spec.page_bytes().value);
    }
    std::int64_t local_tiles(const KernelOperand& operand) const {
        return is_sharded(operand) ? share_of(operand, question_.cores).tiles()
                                   : per_core(operand.pages());
    }

    void pages(std::int64_t steps, double compute);
    void copy();
    void shards();
    void unary();
    void binary();
    void tilize();
    void untilize();
    void transpose() { pages(local_tiles(out()), fpu()); }
    void rows_of_tiles();
    void reduce();
    void accumulate();
    void elements();
    void padded_slice();
    void slice_write();
    void halo();
    double untilize_cycles(std::int64_t cols) const {
        return as_double(cols) * fpu() + cycles_of(spec_.untilize_row);
    }
    void choose() { pages(local_tiles(first()), 3 * cycles_of(spec_.slow_sfpu_tile)); }
    void rearrange();
    void norm();
    void embed();
    void gather();
    void rotary();
    void update();

    static const std::array<std::pair<KernelKind, void (Builder::*)()>, 35> kParts;

    const KernelQuestion& question_;
    const mesh::ChipSpec& chip_;
    const mesh::StreamSpec& spec_;
    KernelWork work_;
};

// A page in, a page out, one at a time.
void Builder::pages(std::int64_t steps, double compute) {
    work_.steps = steps;
    work_.read_cycles = moved(first().place(), 1, page_of(first()), 1);
    work_.write_cycles = moved(out().place(), 1, page_of(out()), 1);
    work_.compute_cycles = compute;
}

// Both tiles behind one wait. A number or a row is spread over a tile by the core that reads it:
// a number once, rows and columns for every tile.
void Builder::binary() {
    const bool gated = question_.kind == KernelKind::GatedBinary;
    const double compute = fpu() + (gated ? cycles_of(spec_.slow_sfpu_tile) : 0);
    const KernelOperand* second = question_.in.size() > 1 ? &question_.in[1] : nullptr;
    pages(local_tiles(out()), compute);
    if (second == nullptr) {
        work_.once_cycles = cycles_of(spec_.fill_tile);
        return;
    }
    const double page = page_of(*second);
    if (second->spec.shape.elements() == 1) {
        work_.once_cycles = cycles_of(spec_.fill_tile) + moved(second->place(), 1, page, 1);
    } else if (second->spec.shape.elements() < first().spec.shape.elements()) {
        work_.read_cycles += cycles_of(spec_.fill_tile);
    } else if (first().place() == second->place()) {
        work_.read_cycles = moved(first().place(), 2, page, 2);
    } else {
        work_.read_cycles += moved(second->place(), 1, page, 1);
    }
}

// Tiles of a shard go in one batch; rows come from DRAM one by one, by their width in the shard.
void Builder::shards() {
    if (question_.kind == KernelKind::Move) {
        const double rate = as_double(chip_.core_l1.value) / as_double(chip_.clock.value);
        work_.compute_cycles = as_double(per_core(out().moved.value)) / rate;
        return;
    }
    const bool leaving = question_.kind == KernelKind::ShardedToInterleaved;
    const KernelOperand& shard = leaving ? first() : out();
    const Share share = share_of(shard, question_.cores);
    const bool tiles = shard.spec.layout == tensor::Layout::Tile;
    const double count = as_double(tiles ? share.tiles() : share.rows * kTileSide);
    const double width = as_double(share.cols) / as_double(shard.spec.tile_cols());
    const double bytes = tiles ? page_of(shard) : page_of(shard) * width;
    if (leaving) {
        if (out().place() == Place::Dram) work_.dram_written = shard.moved;
        work_.write_cycles = moved(out().place(), count, bytes, count);
    } else if (question_.kind == KernelKind::Reshard) {
        work_.read_cycles = moved(Place::L1, count, bytes, count);
    } else {
        work_.read_cycles = moved(first().place(), count, bytes, tiles ? count : 1);
        if (first().place() == Place::Dram) work_.dram_read = out().moved;
    }
}

void Builder::tilize() {
    const bool padded = question_.kind == KernelKind::TilizePadded;
    const Share share = rows_over(out(), question_.cores);
    const Spec& rows = first().spec;
    const double width = as_double(share.cols) / as_double(out().spec.tile_cols());
    const double valid = padded ? valid_rows(rows) : as_double(kTileSide);
    work_.steps = share.rows;
    work_.read_cycles = moved(first().place(), valid, as_double(rows.page_bytes().value) * width,
                              padded ? 1 : valid);
    if (padded) {
        const double full = as_double(rows.shape.cols()) /
                            as_double(out().spec.tile_cols() * kTileSide) * valid / kTileSide;
        work_.read_cycles += cycles_of(spec_.fill_tile) * as_double(share.cols) * (1 - full);
    }
    work_.compute_cycles = as_double(share.cols) * fpu();
    work_.write_cycles = moved(out().place(), as_double(share.cols), page_of(out()), 1);
}

void Builder::untilize() {
    const bool padded = question_.kind == KernelKind::UntilizePadded;
    const Share share = rows_over(first(), question_.cores);
    const Spec& rows = out().spec;
    const double width = as_double(share.cols) / as_double(first().spec.tile_cols());
    const double valid = padded ? valid_rows(rows) : as_double(kTileSide);
    work_.steps = share.rows;
    work_.read_cycles = moved(first().place(), as_double(share.cols), page_of(first()), 1);
    work_.compute_cycles = untilize_cycles(share.cols);
    work_.write_cycles =
        moved(out().place(), valid, as_double(rows.page_bytes().value) * width, padded ? 1 : valid);
}

// Tiles put together from rows of others: two pieces, of 16 elements, per row.
void Builder::rearrange() {
    const Spec& in = first().spec;
    const Place place = first().place();
    if (out().spec.layout != tensor::Layout::Tile) {
        work_.steps = per_core(std::max(in.pages(), out().spec.pages()));
        work_.read_cycles = moved(place, 1, std::min(page_of(first()), page_of(out())), 1);
        return;
    }
    // Reports may count padding as rows; it cannot come from anywhere.
    const double share = as_double(in.shape.elements()) / as_double(out().spec.shape.elements());
    const double valid = valid_rows(out().spec) * std::min(share, 1.0);
    const double piece = tile_of(in) / 64;
    const double issue = cycles_of(spec_.page_issue);
    pages(per_core(out().spec.tiles()), 0);
    if (question_.kind == KernelKind::SwapRows) {
        work_.read_cycles = moved(place, 2 * valid, piece, 2 * valid);
    } else if (question_.kind == KernelKind::Permute) {
        work_.read_cycles = valid * moved(place, 2, piece, 2) + (kTileSide - valid) * issue;
    } else {
        const bool same_width = in.shape.cols() == out().spec.shape.cols();
        const double tiles = same_width ? std::min(valid, 1 + valid / valid_rows(in)) : valid;
        work_.read_cycles = tiles * moved(place, 1, tile_of(in), 1) + 2 * valid * issue;
    }
}

// One core per row of tiles; a row that is sharded by width is summed on every core, and one of
// them gathers the sums and sends the result round: a semaphore trip each way.
void Builder::norm() {
    const KernelKind kind = question_.kind;
    const double passes = kind == KernelKind::NormStats   ? kStatsPasses
                          : kind == KernelKind::NormApply ? kApplyPasses
                          : kind == KernelKind::LayerNorm ? kLayerNormPasses
                                                          : kStatsPasses + kApplyPasses;
    const double pass = cycles_of(spec_.norm_pass);
    // The reader writes the tiles that sums are scaled with before anything else.
    work_.once_cycles = kScaleTiles * cycles_of(spec_.fill_tile);
    work_.prepare_cycles = work_.once_cycles;
    if (kind == KernelKind::Softmax) {
        // A mask hides the padding of a row: its reader writes a tile, one more pass adds it.
        const bool padded = first().spec.shape.cols() % kTileSide != 0;
        if (padded) work_.once_cycles += cycles_of(spec_.fill_tile);
        pages(per_core(all_tile_rows(first().spec)) * first().spec.tile_cols(),
              (kSoftmaxPasses + (padded ? 1 : 0)) * pass + 2 * cycles_of(spec_.slow_sfpu_tile));
        return;
    }
    if (!is_sharded(first())) {
        pages(per_core(all_tile_rows(first().spec)) * first().spec.tile_cols(), passes * pass);
        // Statistics are one tile per row of tiles.
        if (kind == KernelKind::NormStats)
            work_.write_cycles /= as_double(first().spec.tile_cols());
        return;
    }
    const Share share = share_of(first(), question_.cores);
    work_.steps = share.tiles();
    work_.compute_cycles = passes * pass;
    const double trip = 2 * cycles_of(spec_.l1_latency);
    if (kind == KernelKind::NormApply) {
        work_.once_cycles += trip;
        return;
    }
    const std::int64_t parts = ceil_div(first().spec.tile_cols(), share.cols);
    const double sums = as_double(parts * share.rows);
    work_.once_cycles += trip + moved(Place::L1, sums, tile_of(first().spec), sums) + sums * pass;
}

void Builder::embed() {
    const KernelOperand& table = question_.in.back();
    work_.dram_read = table.place() == Place::Dram ? table.moved : core::Bytes{};
    if (question_.kind == KernelKind::EmbeddingRows) {
        work_.steps = per_core(core::round_up(out().spec.shape.rows(), kTileSide));
        work_.read_cycles = moved(table.place(), 1, page_of(out()), 1);
        return;
    }
    const Share share = rows_over(out(), question_.cores);
    const double width = as_double(share.cols) / as_double(out().spec.tile_cols());
    work_.steps = share.rows;
    work_.read_cycles = moved(table.place(), kTileSide, page_of(table) * width, kTileSide);
    work_.compute_cycles = as_double(share.cols) * fpu();
    work_.write_cycles = moved(out().place(), as_double(share.cols), page_of(out()), 1);
}

// Two data-movement cores share the pieces.
void Builder::gather() {
    const double pieces = as_double(question_.pieces) / 2;
    const Place from = is_sharded(first()) ? Place::L1 : first().place();
    work_.read_cycles = moved(from, pieces, tile_of(first().spec) / 64, pieces);
}

// x by the matrix that swaps pairs, by sin, by cos, and the sum: four passes as those of a norm
// over a row of tiles, each set up as an untilize; a norm does that once per registers full of
// tiles. cos and sin come once per row of tiles for all heads.
void Builder::rotary() {
    const Spec& x = first().spec;
    const std::int64_t heads_rows = ceil_div(all_tile_rows(x), std::int64_t{question_.cores});
    const double set_ups = 1 / as_double(x.tile_cols()) - 1 / kTilesOfRegisters;
    const double pass = cycles_of(spec_.norm_pass) + set_ups * cycles_of(spec_.untilize_row);
    pages(heads_rows * x.tile_cols(), kRotaryPasses * pass);
    const KernelOperand& table = question_.in.back();
    const double tiles = as_double(2 * x.tile_cols() + 1);
    work_.once_cycles = tiles * moved(table.place(), 1, tile_of(table.spec), 1);
}

// Position, page table and the row of tiles, each after the one before; the row is untilized,
// changed and tilized. `out` is the rows of tiles that change.
void Builder::update() {
    const auto cols = as_double(out().spec.tile_cols());
    work_.steps = per_core(all_tile_rows(out().spec));
    work_.read_cycles = moved(out().place(), cols, page_of(out()), cols);
    work_.compute_cycles = 2 * cols * fpu() + cycles_of(spec_.untilize_row);
    work_.write_cycles = work_.read_cycles;
    work_.once_cycles = 2 * moved(Place::Dram, 1, 64, 1);
}

void Builder::copy() {
    pages(per_core(out().pages()), 0);
    if (first().place() == Place::Dram) work_.dram_read = out().moved;
}

void Builder::unary() {
    const bool cheap = question_.kind == KernelKind::Unary;
    pages(local_tiles(out()), cycles_of(cheap ? spec_.sfpu_tile : spec_.slow_sfpu_tile));
}

void Builder::rows_of_tiles() {
    const std::int64_t rows = per_core(all_tile_rows(out().spec));
    pages(rows * out().spec.tile_cols(), 0);
}

void Builder::reduce() {
    pages(local_tiles(first()), fpu());
    work_.write_cycles = 0;  // one page of many read
}

// A tile of the sums so far, and the next slice's.
void Builder::accumulate() {
    const std::int64_t slices = first().spec.shape[0];
    pages(per_core(first().pages() / slices) * slices, 2 * fpu());
}

void Builder::elements() {
    work_.compute_cycles = kElementCycles * as_double(per_core(out().spec.shape.elements()));
}

// Rows of tiles are read, untilized and left in the shard; rows come a few at a time.
void Builder::padded_slice() {
    const Share share = share_of(out(), question_.cores);
    work_.dram_read = out().moved;
    if (first().spec.layout == tensor::Layout::Tile) {
        work_.steps = share.rows;
        const auto cols = as_double(share.cols);
        work_.read_cycles = moved(first().place(), cols, page_of(first()), cols);
        work_.compute_cycles = untilize_cycles(share.cols);
        return;
    }
    const double row = page_of(out()) * as_double(share.cols) / as_double(out().spec.tile_cols());
    const double rows = as_double(share.rows * kTileSide);
    work_.read_cycles = moved(first().place(), rows, row, std::max(1.0, kRowBatch / row));
}

void Builder::slice_write() {
    const Share share = share_of(first(), question_.cores);
    if (out().place() == Place::Dram) work_.dram_written = first().moved;
    const auto cols = as_double(share.cols);
    if (first().spec.layout == tensor::Layout::Tile) {
        work_.steps = share.rows;
        work_.write_cycles = moved(out().place(), cols, page_of(first()), cols);
        return;
    }
    const double row = page_of(first()) * cols / as_double(first().spec.tile_cols());
    const double rows = as_double(share.rows * kTileSide);
    work_.write_cycles = moved(out().place(), rows, row, std::max(1.0, kRowBatch / row));
}

// Tiles are untilized first; then every core fetches its rows in runs as long as its shard.
void Builder::halo() {
    const Share share = share_of(first(), question_.cores);
    const bool tiles = first().spec.layout == tensor::Layout::Tile;
    work_.steps = tiles ? share.rows : 1;
    if (tiles) work_.compute_cycles = untilize_cycles(share.cols);
    const double bytes = as_double(per_core(out().moved.value));
    work_.once_cycles = moved(Place::L1, 1, bytes, 1);
}

const std::array<std::pair<KernelKind, void (Builder::*)()>, 35> Builder::kParts{{
    {KernelKind::Copy, &Builder::copy},
    {KernelKind::Move, &Builder::shards},
    {KernelKind::Reshard, &Builder::shards},
    {KernelKind::ShardedToInterleaved, &Builder::shards},
    {KernelKind::InterleavedToSharded, &Builder::shards},
    {KernelKind::Unary, &Builder::unary},
    {KernelKind::SlowUnary, &Builder::unary},
    {KernelKind::Binary, &Builder::binary},
    {KernelKind::GatedBinary, &Builder::binary},
    {KernelKind::Tilize, &Builder::tilize},
    {KernelKind::TilizePadded, &Builder::tilize},
    {KernelKind::Untilize, &Builder::untilize},
    {KernelKind::UntilizePadded, &Builder::untilize},
    {KernelKind::TransposeTiles, &Builder::transpose},
    {KernelKind::SwapRows, &Builder::rearrange},
    {KernelKind::Permute, &Builder::rearrange},
    {KernelKind::Reshape, &Builder::rearrange},
    {KernelKind::RowsOfTiles, &Builder::rows_of_tiles},
    {KernelKind::GatherPieces, &Builder::gather},
    {KernelKind::Rotary, &Builder::rotary},
    {KernelKind::EmbeddingRows, &Builder::embed},
    {KernelKind::EmbeddingTiles, &Builder::embed},
    {KernelKind::RmsNorm, &Builder::norm},
    {KernelKind::LayerNorm, &Builder::norm},
    {KernelKind::NormStats, &Builder::norm},
    {KernelKind::NormApply, &Builder::norm},
    {KernelKind::Softmax, &Builder::norm},
    {KernelKind::UpdateCache, &Builder::update},
    {KernelKind::Reduce, &Builder::reduce},
    {KernelKind::Choose, &Builder::choose},
    {KernelKind::Accumulate, &Builder::accumulate},
    {KernelKind::PaddedSlice, &Builder::padded_slice},
    {KernelKind::SliceWrite, &Builder::slice_write},
    {KernelKind::Elements, &Builder::elements},
    {KernelKind::Halo, &Builder::halo},
}};

KernelWork Builder::build() {
    const auto part = std::find_if(kParts.begin(), kParts.end(), [&](const auto& entry) {
        return entry.first == question_.kind;
    });
    core::require(part != kParts.end(), "every kind of kernel has a part");
    (this->*part->second)();
    return work_;
}

}  // namespace

Place KernelOperand::place() const {
    const bool dram = memory.type == mesh::BufferType::Dram;
    if (dram) return Place::Dram;
    return memory.layout == MemoryLayout::Interleaved ? Place::L1 : Place::Local;
}

std::int64_t KernelOperand::pages() const {
    const std::int64_t page = spec.page_bytes().value;
    return page == 0 ? 0 : ceil_div(moved.value, page);
}

KernelOperand operand(const tensor::Spec& spec, const MemoryConfig& memory) {
    return {spec, memory, spec.bytes()};
}

KernelWork kernel_work(const KernelQuestion& question, const mesh::ChipSpec& chip) {
    core::require(!question.in.empty() && question.cores > 0, "a kernel has an input and cores");
    core::require(chip.kernels != nullptr, "a chip has kernels");
    return Builder(question, chip).build();
}

OpTime kernel_time(const KernelQuestion& question, const mesh::ChipSpec& chip) {
    return kernel_time(kernel_work(question, chip), chip);
}

}  // namespace dispatch
