#include "dispatch/collective_run.h"

#include <cstring>

#include "ccl/carry_out.h"
#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/kernels/rows.h"

namespace dispatch {
namespace {

using tensor::Spec;
using tensor::View;

constexpr std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// Copies the block of `part` values at columns [col, ...) and rows [row, ...) of `whole`, or back.
enum class Way { PartToWhole, WholeToPart };

// A tensor cut into equal parts along `dim`: part i covers one block of the matrix view.
// Aligned cuts are whole tiles, so pages are copied; others go through values.
class Cut {
public:
    Cut(const Spec& whole, const Spec& part, int dim, CollectiveCommand::Form form)
        : whole_(whole), part_(part), stacked_(form == CollectiveCommand::Form::Stacked) {
        const int from_end = stacked_ ? 0 : part.shape.rank() - dim;
        along_cols_ = from_end == 1;
        along_rows_ = from_end == 2;
        aligned_ = whole.layout == tensor::Layout::Tile &&
                   (stacked_ || (along_cols_ && part.shape.cols() % tensor::kTileSide == 0) ||
                    (along_rows_ && part.shape[-2] % tensor::kTileSide == 0) || from_end > 2);
        axis_ = stacked_ ? -1 : dim;
    }

    bool aligned() const { return aligned_; }

    // Page of `whole` that holds page `page` of part `index`. Requires: aligned().
    std::int64_t whole_page(std::int64_t index, std::int64_t page) const {
        if (stacked_) return index * part_.pages() + page;
        const std::int64_t cols = part_.tile_cols();
        const std::int64_t rows = part_.tile_rows();
        const std::int64_t col = page % cols;
        const std::int64_t row = page / cols % rows;
        std::int64_t outer = page / (cols * rows);
        if (along_cols_) return (outer * rows + row) * whole_.tile_cols() + index * cols + col;
        if (along_rows_) {
            return (outer * whole_.tile_rows() + index * rows + row) * whole_.tile_cols() + col;
        }
        // An outer axis: split `outer` at the cut axis.
        std::int64_t inner = 1;
        for (int axis = axis_ + 1; axis < part_.shape.rank() - 2; ++axis) {
            inner *= part_.shape[axis];
        }
        const std::int64_t extent = part_.shape[axis_];
        const std::int64_t before = outer / (extent * inner);
        const std::int64_t within = outer % (extent * inner);
        outer = before * whole_.shape[axis_] * inner + index * extent * inner + within;
        return (outer * rows + row) * cols + col;
    }

