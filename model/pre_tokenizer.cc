#include "model/pre_tokenizer.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <cstdint>

#include "core/error.h"
#include "core/files.h"
#include "model/utf8.h"

namespace model {

namespace {

using core::Error;

// Far above what real patterns need (a few steps per character), so a hostile one ends in time.
constexpr std::uint32_t kLeastMatchLimit = 10'000'000;
constexpr std::uint32_t kStepsPerByte = 16;
constexpr std::size_t kLongestPattern = 64 * 1024;

struct FreeMatch {
    void operator()(pcre2_match_data* data) const { pcre2_match_data_free(data); }
    void operator()(pcre2_match_context* context) const { pcre2_match_context_free(context); }
};

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

/// Matches one pattern along one text.
class Matcher {
public:
    Matcher(const pcre2_code* code, std::string_view text)
        : code_(code),
          text_(text),
          data_(pcre2_match_data_create(1, nullptr)),
          context_(pcre2_match_context_create(nullptr)) {
        core::require(data_ && context_, "PCRE2 gets its match data");
        const std::size_t steps = std::min<std::size_t>(text.size(), UINT32_MAX / kStepsPerByte);
        pcre2_set_match_limit(
            context_.get(),
            std::max(kLeastMatchLimit, static_cast<std::uint32_t>(steps) * kStepsPerByte));
    }

    struct Range {
        std::size_t begin = 0;
        std::size_t end = 0;
    };

    /// The next non-empty match at or after `from`; the empty range at the end when there is none.
    Range next(std::size_t from) {
        int result = run(from, PCRE2_NOTEMPTY | PCRE2_NO_UTF_CHECK);
        // The interpreter keeps its stack on the heap, with a limit of its own.
        if (result == PCRE2_ERROR_JIT_STACKLIMIT) {
            result = run(from, PCRE2_NOTEMPTY | PCRE2_NO_UTF_CHECK | PCRE2_NO_JIT);
        }
        if (result == PCRE2_ERROR_NOMATCH) return {text_.size(), text_.size()};
        if (result < 0) {
            throw Error("tokenizer pattern: expected a match in bounded time, got \"" +
                        pcre_text(result) + "\" at byte " + std::to_string(from))
                .hint("shorten the text, or use a simpler pattern");
        }
        const PCRE2_SIZE* bounds = pcre2_get_ovector_pointer(data_.get());
        return {bounds[0], bounds[1]};
    }

private:
    int run(std::size_t from, std::uint32_t options) {
        return pcre2_match(code_, reinterpret_cast<PCRE2_SPTR>(text_.data()), text_.size(), from,
                           options, data_.get(), context_.get());
    }

    const pcre2_code* code_;
    std::string_view text_;
    std::unique_ptr<pcre2_match_data, FreeMatch> data_;
    std::unique_ptr<pcre2_match_context, FreeMatch> context_;
};

}  // namespace

void Pattern::Free::operator()(pcre2_real_code_8* code) const { pcre2_code_free(code); }

Pattern::Pattern(std::string_view text, PatternKind kind, Gaps gaps, std::string_view where,
                 std::string_view key)
    : gaps_(gaps) {
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

void Pattern::split(std::string_view text, std::vector<std::string>& out) const {
    Matcher matcher(code_.get(), text);
    std::size_t done = 0;
    while (done < text.size()) {
        const Matcher::Range match = matcher.next(done);
        // \K and lookbehind could report a match that starts before `done`.
        const std::size_t begin = std::max(match.begin, done);
        if (begin > done && gaps_ == Gaps::Keep) out.emplace_back(text.substr(done, begin - done));
        if (match.end > begin) out.emplace_back(text.substr(begin, match.end - begin));
        if (match.end <= done) break;
        done = match.end;
    }
}

void PreTokenizer::set_byte_level(PrefixSpace prefix, std::vector<Pattern> pattern) {
    core::require(pattern.size() <= 1, "the byte level has at most one pattern");
    prefix_ = prefix;
    byte_level_ = std::move(pattern);
}

std::vector<std::string> PreTokenizer::split(std::string_view text) const {
    std::vector<std::string> parts;
    if (!text.empty()) parts.emplace_back(text);
    const auto refine = [&parts](const Pattern& pattern) {
        std::vector<std::string> finer;
        for (const std::string& part : parts) pattern.split(part, finer);
        parts = std::move(finer);
    };
    for (const Pattern& pattern : patterns_) refine(pattern);
    if (prefix_ == PrefixSpace::Add) {
        for (std::string& part : parts) {
            if (!part.starts_with(' ')) part.insert(part.begin(), ' ');
        }
    }
    for (const Pattern& pattern : byte_level_) refine(pattern);
    return parts;
}

std::string_view gpt2_pattern() {
    return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
}

}  // namespace model
