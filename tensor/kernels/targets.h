// Which instruction sets the kernels are compiled for: plain C++ (one lane), AVX2 with FMA, and
// AVX-512. The others would add compile time and no speed on the machines of today.
// Include before any other header of Highway.
#pragma once

#define HWY_DISABLED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_AVX3_DL)

#include <hwy/targets.h>
