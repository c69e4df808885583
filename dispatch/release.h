// The date of the software whose rules, texts and kernels hold.
#pragma once

namespace dispatch {

enum class Release { R2025, R2026_05, R2026_09 };

}  // namespace dispatch
