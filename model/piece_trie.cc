#include "model/piece_trie.h"

#include <algorithm>
#include <span>

#include "core/error.h"

namespace model {

namespace {

constexpr std::size_t kBytes = 256;

std::size_t byte_at(const PieceTrie::Entry& entry, std::size_t depth) {
    return static_cast<unsigned char>(entry.text[depth]);
}

}  // namespace

struct PieceTrie::Builder {
    /// The sorted entries below a state, which share `depth` bytes.
    struct Range {
        std::size_t first = 0;
        std::size_t last = 0;
        std::size_t depth = 0;
        std::size_t state = 0;
    };

    std::span<const Entry> entries;
    std::vector<Slot>& slots;
    std::size_t first_free = 1;
    std::vector<std::size_t> labels;
    std::vector<Range> pending;

    bool fits(std::size_t base) const {
        return std::all_of(labels.begin(), labels.end(), [&](std::size_t label) {
            return base + label >= slots.size() || slots[base + label].parent == kNone;
        });
    }

    // Where all labels fall on free slots. Stretches that are nearly full are not searched again.
    std::size_t find_base() {
        std::size_t taken = 0;
        std::size_t at = std::max(first_free, labels.front());
        const std::size_t start = at;
        while (true) {
            const bool is_free = at >= slots.size() || slots[at].parent == kNone;
            if (is_free && fits(at - labels.front())) break;
            taken += is_free ? 0 : 1;
            ++at;
        }
        constexpr std::size_t kNearly = 20;  // all but one of so many
        if (at > start && (at - start - taken) * kNearly < at - start) first_free = at;
        return at - labels.front();
    }

    void place(Range range) {
        if (entries[range.first].text.size() == range.depth) {
            slots[range.state].id = entries[range.first++].id;
        }
        if (range.first == range.last) return;
        labels.clear();
        for (std::size_t i = range.first; i < range.last; ++i) {
            const std::size_t label = byte_at(entries[i], range.depth);
            if (labels.empty() || labels.back() != label) labels.push_back(label);
        }
        const std::size_t base = find_base();
        if (slots.size() < base + kBytes) slots.resize(base + kBytes);
        slots[range.state].base = static_cast<std::uint32_t>(base);
        for (const std::size_t label : labels) {
            slots[base + label].parent = static_cast<std::uint32_t>(range.state);
        }
        for (std::size_t i = range.first; i < range.last;) {
            const std::size_t label = byte_at(entries[i], range.depth);
            const std::size_t first = i;
            while (i < range.last && byte_at(entries[i], range.depth) == label) ++i;
            pending.push_back({first, i, range.depth + 1, base + label});
        }
    }
};

PieceTrie::PieceTrie(std::vector<Entry> entries) {
    if (entries.empty()) return;
    std::sort(entries.begin(), entries.end(),
              [](const Entry& a, const Entry& b) { return a.text < b.text; });
    for (std::size_t i = 0; i < entries.size(); ++i) {
        core::require(!entries[i].text.empty() && entries[i].id >= 0, "pieces have text and id");
        core::require(i == 0 || entries[i].text != entries[i - 1].text, "pieces differ");
    }
    slots_.resize(kBytes + 1);
    slots_[0].parent = kRoot;
    Builder builder{entries, slots_, 1, {}, {{0, entries.size(), 0, 0}}};
    while (!builder.pending.empty()) {
        const Builder::Range next = builder.pending.back();
        builder.pending.pop_back();
        builder.place(next);
    }
}

}  // namespace model
