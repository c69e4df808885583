#include "dispatch/memory_plan.h"

#include <algorithm>

#include "dispatch/session.h"

namespace dispatch {
namespace {

// The device's own bookkeeping, read by the planner: which bytes live, per owner, at which peak.
class Books : public Reader {
public:
    void run(const Enqueued&, const ChipBindings&, QueueId, Origin) override {}
    void write(const Operand&, const HostData&, QueueId) override {}
    void read(const Operand&, std::span<const std::int32_t>, HostData&, QueueId) override {}
    void record_event(EventId, QueueId) override {}
    void wait_event(EventId, QueueId) override {}
    void replay(TraceId, std::int64_t, QueueId) override {}
    void finish(QueueId) override {}
    void allocated(const DeviceBuffer& buffer) override {
        placed.push_back({buffer.name, buffer.owner, buffer.operand.memory.type,
                          buffer.operand.address, buffer.per_bank});
        if (buffer.operand.memory.type == mesh::BufferType::Dram) {
            live[buffer.owner] += buffer.per_bank;
        }
    }
    void freed(const DeviceBuffer& buffer) override {
        if (buffer.operand.memory.type == mesh::BufferType::Dram) {
            live[buffer.owner] -= buffer.per_bank;
        }
    }

    std::vector<Placed> placed;
    std::map<Owner, core::Bytes> live;
};

void run_all(std::span<const std::shared_ptr<const Program>> programs, MeshDevice& device,
             Session& session, MemoryPlan& plan) {
    const auto note = [&plan](const std::optional<Shortage>& shortage) {
        if (!shortage) return false;
        plan.failed_buffer = shortage->buffer;
        plan.failure = shortage->failure;
        plan.clash = shortage->clash;
        return true;
    };
    for (const auto& program : programs) {
        if (note(session.place(program))) return;
    }
    const ChipBindings bindings(static_cast<std::size_t>(device.mesh().chip_count()));
    for (const auto& program : programs) {
        HostTensors host;
        if (note(session.run(program, bindings, host, QueueId{0}))) return;
    }
}

}  // namespace

MemoryPlan plan_memory(std::span<const std::shared_ptr<const Program>> programs,
                       const fabric::Mesh& mesh, const DeviceOptions& options) {
    MemoryPlan plan;
    MeshDevice device(0, mesh, options);
    Books books;
    device.attach(books);
    Session session(device);
    run_all(programs, device, session, plan);

    const mesh::BankAllocator& dram = device.allocator(mesh::BufferType::Dram);
    const mesh::BankStatistics state = dram.statistics();
    const std::int64_t banks = dram.config().banks;
    plan.dram.banks = dram.config().banks;
    plan.dram.capacity = state.bank * banks;
    plan.dram.trace_region =
        mesh::trace_region_per_bank(options.trace_era, options.trace_region_size,
                                    dram.config().banks, mesh.system.chip.dram.alignment) *
        banks;
    core::Bytes stays;
    for (const auto& [owner, per_bank] : books.live) {
        if (per_bank.value == 0) continue;
        plan.dram.live[owner] = per_bank * banks;
        stays += per_bank;
    }
    plan.dram.peak = dram.peak_allocated() * banks;
    plan.dram.activation_peak = (dram.peak_allocated() - stays) * banks;
    plan.dram.free = plan.dram.capacity - plan.dram.peak;
    plan.dram.largest_free_block = state.largest_free_block;

    const mesh::BankAllocator& l1 = device.allocator(mesh::BufferType::L1);
    plan.l1.capacity = l1.statistics().bank;
    plan.l1.buffers_peak = l1.peak_allocated();
    plan.l1.circular_buffers_peak = session.circular_buffer_peak();
    plan.l1.widest_program = session.circular_buffer_owner();
    plan.placed = std::move(books.placed);
    return plan;
}

}  // namespace dispatch