    // Moves part `index` through values. Any alignment of columns or rows.
    void copy(std::int64_t index, const View& whole, const View& part, Way way) const {
        core::require(along_cols_ || along_rows_, "unaligned cuts are of rows or columns");
        const std::int64_t cols = part_.shape.cols();
        const std::int64_t rows = part_.shape.rows();
        std::vector<float> narrow(at(rows * cols));
        std::vector<float> wide(at(whole_.shape.cols()));
        if (way == Way::PartToWhole) tensor::read_rows(part_, part.data, 0, rows, narrow.data());
        for (std::int64_t row = 0; row < rows; ++row) {
            const std::int64_t inner = part_.shape.rank() > 1 ? part_.shape[-2] : 1;
            const std::int64_t target =
                along_rows_ ? (row / inner) * whole_.shape[-2] + index * inner + row % inner : row;
            const std::int64_t offset = along_cols_ ? index * cols : 0;
            tensor::read_rows(whole_, whole.data, target, 1, wide.data());
            float* block = wide.data() + offset;
            float* own = narrow.data() + row * cols;
            if (way == Way::WholeToPart) {
                std::copy(block, block + cols, own);
            } else {
                std::copy(own, own + cols, block);
                tensor::write_rows(whole_, whole.data, target, 1, wide.data(),
                                   tensor::Packer::Device);
            }
        }
        if (way == Way::WholeToPart) {
            tensor::write_rows(part_, part.data, 0, rows, narrow.data(), tensor::Packer::Device);
        }
    }

private:
    Spec whole_;
    Spec part_;
    bool stacked_;
    bool aligned_ = false;
    bool along_cols_ = false;
    bool along_rows_ = false;
    int axis_ = 0;
};

// Message: pages that stay where they are until they land, or a fresh sum.
struct Message {
    std::vector<const std::byte*> pages;
    std::vector<std::byte> sum;
};

class Carrier {
public:
    Carrier(const CollectiveCommand& command, const ccl::Plan& plan,
            std::span<const std::int32_t> chips, std::span<const View> in,
            std::span<const View> out, Transport& transport)
        : plan_(plan),
          chips_(chips),
          in_(in),
          out_(out),
          transport_(transport),
          gathers_(plan.collective().kind == ccl::Kind::AllGather),
          part_(gathers_ ? in[0].spec : out[0].spec),
          cut_(gathers_ ? out[0].spec : in[0].spec, part_, command.dim, command.form),
          dtype_(part_.dtype),
          page_bytes_(part_.page_bytes().value),
          slice_bytes_(part_.bytes().value),
          lanes_(std::max(plan.lanes(), plan.output_lane() + 1)) {
        const auto ranks = static_cast<std::int64_t>(chips.size());
        core::require(part_.layout == tensor::Layout::Tile, "collectives move tiles");
        core::require(gathers_ || plan.collective().kind == ccl::Kind::ReduceScatter,
                      "programs hold all-gathers and reduce-scatters");
        const bool direct = gathers_ && cut_.aligned();
        if (!direct) {
            landed_.resize(at(ranks * ranks * lanes_ * slice_bytes_));
            arrived_.resize(at(ranks * ranks * lanes_ * part_.pages()));
        }
        if (!gathers_ && !cut_.aligned()) cut_input();
    }

    Message read(const ccl::Transfer& t) {
        Message message;
        for (std::int64_t i = 0; i < t.pages; ++i) {
            const std::int64_t page = t.first_page + i;
            if (t.payload == ccl::Payload::Own) {
                message.pages.push_back(input(t.from, t.slice, page));
            } else if (t.payload == ccl::Payload::Landed) {
                message.pages.push_back(landed(t.from, t.slice, t.lane, page));
            } else if (!arrived_[flag(t.from, t.slice, t.lane, page)]) {
                message.pages.push_back(input(t.from, t.slice, page));
            } else {
                message.pages.push_back(nullptr);
                const std::size_t end = message.sum.size();
                message.sum.resize(end + at(page_bytes_));
                tensor::kernels::add_tile(
                    dtype_, tensor::Packer::Device, input(t.from, t.slice, page),
                    landed(t.from, t.slice, t.lane, page), message.sum.data() + end);
            }
        }
        return message;
    }

    void land(const ccl::Transfer& t, const Message& message) {
        const fabric::Hop hop{chips_[at(t.from)], chips_[at(t.to)]};
        const std::byte* sum = message.sum.data();
        for (std::int64_t i = 0; i < t.pages; ++i) {
            const std::int64_t page = t.first_page + i;
            const std::byte* from = message.pages[at(i)];
            if (from == nullptr) {
                from = sum;
                sum += page_bytes_;
            }
            transport_.move(hop, {from, at(page_bytes_)}, landed(t.to, t.slice, t.lane, page));
            if (!arrived_.empty()) arrived_[flag(t.to, t.slice, t.lane, page)] = 1;
        }
    }

    void finish(const ccl::Sum& sum) {
        for (std::int64_t page = 0; page < part_.pages(); ++page) {
            std::byte* target = landed(sum.rank, sum.slice, plan_.output_lane(), page);
            const std::byte* first = term(sum, sum.terms.front(), page);
            if (first != target) std::memcpy(target, first, at(page_bytes_));
            for (std::size_t i = 1; i < sum.terms.size(); ++i) {
                tensor::kernels::add_tile(dtype_, tensor::Packer::Device, target,
                                          term(sum, sum.terms[i], page), target);
            }
        }
    }

