#include "model/bpe.h"

#include <algorithm>
#include <cstddef>
#include <limits>

#include "core/error.h"
#include "model/utf8.h"

namespace model {

namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
constexpr std::int32_t kNoRank = std::numeric_limits<std::int32_t>::max();
// Up to here searching the lowest rank each time beats keeping a heap.
constexpr std::size_t kFew = 40;

}  // namespace

std::size_t MergeTable::slot_of(std::int32_t left, std::int32_t right) const {
    const std::uint64_t key = (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32) |
                              static_cast<std::uint32_t>(right);
    // Fibonacci hashing, folded; neighbouring ids spread over the table.
    constexpr std::uint64_t kGolden = 0x9e3779b97f4a7c15;
    const std::uint64_t mixed = (key ^ (key >> 29)) * kGolden;
    const std::size_t mask = slots_.size() - 1;
    std::size_t slot = static_cast<std::size_t>(mixed >> 32) & mask;
    while (slots_[slot].left >= 0 && (slots_[slot].left != left || slots_[slot].right != right)) {
        slot = (slot + 1) & mask;
    }
    return slot;
}

void MergeTable::grow() {
    std::vector<Slot> old(slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
        if (slot.left >= 0) slots_[slot_of(slot.left, slot.right)] = slot;
    }
}

void MergeTable::add(std::int32_t left, std::int32_t right, Merge merge) {
    core::require(left >= 0 && right >= 0, "merged tokens have ids");
    if (2 * (used_ + 1) > slots_.size()) grow();
    Slot& slot = slots_[slot_of(left, right)];
    if (slot.left < 0) ++used_;
    slot = {left, right, merge};
}

const MergeTable::Merge* MergeTable::find(std::int32_t left, std::int32_t right) const {
    const Slot& slot = slots_[slot_of(left, right)];
    return slot.left < 0 ? nullptr : &slot.merge;
}

void Bpe::characters_of(std::string_view text, std::vector<std::int32_t>& symbols) const {
    bool follows_unknown = false;
    while (!text.empty()) {
        const std::string_view character = text.substr(0, utf8_step(text).length);
        text.remove_prefix(character.size());
        const auto entry = ids_.find(character);
        if (entry != ids_.end()) {
            symbols.push_back(entry->second);
            follows_unknown = false;
            continue;
        }
        const auto byte_id = [&](char byte) {
            return (*unknown_.bytes)[static_cast<unsigned char>(byte)];
        };
        if (unknown_.bytes && std::all_of(character.begin(), character.end(),
                                          [&](char byte) { return byte_id(byte) >= 0; })) {
            for (const char byte : character) symbols.push_back(byte_id(byte));
            continue;
        }
        if (!unknown_.token) continue;
        if (!(unknown_.fuses && follows_unknown)) symbols.push_back(*unknown_.token);
        follows_unknown = true;
    }
}

void Bpe::merge_few(std::vector<std::int32_t>& symbols, std::vector<std::int32_t>& ranks) const {
    const auto rank_at = [&](std::size_t left) {
        if (left + 1 >= symbols.size()) return kNoRank;
        const MergeTable::Merge* merge = merges_.find(symbols[left], symbols[left + 1]);
        return merge == nullptr ? kNoRank : merge->rank;
    };
    ranks.resize(symbols.size());
    for (std::size_t i = 0; i < symbols.size(); ++i) ranks[i] = rank_at(i);
    while (true) {
        const auto best = std::min_element(ranks.begin(), ranks.end());
        if (*best == kNoRank) return;
        const std::ptrdiff_t place = best - ranks.begin();
        const auto left = static_cast<std::size_t>(place);
        symbols[left] = merges_.find(symbols[left], symbols[left + 1])->merged;
        symbols.erase(symbols.begin() + place + 1);
        ranks.erase(best + 1);
        ranks[left] = rank_at(left);
        if (left > 0) ranks[left - 1] = rank_at(left - 1);
    }
}

void Bpe::merge_many(Scratch& scratch) const {
    auto& symbols = scratch.symbols;
    auto& heap = scratch.heap;
    heap.clear();
    const auto count = static_cast<std::uint32_t>(scratch.ids.size());
    symbols.resize(count);
    for (std::uint32_t i = 0; i < count; ++i) {
        symbols[i] = {scratch.ids[i], i == 0 ? kNone : i - 1, i + 1 == count ? kNone : i + 1};
    }
    const auto offer = [&](std::uint32_t left) {
        if (left == kNone || symbols[left].next == kNone) return;
        const auto* merge = merges_.find(symbols[left].id, symbols[symbols[left].next].id);
        if (merge == nullptr) return;
        heap.push_back({merge->rank, merge->merged, left});
        std::push_heap(heap.begin(), heap.end());
    };
    for (std::uint32_t i = 0; i < count; ++i) offer(i);
    while (!heap.empty()) {
        std::pop_heap(heap.begin(), heap.end());
        const Scratch::Candidate best = heap.back();
        heap.pop_back();
        Scratch::Symbol& left = symbols[best.left];
        if (left.id < 0 || left.next == kNone) continue;
        // An entry is stale when its pair has changed since.
        Scratch::Symbol& right = symbols[left.next];
        const auto* merge = merges_.find(left.id, right.id);
        if (merge == nullptr || merge->merged != best.merged) continue;
        left.id = best.merged;
        left.next = right.next;
        right.id = -1;
        if (left.next != kNone) symbols[left.next].previous = best.left;
        offer(left.previous);
        offer(best.left);
    }
    scratch.ids.clear();
    for (std::uint32_t i = 0; i != kNone; i = symbols[i].next) {
        scratch.ids.push_back(symbols[i].id);
    }
}

void Bpe::encode(std::string_view text, std::vector<std::int32_t>& out, Scratch& scratch) const {
    if (text.empty()) return;
    if (whole_ == WholePieces::Lookup) {
        const auto entry = ids_.find(text);
        if (entry != ids_.end()) return out.push_back(entry->second);
    }
    scratch.ids.clear();
    if (byte_ids_) {
        for (const char byte : text) {
            scratch.ids.push_back((*byte_ids_)[static_cast<unsigned char>(byte)]);
        }
    } else {
        characters_of(text, scratch.ids);
    }
    if (scratch.ids.size() >= kNone) {
        throw core::Error::mismatch("text", "length", "under 4 Gi symbols between two splits",
                                    std::to_string(scratch.ids.size()));
    }
    if (scratch.ids.size() > kFew) {
        merge_many(scratch);
    } else if (!scratch.ids.empty()) {
        merge_few(scratch.ids, scratch.ranks);
    }
    out.insert(out.end(), scratch.ids.begin(), scratch.ids.end());
}

}  // namespace model
