#include "dispatch/memory_plan.h"

#include <algorithm>
#include <array>

namespace dispatch {
namespace {

constexpr std::size_t kOwners = static_cast<std::size_t>(Owner::Trace) + 1;

std::size_t index(Owner owner) { return static_cast<std::size_t>(owner); }

// The books of one memory type, all per bank.
struct Ledger {
    std::array<core::Bytes, kOwners> live{};
    std::array<core::Bytes, kOwners> held{};  // at the peak
    core::Bytes used;
    core::Bytes peak;
    core::Bytes run_peak;  // since the program began

    /// True when this is a new peak.
    bool add(Owner owner, core::Bytes per_bank) {
        live[index(owner)] += per_bank;
        used += per_bank;
        run_peak = std::max(run_peak, used);
        if (used <= peak) return false;
        peak = used;
        held = live;
        return true;
    }
    void remove(Owner owner, core::Bytes per_bank) {
        live[index(owner)] -= per_bank;
        used -= per_bank;
    }
};

std::map<Owner, core::Bytes> by_owner(const std::array<core::Bytes, kOwners>& per_bank,
                                      std::int64_t banks) {
    std::map<Owner, core::Bytes> owners;
    for (std::size_t i = 0; i < kOwners; ++i) {
        if (per_bank[i].value != 0) owners[static_cast<Owner>(i)] = per_bank[i] * banks;
    }
    return owners;
}

FreeSpace free_space(const mesh::BankAllocator& allocator) {
    const mesh::BankStatistics state = allocator.statistics();
    return {state.free, state.largest_free_block};
}

// The device's own bookkeeping, read by the planner: which bytes live, per owner, at which peak.
class Books : public Reader, public Watcher {
public:
    Books(const MeshDevice& device, Detail detail) : device_(device), detail_(detail) {}

    void run(const Enqueued&, const ChipBindings&, QueueId, Origin) override {}
    void write(const Operand&, const HostData&, QueueId) override {}
    void read(const Operand&, std::span<const std::int32_t>, HostData&, QueueId) override {}
    void record_event(EventId, QueueId) override {}
    void wait_event(EventId, QueueId) override {}
    void replay(TraceId, std::int64_t, QueueId) override {}
    void finish(QueueId) override {}

    void allocated(const DeviceBuffer& buffer) override {
        const mesh::BufferType type = buffer.operand.memory.type;
        if (detail_ == Detail::Addresses) {
            placed.push_back(
                {buffer.name, buffer.owner, type, buffer.operand.address, buffer.per_bank});
        }
        if (type == mesh::BufferType::Dram && dram.add(buffer.owner, buffer.per_bank)) {
            at_peak = free_space(device_.allocator(type));
        }
        if (type == mesh::BufferType::L1) l1.add(buffer.owner, buffer.per_bank);
    }
    void freed(const DeviceBuffer& buffer) override {
        const mesh::BufferType type = buffer.operand.memory.type;
        if (type == mesh::BufferType::Dram) dram.remove(buffer.owner, buffer.per_bank);
        if (type == mesh::BufferType::L1) l1.remove(buffer.owner, buffer.per_bank);
    }

    void op(const Command& command, const L1Pressure& pressure) override {
        if (pressure.circular_buffers > widest) {
            widest = pressure.circular_buffers;
            widest_op = std::get<OpCommand>(command.body).plan.circular_buffers;
        }
        if (tightest.empty() || pressure.headroom < headroom) {
            headroom = pressure.headroom;
            tightest = command.label;
        }
        if (!programs.empty() &&
            pressure.circular_buffers > programs.back().circular_buffers_peak) {
            programs.back().circular_buffers_peak = pressure.circular_buffers;
            programs.back().widest_program = command.label;
        }
    }
    void round_begins(std::int32_t) override {
        round_starts_[0] = round_starts_[1];
        round_starts_[1] = placed.size();
    }
    void pairs_skipped(std::int32_t pairs) override {
        // The last two rounds once more for each pair: same names, same addresses.
        const std::size_t end = placed.size();
        for (std::int32_t pair = 0; pair < pairs; ++pair) {
            for (std::size_t i = round_starts_[0]; i < end; ++i) placed.push_back(placed[i]);
        }
    }
    void ran_short(const Shortage&) override {
        dram.held = dram.live;
        l1.held = l1.live;
        at_peak = free_space(device_.allocator(mesh::BufferType::Dram));
    }

    void begin(const std::string& name) {
        dram.run_peak = dram.used;
        l1.run_peak = l1.used;
        began_with_ = dram.used;
        programs.emplace_back().name = name;
    }
    void end(std::int64_t banks) {
        programs.back().dram_peak = dram.run_peak * banks;
        programs.back().dram_activations = (dram.run_peak - began_with_) * banks;
        programs.back().l1_peak = l1.run_peak;
    }

    Ledger dram;
    Ledger l1;
    FreeSpace at_peak;
    core::Bytes widest;
    std::vector<CircularBuffer> widest_op;
    core::Bytes headroom;
    std::string tightest;
    std::vector<Placed> placed;
    std::vector<ProgramUse> programs;

private:
    const MeshDevice& device_;
    Detail detail_;
    core::Bytes began_with_;
    std::array<std::size_t, 2> round_starts_{};
};

}  // namespace

struct MemoryPlanner::State {
    State(const fabric::Mesh& mesh, const DeviceOptions& options, Detail how, Rounds rounds)
        : device(0, mesh, options),
          books(device, how),
          session(device, rounds),
          bindings(static_cast<std::size_t>(mesh.chip_count())),
          detail(how) {
        device.attach(books);
        session.watch(books);
    }

