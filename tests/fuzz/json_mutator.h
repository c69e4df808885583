// Spoils a JSON text in ways that a byte mutator hardly finds: it knows keys, values and nesting.
// Deterministic: the same text and generator give the same result.
#pragma once

#include <random>
#include <string>
#include <string_view>

namespace fuzz {

/// `text` with one to four changes: a value replaced (0, -1, huge, fractions, NaN, text, null,
/// empty and nested things, a number nudged or scaled), or a key dropped, renamed, copied from
/// elsewhere or given twice. A text that is no JSON object comes back unchanged.
std::string mutated(std::string_view text, std::mt19937& random);

}  // namespace fuzz
