// Regular expressions and fixed texts as tokenizer.json writes them, found along a text.
// Patterns run in PCRE2 with Unicode properties; \s is White_Space as in Oniguruma, which is what
// huggingface/tokenizers uses. Invariant: a hostile pattern ends with an error, not in hours.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

struct pcre2_real_code_8;
struct pcre2_real_match_data_8;
struct pcre2_real_match_context_8;

namespace model {

/// How a pattern's text is read.
enum class PatternKind { Regex, Literal };

/// A compiled pattern; shared between threads, each with a matcher of its own.
class Pattern {
public:
    /// Throws core::Error "where: key: ..." when `text` does not compile.
    Pattern(std::string_view text, PatternKind kind, std::string_view where, std::string_view key);

    /// `text` with every match replaced. Requires: `text` is UTF-8.
    std::string replaced(std::string_view text, std::string_view by) const;

private:
    friend class PatternMatcher;
    struct Free {
        void operator()(pcre2_real_code_8* code) const;
    };
    std::unique_ptr<pcre2_real_code_8, Free> code_;
};

struct ByteRange {
    std::size_t begin = 0;
    std::size_t end = 0;
};

/// Finds one pattern, in any number of texts. The pattern must outlive it.
class PatternMatcher {
public:
    explicit PatternMatcher(const Pattern& pattern);

    /// The next non-empty match at or after `from`; the empty range at the end when there is none.
    /// Requires: `text` is UTF-8. Throws core::Error when matching exceeds its step limit.
    ByteRange next(std::string_view text, std::size_t from);

private:
    struct Free {
        void operator()(pcre2_real_match_data_8* data) const;
        void operator()(pcre2_real_match_context_8* context) const;
    };
    const pcre2_real_code_8* code_;
    std::unique_ptr<pcre2_real_match_data_8, Free> data_;
    std::unique_ptr<pcre2_real_match_context_8, Free> context_;
};

}  // namespace model