    std::int64_t banks() const { return device.allocator(mesh::BufferType::Dram).config().banks; }
    bool ok() const { return !shortage.has_value(); }
    void fill_dram(MemoryUse& use) const;
    void fill_l1(L1Use& use) const;
    std::vector<Holding> holdings() const;

    MeshDevice device;
    Books books;
    Session session;
    ChipBindings bindings;
    Detail detail;
    std::optional<Shortage> shortage;
};

void MemoryPlanner::State::fill_dram(MemoryUse& use) const {
    const mesh::BankAllocator& dram = device.allocator(mesh::BufferType::Dram);
    const DeviceOptions& options = device.options();
    const mesh::BankStatistics state = dram.statistics();
    use.banks = dram.config().banks;
    use.capacity = state.bank * banks();
    use.unreserved_base = core::Bytes{dram.config().base};
    use.trace_region =
        mesh::trace_region_per_bank(options.trace_era, options.trace_region_size, use.banks,
                                    device.mesh().system.chip.dram.alignment) *
        banks();
    core::Bytes stays;
    for (const core::Bytes per_bank : books.dram.live) stays += per_bank;
    use.live = by_owner(books.dram.live, banks());
    use.held = by_owner(books.dram.held, banks());
    use.peak = dram.peak_allocated() * banks();
    use.activation_peak = (dram.peak_allocated() - stays) * banks();
    use.free = use.capacity - use.peak;
    use.largest_free_block = state.largest_free_block;
    use.at_peak = books.at_peak;
}

void MemoryPlanner::State::fill_l1(L1Use& use) const {
    const mesh::BankAllocator& l1 = device.allocator(mesh::BufferType::L1);
    use.capacity = l1.statistics().bank;
    use.unreserved_base = core::Bytes{l1.config().base};
    use.worker_l1_size = device.mesh().system.chip.l1.size - use.unreserved_base;
    use.l1_small_size = device.options().l1_small_size;
    use.buffers_peak = l1.peak_allocated();
    use.held = by_owner(books.l1.held, 1);
    use.circular_buffers_peak = session.circular_buffer_peak();
    use.widest_program = session.circular_buffer_owner();
    use.widest_circular_buffers = books.widest_op;
    use.headroom = books.headroom;
    use.tightest_program = books.tightest;
}

std::vector<Holding> MemoryPlanner::State::holdings() const {
    std::vector<Holding> all;
    for (const auto& [name, instances] : session.persistents()) {
        if (instances.empty()) continue;
        const DeviceBuffer& one = instances.front();
        const MemoryConfig& memory = one.operand.memory;
        const auto count = static_cast<std::int64_t>(instances.size());
        const std::int64_t banks =
            memory.shards > 0 ? memory.shards : device.allocator(memory.type).config().banks;
        all.push_back({name, one.owner, memory.type, one.operand.spec.shape, one.operand.spec.dtype,
                       count, one.per_bank, one.per_bank * count * banks});
    }
    std::ranges::stable_sort(all,
                             [](const Holding& a, const Holding& b) { return a.total > b.total; });
    return all;
}

MemoryPlanner::MemoryPlanner(const fabric::Mesh& mesh, const DeviceOptions& options, Detail detail,
                             Rounds rounds)
    : state_(std::make_unique<State>(mesh, options, detail, rounds)) {}

MemoryPlanner::~MemoryPlanner() = default;

bool MemoryPlanner::place(const std::shared_ptr<const Program>& program) {
    if (state_->ok()) state_->shortage = state_->session.place(program);
    return state_->ok();
}

bool MemoryPlanner::run(const std::shared_ptr<const Program>& program) {
    if (!state_->ok()) return false;
    HostTensors host;
    state_->books.begin(program->name);
    state_->shortage = state_->session.run(program, state_->bindings, host, QueueId{0});
    state_->books.end(state_->banks());
    return state_->ok();
}

MemoryPlan MemoryPlanner::plan() const {
    MemoryPlan plan;
    state_->fill_dram(plan.dram);
    state_->fill_l1(plan.l1);
    if (state_->detail == Detail::Addresses) plan.placed = state_->books.placed;
    if (state_->detail != Detail::Verdict) {
        plan.programs = state_->books.programs;
        plan.holdings = state_->holdings();
    }
    if (const std::optional<Shortage>& shortage = state_->shortage) {
        plan.failed_buffer = shortage->buffer;
        plan.failure = shortage->failure;
        plan.clash = shortage->clash;
    }
    return plan;
}

MemoryPlan plan_memory(std::span<const std::shared_ptr<const Program>> programs,
                       const fabric::Mesh& mesh, const DeviceOptions& options, Detail detail,
                       Rounds rounds) {
    MemoryPlanner planner(mesh, options, detail, rounds);
    for (const auto& program : programs) {
        if (!planner.place(program)) return planner.plan();
    }
    for (const auto& program : programs) {
        if (!planner.run(program)) break;
    }
    return planner.plan();
}

}  // namespace dispatch
