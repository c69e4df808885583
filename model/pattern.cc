#include "model/pattern.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstdint>

#include "core/error.h"
#include "core/files.h"

namespace model {

namespace {

using core::Error;

// Far above what real patterns need (a few steps per character), so a hostile one ends in time.
constexpr std::uint32_t kLeastMatchLimit = 10'000'000;
constexpr std::uint32_t kStepsPerByte = 16;
constexpr std::size_t kLongestPattern = 64 * 1024;

/// \s and \S by the Unicode property; PCRE2's own \s also takes U+180E.
std::string with_white_space(std::string_view pattern) {
    std::string out;
    for (std::size_t i = 0; i < pattern.size(); ++i) {
        if (pattern[i] != '\\' || i + 1 == pattern.size()) {
            out.push_back(pattern[i]);
            continue;
        }
        const char escaped = pattern[++i];
        if (escaped == 's') {
            out.append("\\p{White_Space}");
        } else if (escaped == 'S') {
            out.append("\\P{White_Space}");
        } else {
            out.append({'\\', escaped});
        }
    }
    return out;
}

std::string pcre_text(int code) {
    PCRE2_UCHAR text[256] = {};
    pcre2_get_error_message(code, text, sizeof text);
    return reinterpret_cast<const char*>(text);
}

}  // namespace

void Pattern::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

Pattern::Pattern(std::string_view text, PatternKind kind, std::string_view where,
                 std::string_view key) {
    if (text.empty() || text.size() > kLongestPattern) {
        throw Error::mismatch(where, key, "a pattern of 1 to 65536 bytes",
                              std::to_string(text.size()));
    }
    const bool is_literal = kind == PatternKind::Literal;
    const std::string pattern = is_literal ? std::string(text) : with_white_space(text);
    const std::uint32_t options =
        PCRE2_UTF | (is_literal ? PCRE2_LITERAL : PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C);
    int code = 0;
    PCRE2_SIZE offset = 0;
    code_.reset(pcre2_compile(reinterpret_cast<PCRE2_SPTR>(pattern.data()), pattern.size(), options,
                              &code, &offset, nullptr));
    if (!code_) {
        throw Error::mismatch(where, key, "a regular expression",
                              "\"" + core::printable(text) + "\" (" + pcre_text(code) + ")");
    }
    // Only speed depends on it; without JIT support the interpreter runs.
    pcre2_jit_compile(code_.get(), PCRE2_JIT_COMPLETE);
}

std::string Pattern::replaced(std::string_view text, std::string_view by) const {
    PatternMatcher matcher(*this);
    std::string out;
    std::size_t done = 0;
    while (done < text.size()) {
        const ByteRange match = matcher.next(text, done);
        const std::size_t begin = std::max(match.begin, done);
        out.append(text.substr(done, begin - done));
        if (match.end <= done || match.begin == text.size()) break;
        out.append(by);
        done = match.end;
    }
    return out;
}

void PatternMatcher::Free::operator()(pcre2_real_match_data_8* data) const {
    pcre2_match_data_free(data);
}

void PatternMatcher::Free::operator()(pcre2_real_match_context_8* context) const {
    pcre2_match_context_free(context);
}

PatternMatcher::PatternMatcher(const Pattern& pattern)
    : code_(pattern.code_.get()),
      data_(pcre2_match_data_create(1, nullptr)),
      context_(pcre2_match_context_create(nullptr)) {
    core::require(data_ && context_, "PCRE2 gets its match data");
}

ByteRange PatternMatcher::next(std::string_view text, std::size_t from) {
    const auto steps =
        static_cast<std::uint32_t>(std::min<std::size_t>(text.size(), UINT32_MAX / kStepsPerByte));
    pcre2_set_match_limit(context_.get(), std::max(kLeastMatchLimit, steps * kStepsPerByte));
    const auto run = [&](std::uint32_t options) {
        return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text.data()), text.size(), from,
                           PCRE2_NOTEMPTY | PCRE2_NO_UTF_CHECK | options, data_.get(),
                           context_.get());
    };
    int result = run(0);
    // The interpreter keeps its stack on the heap, with a limit of its own.
    if (result == PCRE2_ERROR_JIT_STACKLIMIT) result = run(PCRE2_NO_JIT);
    if (result == PCRE2_ERROR_NOMATCH) return {text.size(), text.size()};
    if (result < 0) {
        throw Error("tokenizer pattern: expected a match in bounded time, got \"" +
                    pcre_text(result) + "\" at byte " + std::to_string(from))
            .hint("shorten the text, or use a simpler pattern");
    }
    const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data_.get());
    return {bounds[0], bounds[1]};
}

}  // namespace model
