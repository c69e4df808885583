#include "model/estimate.h"

#include <algorithm>
#include <bit>
#include <optional>
#include <string_view>

#include "core/error.h"
#include "dispatch/session.h"
#include "dispatch/simulator.h"
#include "model/step_readers.h"

namespace model {
namespace {

constexpr dispatch::QueueId kQueue{0};
// Positions of a generation that are simulated. Attention costs steps, a chunk of the cache at a
// time: midpoints of equal stretches see every stretch's share of them.
constexpr std::int64_t kSamples = 8;
// tenstorrent/tt-metal models/tt_transformers/tt/generator.py, tree of 2026-05-23.
constexpr std::int64_t kMostBatchedRows = 131072;

const dispatch::Buffer* find(const dispatch::Program& program, const std::string& name) {
    for (const dispatch::Buffer& buffer : program.buffers) {
        if (buffer.name == name) return &buffer;
    }
    return nullptr;
}

fabric::Mesh without_host(const fabric::Mesh& mesh) {
    fabric::Mesh timed = mesh;
    timed.system.chip.launch.host_enqueue = {};
    return timed;
}

// Ops that are not traced are called from Python; what is replayed has no such calls.
dispatch::SimulatorOptions clock_of(const Deployment& deployment, const EstimateOptions& options) {
    using dispatch::SimulatorOptions;
    const dispatch::DeviceOptions& device = deployment.options().device;
    SimulatorOptions clock;
    clock.launch = {device.release, device.dispatch_core};
    if (options.record != nullptr) clock.timeline = SimulatorOptions::Timeline::Keep;
    if (options.caller == EstimateOptions::Caller::Python) {
        clock.host = SimulatorOptions::Host::Python;
    }
    return clock;
}

EstimateOptions replayed() {
    EstimateOptions options;
    options.caller = EstimateOptions::Caller::Native;
    return options;
}

core::Picoseconds sum(const Parts& parts) {
    core::Picoseconds total{};
    for (const auto& [name, time] : parts) total += time;
    return total;
}

Parts since(const Parts& before, Parts now) {
    for (const auto& [kind, time] : before) now[kind] -= time;
    std::erase_if(now, [](const auto& entry) { return entry.second.count() == 0; });
    return now;
}

class Estimator {
public:
    Estimator(Deployment& deployment, const EstimateOptions& options)
        : deployment_(deployment),
          options_(options),
          replayed_mesh_(without_host(deployment.mesh())),
          device_(0, deployment.mesh(), deployment.options().device),
          simulator_(deployment.mesh(), clock_of(deployment, options)),
          replayed_(replayed_mesh_, clock_of(deployment, replayed())),
          layers_(simulator_),
          session_(device_) {
        device_.attach(simulator_);
        if (!options.traced_prefills.empty()) device_.attach(replayed_);
        device_.attach(traffic_);
        device_.attach(layers_);
        if (options.record == nullptr) return;
        device_.attach(*options.record);
        options.record->watch(simulator_);
    }

    Estimate run() {
        if (failed(session_.place(deployment_.decode()))) return result_;
        choose_sampler();
        if (!prefill_users()) return result_;
        if (!decode()) return result_;
        result_.events = simulator_.commands_run();
        result_.digest = simulator_.digest().value();
        return result_;
    }

private:
    bool failed(const std::optional<dispatch::Shortage>& shortage) {
        if (shortage) result_.shortage = shortage->buffer + ": " + shortage->text();
        if (shortage && options_.record != nullptr) options_.record->ran_short(*shortage);
        return shortage.has_value();
    }

    bool step(const std::shared_ptr<const dispatch::Program>& program,
              const dispatch::ChipBindings& bindings) {
        dispatch::HostTensors host;
        return !failed(session_.run(program, bindings, host, kQueue));
    }

