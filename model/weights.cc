#include "model/weights.h"

#include <atomic>
#include <map>
#include <utility>

#include "core/parallel.h"
#include "model/weight_reader.h"

namespace model {
namespace {

using dispatch::Buffer;

class Loader {
public:
    Loader(const dispatch::Program& program, const dispatch::Session& session,
           const dispatch::Executor& executor, const Checkpoint& checkpoint, const Config& config,
           WeightCache* cache)
        : program_(program),
          session_(session),
          executor_(executor),
          checkpoint_(checkpoint),
          config_(config),
          cache_(cache) {}

    // True when the bytes came from the cache.
    bool load(const Buffer& buffer, std::int32_t instance) const {
        const std::int32_t layer = buffer.first_layer + instance;
        CachedTensor tensor{dispatch::instance_name(buffer, instance),
                            session_.persistent(buffer.name, instance).operand, 0, holders(buffer)};
        if (cache_ != nullptr) {
            tensor.recipe = recipe_of(buffer, layer, program_.shape, config_);
            if (cache_->load(tensor, executor_)) return true;
        }
        for (const std::vector<std::int32_t>& chips : tensor.holders) {
            const std::int32_t first = chips.front();
            read_weight(buffer, layer, program_.shape, program_.shape.coord(first), checkpoint_,
                        config_, executor_.data(tensor.operand, first));
            executor_.share(tensor.operand, chips);
        }
        if (cache_ != nullptr) cache_->store(tensor, executor_);
        return false;
    }

private:
    // The chips that hold the same part, for every different part.
    std::vector<std::vector<std::int32_t>> holders(const Buffer& buffer) const {
        std::map<std::int32_t, std::vector<std::int32_t>> by_first;
        for (std::int32_t chip = 0; chip < program_.shape.chips(); ++chip) {
            mesh::Coord first = program_.shape.coord(chip);
            if (buffer.placement[0].is_replicated()) first.row = 0;
            if (buffer.placement[1].is_replicated()) first.col = 0;
            by_first[program_.shape.index(first)].push_back(chip);
        }
        std::vector<std::vector<std::int32_t>> all;
        for (auto& entry : by_first) all.push_back(std::move(entry.second));
        return all;
    }

    const dispatch::Program& program_;
    const dispatch::Session& session_;
    const dispatch::Executor& executor_;
    const Checkpoint& checkpoint_;
    const Config& config_;
    WeightCache* cache_;
};

}  // namespace

LoadedWeights load_weights(const dispatch::Program& program, const dispatch::Session& session,
                           const dispatch::Executor& executor, const Checkpoint& checkpoint,
                           const Config& config, std::set<std::string>& loaded,
                           WeightCache* cache) {
    const Loader loader(program, session, executor, checkpoint, config, cache);
    std::vector<std::pair<const Buffer*, std::int32_t>> jobs;
    for (const Buffer& buffer : program.buffers) {
        if (buffer.kind != tensor::ValueKind::Weight) continue;
        if (!loaded.insert(buffer.name).second) continue;
        for (std::int32_t i = 0; i < buffer.instances; ++i) jobs.emplace_back(&buffer, i);
    }
    std::atomic<std::int64_t> cached{0};
    core::parallel_for(jobs.size(), [&](std::size_t index) {
        if (loader.load(*jobs[index].first, jobs[index].second)) ++cached;
    });
    const auto all = static_cast<std::int64_t>(jobs.size());
    return {all - cached, cached};
}

std::vector<float> assemble(const Buffer& buffer, mesh::Shape shape,
                            const dispatch::HostData& data) {
    return assemble_rows(buffer, shape, data, {0, buffer.global.shape.rows()});
}

}  // namespace model
