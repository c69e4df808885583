#include "dispatch/session.h"

#include <algorithm>
#include <utility>

#include "core/error.h"

namespace dispatch {
namespace {

/// What a round begins with, as far as rounds can change it: the temporaries that live (by place in
/// the run's table) at their addresses, and how many programs are loaded.
struct Memory {
    std::vector<std::pair<std::int64_t, std::int64_t>> live;
    std::int64_t programs = -1;
    bool operator==(const Memory&) const = default;
};

/// Decides which rounds of a segment are walked.
class Folding {
public:
    /// True when the round that `now` begins repeats the one two before: pairs may be left out.
    bool repeats(Memory now) {
        const bool same = now == before_last_;
        before_last_ = std::exchange(last_, std::move(now));
        return same;
    }

private:
    Memory last_;
    Memory before_last_;
};

/// True for layers: they hand a value on to the next one. Prologue and epilogue do not.
bool carries(const Segment& segment) {
    return std::ranges::any_of(segment.commands, [](const Command& command) {
        return std::ranges::any_of(command.allocates, [](const BufferRef& ref) {
            return ref.instance == Instance::CarryOut;
        });
    });
}

std::string core_range(mesh::Grid grid) {
    return "[(x=0,y=0) - (x=" + std::to_string(grid.x - 1) + ",y=" + std::to_string(grid.y - 1) +
           ")]";
}

}  // namespace

// One walk over a program's commands with the buffers that live during it.
struct Session::Run {
    Session& session;
    std::shared_ptr<const Program> program;
    const ChipBindings& bindings;
    HostTensors& host;
    QueueId queue;
    std::vector<std::vector<std::optional<DeviceBuffer>>> live{};
    std::int32_t layers_left_out = 0;  // before this segment: layers without a segment

    // What a run that ends early (a shortage, an error) still holds goes back to the device.
    ~Run() {
        for (auto& instances : live) {
            for (std::optional<DeviceBuffer>& buffer : instances) {
                if (buffer) session.device_.free(*buffer);
            }
        }
    }

    std::optional<DeviceBuffer>& slot(BufferRef ref, std::int32_t layer) {
        // Carried values alternate from round to round, not with the number of the layer.
        const bool carried =
            ref.instance == Instance::CarryIn || ref.instance == Instance::CarryOut;
        const std::int32_t round = carried ? layer - layers_left_out : layer;
        return live[static_cast<std::size_t>(ref.buffer)][static_cast<std::size_t>(
            instance_of(program->buffer(ref), ref.instance, round))];
    }

    Operand operand(BufferRef ref, std::int32_t layer) {
        const Buffer& buffer = program->buffer(ref);
        if (buffer.kind != tensor::ValueKind::Computed) {
            return session.persistent(buffer.name, instance_of(buffer, ref.instance, layer))
                .operand;
        }
        const std::optional<DeviceBuffer>& found = slot(ref, layer);
        core::require(found.has_value(), "a command reads only buffers that are alive");
        return found->operand;
    }

    std::optional<Shortage> allocate(const Command& command, std::int32_t layer) {
        for (const BufferRef ref : command.allocates) {
            const Buffer& buffer = program->buffer(ref);
            auto result =
                session.device_.allocate(buffer.name, buffer.owner, buffer.spec, buffer.memory);
            if (auto* failure = std::get_if<mesh::Failure>(&result)) {
                return Shortage{buffer.name, std::move(*failure), {}};
            }
            slot(ref, layer) = std::get<DeviceBuffer>(std::move(result));
        }
        return {};
    }

    void release(const Command& command, std::int32_t layer) {
        for (const BufferRef ref : command.releases) {
            std::optional<DeviceBuffer>& found = slot(ref, layer);
            core::require(found.has_value(), "only a live buffer is released");
            session.device_.free(*found);
            found.reset();
        }
    }

    Memory memory() const {
        Memory now{{}, session.device_.cached_programs()};
        std::int64_t place = 0;
        for (const auto& instances : live) {
            for (const std::optional<DeviceBuffer>& buffer : instances) {
                if (buffer) now.live.emplace_back(place, buffer->operand.address);
                ++place;
            }
        }
        return now;
    }

    std::optional<Shortage> check_clash(const Command& command) {
        const auto* op = std::get_if<OpCommand>(&command.body);
        if (op == nullptr) return {};
        const core::Bytes used = op->plan.circular_buffer_bytes();
        if (used > session.circular_peak_) {
            session.circular_peak_ = used;
            session.circular_owner_ = command.label;
        }
        const mesh::BankAllocator& l1 = session.device_.allocator(mesh::BufferType::L1);
        const mesh::CircularBufferRegion region{session.programs_run_, core_range(op->plan.grid),
                                                l1.config().base + used.value};
        const core::Bytes l1_size = session.device_.mesh().system.chip.l1.size;
        if (session.watcher_ != nullptr) {
            const std::int64_t floor = l1.lowest_allocated().value_or(l1_size.value);
            session.watcher_->op(command, {used, core::Bytes{floor - region.end}});
        }
        auto text = mesh::circular_buffer_failure(region, l1.lowest_allocated(), l1_size);
        if (!text) return {};
        return Shortage{command.label, {}, std::move(text)};
    }