    // Puts every rank's result into its output tensor.
    void deliver() {
        const auto ranks = static_cast<std::int32_t>(chips_.size());
        for (std::int32_t rank = 0; rank < ranks; ++rank) {
            if (!gathers_) {
                std::memcpy(out_[at(rank)].data, landed(rank, rank, plan_.output_lane(), 0),
                            at(slice_bytes_));
                continue;
            }
            for (std::int32_t slice = 0; slice < ranks; ++slice) {
                if (slice != rank && cut_.aligned()) continue;
                deliver_slice(rank, slice);
            }
        }
    }

private:
    void deliver_slice(std::int32_t rank, std::int32_t slice) {
        std::byte* from =
            slice == rank ? in_[at(rank)].data : landed(rank, slice, plan_.output_lane(), 0);
        if (!cut_.aligned()) {
            cut_.copy(slice, out_[at(rank)], {part_, from}, Way::PartToWhole);
            return;
        }
        for (std::int64_t page = 0; page < part_.pages(); ++page) {
            std::memcpy(out_[at(rank)].data + cut_.whole_page(slice, page) * page_bytes_,
                        from + page * page_bytes_, at(page_bytes_));
        }
    }

    const std::byte* term(const ccl::Sum& sum, std::int32_t lane, std::int64_t page) const {
        return lane == ccl::kOwnTerm ? input(sum.rank, sum.slice, page)
                                     : landed(sum.rank, sum.slice, lane, page);
    }

    const std::byte* input(std::int32_t rank, std::int32_t slice, std::int64_t page) const {
        const View& view = in_[at(rank)];
        if (gathers_) return view.data + page * page_bytes_;
        if (!slices_.empty()) {
            const auto ranks = static_cast<std::int64_t>(chips_.size());
            return slices_.data() + (rank * ranks + slice) * slice_bytes_ + page * page_bytes_;
        }
        return view.data + cut_.whole_page(slice, page) * page_bytes_;
    }

    std::byte* landed(std::int32_t rank, std::int32_t slice, std::int32_t lane,
                      std::int64_t page) const {
        if (landed_.empty()) {
            return out_[at(rank)].data + cut_.whole_page(slice, page) * page_bytes_;
        }
        const auto ranks = static_cast<std::int64_t>(chips_.size());
        return const_cast<std::byte*>(landed_.data()) +
               ((rank * ranks + slice) * lanes_ + lane) * slice_bytes_ + page * page_bytes_;
    }

    std::size_t flag(std::int32_t rank, std::int32_t slice, std::int32_t lane,
                     std::int64_t page) const {
        const auto ranks = static_cast<std::int64_t>(chips_.size());
        return at(((rank * ranks + slice) * lanes_ + lane) * part_.pages() + page);
    }

    // Reduce inputs whose slices are not whole tiles are cut through values first.
    void cut_input() {
        const auto ranks = static_cast<std::int64_t>(chips_.size());
        slices_.resize(at(ranks * ranks * slice_bytes_));
        for (std::int64_t rank = 0; rank < ranks; ++rank) {
            for (std::int64_t slice = 0; slice < ranks; ++slice) {
                const View part{part_, slices_.data() + (rank * ranks + slice) * slice_bytes_};
                cut_.copy(slice, in_[at(rank)], part, Way::WholeToPart);
            }
        }
    }

    const ccl::Plan& plan_;
    std::span<const std::int32_t> chips_;
    std::span<const View> in_;
    std::span<const View> out_;
    Transport& transport_;
    bool gathers_;
    Spec part_;
    Cut cut_;
    tensor::DType dtype_;
    std::int64_t page_bytes_;
    std::int64_t slice_bytes_;
    std::int64_t lanes_;
    std::vector<std::byte> landed_;
    std::vector<std::uint8_t> arrived_;
    std::vector<std::byte> slices_;
};

}  // namespace

void run_collective(const CollectiveCommand& command, const ccl::Plan& plan,
                    std::span<const std::int32_t> chips, std::span<const View> in,
                    std::span<const View> out, Transport& transport) {
    Carrier carrier(command, plan, chips, in, out, transport);
    ccl::carry_out(plan, carrier);
    carrier.deliver();
}

}  // namespace dispatch
