// The program cache of a mesh device: which programs were built, and where their binaries are.
// A program is known by the attributes of its op or collective, the specs and memory configs of
// its operands and how it sits on the chip; a digest of them finds it, comparing them confirms it.
// Binaries are loaded at the first enqueue into a DRAM buffer taken from the top of the banks;
// during a capture that is forbidden. For the .cc files of the device only.
// Source: tenstorrent/tt-metal tt_metal/distributed/mesh_workload.cpp @79925a3f; PR #11301.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <unordered_map>
#include <variant>
#include <vector>

#include "dispatch/buffer_table.h"

namespace dispatch {

class ProgramCache {
public:
    ProgramCache(BufferTable& buffers, Release release) : buffers_(buffers), release_(release) {}

    bool contains(const Program& program, const Command& command) const;
    std::int64_t size() const { return loaded_; }

    /// Finds or loads the program. `capturing` is the trace its queue captures. Throws core::Error
    /// with the real text when it would have to be loaded during a capture or does not fit.
    void ensure(const Enqueued& enqueued, std::optional<TraceId> capturing);

private:
    struct Key {
        std::variant<OpCommand, CollectiveCommand> body;  // without references to buffers
        std::vector<tensor::Spec> specs;
        std::vector<MemoryConfig> memory;
        bool same_as(const Key& other) const;
        std::uint64_t digest() const;
    };
    struct Entry {
        Key key;
        std::optional<BufferId> binaries;
        bool loaded = false;  // false: the buffer is there, the write was refused
    };

    static Key body_key(const Command& command);
    static Key key_of(const Enqueued& enqueued);
    const Entry* find(const Key& key) const;
    void load(const Enqueued& enqueued, Entry& entry, std::optional<TraceId> capturing);
    bool seen(const Enqueued& enqueued, std::uint64_t operands) const;

    BufferTable& buffers_;
    Release release_;
    std::map<std::uint64_t, std::vector<Entry>> entries_;  // by digest
    std::int64_t loaded_ = 0;
    /// A command that was enqueued before, with which operands; spares comparing whole keys.
    struct Seen {
        std::weak_ptr<const Program> program;
        std::uint64_t operands = 0;
    };
    std::unordered_map<const Command*, Seen> seen_;  // looked up, never walked
};

}  // namespace dispatch
