#include "model/estimate.h"

#include <algorithm>
#include <string_view>

#include "core/error.h"
#include "dispatch/session.h"
#include "dispatch/simulator.h"

namespace model {
namespace {

constexpr dispatch::QueueId kQueue{0};

const dispatch::Buffer* find(const dispatch::Program& program, const std::string& name) {
    for (const dispatch::Buffer& buffer : program.buffers) {
        if (buffer.name == name) return &buffer;
    }
    return nullptr;
}

// Bytes of weights and caches that the ops of a step read on the first chip, as work() counts them.
class Traffic : public dispatch::Reader {
public:
    void begin_step() { bytes_ = {}; }
    void end_step() {
        if (first_.value == 0) first_ = bytes_;
    }
    core::Bytes first_step() const { return first_; }

    void run(const dispatch::Enqueued& enqueued, const dispatch::ChipBindings& bindings,
             dispatch::QueueId, dispatch::Origin) override {
        const auto* op = std::get_if<dispatch::OpCommand>(&enqueued.command->body);
        if (op == nullptr) return;
        std::vector<tensor::Spec> specs;
        for (const dispatch::Operand& operand : enqueued.inputs) specs.push_back(operand.spec);
        const tensor::Work work = tensor::work(op->op, specs, bindings.front());
        for (std::size_t i = 0; i < op->inputs.size() && i < work.reads.size(); ++i) {
            const tensor::ValueKind kind = enqueued.program->buffer(op->inputs[i]).kind;
            const bool stays =
                kind == tensor::ValueKind::Weight || kind == tensor::ValueKind::State;
            if (stays) bytes_ += work.reads[i];
        }
    }
    void write(const dispatch::Operand&, const dispatch::HostData&, dispatch::QueueId) override {}
    void read(const dispatch::Operand&, std::span<const std::int32_t>, dispatch::HostData&,
              dispatch::QueueId) override {}
    void record_event(dispatch::EventId, dispatch::QueueId) override {}
    void wait_event(dispatch::EventId, dispatch::QueueId) override {}
    void replay(dispatch::TraceId, std::int64_t, dispatch::QueueId) override {}
    void finish(dispatch::QueueId) override {}
    void allocated(const dispatch::DeviceBuffer&) override {}
    void freed(const dispatch::DeviceBuffer&) override {}

private:
    core::Bytes bytes_;
    core::Bytes first_;
};

class Estimator {
public:
    explicit Estimator(Deployment& deployment)
        : deployment_(deployment),
          device_(0, deployment.mesh(), deployment.options().device),
          simulator_(deployment.mesh(), {}),
          session_(device_) {
        device_.attach(simulator_);
        device_.attach(traffic_);
    }

    Estimate run(const EstimateOptions& options) {
        if (failed(session_.place(deployment_.decode()))) return result_;
        if (!prefill(options.isl)) return result_;
        const core::Picoseconds first = decode(options.isl, options);
        if (!result_.shortage.empty()) return result_;
        const core::Picoseconds last =
            options.osl > 1 ? decode(options.isl + options.osl - 1, options) : first;
        result_.decode_step = (first + last) / 2;
        result_.roofline_step = traffic_.first_step() / deployment_.mesh().system.chip.dram.peak;
        result_.events = simulator_.commands_run();
        result_.digest = simulator_.digest().value();
        return result_;
    }

private:
    bool failed(const std::optional<dispatch::Shortage>& shortage) {
        if (shortage) result_.shortage = shortage->buffer + ": " + shortage->text();
        return shortage.has_value();
    }

    bool step(const std::shared_ptr<const dispatch::Program>& program,
              const dispatch::ChipBindings& bindings) {
        dispatch::HostTensors host;
        return !failed(session_.run(program, bindings, host, kQueue));
    }

    void io(const dispatch::Program& program, const char* what) {
        const dispatch::Buffer* buffer = find(program, program.name + what);
        const bool optional = std::string_view(what) == ".rope_positions";
        if (optional && buffer == nullptr) return;  // nothing of the network turns
        core::require(buffer != nullptr, "every program has token_ids and logits");
        const dispatch::Operand& operand = session_.persistent(buffer->name, 0).operand;
        if (buffer->kind == tensor::ValueKind::Input) {
            device_.enqueue_write(operand, {}, kQueue);
        } else {
            device_.enqueue_read(operand, kQueue, dispatch::holders(*buffer, program.shape));
        }
    }

    bool prefill(std::int64_t isl) {
        const core::SimTime start = simulator_.host_now();
        const std::int64_t chunk = deployment_.options().prefill_chunk;
        for (std::int64_t at = 0; at < isl; at += chunk) {
            const std::int64_t count = std::min(chunk, isl - at);
            const auto program =
                deployment_.prefill(padded_prefill_length(count),
                                    at == 0 ? StepShape::Chunk::First : StepShape::Chunk::Later);
            if (failed(session_.place(program))) return false;
            io(*program, ".token_ids");
            if (!step(program, deployment_.prefill_bindings(0, at, count))) return false;
            if (at + count == isl) io(*program, ".logits");
        }
        // Users are prefilled one after another: the time of all divided by their number is one's.
        result_.time_to_first_token = simulator_.host_now() - start;
        return true;
    }

    core::Picoseconds decode(std::int64_t position, const EstimateOptions& options) {
        const auto program = deployment_.decode();
        std::vector<std::int32_t> positions(static_cast<std::size_t>(deployment_.slots()), -1);
        std::fill_n(positions.begin(), deployment_.options().batch,
                    static_cast<std::int32_t>(position));
        const dispatch::ChipBindings bindings = deployment_.decode_bindings(positions);
        if (options.trace == EstimateOptions::Trace::On && !trace_) {
            if (!step(program, bindings)) return {};
            trace_ = device_.begin_trace_capture(kQueue);
            if (!step(program, bindings)) return {};
            device_.end_trace_capture(kQueue, *trace_);
        }
        traffic_.begin_step();
        const auto by_kind = simulator_.time_by_kind();
        const auto by_bound = simulator_.time_by_bound();
        const core::SimTime start = simulator_.host_now();
        io(*program, ".token_ids");
        io(*program, ".rope_positions");
        if (trace_) {
            device_.execute_trace(*trace_, bindings, kQueue);
        } else if (!step(program, bindings)) {
            return {};
        }
        io(*program, ".logits");
        traffic_.end_step();
        result_.breakdown = since(by_kind, simulator_.time_by_kind());
        result_.by_bound = since(by_bound, simulator_.time_by_bound());
        return simulator_.host_now() - start;
    }

    static std::map<std::string, core::Picoseconds> since(
        const std::map<std::string, core::Picoseconds>& before,
        std::map<std::string, core::Picoseconds> now) {
        for (const auto& [kind, time] : before) now[kind] -= time;
        std::erase_if(now, [](const auto& entry) { return entry.second.count() == 0; });
        return now;
    }

    Deployment& deployment_;
    dispatch::MeshDevice device_;
    dispatch::Simulator simulator_;
    Traffic traffic_;
    dispatch::Session session_;
    std::optional<dispatch::TraceId> trace_;
    Estimate result_;
};

}  // namespace

Estimate estimate(Deployment& deployment, const EstimateOptions& options) {
    return Estimator(deployment).run(options);
}

}  // namespace model
