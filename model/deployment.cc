#include "model/deployment.h"

#include <algorithm>
#include <bit>

#include "core/error.h"

namespace model {
namespace {

core::Error unsupported_split(std::int64_t chips, std::int64_t groups) {
    return core::Error("Unsupported device split: " + std::to_string(chips) + " devices, " +
                       std::to_string(groups) + " groups");
}

}  // namespace

std::int64_t padded_prefill_length(std::int64_t tokens) {
    if (tokens <= 128) return 128;
    if (tokens <= 1024) return 1024;
    return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(tokens)));
}

Deployment::Deployment(const Config& config, Precision precision, const fabric::Mesh& mesh,
                       DeploymentOptions options)
    : config_(config),
      precision_(std::move(precision)),
      mesh_(mesh),
      options_(std::move(options)),
      profile_(software_profile(options_.software, config_, mesh_)),
      worker_grid_(dispatch::device_memory(mesh_.system.chip, options_.device).worker_grid) {
    require_runs(config_, "config.json");
    const std::vector<std::string> problems = split_problems(config_, mesh_);
    if (!problems.empty()) {
        throw core::Error(problems.front())
            .hint("see `tessera check` for meshes and groups that divide the heads");
    }
    const std::int64_t columns = users_split() ? mesh_.shape.cols : 1;
    slots_ = core::round_up(options_.batch, columns);
    block_size_ = options_.block_size > 0 ? options_.block_size
                                          : core::round_up(options_.context, tensor::kTileSide);
    blocks_per_user_ = core::ceil_div(options_.context, block_size_);
    decode_ = build(build_decode(config_, precision_, step_shape()), "decode");
}

StepShape Deployment::step_shape() const {
    StepShape shape;
    shape.users = slots_;
    shape.max_context = options_.context;
    shape.block_size = block_size_;
    shape.blocks = slots_ * blocks_per_user_;
    shape.padded_vocab = profile_.padded_vocab;
    return shape;
}

std::shared_ptr<const dispatch::Program> Deployment::build(const tensor::Graph& graph,
                                                           std::string name) const {
    PartitionOptions options;
    options.name = std::move(name);
    options.worker_grid = worker_grid_;
    options.taps = options_.taps;
    return partition(graph, profile_, precision_, mesh_, options);
}

std::shared_ptr<const dispatch::Program> Deployment::prefill(std::int64_t rows,
                                                             StepShape::Chunk chunk) {
    auto& program = prefills_[{rows, chunk}];
    if (!program) {
        StepShape shape = step_shape();
        shape.rows = rows;
        shape.chunk = chunk;
        const char* kind = chunk == StepShape::Chunk::First ? "prefill_" : "prefill_chunk_";
        program = build(build_prefill(config_, precision_, shape), kind + std::to_string(rows));
    }
    return program;
}

std::int64_t Deployment::users_per_chip() const {
    return users_split() ? slots_ / mesh_.shape.cols : slots_;
}

tensor::Bindings Deployment::chip_bindings(std::int32_t chip) const {
    tensor::Bindings bindings;
    const mesh::Coord where = mesh_.shape.coord(chip);
    bindings.coord = {where.row, where.col};
    bindings.extent = {mesh_.shape.rows, mesh_.shape.cols};
    bindings.page_table.block_size = block_size_;
    bindings.page_table.blocks_per_user = blocks_per_user_;
    const std::int64_t blocks = users_per_chip() * blocks_per_user_;
    for (std::int64_t block = 0; block < blocks; ++block) {
        bindings.page_table.blocks.push_back(static_cast<std::int32_t>(block));
    }
    return bindings;
}

dispatch::ChipBindings Deployment::decode_bindings(
    const std::vector<std::int32_t>& positions) const {
    core::require(static_cast<std::int64_t>(positions.size()) == slots_,
                  "a decode step has a position for every slot");
    dispatch::ChipBindings all;
    const std::int64_t users = users_per_chip();
    for (std::int32_t chip = 0; chip < mesh_.chip_count(); ++chip) {
        tensor::Bindings bindings = chip_bindings(chip);
        const std::int64_t first = users_split() ? bindings.coord[1] * users : 0;
        bindings.positions.assign(positions.begin() + first, positions.begin() + first + users);
        all.push_back(std::move(bindings));
    }
    return all;
}

dispatch::ChipBindings Deployment::prefill_bindings(std::int64_t user, std::int64_t start,
                                                    std::int64_t tokens) const {
    dispatch::ChipBindings all;
    const std::int64_t users = users_per_chip();
    for (std::int32_t chip = 0; chip < mesh_.chip_count(); ++chip) {
        tensor::Bindings bindings = chip_bindings(chip);
        bindings.valid_rows = tokens;
        bindings.chunk_start = start;
        const bool here = !users_split() || user / users == bindings.coord[1];
        bindings.user = here ? static_cast<std::int32_t>(user % users) : -1;
        all.push_back(std::move(bindings));
    }
    return all;
}

dispatch::MemoryPlan Deployment::plan_memory() {
    const std::int64_t longest = padded_prefill_length(options_.context);
    const std::int64_t chunk = padded_prefill_length(options_.prefill_chunk);
    std::vector<std::shared_ptr<const dispatch::Program>> programs{
        decode_, prefill(std::min(chunk, longest), StepShape::Chunk::First)};
    if (options_.context > options_.prefill_chunk) {
        programs.push_back(prefill(chunk, StepShape::Chunk::Later));
    }
    return dispatch::plan_memory(programs, mesh_, options_.device);
}

std::vector<fabric::Mesh> data_parallel_groups(const fabric::Mesh& mesh, std::int64_t groups) {
    const std::int64_t chips = mesh.chip_count();
    if (groups < 1 || groups > chips || chips % groups != 0) {
        throw unsupported_split(chips, groups)
            .hint("--dp takes a divisor of the number of devices");
    }
    if (groups == 1) return {mesh};
    // Whole rows where they divide, else equal pieces of every row.
    const auto count = static_cast<std::int32_t>(groups);
    mesh::Shape piece = mesh.shape;
    if (mesh.shape.rows % count == 0) {
        piece.rows = mesh.shape.rows / count;
    } else if (count % mesh.shape.rows == 0) {
        piece = {1, mesh.chip_count() / count};
    } else {
        throw unsupported_split(chips, groups).hint("a 2-D mesh is split by rows");
    }
    std::vector<fabric::Mesh> result;
    for (std::int32_t row = 0; row < mesh.shape.rows; row += piece.rows) {
        for (std::int32_t col = 0; col < mesh.shape.cols; col += piece.cols) {
            result.push_back(fabric::sub_mesh(mesh, {row, col}, piece));
        }
    }
    return result;
}

}  // namespace model