    void enqueue(const Command& command, std::int32_t layer) {
        if (const auto* write = std::get_if<WriteCommand>(&command.body)) {
            const auto data = host.writes.find(write->tag);
            session.device_.enqueue_write(operand(write->buffer, layer),
                                          data == host.writes.end() ? HostData{} : data->second,
                                          queue);
            return;
        }
        if (const auto* read = std::get_if<ReadCommand>(&command.body)) {
            host.reads[read->tag].push_back(
                session.device_.enqueue_read(operand(read->buffer, layer), queue, command.chips));
            return;
        }
        Enqueued item{program, &command, layer, {}, {}, {}};
        if (const auto* op = std::get_if<OpCommand>(&command.body)) {
            for (const BufferRef ref : op->inputs) item.inputs.push_back(operand(ref, layer));
            for (const BufferRef ref : op->outputs) item.outputs.push_back(operand(ref, layer));
        } else {
            const auto& collective = std::get<CollectiveCommand>(command.body);
            item.inputs.push_back(operand(collective.input, layer));
            if (collective.exchanges_rows()) {
                item.inputs.push_back(operand(collective.routing, layer));
            }
            item.outputs.push_back(operand(collective.output, layer));
            if (collective.staging.buffer >= 0) {
                item.staging.push_back(operand(collective.staging, layer));
            }
        }
        session.device_.enqueue(std::move(item), bindings, queue);
    }
};

Session::Session(MeshDevice& device, Rounds rounds) : device_(device), rounds_(rounds) {}
Session::~Session() = default;

void Session::use_sub_devices(const Program& program) {
    std::vector<std::string> names;
    std::vector<SubDevice> sub_devices;
    for (const SubDeviceCores& cores : program.sub_devices) {
        names.push_back(cores.name);
        sub_devices.push_back({cores.name, cores.grid, {}});
    }
    if (names.empty() || names == sub_devices_) return;
    core::require(sub_devices_.empty(), "programs of a session agree on their sub-devices");
    device_.load_sub_device_manager(device_.create_sub_device_manager(std::move(sub_devices)));
    sub_devices_ = std::move(names);
}

std::optional<Shortage> Session::place(std::shared_ptr<const Program> program) {
    use_sub_devices(*program);
    for (const Buffer& buffer : program->buffers) {
        if (buffer.kind == tensor::ValueKind::Computed) continue;
        // After a shortage the instances that were placed stay, and the next call goes on there.
        std::vector<DeviceBuffer>& instances = persistent_[buffer.name];
        core::require(instances.empty() || (instances.front().operand.spec == buffer.spec &&
                                            instances.front().operand.memory == buffer.memory),
                      "programs that share a buffer by name agree on what it is");
        while (instances.size() < static_cast<std::size_t>(buffer.instances)) {
            const std::string name =
                instance_name(buffer, static_cast<std::int32_t>(instances.size()));
            auto result = device_.allocate(name, buffer.owner, buffer.spec, buffer.memory);
            if (auto* failure = std::get_if<mesh::Failure>(&result)) {
                return told(Shortage{name, std::move(*failure), {}});
            }
            instances.push_back(std::get<DeviceBuffer>(std::move(result)));
        }
    }
    return {};
}

const DeviceBuffer& Session::persistent(const std::string& name, std::int32_t instance) const {
    const auto found = persistent_.find(name);
    core::require(
        found != persistent_.end() && static_cast<std::size_t>(instance) < found->second.size(),
        "a persistent buffer is placed before it is used");
    return found->second[static_cast<std::size_t>(instance)];
}

std::optional<Shortage> Session::run(const std::shared_ptr<const Program>& program,
                                     const ChipBindings& bindings, HostTensors& host,
                                     QueueId queue) {
    Run run{*this, program, bindings, host, queue, {}};
    for (const Buffer& buffer : program->buffers) {
        run.live.emplace_back(static_cast<std::size_t>(buffer.instances));
    }
    std::int32_t rounds = 0;
    for (const Segment& segment : program->segments) {
        run.layers_left_out = segment.first_layer - rounds;
        if (auto shortage = run_segment(run, segment)) return told(std::move(shortage));
        if (carries(segment)) rounds += segment.repeat;
    }
    ++programs_run_;
    return {};
}

std::optional<Shortage> Session::run_segment(Run& run, const Segment& segment) {
    Folding folding;
    for (std::int32_t round = 0; round < segment.repeat; ++round) {
        if (rounds_ == Rounds::Folded && segment.repeat > 3 && folding.repeats(run.memory())) {
            const std::int32_t pairs = (segment.repeat - round) / 2;
            if (watcher_ != nullptr) watcher_->pairs_skipped(pairs);
            round += 2 * pairs;
            if (round == segment.repeat) break;
        }
        if (watcher_ != nullptr) watcher_->round_begins(round);
        for (const Command& command : segment.commands) {
            if (auto shortage = step(run, command, segment.first_layer + round)) return shortage;
        }
    }
    return {};
}

std::optional<Shortage> Session::step(Run& run, const Command& command, std::int32_t layer) {
    if (auto shortage = run.allocate(command, layer)) return shortage;
    if (auto shortage = run.check_clash(command)) return shortage;
    try {
        run.enqueue(command, layer);
    } catch (const OutOfMemory& error) {
        return Shortage{"binaries of " + command.label, error.failure, {}};
    }
    run.release(command, layer);
    return {};
}

std::optional<Shortage> Session::told(std::optional<Shortage> shortage) const {
    if (shortage && watcher_ != nullptr) watcher_->ran_short(*shortage);
    return shortage;
}

}  // namespace dispatch
