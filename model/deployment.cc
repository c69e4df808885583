#include "model/deployment.h"

#include <algorithm>
#include <bit>
#include <numeric>
#include <utility>

#include "core/error.h"
#include "model/split.h"

namespace model {
namespace {

core::Error unsupported_split(std::int64_t chips, std::int64_t groups) {
    return core::Error("Unsupported device split: " + std::to_string(chips) + " devices, " +
                       std::to_string(groups) + " groups");
}

// Fisher-Yates with draws of splitmix64 (Vigna's splitmix64.c): the same on every machine.
void shuffle(std::vector<std::int32_t>& items, std::uint64_t seed) {
    for (std::size_t left = items.size(); left > 1; --left) {
        seed += 0x9e3779b97f4a7c15ULL;
        std::uint64_t value = seed;
        value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9ULL;
        value = (value ^ (value >> 27)) * 0x94d049bb133111ebULL;
        std::swap(items[left - 1], items[(value ^ (value >> 31)) % left]);
    }
}

// Global semaphores of tt_transformers' TT_CCL: for three cluster axes (0, 1, none) two sets of one
// barrier, two all-gather and three reduce-scatter semaphores.
// Source: tenstorrent/tt-metal models/common/modules/tt_ccl.py @05c81b87.
constexpr std::int32_t kGlobalSemaphores = 3 * 2 * (1 + 2 + 3);

// Four bytes on every core, height-sharded in L1: tenstorrent/tt-metal
// tt_metal/impl/buffers/global_semaphore.cpp.
dispatch::Buffer semaphores(mesh::Grid cores) {
    dispatch::Buffer buffer;
    buffer.name = "ccl.semaphores";
    buffer.spec = {{cores.cores(), 1}, tensor::DType::UInt32, tensor::Layout::RowMajor};
    buffer.global = buffer.spec;
    buffer.memory = {mesh::BufferType::L1, dispatch::MemoryLayout::HeightSharded, cores.cores()};
    buffer.owner = dispatch::Owner::Collectives;
    buffer.kind = tensor::ValueKind::State;
    buffer.instances = kGlobalSemaphores;
    return buffer;
}

DeploymentOptions with_profile(DeploymentOptions options, const Profile& profile) {
    if (profile.dispatch_axis) options.device.dispatch_axis = *profile.dispatch_axis;
    return options;
}

// Users split evenly over the columns of a 2-D mesh.
std::int64_t slots_of(const Profile& profile, std::int64_t batch) {
    if (profile.slots == 0) {
        return core::round_up(batch, std::int64_t{profile.is_2d() ? profile.shape.cols : 1});
    }
    if (batch > profile.slots) {
        throw core::Error::mismatch(
            "--batch", "",
            "at most " + std::to_string(profile.slots) + " users with " + profile.name,
            std::to_string(batch))
            .hint("its programs have " + std::to_string(profile.slots) +
                  " user slots; fewer users leave slots idle");
    }
    return profile.slots;
}

// As Python prints a quotient: "1024.0".
std::string quotient_text(std::int64_t value) { return std::to_string(value) + ".0"; }

}  // namespace

std::int64_t padded_prefill_length(std::int64_t tokens) {
    if (tokens <= 128) return 128;
    if (tokens <= 1024) return 1024;
    return static_cast<std::int64_t>(std::bit_ceil(static_cast<std::uint64_t>(tokens)));
}

Deployment::Deployment(const Config& config, Precision precision, const fabric::Mesh& mesh,
                       DeploymentOptions options)
    : precision_(std::move(precision)),
      mesh_(mesh),
      profile_(software_profile(options.software, config, mesh_)),
      options_(with_profile(std::move(options), profile_)),
      config_(stored_config(profile_, config)),
      worker_grid_(dispatch::device_memory(mesh_.system.chip, options_.device).worker_grid) {
    const std::vector<std::string> problems = split_problems(config_, mesh_, options_.software);
    if (!problems.empty()) {
        throw core::Error(problems.front())
            .hint("see `tessera check` for meshes and groups that divide the heads");
    }
    slots_ = slots_of(profile_, options_.batch);
    size_pool();
    decode_ = build(build_decode(config_, precision_, step_shape()), "decode");
}

void Deployment::size_pool() {
    block_size_ = options_.block_size > 0 ? options_.block_size
                                          : core::round_up(options_.context, tensor::kTileSide);
    blocks_per_user_ = core::ceil_div(options_.context, block_size_);
    blocks_ = slots_ * blocks_per_user_;
    if (options_.max_num_blocks > 0) set_pool();
    block_order_.resize(static_cast<std::size_t>(blocks_ / columns()));
    std::iota(block_order_.begin(), block_order_.end(), 0);
    if (options_.page_seed) shuffle(block_order_, *options_.page_seed);
    deal_blocks();
}

void Deployment::set_pool() {
    if (options_.block_size <= 0) {
        throw core::Error::mismatch("max_num_blocks", "block_size", "the positions of a block",
                                    "a contiguous cache")
            .hint("a pool of blocks needs --block-size");
    }
    if (options_.max_num_blocks % columns() != 0) {
        throw core::Error::mismatch("max_num_blocks", "",
                                    "a multiple of " + std::to_string(columns()) + " columns",
                                    std::to_string(options_.max_num_blocks))
            .hint("users and their blocks are split over the columns of a 2-D mesh");
    }
    blocks_ = options_.max_num_blocks;
}

// Blocks of one user when the pool of a column is dealt evenly over its users.
std::int64_t Deployment::share() const {
    return std::min(blocks_ / columns() / users_per_chip(), blocks_per_user_);
}

std::int64_t Deployment::paged_cache_max_seq_len() const { return share() * block_size_; }

// tenstorrent/tt-metal: models/tt_transformers/demo/simple_text_demo.py, tree of 2026-05-23.
void Deployment::require_room(std::int64_t prompt, std::int64_t generated) const {
    const std::int64_t room = paged_cache_max_seq_len();
    if (prompt + generated <= room) return;
    throw core::Error("max_generated_tokens (" + std::to_string(generated) +
                      ") needs to be <= than paged_cache_max_seq_len (" + quotient_text(room) + ")")
        .within("with prompts of " + std::to_string(prompt) +
                " tokens: " + std::to_string(blocks_) + " blocks of " +
                std::to_string(block_size_) + " positions for " + std::to_string(slots_) + " users")
        .hint(
            "g + p <= block_size * max_num_blocks / batch: raise --max-num-blocks, or lower "
            "--batch");
}

StepShape Deployment::step_shape() const {
    StepShape shape;
    shape.users = slots_;
    shape.max_context = options_.context;
    shape.block_size = block_size_;
    shape.blocks = blocks_;
    shape.padded_vocab = profile_.padded_vocab;
    return shape;
}

std::shared_ptr<const dispatch::Program> Deployment::build(const tensor::Graph& graph,
                                                           std::string name) const {
    PartitionOptions options;
    options.name = std::move(name);
    const bool beside = profile_.prefetcher && graph.phase == tensor::Phase::Decode;
    options.worker_grid = beside ? profile_.prefetcher->workers : worker_grid_;
    options.release = options_.device.release;
    options.taps = options_.taps;
    auto program = partition(graph, profile_, precision_, mesh_, options);
    if (mesh_.chip_count() == 1) return program;
    auto with_semaphores = std::make_shared<dispatch::Program>(*program);
    with_semaphores->buffers.push_back(semaphores(worker_grid_));
    return with_semaphores;
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
    const std::int64_t rows = users_per_chip() * blocks_per_user_;
    const auto first = page_table_.begin() + (users_split() ? where.col * rows : 0);
    bindings.page_table.blocks.assign(first, first + rows);
    return bindings;
}

std::span<std::int32_t> Deployment::pages_of(std::int64_t user) {
    core::require(user >= 0 && user < slots_, "a user has a slot");
    return std::span(page_table_)
        .subspan(static_cast<std::size_t>(user * blocks_per_user_),
                 static_cast<std::size_t>(blocks_per_user_));
}

// A column's blocks are dealt in the pool's order; what is beyond a user's share has no block.
void Deployment::deal_blocks() {
    page_table_.assign(static_cast<std::size_t>(slots_ * blocks_per_user_), -1);
    const std::int64_t each = share();
    for (std::int64_t user = 0; user < slots_; ++user) {
        const auto first = block_order_.begin() + user % users_per_chip() * each;
        std::copy(first, first + each, pages_of(user).begin());
    }
}

std::int64_t Deployment::share_prefix(std::int64_t user, std::int64_t from,
                                      std::int64_t positions) {
    if (user / users_per_chip() != from / users_per_chip()) return 0;
    const std::int64_t blocks = std::min(positions / block_size_, share());
    std::copy_n(pages_of(from).begin(), blocks, pages_of(user).begin());
    return blocks * block_size_;
}

dispatch::ChipBindings Deployment::decode_bindings(
    const std::vector<std::int32_t>& positions) const {
    core::require(static_cast<std::int64_t>(positions.size()) == slots_,
                  "a decode step has a position for every slot");
    for (const std::int32_t position : positions) require_room(position, 1);
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
    require_room(start + tokens, 0);
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

dispatch::MemoryPlan Deployment::plan_memory(dispatch::Detail detail, dispatch::Rounds rounds) {
    dispatch::MemoryPlanner planner(mesh_, options_.device, detail, rounds);
    if (!planner.place(decode_)) return planner.plan();
    const std::int64_t longest = padded_prefill_length(options_.context);
    const std::int64_t chunk = padded_prefill_length(options_.prefill_chunk);
    std::vector<std::shared_ptr<const dispatch::Program>> programs{
        decode_, prefill(std::min(chunk, longest), StepShape::Chunk::First)};
    if (options_.context > options_.prefill_chunk) {
        programs.push_back(prefill(chunk, StepShape::Chunk::Later));
    }
    for (const auto& program : programs) {
        if (!planner.place(program)) return planner.plan();
    }
    for (const auto& program : programs) {
        if (!planner.run(program)) break;
    }
    return planner.plan();
}

namespace {

// The mesh that groups are cut from and the shape of one. A 32-chip mesh is laid as 4x8 first:
// whole lines of 8 where a group has a multiple of 8 chips, else equal pieces of a line.
// tenstorrent/tt-metal: models/tt_transformers/tt/generator.py create_submeshes, tree of
// 2026-05-23.
std::pair<fabric::Mesh, mesh::Shape> groups_of(const fabric::Mesh& mesh, std::int32_t count) {
    const mesh::Shape lines{4, 8};
    const std::int32_t each = mesh.chip_count() / count;
    if (mesh.shape.rows == 1) return {mesh, {1, each}};
    if (mesh.chip_count() == lines.chips()) {
        auto laid = fabric::map_mesh(mesh.system, lines);
        if (auto* whole = std::get_if<fabric::Mesh>(&laid)) {
            const bool is_whole_lines = each % lines.cols == 0;
            return {std::move(*whole), is_whole_lines ? mesh::Shape{each / lines.cols, lines.cols}
                                                      : mesh::Shape{1, each}};
        }
    }
    // Whole rows where they divide, else equal pieces of every row.
    mesh::Shape piece = mesh.shape;
    if (mesh.shape.rows % count == 0) {
        piece.rows = mesh.shape.rows / count;
    } else if (count % mesh.shape.rows == 0) {
        piece = {1, each};
    } else {
        throw unsupported_split(mesh.chip_count(), count).hint("a 2-D mesh is split by rows");
    }
    return {mesh, piece};
}

}  // namespace

std::vector<fabric::Mesh> data_parallel_groups(const fabric::Mesh& mesh, std::int64_t groups) {
    const std::int64_t chips = mesh.chip_count();
    if (groups < 1 || groups > chips || chips % groups != 0) {
        throw unsupported_split(chips, groups)
            .hint("--dp takes a divisor of the number of devices");
    }
    if (groups == 1) return {mesh};
    const auto [whole, piece] = groups_of(mesh, static_cast<std::int32_t>(groups));
    std::vector<fabric::Mesh> result;
    for (std::int32_t row = 0; row < whole.shape.rows; row += piece.rows) {
        for (std::int32_t col = 0; col < whole.shape.cols; col += piece.cols) {
            result.push_back(fabric::sub_mesh(whole, {row, col}, piece));
        }
    }
    return result;
}

}  // namespace model
