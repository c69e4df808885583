#include "model/pre_tokenizer.h"

#include <algorithm>

namespace model {

namespace {

using Parts = std::vector<std::string_view>;

struct Stretch {
    std::size_t begin = 0;
    std::size_t end = 0;
    bool is_match = false;
};

/// Matches and what lies between them, left to right; no stretch is empty.
void stretches(std::string_view text, PatternMatcher& matcher, std::vector<Stretch>& out) {
    out.clear();
    std::size_t done = 0;
    while (done < text.size()) {
        const ByteRange match = matcher.next(text, done);
        // \K and lookbehind could report a match that starts before `done`.
        const std::size_t begin = std::max(match.begin, done);
        if (begin > done) out.push_back({done, begin, false});
        if (match.end > begin) out.push_back({begin, match.end, true});
        if (match.end <= done) break;
        done = match.end;
    }
}

/// A delimiter joins its left neighbour, unless that is a delimiter too.
void merge_with_previous(std::vector<Stretch>& list) {
    std::vector<Stretch> merged;
    bool previous_is_match = false;
    for (const Stretch& stretch : list) {
        if (stretch.is_match && !previous_is_match && !merged.empty()) {
            merged.back().end = stretch.end;
        } else {
            merged.push_back(stretch);
        }
        previous_is_match = stretch.is_match;
    }
    list = std::move(merged);
}

void merge_with_next(std::vector<Stretch>& list) {
    std::vector<Stretch> merged;
    bool next_is_match = false;
    std::for_each(list.rbegin(), list.rend(), [&](const Stretch& stretch) {
        if (stretch.is_match && !next_is_match && !merged.empty()) {
            merged.back().begin = stretch.begin;
        } else {
            merged.push_back(stretch);
        }
        next_is_match = stretch.is_match;
    });
    std::reverse(merged.begin(), merged.end());
    list = std::move(merged);
}

void merge_equals(std::vector<Stretch>& list) {
    std::vector<Stretch> merged;
    for (const Stretch& stretch : list) {
        if (!merged.empty() && merged.back().is_match == stretch.is_match) {
            merged.back().end = stretch.end;
        } else {
            merged.push_back(stretch);
        }
    }
    list = std::move(merged);
}

void run_step(const SplitStep& step, Place, TextStore&, Parts& parts) {
    PatternMatcher matcher(step.pattern);
    Parts finer;
    std::vector<Stretch> list;
    for (const std::string_view part : parts) {
        stretches(part, matcher, list);
        if (step.inverts) {
            for (Stretch& stretch : list) stretch.is_match = !stretch.is_match;
        }
        switch (step.behavior) {
            case SplitBehavior::Isolated:
                break;
            case SplitBehavior::Removed:
                std::erase_if(list, [](const Stretch& stretch) { return stretch.is_match; });
                break;
            case SplitBehavior::MergedWithPrevious:
                merge_with_previous(list);
                break;
            case SplitBehavior::MergedWithNext:
                merge_with_next(list);
                break;
            case SplitBehavior::Contiguous:
                merge_equals(list);
                break;
        }
        for (const Stretch& stretch : list) {
            finer.push_back(part.substr(stretch.begin, stretch.end - stretch.begin));
        }
    }
    parts = std::move(finer);
}

void run_step(const ByteLevelStep& step, Place, TextStore& store, Parts& parts) {
    if (step.adds_space) {
        for (std::string_view& part : parts) {
            if (!part.starts_with(' ')) part = store.emplace_back(" " + std::string(part));
        }
    }
    if (!step.pattern) return;
    PatternMatcher matcher(*step.pattern);
    Parts finer;
    std::vector<Stretch> list;
    for (const std::string_view part : parts) {
        stretches(part, matcher, list);
        for (const Stretch& stretch : list) {
            finer.push_back(part.substr(stretch.begin, stretch.end - stretch.begin));
        }
    }
    parts = std::move(finer);
}

/// Parts of `text` that begin at each mark; with `runs`, only at the first of a run of marks.
void cut_before(std::string_view text, std::string_view mark, bool runs, Parts& out) {
    std::size_t done = 0;
    std::size_t after_mark = std::string_view::npos;
    for (std::size_t at = text.find(mark); at != text.npos; at = text.find(mark, at)) {
        const bool continues = runs && at == after_mark;
        if (at > done && !continues) {
            out.push_back(text.substr(done, at - done));
            done = at;
        }
        at += mark.size();
        after_mark = at;
    }
    if (done < text.size()) out.push_back(text.substr(done));
}

void run_step(const MetaspaceStep& step, Place place, TextStore& store, Parts& parts) {
    using Prepend = MetaspaceStep::Prepend;
    Parts finer;
    for (std::size_t i = 0; i < parts.size(); ++i) {
        std::string text;
        text.reserve(parts[i].size() * 5 / 4 + step.mark.size());
        const bool may_prepend =
            step.prepend == Prepend::Always ||
            (step.prepend == Prepend::First && place == Place::Begin && i == 0);
        if (may_prepend && !parts[i].starts_with(' ') && !parts[i].starts_with(step.mark)) {
            text = step.mark;
        }
        for (const char letter : parts[i]) {
            if (letter == ' ') {
                text += step.mark;
            } else {
                text += letter;
            }
        }
        const std::string_view kept = store.emplace_back(std::move(text));
        if (step.splits) {
            cut_before(kept, step.mark, false, finer);
        } else {
            finer.push_back(kept);
        }
    }
    parts = std::move(finer);
}

void run_step(const CutStep& step, Place, TextStore&, Parts& parts) {
    Parts finer;
    for (const std::string_view part : parts) cut_before(part, step.mark, true, finer);
    parts = std::move(finer);
}

}  // namespace

void PreTokenizer::add(Step&& step) { steps_.push_back(std::move(step)); }

void PreTokenizer::split(std::string_view text, Place place, TextStore& store, Parts& parts) const {
    parts.clear();
    if (!text.empty()) parts.push_back(text);
    for (const Step& step : steps_) {
        std::visit([&](const auto& known) { run_step(known, place, store, parts); }, step);
    }
}

std::string_view gpt2_pattern() {
    return R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)";
}

}  // namespace model
