// One op case serves four uses: numbers against a naive double reference, counted work against
// `work()`, shards against the whole, and shapes that do not fit.
// References see the values as stored (packed and read back), so a tolerance covers float32
// arithmetic and one rounding to the output format only. NaN in a reference means "not looked at".
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "core/error.h"
#include "tensor/formats.h"
#include "tensor/op.h"

namespace tensor::testing {

using Doubles = std::vector<double>;
inline constexpr double kAny = std::numeric_limits<double>::quiet_NaN();
inline constexpr Placement kWhole = Placement::replicated();
inline constexpr Placement kPart = Placement::partial();
constexpr Placement along(int dim) { return Placement::sharded(dim); }

/// A tensor with its bytes.
struct Held {
    Spec spec;
    std::vector<std::byte> bytes;
    View view() { return {spec, bytes.data()}; }
    std::vector<float> values() const {
        std::vector<float> out(static_cast<std::size_t>(spec.shape.elements()));
        read_rows(spec, bytes.data(), 0, spec.shape.rows(), out.data());
        return out;
    }
};

/// Bytes that no test mistakes for a result.
inline Held garbage(const Spec& spec) {
    return {spec,
            std::vector<std::byte>(static_cast<std::size_t>(spec.bytes().value), std::byte{0x6b})};
}

inline Held hold(const Spec& spec, const std::vector<float>& values) {
    Held held = garbage(spec);
    write_rows(spec, held.bytes.data(), 0, spec.shape.rows(), values.data(), Packer::Host);
    return held;
}

/// Values in [-1, 1), the same on every run and machine.
inline std::vector<float> noise(const Shape& shape, std::uint32_t seed) {
    std::vector<float> out(static_cast<std::size_t>(shape.elements()));
    std::uint32_t state = seed * 2654435761u + 1;
    for (float& value : out) {
        state = state * 1664525u + 1013904223u;
        value = static_cast<float>(state >> 8) / 8388608.0F - 1.0F;
    }
    return out;
}

inline Spec tiled(const Shape& shape, DType dtype = DType::Float32) {
    return {shape, dtype, Layout::Tile};
}
inline Held random_held(const Spec& spec, std::uint32_t seed) {
    return hold(spec, noise(spec.shape, seed));
}
inline Held ids_held(const std::vector<std::uint32_t>& ids) {
    Held held =
        garbage({Shape{static_cast<std::int64_t>(ids.size())}, DType::UInt32, Layout::RowMajor});
    std::memcpy(held.bytes.data(), ids.data(), held.bytes.size());
    return held;
}

/// Rounding of one value of a group to a format, relative to the largest of the group.
inline double rounding(DType dtype) {
    switch (dtype) {
        case DType::BFloat16:
            return 1.0 / 256;
        case DType::BFloat8_b:
            return 1.0 / 64;
        case DType::BFloat4_b:
            return 1.0 / 3;  // the device truncates
        case DType::BFloat2_b:
            return 1.0;
        default:
            return 1e-5;
    }
}

inline std::vector<Spec> specs_of(const std::vector<Held>& held) {
    std::vector<Spec> specs;
    for (const Held& one : held) specs.push_back(one.spec);
    return specs;
}

inline bool is_in_place(const Op& op) {
    return std::holds_alternative<UpdateCache>(op) || std::holds_alternative<FillCache>(op);
}

/// Runs the op on copies of `inputs` and checks what every op owes: the counted multiply-adds are
/// those of `work`, and there is one read per input and one write per output.
inline std::vector<Held> run_counted(const Op& op, std::vector<Held> inputs,
                                     const Bindings& bindings) {
    const std::vector<Spec> specs = specs_of(inputs);
    std::vector<Held> outputs;
    for (const Spec& spec : infer(op, specs)) outputs.push_back(garbage(spec));
    std::vector<View> in;
    std::vector<View> out;
    for (Held& one : inputs) in.push_back(one.view());
    for (Held& one : outputs) out.push_back(one.view());
    if (is_in_place(op)) out[0] = in[0];
    Counters counters;
    run(op, in, out, bindings, counters);
    const Work counted = work(op, specs, bindings);
    EXPECT_EQ(counters.multiply_adds, counted.multiply_adds) << name(op);
    EXPECT_EQ(counted.reads.size(), inputs.size()) << name(op);
    EXPECT_EQ(counted.writes.size(), outputs.size()) << name(op);
    for (std::size_t i = 0; i < outputs.size(); ++i) {
        EXPECT_LE(counted.writes[i], outputs[i].spec.bytes()) << name(op);
    }
    if (is_in_place(op)) outputs[0] = inputs[0];
    return outputs;
}

inline void expect_close(const Held& got, const Doubles& want, double tolerance) {
    const std::vector<float> values = got.values();
    ASSERT_EQ(values.size(), want.size());
    double largest = 0.0;
    for (const double value : want) {
        if (!std::isnan(value)) largest = std::max(largest, std::abs(value));
    }
    const double allowed = tolerance * largest;
    for (std::size_t i = 0; i < want.size(); ++i) {
        if (std::isnan(want[i])) continue;
        ASSERT_NEAR(static_cast<double>(values[i]), want[i], allowed)
            << "element " << i << " of " << got.spec.shape.text();
    }
}

/// What an op should give, from the stored values of its inputs.
using Reference = std::function<std::vector<Doubles>(const std::vector<Doubles>& in)>;

inline std::vector<Held> check_numbers(const Op& op, const std::vector<Held>& inputs,
                                       const Bindings& bindings, const Reference& reference) {
    std::vector<Doubles> stored;
    for (const Held& one : inputs) {
        const std::vector<float> values = one.values();
        stored.emplace_back(values.begin(), values.end());
    }
    const std::vector<Doubles> want = reference(stored);
    std::vector<Held> got = run_counted(op, inputs, bindings);
    EXPECT_EQ(got.size(), want.size());
    for (std::size_t i = 0; i < got.size(); ++i) {
        SCOPED_TRACE(std::string(name(op)) + " output " + std::to_string(i) + " " +
                     std::string(name(got[i].spec.dtype)));
        expect_close(got[i], want[i], rounding(got[i].spec.dtype));
    }
    return got;
}

/// Part `chip` of `parts` of a value; a Partial value lies on chip 1, zeros elsewhere.
inline Held shard(const Held& whole, Placement placement, std::int64_t chip, std::int64_t parts) {
    if (placement.is_replicated()) return whole;
    if (placement.is_partial()) {
        return chip == 1 ? whole
                         : hold(whole.spec, std::vector<float>(static_cast<std::size_t>(
                                                whole.spec.shape.elements())));
    }
    Spec spec = whole.spec;
    const std::int64_t extent = spec.shape[placement.dim()] / parts;
    spec.shape.set(placement.dim(), extent);
    std::int64_t inner = 1;
    for (int axis = placement.dim() + 1; axis < spec.shape.rank(); ++axis)
        inner *= spec.shape[axis];
    const std::vector<float> from = whole.values();
    std::vector<float> to;
    const std::int64_t run = extent * inner;
    for (std::int64_t i = 0; i < spec.shape.elements() / run; ++i) {
        const auto first = from.begin() + (i * parts + chip) * run;
        to.insert(to.end(), first, first + run);
    }
    return hold(spec, to);
}

/// Puts the chips' outputs together again.
inline std::vector<float> combine(const std::vector<Held>& chips, Placement placement) {
    std::vector<float> whole = chips[0].values();
    if (placement.is_replicated()) return whole;
    if (placement.is_partial()) {
        for (std::size_t chip = 1; chip < chips.size(); ++chip) {
            const std::vector<float> values = chips[chip].values();
            for (std::size_t i = 0; i < whole.size(); ++i) whole[i] += values[i];
        }
        return whole;
    }
    const Shape& shape = chips[0].spec.shape;
    std::int64_t run = 1;
    for (int axis = placement.dim(); axis < shape.rank(); ++axis) run *= shape[axis];
    whole.clear();
    for (std::int64_t i = 0; i < shape.elements() / run; ++i) {
        for (const Held& chip : chips) {
            const std::vector<float> values = chip.values();
            whole.insert(whole.end(), values.begin() + i * run, values.begin() + (i + 1) * run);
        }
    }
    return whole;
}

struct ShardedCase {
    std::vector<Placement> inputs;   // what split must accept as it is
    std::vector<Placement> outputs;  // what it must say comes out
    std::int64_t parts = 3;
    std::function<Bindings(std::int64_t chip)> bindings_of = {};  // none: the whole's
    std::function<Held(std::int64_t chip)> first_input_of = {};   // none: sharded as placed
};

/// Shards of the inputs give shards (to the bit) or summands of the outputs.
inline void check_sharded(const Op& op, const std::vector<Held>& inputs, const Bindings& bindings,
                          const ShardedCase& sharded) {
    const Split answer = split(op, specs_of(inputs), sharded.inputs);
    ASSERT_EQ(answer.inputs, sharded.inputs) << name(op);
    ASSERT_EQ(answer.outputs, sharded.outputs) << name(op);
    const std::vector<Held> whole = run_counted(op, inputs, bindings);
    std::vector<std::vector<Held>> chips(whole.size());
    for (std::int64_t chip = 0; chip < sharded.parts; ++chip) {
        std::vector<Held> parts;
        for (std::size_t i = 0; i < inputs.size(); ++i) {
            parts.push_back(shard(inputs[i], sharded.inputs[i], chip, sharded.parts));
        }
        if (sharded.first_input_of) parts[0] = sharded.first_input_of(chip);
        const Bindings own = sharded.bindings_of ? sharded.bindings_of(chip) : bindings;
        std::vector<Held> out = run_counted(op, parts, own);
        for (std::size_t i = 0; i < out.size(); ++i) chips[i].push_back(std::move(out[i]));
    }
    for (std::size_t i = 0; i < whole.size(); ++i) {
        const std::vector<float> together = combine(chips[i], sharded.outputs[i]);
        const std::vector<float> want = whole[i].values();
        ASSERT_EQ(together.size(), want.size());
        if (sharded.outputs[i].is_partial()) {
            expect_close(whole[i], Doubles(together.begin(), together.end()),
                         2 * rounding(whole[i].spec.dtype));
        } else {
            ASSERT_EQ(together, want) << name(op) << " output " << i;
        }
    }
}

/// What must move first, and what then comes out.
inline void expect_split(const Op& op, const std::vector<Spec>& specs,
                         const std::vector<Placement>& placed, const std::vector<Placement>& needed,
                         const std::vector<Placement>& outputs) {
    const Split answer = split(op, specs, placed);
    EXPECT_EQ(answer.inputs, needed) << name(op);
    EXPECT_EQ(answer.outputs, outputs) << name(op);
}

/// The message of the core::Error that `action` throws; empty when it throws none.
inline std::string error_of(const std::function<void()>& action) {
    try {
        action();
    } catch (const core::Error& error) {
        return error.message();
    }
    return "";
}
inline std::string infer_error(const Op& op, const std::vector<Spec>& specs) {
    return error_of([&] { (void)infer(op, specs); });
}
inline std::string split_error(const Op& op, const std::vector<Spec>& specs,
                               const std::vector<Placement>& placed) {
    return error_of([&] { (void)split(op, specs, placed); });
}

}  // namespace tensor::testing
