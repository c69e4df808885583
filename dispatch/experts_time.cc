#include "dispatch/experts_time.h"

#include <array>

#include "dispatch/lower.h"

namespace dispatch {
namespace {

using tensor::Spec;

/// A value and where it is.
struct Placed {
    Spec spec;
    MemoryConfig memory;
};

/// Kernels of one chip, one behind the other.
class Sequence {
public:
    Sequence(const tensor::Bindings& bindings, const LowerContext& context, MatmulTuning tuning)
        : bindings_(bindings), context_(context), tuning_(tuning) {}

    Placed then(const tensor::Op& op, const Placed& a, const Placed& b) {
        const std::array specs{a.spec, b.spec};
        const std::array places{a.memory, b.memory};
        return then(op, specs, places);
    }
    Placed then(const tensor::Op& op, const Placed& x) {
        return then(op, std::span(&x.spec, 1), std::span(&x.memory, 1));
    }

    /// All of it is said to be what the longest kernel is bound by.
    OpTime time() const {
        OpTime time;
        const std::string bound = longest_.bound();
        (bound == "dram" ? time.dram : bound == "l1" ? time.l1 : time.compute) = total_;
        return time;
    }

private:
    Placed then(const tensor::Op& op, std::span<const Spec> in,
                std::span<const MemoryConfig> places) {
        const std::vector<Spec> out = tensor::infer(op, in);
        const KernelPlan plan = lower(op, in, out, places, context_);
        const OpTime time = op_time(op, in, bindings_, plan, *context_.chip, tuning_);
        // The first kernel's gap is that of the whole op.
        if (total_.count() > 0) total_ += context_.chip->launch.traced_gap;
        total_ += time.total();
        if (time.total() > longest_.total()) longest_ = time;
        return {out.front(), plan.outputs.front()};
    }

    const tensor::Bindings& bindings_;
    LowerContext context_;
    MatmulTuning tuning_;
    core::Picoseconds total_{};
    OpTime longest_;
};

}  // namespace

std::optional<OpTime> experts_time(const tensor::Op& op, std::span<const Spec> in,
                                   const tensor::Bindings& bindings, const KernelPlan& plan,
                                   const mesh::ChipSpec& chip, MatmulTuning tuning) {
    const auto* experts = std::get_if<tensor::Experts>(&op);
    if (experts == nullptr || experts->rows != tensor::Experts::Rows::All) return std::nullopt;
    const auto matrix = [&](std::size_t index) {
        const tensor::Shape& shape = in[index].shape;
        return Placed{{{shape[1], shape[2]}, in[index].dtype, in[index].layout},
                      plan.inputs[index]};
    };
    const bool decodes = in[0].tile_rows() * in[0].shape.outer() == 1;
    LowerContext context{&chip, plan.grid, decodes ? tensor::Phase::Decode : tensor::Phase::Prefill,
                         plan.fidelity};
    Sequence kernels(bindings, context, tuning);
    for (std::int64_t expert = 0; expert < in[2].shape[0]; ++expert) {
        const Placed x{in[0], plan.inputs[0]};
        const Placed gate = kernels.then(tensor::Linear{experts->hidden}, x, matrix(2));
        const Placed up = kernels.then(tensor::Linear{experts->hidden}, x, matrix(3));
        const Placed hidden =
            kernels.then(tensor::GatedMul{experts->activation, experts->hidden}, gate, up);
        const Placed made = kernels.then(tensor::Linear{experts->out}, hidden, matrix(4));
        // Each row is scaled: a pass over what was made, as a typecast is.
        kernels.then(tensor::Typecast{experts->out}, made);
    }
    return kernels.time();
}

}  // namespace dispatch
