#include "tensor/ops/opaque.h"

#include "core/error.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "Opaque";

Placement summed(Placement placed) {
    return placed.is_partial() ? Placement::replicated() : placed;
}

}  // namespace

Specs infer(const Opaque& op, std::span<const Spec> in) {
    core::require(op.numerator > 0 && op.denominator > 0, "an opaque op scales by a fraction");
    if (in.empty()) throw core::Error::mismatch(kName, op.what, "an input", "none");
    const std::int64_t scaled = in[0].shape.cols() * op.numerator;
    if (in[0].shape.rank() == 0 || scaled % op.denominator != 0) {
        throw core::Error::mismatch(kName, op.what,
                                    "columns that " + std::to_string(op.denominator) +
                                        " divides after a product with " +
                                        std::to_string(op.numerator),
                                    in[0].shape.text());
    }
    Spec out{in[0].shape, in[0].dtype, Layout::Tile};
    out.shape.set(-1, scaled / op.denominator);
    return {out};
}

Split split(const Opaque&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    Split result;
    for (const Placement& each : placed) result.inputs.push_back(summed(each));
    result.outputs = {result.inputs.front()};
    return result;
}

core::Bytes scratch(const Opaque&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const Opaque&, std::span<const Spec>, const Bindings&) { return {}; }

void run(const Opaque& op, std::span<const View>, std::span<const View>, const Bindings&,
         Counters&) {
    throw core::Error::mismatch("program", op.what, "an op that can be computed",
                                "one of which only the sizes are known");
}

}  // namespace tensor
