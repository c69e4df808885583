// The values' reading of a command stream: real bytes in every simulated chip's memory, ops run on
// them, collectives copied hop by hop along their plans. Threads (oneTBB) work across chips; sums
// are in plan order, so the bytes are the same on any number of threads. It keeps its own books:
// live bytes by allocation, multiply-adds counted by the kernels, bytes moved per hop; the
// agreement tests compare them with the other readers.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "ccl/plan.h"
#include "core/digest.h"
#include "dispatch/chip_memory.h"
#include "dispatch/reader.h"
#include "dispatch/transport.h"
#include "fabric/mesh.h"

namespace dispatch {

class Executor : public Reader {
public:
    Executor(const fabric::Mesh& mesh, const DeviceMemory& memory);
    ~Executor() override;

    void run(const Enqueued& enqueued, const ChipBindings& bindings, QueueId queue,
             Origin origin) override;
    void write(const Operand& to, const HostData& data, QueueId queue) override;
    void read(const Operand& from, std::span<const std::int32_t> chips, HostData& data,
              QueueId queue) override;
    void record_event(EventId, QueueId) override {}
    void wait_event(EventId, QueueId) override {}
    void replay(TraceId, std::int64_t, QueueId) override {}
    void finish(QueueId) override {}
    void allocated(const DeviceBuffer& buffer) override;
    void freed(const DeviceBuffer& buffer) override;

    /// The bytes of a tensor on one chip (row-major index), for loading weights.
    std::byte* data(const Operand& operand, std::int32_t chip) const;
    /// ChipMemory::take() of a tensor on every one of `chips`.
    bool take(const Operand& operand, std::span<const std::int32_t> chips, FilePart from) const;
    /// Gives all `chips` the bytes of the first: one copy in host memory, unless they are few.
    void share(const Operand& operand, std::span<const std::int32_t> chips) const;

    std::int64_t commands_run() const { return commands_run_; }
    /// Multiply-adds the kernels really did, summed over chips.
    std::int64_t multiply_adds() const;
    std::map<fabric::Hop, core::Bytes> bytes_moved() const { return transport_.bytes_moved(); }
    /// Largest sum of live per-bank bytes, by its own books.
    core::Bytes peak_per_bank(mesh::BufferType type) const;

private:
    struct Books {
        std::map<std::int64_t, core::Bytes> live;  // by address
        core::Bytes used;
        core::Bytes peak;
    };
    void run_op(const OpCommand& op, const Enqueued& enqueued, const ChipBindings& bindings);
    void run_group_collectives(const CollectiveCommand& command, const Enqueued& enqueued,
                               const ChipBindings& bindings);
    void check_alive(const Operand& operand) const;
    const ccl::Plan& plan_of(const CollectiveCommand& command);

    const fabric::Mesh& mesh_;
    std::vector<ChipMemory> chips_;
    std::vector<tensor::Counters> counters_;
    InProcessTransport transport_;
    std::map<mesh::BufferType, Books> books_;
    std::vector<std::pair<ccl::Collective, std::unique_ptr<ccl::Plan>>> plans_;
    std::int64_t commands_run_ = 0;
};

/// The groups a collective works in: along a mesh axis, or (axis -1) all chips as one.
std::vector<std::vector<std::int32_t>> collective_groups(mesh::Shape shape, int axis);

}  // namespace dispatch
