// What tokenizer.json does to a text before splitting it: Unicode forms, case, replacements.
// Invariant: UTF-8 in, UTF-8 out; an empty text gets nothing prepended.
// Semantics: huggingface/tokenizers normalizers; Unicode forms by ICU. Lowercase maps character
// by character, as Rust's char::to_lowercase: no final sigma.
#pragma once

#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/pattern.h"

namespace model {

enum class UnicodeForm { Nfc, Nfd, Nfkc, Nfkd };

struct LowercaseStep {};

struct ReplaceStep {
    Pattern pattern;
    std::string content;
};

struct PrependStep {
    std::string content;
};

/// Takes White_Space away at the ends.
struct StripStep {
    bool left = true;
    bool right = true;
};

class Normalizer {
public:
    using Step = std::variant<UnicodeForm, LowercaseStep, ReplaceStep, PrependStep, StripStep>;

    void add(Step&& step);
    bool is_identity() const { return steps_.empty(); }
    /// Requires: `text` is UTF-8.
    std::string normalized(std::string_view text) const;

private:
    std::vector<Step> steps_;
};

}  // namespace model
