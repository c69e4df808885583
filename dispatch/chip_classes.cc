#include "dispatch/chip_classes.h"

#include <algorithm>

#include "core/error.h"

namespace dispatch {
namespace {

constexpr std::size_t kMostMemos = 1 << 16;
constexpr std::size_t kMostKnown = 64;  // positions move on every step

/// A word at a time, mixed as splitmix64 does.
class Fingerprint {
public:
    void add(std::int64_t value) {
        state_ += static_cast<std::uint64_t>(value) + 0x9e3779b97f4a7c15ULL;
        state_ = (state_ ^ (state_ >> 30)) * 0xbf58476d1ce4e5b9ULL;
        state_ = (state_ ^ (state_ >> 27)) * 0x94d049bb133111ebULL;
        state_ ^= state_ >> 31;
    }
    std::uint64_t value() const { return state_; }

private:
    std::uint64_t state_ = 0;
};

/// Which of its users have their first and their current block on this chip.
void add_presence(Fingerprint& print, const tensor::Bindings& bindings) {
    const tensor::PageTable& table = bindings.page_table;
    if (table.blocks_per_user <= 0 || table.block_size <= 0) return;
    const std::int64_t users =
        static_cast<std::int64_t>(table.blocks.size()) / table.blocks_per_user;
    const std::int64_t reach = table.blocks_per_user * table.block_size;
    for (std::int64_t user = 0; user < users; ++user) {
        std::int64_t here = table.block(user, 0) >= 0 ? 1 : 0;
        if (user < static_cast<std::int64_t>(bindings.positions.size())) {
            const std::int64_t position = bindings.positions[static_cast<std::size_t>(user)];
            const bool inside = position >= 0 && position < reach;
            if (inside && table.block(user, position) >= 0) here += 2;
        }
        print.add(here);
    }
}

}  // namespace

std::uint64_t work_fingerprint(const tensor::Bindings& bindings) {
    Fingerprint print;
    print.add(bindings.valid_rows);
    print.add(bindings.chunk_start);
    print.add(bindings.user);
    print.add(bindings.page_table.block_size);
    print.add(bindings.page_table.blocks_per_user);
    print.add(static_cast<std::int64_t>(bindings.expert_rows.size()));
    for (const std::int64_t rows : bindings.expert_rows) print.add(rows);
    print.add(static_cast<std::int64_t>(bindings.positions.size()));
    for (const std::int32_t position : bindings.positions) print.add(position);
    add_presence(print, bindings);
    return print.value();
}

std::span<const OpTime> OpTimes::of(const Enqueued& enqueued, const ChipBindings& bindings) {
    std::vector<Known>& known = memo_of(enqueued).known;
    times_.clear();
    std::size_t last = 0;
    for (const tensor::Bindings& chip : bindings) {
        const std::uint64_t print = work_fingerprint(chip);
        if (last >= known.size() || known[last].fingerprint != print) {
            const auto found = std::ranges::find(known, print, &Known::fingerprint);
            last = static_cast<std::size_t>(found - known.begin());
        }
        if (last == known.size()) known.push_back({print, compute(enqueued, chip)});
        times_.push_back(known[last].time);
    }
    if (known.size() > kMostKnown) known.clear();
    return times_;
}

OpTimes::Memo& OpTimes::memo_of(const Enqueued& enqueued) {
    if (!enqueued.program) {
        unshared_.known.clear();
        return unshared_;
    }
    if (memos_.size() > kMostMemos) memos_.clear();
    Memo& memo = memos_[enqueued.command];
    const bool same = !memo.program.owner_before(enqueued.program) &&
                      !enqueued.program.owner_before(memo.program);
    if (!same) memo = {enqueued.program, {}};
    return memo;
}

OpTime OpTimes::compute(const Enqueued& enqueued, const tensor::Bindings& bindings) {
    const auto& op = std::get<OpCommand>(enqueued.command->body);
    specs_.clear();
    for (const Operand& input : enqueued.inputs) specs_.push_back(input.spec);
    return op_time(op.op, specs_, bindings, op.plan, chip_, tuning_);
}

}  // namespace dispatch
