// Splitting text into pre-tokens before BPE, step by step as tokenizer.json lists them.
// Invariant: pre-tokens never merge with each other; joined they are the text again (but for an
// added leading space, spaces written as the metaspace mark, and what a Split drops).
// Semantics: huggingface/tokenizers pre_tokenizers split.rs, byte_level.rs, metaspace.rs and
// tokenizer/normalizer.rs (NormalizedString::split).
#pragma once

#include <deque>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "model/pattern.h"

namespace model {

/// Whether a text is the very beginning of what the user gave.
enum class Place { Begin, Inside };

/// What happens to the matches of a Split.
enum class SplitBehavior { Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous };

struct SplitStep {
    Pattern pattern;
    SplitBehavior behavior = SplitBehavior::Isolated;
    bool inverts = false;  // what lies between the matches counts as the match
};

/// The byte level's own space and pattern; its bytes themselves are left to Bpe.
struct ByteLevelStep {
    bool adds_space = false;
    std::optional<Pattern> pattern;
};

/// Spaces become `mark`, and perhaps one stands before the text.
struct MetaspaceStep {
    enum class Prepend { Always, First, Never };
    std::string mark;
    Prepend prepend = Prepend::Always;
    bool splits = true;  // every mark begins a pre-token
};

/// Cuts before a mark that follows something else: for a model that merges nothing across it the
/// tokens stay the same, and short pre-tokens are quick.
struct CutStep {
    std::string mark;
};

/// Texts that pre-tokens point into.
using TextStore = std::deque<std::string>;

class PreTokenizer {
public:
    using Step = std::variant<SplitStep, ByteLevelStep, MetaspaceStep, CutStep>;

    void add(Step&& step);

    /// The pre-tokens of `text`, in `parts`; they live as long as `text` and `store`.
    /// Requires: `text` is UTF-8.
    void split(std::string_view text, Place place, TextStore& store,
               std::vector<std::string_view>& parts) const;

private:
    std::vector<Step> steps_;
};

/// The pattern of a ByteLevel pre-tokenizer with "use_regex": true (openai/gpt-2 encoder.py).
std::string_view gpt2_pattern();

}  // namespace model
