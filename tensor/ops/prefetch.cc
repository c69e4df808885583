#include "tensor/ops/prefetch.h"

#include "core/error.h"
#include "tensor/ops/support.h"

namespace tensor {
namespace {

constexpr std::string_view kName = "Prefetch";

}  // namespace

Specs infer(const Prefetch& op, std::span<const Spec> in) {
    const auto each = static_cast<std::int64_t>(in.size());
    if (each == 0 || op.weights < each) {
        throw core::Error::mismatch(kName, "weights", "the weights of a layer at least",
                                    std::to_string(op.weights) + " of " + std::to_string(each));
    }
    return {};
}

Split split(const Prefetch&, std::span<const Spec> in, std::span<const Placement> placed) {
    detail::check_placed(kName, in, placed);
    return {{placed.begin(), placed.end()}, {}};
}

core::Bytes scratch(const Prefetch&, std::span<const Spec>, const Bindings&) { return {}; }

Work work(const Prefetch&, std::span<const Spec> in, const Bindings&) {
    Work work;
    work.reads.resize(in.size());
    return work;
}

void run(const Prefetch&, std::span<const View>, std::span<const View>, const Bindings&,
         Counters&) {}

}  // namespace tensor