    // A second step of the same name is not recorded.
    void begin(const char* name) {
        if (options_.record == nullptr || options_.record->find(name) != nullptr) return;
        options_.record->begin_step(name);
        recording_ = true;
    }
    void end() {
        if (recording_) options_.record->end_step();
        recording_ = false;
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

    bool is_traced(std::int64_t rows) const {
        const auto& lengths = options_.traced_prefills;
        return options_.trace == EstimateOptions::Trace::On &&
               std::find(lengths.begin(), lengths.end(), rows) != lengths.end();
    }

    // One user's prompt, tokens written to logits read.
    std::optional<core::Picoseconds> prefill_one() {
        const std::int64_t isl = options_.isl;
        const std::int64_t chunk = deployment_.options().prefill_chunk;
        result_.is_prefill_traced = isl <= chunk && is_traced(padded_prefill_length(isl));
        const dispatch::Simulator& clock = result_.is_prefill_traced ? replayed_ : simulator_;
        const core::SimTime start = clock.host_now();
        for (std::int64_t at = 0; at < isl; at += chunk) {
            const std::int64_t count = std::min(chunk, isl - at);
            const auto program =
                deployment_.prefill(padded_prefill_length(count),
                                    at == 0 ? StepShape::Chunk::First : StepShape::Chunk::Later);
            if (failed(session_.place(program))) return {};
            io(*program, ".token_ids");
            if (!step(program, deployment_.prefill_bindings(0, at, count))) return {};
            called_ = clock.host_now() - start;
            if (at + count == isl) io(*program, ".logits");
        }
        return clock.host_now() - start;
    }

    std::int64_t users() const {
        const std::int64_t batch = deployment_.options().batch;
        return options_.active_users > 0 ? std::min(options_.active_users, batch) : batch;
    }

    bool is_early() const {
        return deployment_.options().device.release == dispatch::Release::R2025;
    }

    // Since 2026 the first token is chosen where the others are: prefill_forward_text takes the
    // sampling parameters (tenstorrent/tt-metal models/tt_transformers/tt/generator.py).
    core::Picoseconds first_choice() const {
        const bool is_on_device = result_.sampler == SampledOn::Device && !is_early();
        return is_on_device ? sum(sampling_.device) : core::Picoseconds{};
    }

    // Data-parallel groups: the host copies logits without waiting and looks at them when all users
    // are called (tenstorrent/tt-metal models/tt_transformers/tt/generator.py:
    // cpu(blocking=False)), so a group computes while the host calls the next. In 2025 it waited
    // for each: 8 groups of a T3K took 86 ms a user where one N150 took 104
    // (models/tt_transformers/PERF.md).
    core::Picoseconds of_a_group(core::Picoseconds alone) const {
        if (is_early() || options_.groups == 1) return alone;
        return std::max(called_, alone / options_.groups);
    }

    // Users that one batched prefill takes; 1: they go one by one.
    std::int64_t batched_users() const {
        if (is_early() || options_.prefill == EstimateOptions::Prefill::OneByOne) return 1;
        const std::int64_t rounded = static_cast<std::int64_t>(
            std::bit_ceil(static_cast<std::uint64_t>(std::max<std::int64_t>(users(), 1))));
        const std::int64_t rows = rounded * padded_prefill_length(options_.isl);
        const bool fits = rounded <= 32 && rows < kMostBatchedRows;
        return users() == 1 || options_.groups > 1 || !fits ? 1 : rounded;
    }

    // All users as rows of one program; attention is each user's own, so it is taken from
    // `alone`, one user's.
    std::optional<core::Picoseconds> prefill_batched(std::int64_t users, core::Picoseconds alone) {
        const std::int64_t rows = users * padded_prefill_length(options_.isl);
        const auto program = deployment_.prefill(rows, StepShape::Chunk::First);
        if (session_.place(program)) return {};
        const Parts before = simulator_.time_by_kind();
        const core::SimTime start = simulator_.host_now();
        io(*program, ".token_ids");
        dispatch::HostTensors host;
        const auto bindings = deployment_.prefill_bindings(0, 0, options_.isl);
        if (session_.run(program, bindings, host, kQueue)) return {};
        io(*program, ".logits");
        const Parts now = since(before, simulator_.time_by_kind());
        return simulator_.host_now() - start - attention(now) + alone * users;
    }

    static core::Picoseconds attention(const Parts& kinds) {
        core::Picoseconds time{};
        for (const auto& [kind, part] : kinds) {
            if (kind.find("SDPA") != kind.npos || kind.find("Sdpa") != kind.npos) time += part;
        }
        return time;
    }

    // Users are prefilled one after another: the time of all divided by their number is one's.
    bool prefill_users() {
        const Parts before = simulator_.time_by_kind();
        begin(kPrefillStep);
        const auto one = prefill_one();
        end();
        if (!one) return false;
        result_.time_to_first_token = of_a_group(*one + first_choice());
        result_.prefill = since(before, simulator_.time_by_kind());
        const std::int64_t together = batched_users();
        if (together == 1) return true;
        const core::Picoseconds alone = attention(result_.prefill);
        const auto all = prefill_batched(together, alone);
        if (!all) return true;  // no room for all at once: one by one
        const core::Picoseconds each = (*all + first_choice()) / users();
        if (each < result_.time_to_first_token) {
            result_.time_to_first_token = each;
            result_.is_prefill_batched = true;
        }
        return true;
    }

    void choose_sampler() {
        using Sampling = EstimateOptions::Sampling;
        result_.sampler = usual_sampler(deployment_, options_.wanted);
        const bool is_able = options_.wanted != Wanted::MoreThanDevice;
        if (options_.sampling == Sampling::Host) result_.sampler = SampledOn::Host;
        if (options_.sampling == Sampling::Device && is_able) result_.sampler = SampledOn::Device;
        sampling_ = sampling_time(deployment_, result_.sampler, options_.host, options_.wanted);
        for (const auto& [part, time] : sampling_.host) {
            result_.host[part] = time * options_.groups;
        }
        result_.host["python, per step"] = options_.host.step;
    }

    dispatch::ChipBindings bindings_at(std::int64_t position) const {
        std::vector<std::int32_t> positions(static_cast<std::size_t>(deployment_.slots()), -1);
        std::fill_n(positions.begin(), users(), static_cast<std::int32_t>(position));
        return deployment_.decode_bindings(positions);
    }

    bool capture() {
        if (options_.trace == EstimateOptions::Trace::Off) return true;
        const auto bindings = bindings_at(options_.isl);
        begin(kWarmUpStep);
        const bool fits = step(deployment_.decode(), bindings);
        end();
        if (!fits) return false;
        trace_ = device_.begin_trace_capture(kQueue);
        if (!step(deployment_.decode(), bindings)) return false;
        device_.end_trace_capture(kQueue, *trace_);
        return true;
    }

    // The mean over the generation: midpoints of equal stretches of positions.
    bool decode() {
        if (!capture()) return false;
        const std::int64_t samples = std::min(options_.osl, kSamples);
        core::Picoseconds total{};
        for (std::int64_t i = 0; i < samples; ++i) {
            const std::int64_t position = options_.isl + (2 * i + 1) * options_.osl / (2 * samples);
            const auto chips = step_at(position);
            if (!chips) return false;
            if (i == 0) result_.first_step = whole_step(*chips);
            total += *chips;
        }
        result_.chips = total / samples;
        result_.decode_step = whole_step(result_.chips);
        for (const auto& [kind, time] : sampling_.device) {
            result_.breakdown[kind] += time;
            result_.by_bound["sampling"] += time;
            result_.by_layer["head"] += time;
        }
        return true;
    }

    core::Picoseconds whole_step(core::Picoseconds chips) const {
        const mesh::LaunchSpec& launch = deployment_.mesh().system.chip.launch;
        const auto programs = static_cast<std::int64_t>(sampling_.device.size());
        const core::Picoseconds device =
            chips + sum(sampling_.device) + launch.traced_gap * programs;
        const core::Picoseconds host = sum(result_.host);
        const bool overlaps =
            options_.queues == EstimateOptions::Queues::Two && result_.sampler == SampledOn::Device;
        return overlaps ? std::max(device, host) : device + host;
    }

    // From the replay (or the first enqueue) to the last kernel.
    std::optional<core::Picoseconds> step_at(std::int64_t position) {
        const auto bindings = bindings_at(position);
        simulator_.finish(kQueue);
        traffic_.begin_step();
        layers_.begin_step();
        const Parts by_kind = simulator_.time_by_kind();
        const Parts by_bound = simulator_.time_by_bound();
        const dispatch::StreamTimes streamed = simulator_.stream_times();
        const core::SimTime start = simulator_.host_now();
        begin(kDecodeStep);
        if (trace_) {
            device_.execute_trace(*trace_, bindings, kQueue);
        } else if (!step(deployment_.decode(), bindings)) {
            return {};
        }
        simulator_.finish(kQueue);
        end();
        result_.breakdown = since(by_kind, simulator_.time_by_kind());
        result_.by_bound = since(by_bound, simulator_.time_by_bound());
        result_.by_layer = layers_.times();
        const dispatch::StreamTimes now = simulator_.stream_times();
        if (now.busy > streamed.busy) {
            result_.prefetcher = {now.busy - streamed.busy, now.waited - streamed.waited};
        }
        result_.step_bytes = traffic_.bytes();
        result_.roofline_step = result_.step_bytes / deployment_.mesh().system.chip.dram.peak;
        return simulator_.host_now() - start;
    }

    Deployment& deployment_;
    const EstimateOptions& options_;
    fabric::Mesh replayed_mesh_;
    dispatch::MeshDevice device_;
    dispatch::Simulator simulator_;
    dispatch::Simulator replayed_;  // hears the same commands on a host that enqueues in no time
    Traffic traffic_;
    LayerTimes layers_;
    dispatch::Session session_;
    std::optional<dispatch::TraceId> trace_;
    SamplingTime sampling_;
    core::Picoseconds called_{};  // of a prefill: until the host has called all of it
    bool recording_ = false;
    Estimate result_;
};

}  // namespace

Estimate estimate(Deployment& deployment, const EstimateOptions& options) {
    return Estimator(deployment, options).run();
}

}  // namespace model
