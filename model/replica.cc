#include "model/replica.h"

#include <malloc.h>

#include <algorithm>
#include <cstring>

#include "core/error.h"
#include "model/weight_reader.h"

namespace model {
namespace {

constexpr dispatch::QueueId kQueue{0};
constexpr std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

const dispatch::Buffer& buffer_named(const dispatch::Program& program, const std::string& name) {
    const auto found = std::find_if(program.buffers.begin(), program.buffers.end(),
                                    [&](const dispatch::Buffer& b) { return b.name == name; });
    core::require(found != program.buffers.end(), "every program has token_ids and logits");
    return *found;
}

}  // namespace

Replica::Replica(Deployment& deployment, const Checkpoint& checkpoint, Trace trace,
                 WeightCache* cache)
    : deployment_(deployment), checkpoint_(checkpoint), cache_(cache), trace_mode_(trace) {
    require_runs(deployment.config(), "config.json");
    const fabric::Mesh& mesh = deployment.mesh();
    const dispatch::DeviceOptions& options = deployment.options().device;
    device_ = std::make_unique<dispatch::MeshDevice>(0, mesh, options);
    executor_ = std::make_unique<dispatch::Executor>(
        mesh, dispatch::device_memory(mesh.system.chip, options));
    simulator_ = std::make_unique<dispatch::Simulator>(mesh, dispatch::SimulatorOptions{});
    device_->attach(*executor_);
    device_->attach(*simulator_);
    session_ = std::make_unique<dispatch::Session>(*device_);
    place(deployment.decode());
}

Replica::~Replica() = default;

bool Replica::failed(const std::optional<dispatch::Shortage>& shortage) {
    if (shortage) shortage_ = shortage->buffer + ": " + shortage->text();
    return shortage.has_value();
}

bool Replica::place(const std::shared_ptr<const dispatch::Program>& program) {
    if (failed(session_->place(program))) return false;
    const LoadedWeights now = load_weights(*program, *session_, *executor_, checkpoint_,
                                           deployment_.config(), loaded_, cache_);
    weights_.converted += now.converted;
    weights_.cached += now.cached;
    return true;
}

void Replica::write_tokens(const dispatch::Program& program, std::span<const std::int32_t> tokens) {
    const dispatch::Buffer& buffer = buffer_named(program, program.name + ".token_ids");
    std::vector<std::byte> bytes(at(buffer.spec.bytes().value));
    std::memcpy(bytes.data(), tokens.data(), std::min(bytes.size(), tokens.size_bytes()));
    const dispatch::HostData data(at(deployment_.mesh().chip_count()), bytes);
    device_->enqueue_write(session_->persistent(buffer.name, 0).operand, data, kQueue);
}

void Replica::write_positions(const dispatch::Program& program,
                              const std::vector<std::int32_t>& positions) {
    const std::string name = program.name + ".rope_positions";
    if (!session_->has_persistent(name)) return;  // nothing of the network turns
    const dispatch::Operand& operand = session_->persistent(name, 0).operand;
    std::vector<std::int32_t> rows(at(operand.spec.shape[0]));
    std::ranges::transform(positions, rows.begin(),
                           [](std::int32_t position) { return std::max(position, 0); });
    const auto bytes = std::as_bytes(std::span(rows));
    device_->enqueue_write(
        operand,
        dispatch::HostData(at(deployment_.mesh().chip_count()), {bytes.begin(), bytes.end()}),
        kQueue);
}

std::vector<float> Replica::read_logits(const dispatch::Program& program) {
    const dispatch::Buffer& buffer = buffer_named(program, program.name + ".logits");
    const dispatch::HostData data =
        device_->enqueue_read(session_->persistent(buffer.name, 0).operand, kQueue,
                              dispatch::holders(buffer, program.shape));
    // Of a decode step only the users' rows: a tile has 32.
    const std::int64_t rows =
        program.phase == tensor::Phase::Decode ? deployment_.slots() : buffer.global.shape.rows();
    return assemble_rows(buffer, program.shape, data, {0, rows});
}

void Replica::keep_hidden_states(const dispatch::Program& program, dispatch::HostTensors& host) {
    hidden_states_.clear();
    const auto found = host.reads.find("hidden_states");
    if (found == host.reads.end()) return;
    const dispatch::Buffer& residual = buffer_named(program, "residual");
    for (const dispatch::HostData& data : found->second) {
        hidden_states_.push_back(assemble(residual, program.shape, data));
    }
}

bool Replica::run(const std::shared_ptr<const dispatch::Program>& program,
                  const dispatch::ChipBindings& bindings) {
    dispatch::HostTensors host;
    if (failed(session_->run(program, bindings, host, kQueue))) return false;
    keep_hidden_states(*program, host);
    return true;
}

core::Digest Replica::digest() const {
    core::Digest digest = values_;
    return digest.add(static_cast<std::int64_t>(simulator_->digest().value()));
}

Logits Replica::prefill(std::int64_t user, std::span<const std::int32_t> tokens,
                        std::int64_t cached) {
    const std::int64_t vocab = deployment_.config().vocab_size;
    const auto total = static_cast<std::int64_t>(tokens.size());
    core::require(cached >= 0 && cached < total && cached % tensor::kTileSide == 0,
                  "a prompt has at least one token that is not cached, at the start of a tile");
    std::vector<std::vector<float>> hidden;
    Logits result;
    const core::SimTime begin = simulator_->host_now();
    for (std::int64_t start = cached; start < total; start += deployment_.options().prefill_chunk) {
        const std::int64_t count = std::min(deployment_.options().prefill_chunk, total - start);
        const auto program =
            deployment_.prefill(padded_prefill_length(count),
                                start == 0 ? StepShape::Chunk::First : StepShape::Chunk::Later);
        if (!place(program)) return {};
        write_tokens(*program, tokens.subspan(at(start), at(count)));
        if (!run(program, deployment_.prefill_bindings(user, start, count))) return {};
        hidden.resize(hidden_states_.size());
        for (std::size_t layer = 0; layer < hidden_states_.size(); ++layer) {
            const auto width = at(count * deployment_.config().hidden_size);
            hidden[layer].insert(hidden[layer].end(), hidden_states_[layer].begin(),
                                 hidden_states_[layer].begin() + static_cast<std::int64_t>(width));
        }
        if (start + count < total) continue;
        const std::vector<float> logits = read_logits(*program);
        const std::int64_t padded = deployment_.profile().padded_vocab;
        const std::int64_t row = (count - 1) % tensor::kTileSide;
        result.assign(logits.begin() + row * padded, logits.begin() + row * padded + vocab);
    }
    values_.add(std::as_bytes(std::span(result)));
    hidden_states_ = std::move(hidden);
    // A tile of logits is 32 vocabularies: glibc would keep them for the next prompt.
    ::malloc_trim(0);
    last_step_ = simulator_->host_now() - begin;
    return result;
}

// Programs must be in the cache before a trace is taken, so the step runs once before. What it
// writes to the KV cache the replay writes again.
bool Replica::compile_and_capture(const dispatch::ChipBindings& bindings) {
    const auto program = deployment_.decode();
    if (!run(program, bindings)) return false;
    trace_ = device_->begin_trace_capture(kQueue);
    dispatch::HostTensors host;
    if (failed(session_->run(program, bindings, host, kQueue))) return false;
    device_->end_trace_capture(kQueue, *trace_);
    return true;
}

std::vector<Logits> Replica::decode(const std::vector<std::int32_t>& tokens,
                                    const std::vector<std::int32_t>& positions) {
    const auto program = deployment_.decode();
    const dispatch::ChipBindings bindings = deployment_.decode_bindings(positions);
    if (trace_mode_ == Trace::On && !trace_) {
        write_tokens(*program, tokens);
        write_positions(*program, positions);
        if (!compile_and_capture(bindings)) return {};
    }
    const core::SimTime start = simulator_->host_now();
    write_tokens(*program, tokens);
    write_positions(*program, positions);
    if (trace_) {
        device_->execute_trace(*trace_, bindings, kQueue);
    } else if (!run(program, bindings)) {
        return {};
    }
    const std::vector<float> all = read_logits(*program);
    last_step_ = simulator_->host_now() - start;
    const std::int64_t padded = deployment_.profile().padded_vocab;
    std::vector<Logits> result;
    for (std::int64_t slot = 0; slot < deployment_.slots(); ++slot) {
        const auto row = all.begin() + slot * padded;
        result.emplace_back(row, row + deployment_.config().vocab_size);
        if (positions[at(slot)] >= 0) values_.add(std::as_bytes(std::span(result.back())));
    }
    return result;
}

}  // namespace model
