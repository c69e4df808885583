#include "dispatch/program_cache.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/digest.h"
#include "core/error.h"
#include "dispatch/trace_size.h"

namespace dispatch {
namespace {

constexpr std::size_t kMostSeen = 1 << 16;

void add(core::Digest& digest, const tensor::Spec& spec) {
    for (const std::int64_t extent : spec.shape.extents()) digest.add(extent);
    digest.add(static_cast<std::int64_t>(spec.dtype)).add(static_cast<std::int64_t>(spec.layout));
}

void add(core::Digest& digest, const MemoryConfig& memory) {
    digest.add(static_cast<std::int64_t>(memory.type))
        .add(static_cast<std::int64_t>(memory.layout))
        .add(static_cast<std::int64_t>(memory.shards));
}

bool same(const OpCommand& a, const OpCommand& b) {
    return a.op == b.op && a.plan.grid == b.plan.grid && a.plan.cores == b.plan.cores &&
           a.plan.fidelity == b.plan.fidelity && a.plan.circular_buffers == b.plan.circular_buffers;
}

bool same(const CollectiveCommand& a, const CollectiveCommand& b) {
    return a.collective == b.collective && a.axis == b.axis && a.dim == b.dim && a.form == b.form;
}

std::uint64_t operand_digest(const Enqueued& enqueued) {
    core::Digest digest;
    for (const auto* operands : {&enqueued.inputs, &enqueued.outputs}) {
        for (const Operand& operand : *operands) {
            add(digest, operand.spec);
            add(digest, operand.memory);
        }
    }
    return digest.value();
}

tensor::Spec binary_spec(core::Bytes size) {
    const std::int64_t words = kTraceCosts.binary_page / core::Bytes{4};
    return {.shape = {size / kTraceCosts.binary_page, words},
            .dtype = tensor::DType::UInt32,
            .layout = tensor::Layout::RowMajor};
}

std::string refused_text(Release release, TraceId capturing) {
    if (release == Release::R2026_09) {
        return "Cannot load new binaries during trace capture."
               "This program is not yet in program cache. Warm up before capturing a trace."
               "See the operation's hash signature for arguments that must match.";
    }
    return "Writes are not supported during trace capture. trace id: " +
           std::to_string(capturing.value);
}

}  // namespace

bool ProgramCache::Key::same_as(const Key& other) const {
    if (body.index() != other.body.index() || specs != other.specs || memory != other.memory) {
        return false;
    }
    if (const auto* op = std::get_if<OpCommand>(&body)) {
        return same(*op, std::get<OpCommand>(other.body));
    }
    return same(std::get<CollectiveCommand>(body), std::get<CollectiveCommand>(other.body));
}

std::uint64_t ProgramCache::Key::digest() const {
    core::Digest digest;
    if (const auto* op = std::get_if<OpCommand>(&body)) {
        digest.add(static_cast<std::int64_t>(op->op.index()))
            .add(static_cast<std::int64_t>(op->plan.fidelity));
    } else {
        const auto& collective = std::get<CollectiveCommand>(body).collective;
        digest.add(std::int64_t{-1}).add(static_cast<std::int64_t>(collective.kind));
    }
    for (const tensor::Spec& spec : specs) add(digest, spec);
    for (const MemoryConfig& config : memory) add(digest, config);
    return digest.value();
}

ProgramCache::Key ProgramCache::body_key(const Command& command) {
    Key key;
    if (const auto* op = std::get_if<OpCommand>(&command.body)) {
        key.body = *op;
    } else {
        const auto* collective = std::get_if<CollectiveCommand>(&command.body);
        core::require(collective != nullptr, "only ops and collectives are programs");
        key.body = *collective;
    }
    return key;
}

ProgramCache::Key ProgramCache::key_of(const Enqueued& enqueued) {
    Key key = body_key(*enqueued.command);
    for (const auto* operands : {&enqueued.inputs, &enqueued.outputs}) {
        for (const Operand& operand : *operands) {
            key.specs.push_back(operand.spec);
            key.memory.push_back(operand.memory);
        }
    }
    return key;
}

bool ProgramCache::contains(const Program& program, const Command& command) const {
    Key key = body_key(command);
    const auto add_buffer = [&](BufferRef ref) {
        key.specs.push_back(program.buffer(ref).spec);
        key.memory.push_back(program.buffer(ref).memory);
    };
    if (const auto* op = std::get_if<OpCommand>(&command.body)) {
        std::ranges::for_each(op->inputs, add_buffer);
        std::ranges::for_each(op->outputs, add_buffer);
    } else {
        const auto& collective = std::get<CollectiveCommand>(command.body);
        add_buffer(collective.input);
        if (collective.exchanges_rows()) add_buffer(collective.routing);
        add_buffer(collective.output);
    }
    const Entry* entry = find(key);
    return entry != nullptr && entry->loaded;
}

const ProgramCache::Entry* ProgramCache::find(const Key& key) const {
    const auto bucket = entries_.find(key.digest());
    if (bucket == entries_.end()) return nullptr;
    const auto entry = std::ranges::find_if(
        bucket->second, [&](const Entry& candidate) { return candidate.key.same_as(key); });
    return entry == bucket->second.end() ? nullptr : &*entry;
}

void ProgramCache::ensure(const Enqueued& enqueued, std::optional<TraceId> capturing) {
    const std::uint64_t operands = operand_digest(enqueued);
    if (seen(enqueued, operands)) return;
    Key key = key_of(enqueued);
    Entry* entry = const_cast<Entry*>(find(key));
    if (entry == nullptr) {
        std::vector<Entry>& bucket = entries_[key.digest()];
        entry = &bucket.emplace_back(Entry{std::move(key), std::nullopt, false});
    }
    if (!entry->loaded) load(enqueued, *entry, capturing);
    if (seen_.size() >= kMostSeen) seen_.clear();
    if (enqueued.program) seen_[enqueued.command] = {enqueued.program, operands};
}

void ProgramCache::load(const Enqueued& enqueued, Entry& entry, std::optional<TraceId> capturing) {
    // The newer check comes before the buffer is allocated, the older one is in the write to it.
    if (capturing && release_ == Release::R2026_09) {
        throw core::Error(refused_text(release_, *capturing)).within(enqueued.command->label);
    }
    if (!entry.binaries) {
        BufferTable::Result result =
            buffers_.allocate({"binaries of " + enqueued.command->label, Owner::Binaries,
                               binary_spec(binary_bytes(*enqueued.command)), MemoryConfig{}},
                              mesh::Direction::TopDown);
        if (const auto* failure = std::get_if<mesh::Failure>(&result)) {
            OutOfMemory error(*failure);
            error.within(enqueued.command->label);
            throw error;
        }
        entry.binaries = std::get<DeviceBuffer>(result).id;
    }
    if (capturing) {
        throw core::Error(refused_text(release_, *capturing)).within(enqueued.command->label);
    }
    entry.loaded = true;
    ++loaded_;
}

bool ProgramCache::seen(const Enqueued& enqueued, std::uint64_t operands) const {
    const auto found = seen_.find(enqueued.command);
    if (found == seen_.end() || !enqueued.program || found->second.operands != operands) {
        return false;
    }
    const std::weak_ptr<const Program>& known = found->second.program;
    return !known.owner_before(enqueued.program) && !enqueued.program.owner_before(known);
}

}  // namespace dispatch
