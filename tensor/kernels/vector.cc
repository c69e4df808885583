// Rows of floats with Highway. Every loop handles 32 values per step and a zero-padded tail of the
// same code, so a value's bits do not depend on where it stands.
// The exponential is Highway's (contrib/math, Cody-Waite reduction and a polynomial, 1 ulp).
#include "tensor/kernels/vector.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <limits>

#include "tensor/kernels/targets.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tensor/kernels/vector.cc"
// clang-format off
#include <hwy/foreach_target.h>  // must come before the headers it compiles once per target
#include <hwy/contrib/math/math-inl.h>
// clang-format on

HWY_BEFORE_NAMESPACE();
namespace tensor::kernels {
namespace HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using D = hn::CappedTag<float, 16>;
using V = hn::Vec<D>;
inline constexpr D kD;
inline constexpr std::size_t kLanes = hn::MaxLanes(D());
inline constexpr std::size_t kStep = 32;
inline constexpr std::size_t kVectors = kStep / kLanes;

/// Lanes i and i + 16 first, then i and i + 8, ... : the same tree for every register size.
HWY_INLINE float sum_tree(const V* partial) {
    alignas(64) float lanes[kStep];
    for (std::size_t v = 0; v < kVectors; ++v) hn::Store(partial[v], kD, lanes + v * kLanes);
    for (std::size_t width = kStep / 2; width >= kLanes; width /= 2) {
        for (std::size_t i = 0; i < width; i += kLanes) {
            hn::Store(hn::Add(hn::Load(kD, lanes + i), hn::Load(kD, lanes + i + width)), kD,
                      lanes + i);
        }
    }
    for (std::size_t width = std::min(kLanes, kStep) / 2; width > 0; width /= 2) {
        for (std::size_t i = 0; i < width; ++i) lanes[i] += lanes[i + width];
    }
    return lanes[0];
}

float dot_row(const float* a, const float* b, std::size_t n) {
    V partial[kVectors];
    for (V& v : partial) v = hn::Zero(kD);
    const auto step = [&](const float* x, const float* y) HWY_ATTR {
        for (std::size_t v = 0; v < kVectors; ++v) {
            partial[v] = hn::MulAdd(hn::LoadU(kD, x + v * kLanes), hn::LoadU(kD, y + v * kLanes),
                                    partial[v]);
        }
    };
    std::size_t i = 0;
    for (; i + kStep <= n; i += kStep) step(a + i, b + i);
    if (i < n) {
        float tail_a[kStep] = {}, tail_b[kStep] = {};
        std::memcpy(tail_a, a + i, (n - i) * sizeof(float));
        std::memcpy(tail_b, b + i, (n - i) * sizeof(float));
        step(tail_a, tail_b);
    }
    return sum_tree(partial);
}

/// out[i] = f(x[i], y[i]) in registers.
template <class Function>
HWY_INLINE void map(const float* x, const float* y, float* out, std::size_t n, Function f) {
    std::size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        hn::StoreU(f(hn::LoadU(kD, x + i), hn::LoadU(kD, y + i)), kD, out + i);
    }
    if (i < n) {
        float tail_x[kLanes] = {}, tail_y[kLanes] = {}, result[kLanes];
        std::memcpy(tail_x, x + i, (n - i) * sizeof(float));
        std::memcpy(tail_y, y + i, (n - i) * sizeof(float));
        hn::StoreU(f(hn::LoadU(kD, tail_x), hn::LoadU(kD, tail_y)), kD, result);
        std::memcpy(out + i, result, (n - i) * sizeof(float));
    }
}

HWY_INLINE V exp_of(V x) {
    const V top = hn::Set(kD, 104.0f);  // Highway's range ends here; the result is infinite already
    return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(kD, hn::Min(x, top)));
}

void axpy_row(float a, const float* x, float* y, std::size_t n) {
    const V factor = hn::Set(kD, a);
    map(x, y, y, n, [&](V u, V v) HWY_ATTR { return hn::MulAdd(factor, u, v); });
}

void add_row(const float* a, const float* b, float* out, std::size_t n) {
    map(a, b, out, n, [](V u, V v) HWY_ATTR { return hn::Add(u, v); });
}

void multiply_row(const float* a, const float* b, float* out, std::size_t n) {
    map(a, b, out, n, [](V u, V v) HWY_ATTR { return hn::Mul(u, v); });
}

void scale_row(float a, const float* x, float* out, std::size_t n) {
    const V factor = hn::Set(kD, a);
    map(x, x, out, n, [&](V u, V) HWY_ATTR { return hn::Mul(factor, u); });
}

void exp_row(const float* x, float* out, std::size_t n) {
    map(x, x, out, n, [](V u, V) HWY_ATTR { return exp_of(u); });
}

void silu_row(const float* x, float* out, std::size_t n) {
    const V one = hn::Set(kD, 1.0f);
    map(x, x, out, n,
        [&](V u, V) HWY_ATTR { return hn::Div(u, hn::Add(one, exp_of(hn::Neg(u)))); });
}

