#include "dispatch/executor.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <tbb/parallel_for.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "core/error.h"
#include "dispatch/collective_run.h"
#include "dispatch/expert_exchange.h"
#include "tensor/op.h"

namespace dispatch {
namespace {

constexpr std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// GUESS: below this a mapping of its own (some 200 bytes in the kernel, of 65530 per process)
// costs more than the copy.
constexpr std::int64_t kLeastShared = 64 * 1024;

// GUESS: below this the calls and faults cost more than the memory of a freed buffer is worth.
constexpr std::int64_t kLeastReleased = 16 * 1024;

// A nameless file in memory that is gone with its last mapping.
class MemoryFile {
public:
    MemoryFile() : descriptor_(::memfd_create("tessera", MFD_CLOEXEC)) {}
    ~MemoryFile() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    MemoryFile(const MemoryFile&) = delete;
    MemoryFile& operator=(const MemoryFile&) = delete;

    bool fill(const std::byte* bytes, std::int64_t size, std::int64_t offset) const {
        // Beyond the limit (ulimit -f) a write would end the process with a signal.
        struct rlimit limit {};
        if (::getrlimit(RLIMIT_FSIZE, &limit) != 0) return false;
        if (static_cast<rlim_t>(offset + size) > limit.rlim_cur) return false;
        while (descriptor_ >= 0 && size > 0) {
            const ssize_t count = ::pwrite(descriptor_, bytes, at(size), offset);
            if (count <= 0) return false;
            bytes += count;
            size -= count;
            offset += count;
        }
        return descriptor_ >= 0;
    }
    int descriptor() const { return descriptor_; }

private:
    int descriptor_;
};

}  // namespace

std::vector<std::vector<std::int32_t>> collective_groups(mesh::Shape shape, int axis) {
    if (axis >= 0) return mesh::groups_along(shape, axis);
    std::vector<std::int32_t> all(at(shape.chips()));
    std::iota(all.begin(), all.end(), 0);
    return {all};
}

Executor::Executor(const fabric::Mesh& mesh, const DeviceMemory& memory)
    : mesh_(mesh), counters_(at(mesh.chip_count())), transport_(mesh.chip_count()) {
    const int nodes = numa_nodes();
    for (std::int32_t chip = 0; chip < mesh.chip_count(); ++chip) {
        chips_.emplace_back(memory, nodes > 1 ? chip % nodes : -1);
    }
}

Executor::~Executor() = default;

std::byte* Executor::data(const Operand& operand, std::int32_t chip) const {
    return chips_[at(chip)].at(operand);
}

bool Executor::take(const Operand& operand, std::span<const std::int32_t> chips,
                    FilePart from) const {
    return std::ranges::all_of(
        chips, [&](std::int32_t chip) { return chips_[at(chip)].take(operand, from); });
}

void Executor::share(const Operand& operand, std::span<const std::int32_t> chips) const {
    if (chips.size() < 2) return;
    const std::int64_t bytes = operand.spec.bytes().value;
    const std::byte* source = data(operand, chips.front());
    const MemoryFile file;
    const std::int64_t offset = reinterpret_cast<std::intptr_t>(source) % page_size();
    const bool shared = bytes >= kLeastShared && file.fill(source, bytes, offset) &&
                        take(operand, chips, {file.descriptor(), offset});
    if (shared) return;
    for (const std::int32_t chip : chips.subspan(1)) {
        std::memcpy(data(operand, chip), source, at(bytes));
    }
}

void Executor::run(const Enqueued& enqueued, const ChipBindings& bindings, QueueId, Origin origin) {
    ++commands_run_;
    if (origin == Origin::Eager) {
        // A replay may touch freed addresses: that is the hazard traces have on the device too.
        for (const Operand& operand : enqueued.inputs) check_alive(operand);
        for (const Operand& operand : enqueued.outputs) check_alive(operand);
    }
    if (const auto* op = std::get_if<OpCommand>(&enqueued.command->body)) {
        run_op(*op, enqueued, bindings);
    } else {
        run_group_collectives(std::get<CollectiveCommand>(enqueued.command->body), enqueued,
                              bindings);
    }
}

void Executor::run_op(const OpCommand& op, const Enqueued& enqueued, const ChipBindings& bindings) {
    const auto one_chip = [&](std::int32_t chip) {
        const std::size_t inputs = enqueued.inputs.size();
        const std::size_t outputs = enqueued.outputs.size();
        std::array<tensor::View, 8> few;
        std::vector<tensor::View> many(inputs + outputs > few.size() ? inputs + outputs : 0);
        tensor::View* views = many.empty() ? few.data() : many.data();
        for (std::size_t i = 0; i < inputs; ++i) {
            views[i] = {enqueued.inputs[i].spec, data(enqueued.inputs[i], chip)};
        }
        for (std::size_t i = 0; i < outputs; ++i) {
            views[inputs + i] = {enqueued.outputs[i].spec, data(enqueued.outputs[i], chip)};
        }
        tensor::run(op.op, {views, inputs}, {views + inputs, outputs}, bindings[at(chip)],
                    counters_[at(chip)]);
    };
    const std::vector<std::int32_t>& only = enqueued.command->chips;
    if (!only.empty()) {
        tbb::parallel_for(std::size_t{0}, only.size(), [&](std::size_t i) { one_chip(only[i]); });
    } else if (mesh_.chip_count() == 1) {
        one_chip(0);
    } else {
        tbb::parallel_for(std::int32_t{0}, mesh_.chip_count(), one_chip);
    }
}

const ccl::Plan& Executor::plan_of(const CollectiveCommand& command) {
    for (const auto& [collective, plan] : plans_) {
        if (collective == command.collective) return *plan;
    }
    plans_.emplace_back(command.collective, std::make_unique<ccl::Plan>(command.collective));
    return *plans_.back().second;
}

void Executor::run_group_collectives(const CollectiveCommand& command, const Enqueued& enqueued,
                                     const ChipBindings& bindings) {
    const ccl::Plan& plan = plan_of(command);
    const auto groups = collective_groups(mesh_.shape, command.axis);
    tbb::parallel_for(std::size_t{0}, groups.size(), [&](std::size_t index) {
        const std::vector<std::int32_t>& group = groups[index];
        std::vector<tensor::View> in;
        std::vector<tensor::View> out;
        std::vector<tensor::View> routing;
        for (const std::int32_t chip : group) {
            in.push_back({enqueued.inputs[0].spec, data(enqueued.inputs[0], chip)});
            out.push_back({enqueued.outputs[0].spec, data(enqueued.outputs[0], chip)});
            if (!command.exchanges_rows()) continue;
            routing.push_back({enqueued.inputs[1].spec, data(enqueued.inputs[1], chip)});
        }
        if (command.exchanges_rows()) {
            const std::int64_t rows = routing[0].spec.shape[0];
            exchange_rows(command, bindings[at(group[0])].rows_of(rows), group, in, routing, out,
                          transport_);
            return;
        }
        run_collective(command, plan, group, in, out, transport_);
    });
}

void Executor::write(const Operand& to, const HostData& data_in, QueueId) {
    core::require(data_in.size() == chips_.size(), "a write brings data for every chip");
    check_alive(to);
    for (std::size_t chip = 0; chip < chips_.size(); ++chip) {
        core::require(data_in[chip].size() == at(to.spec.bytes().value),
                      "a write brings exactly the tensor's bytes");
        std::memcpy(chips_[chip].at(to), data_in[chip].data(), data_in[chip].size());
    }
}

void Executor::read(const Operand& from, std::span<const std::int32_t> chips, HostData& data_out,
                    QueueId) {
    data_out.resize(chips_.size());
    for (const std::int32_t chip : chips) {
        const std::byte* bytes = chips_[at(chip)].at(from);
        data_out[at(chip)].assign(bytes, bytes + from.spec.bytes().value);
    }
}

void Executor::allocated(const DeviceBuffer& buffer) {
    Books& books = books_[buffer.operand.memory.type];
    books.live[buffer.operand.address] = buffer.per_bank;
    books.used += buffer.per_bank;
    books.peak = std::max(books.peak, books.used);
}

void Executor::freed(const DeviceBuffer& buffer) {
    Books& books = books_[buffer.operand.memory.type];
    const auto found = books.live.find(buffer.operand.address);
    if (found == books.live.end()) return;
    books.used -= found->second;
    books.live.erase(found);
    if (buffer.operand.spec.bytes().value < kLeastReleased) return;
    for (const ChipMemory& chip : chips_) chip.release(buffer.operand);
}

void Executor::check_alive(const Operand& operand) const {
    const auto books = books_.find(operand.memory.type);
    core::require(books != books_.end() && books->second.live.contains(operand.address),
                  "a command touches only live buffers");
}

std::int64_t Executor::multiply_adds() const {
    std::int64_t total = 0;
    for (const tensor::Counters& counters : counters_) total += counters.multiply_adds;
    return total;
}

core::Bytes Executor::peak_per_bank(mesh::BufferType type) const {
    const auto books = books_.find(type);
    return books == books_.end() ? core::Bytes{} : books->second.peak;
}

}  // namespace dispatch
