// Splitting text into pre-tokens before BPE: regular expressions, then the byte level.
// Invariant: pre-tokens never merge with each other; joined they are the text again (but for an
// added leading space, and gaps where a Split drops them).
// Semantics: huggingface/tokenizers pre_tokenizers split.rs and byte_level.rs; patterns run in
// PCRE2 with Unicode properties, \s meaning White_Space as in Oniguruma.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct pcre2_real_code_8;

namespace model {

/// How a pattern's text is read.
enum class PatternKind { Regex, Literal };

/// What happens to text between matches: its own pre-token ("Isolated"), or dropped
/// ("Removed" with "invert": true).
enum class Gaps { Keep, Drop };

/// A compiled pattern; matching is thread-safe.
class Pattern {
public:
    /// Throws core::Error "where: key: ..." when `text` does not compile.
    Pattern(std::string_view text, PatternKind kind, Gaps gaps, std::string_view where,
            std::string_view key);

    /// Appends the parts of `text` to `out`. Requires: `text` is UTF-8.
    /// Throws core::Error when matching exceeds its step limit.
    void split(std::string_view text, std::vector<std::string>& out) const;

private:
    struct Free {
        void operator()(pcre2_real_code_8* code) const;
    };
    std::unique_ptr<pcre2_real_code_8, Free> code_;
    Gaps gaps_;
};

enum class PrefixSpace { No, Add };

class PreTokenizer {
public:
    void add_split(Pattern pattern) { patterns_.push_back(std::move(pattern)); }
    /// The byte level's own space and pattern, after all splits.
    void set_byte_level(PrefixSpace prefix, std::vector<Pattern> pattern);

    /// Requires: `text` is UTF-8.
    std::vector<std::string> split(std::string_view text) const;

private:
    std::vector<Pattern> patterns_;
    PrefixSpace prefix_ = PrefixSpace::No;
    std::vector<Pattern> byte_level_;  // none or one
};

/// The pattern of a ByteLevel pre-tokenizer with "use_regex": true (openai/gpt-2 encoder.py).
std::string_view gpt2_pattern();

}  // namespace model