void gelu_tanh_row(const float* x, float* out, std::size_t n) {
    const V one = hn::Set(kD, 1.0f);
    const V cubic = hn::Set(kD, 0.044715f);
    const V slope = hn::Set(kD, -1.5957691216f);  // -2 sqrt(2 / pi)
    map(x, x, out, n, [&](V u, V) HWY_ATTR {
        const V inner = hn::MulAdd(hn::Mul(cubic, hn::Mul(u, u)), u, u);
        return hn::Div(u, hn::Add(one, exp_of(hn::Mul(slope, inner))));
    });
}

void relu_row(const float* x, float* out, std::size_t n) {
    map(x, x, out, n,
        [](V u, V) HWY_ATTR { return hn::IfThenElse(hn::Lt(u, hn::Zero(kD)), hn::Zero(kD), u); });
}

/// NaN is no maximum here; it comes back out of the exponential.
float max_row(const float* x, std::size_t n) {
    V most = hn::Set(kD, -std::numeric_limits<float>::infinity());
    std::size_t i = 0;
    for (; i + kLanes <= n; i += kLanes) {
        const V v = hn::LoadU(kD, x + i);
        most = hn::IfThenElse(hn::Gt(v, most), v, most);
    }
    float result = hn::GetLane(hn::MaxOfLanes(kD, most));
    for (; i < n; ++i) result = x[i] > result ? x[i] : result;
    return result;
}

float sum_row(const float* x, std::size_t n) {
    V partial[kVectors];
    for (V& v : partial) v = hn::Zero(kD);
    const auto step = [&](const float* from) HWY_ATTR {
        for (std::size_t v = 0; v < kVectors; ++v) {
            partial[v] = hn::Add(partial[v], hn::LoadU(kD, from + v * kLanes));
        }
    };
    std::size_t i = 0;
    for (; i + kStep <= n; i += kStep) step(x + i);
    if (i < n) {
        float tail[kStep] = {};
        std::memcpy(tail, x + i, (n - i) * sizeof(float));
        step(tail);
    }
    return sum_tree(partial);
}

void softmax_row(const float* x, float* out, std::size_t n) {
    const float most = max_row(x, n);
    if (most == -std::numeric_limits<float>::infinity()) {
        // Nothing to attend to. A NaN among -infinities still shows.
        map(x, x, out, n,
            [](V u, V) HWY_ATTR { return hn::IfThenElse(hn::IsNaN(u), u, hn::Zero(kD)); });
        return;
    }
    const V top = hn::Set(kD, most);
    map(x, x, out, n, [&](V u, V) HWY_ATTR { return exp_of(hn::Sub(u, top)); });
    scale_row(1.0f / sum_row(out, n), out, out, n);
}

}  // namespace HWY_NAMESPACE
}  // namespace tensor::kernels
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace tensor::kernels {

HWY_EXPORT(dot_row);
HWY_EXPORT(axpy_row);
HWY_EXPORT(add_row);
HWY_EXPORT(multiply_row);
HWY_EXPORT(scale_row);
HWY_EXPORT(exp_row);
HWY_EXPORT(silu_row);
HWY_EXPORT(gelu_tanh_row);
HWY_EXPORT(relu_row);
HWY_EXPORT(softmax_row);

namespace {
std::size_t count(std::int64_t n) { return n > 0 ? static_cast<std::size_t>(n) : 0; }
}  // namespace

float dot(const float* a, const float* b, std::int64_t n) {
    return HWY_DYNAMIC_DISPATCH(dot_row)(a, b, count(n));
}

float sum_of_squares(const float* x, std::int64_t n) { return dot(x, x, n); }

void axpy(float a, const float* x, float* y, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(axpy_row)(a, x, y, count(n));
}

void add(const float* a, const float* b, float* out, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(add_row)(a, b, out, count(n));
}

void multiply(const float* a, const float* b, float* out, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(multiply_row)(a, b, out, count(n));
}

void scale(float a, const float* x, float* out, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(scale_row)(a, x, out, count(n));
}

void exp(const float* x, float* out, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(exp_row)(x, out, count(n));
}

void silu(const float* x, float* out, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(silu_row)(x, out, count(n));
}

void gelu(const float* x, float* out, std::int64_t n) {
    constexpr float kHalfRoot = 0.70710678f;  // 1 / sqrt 2
    for (std::int64_t i = 0; i < n; ++i) out[i] = 0.5f * x[i] * std::erfc(-x[i] * kHalfRoot);
}

void gelu_tanh(const float* x, float* out, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(gelu_tanh_row)(x, out, count(n));
}

void relu(const float* x, float* out, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(relu_row)(x, out, count(n));
}

void softmax(const float* x, float* out, std::int64_t n) {
    HWY_DYNAMIC_DISPATCH(softmax_row)(x, out, count(n));
}

}  // namespace tensor::kernels
#endif  // HWY_ONCE
