#include "model/bpe.h"

#include <cstddef>
#include <queue>

namespace model {

namespace {

constexpr std::size_t kNone = static_cast<std::size_t>(-1);

/// A token in a doubly linked list over the pre-token; `id` -1 once merged into its left one.
struct Symbol {
    std::int32_t id = -1;
    std::size_t previous = kNone;
    std::size_t next = kNone;
};

struct Candidate {
    std::int32_t rank = 0;
    std::size_t left = 0;
    std::int32_t merged = 0;

    /// For a queue whose top is the lowest rank, the leftmost among equals.
    bool operator<(const Candidate& other) const {
        return rank != other.rank ? rank > other.rank : left > other.left;
    }
};

std::vector<Symbol> symbols_of(std::string_view bytes,
                               const std::array<std::int32_t, 256>& byte_ids) {
    std::vector<Symbol> symbols(bytes.size());
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        symbols[i].id = byte_ids[static_cast<unsigned char>(bytes[i])];
        symbols[i].previous = i == 0 ? kNone : i - 1;
        symbols[i].next = i + 1 == bytes.size() ? kNone : i + 1;
    }
    return symbols;
}

/// The symbol right of `left` becomes part of it.
void join(std::vector<Symbol>& symbols, std::size_t left, std::int32_t merged) {
    const std::size_t right = symbols[left].next;
    symbols[left].id = merged;
    symbols[left].next = symbols[right].next;
    if (symbols[left].next != kNone) symbols[symbols[left].next].previous = left;
    symbols[right].id = -1;
}

}  // namespace

const Bpe::Merge* Bpe::find(std::int32_t left, std::int32_t right) const {
    const auto entry = merges_.find(pair(left, right));
    return entry == merges_.end() ? nullptr : &entry->second;
}

void Bpe::encode(std::string_view bytes, std::vector<std::int32_t>& out) const {
    if (bytes.empty()) return;
    if (whole_ == WholePieces::Lookup) {
        const auto entry = ids_.find(bytes);
        if (entry != ids_.end()) return out.push_back(entry->second);
    }
    std::vector<Symbol> symbols = symbols_of(bytes, byte_ids_);
    std::priority_queue<Candidate> queue;
    const auto offer = [&](std::size_t left) {
        if (left == kNone || symbols[left].next == kNone) return;
        const Merge* merge = find(symbols[left].id, symbols[symbols[left].next].id);
        if (merge != nullptr) queue.push({merge->rank, left, merge->merged});
    };
    for (std::size_t i = 0; i < symbols.size(); ++i) offer(i);

    while (!queue.empty()) {
        const Candidate best = queue.top();
        queue.pop();
        const Symbol& left = symbols[best.left];
        if (left.id < 0 || left.next == kNone) continue;
        // An entry is stale when its pair has changed since.
        const Merge* merge = find(left.id, symbols[left.next].id);
        if (merge == nullptr || merge->merged != best.merged) continue;
        join(symbols, best.left, best.merged);
        offer(symbols[best.left].previous);
        offer(best.left);
    }
    for (std::size_t i = 0; i != kNone; i = symbols[i].next) out.push_back(symbols[i].id);
}

}  // namespace model
