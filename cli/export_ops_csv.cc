#include "cli/export_ops_csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "ccl/workers.h"
#include "dispatch/matmul_time.h"

namespace cli {
namespace {

using core::Picoseconds;

/// One op on one chip.
struct Row {
    const SimRun& run;
    const model::RecordedCommand& command;
    const model::RecordedSpan& span;
    Picoseconds duration{};
    std::int64_t call = 0;
    std::int64_t host_start = 0;  // ns
    Picoseconds gap{};            // since the op before it on this chip

    const mesh::ChipSpec& chip() const { return run.mesh.system.chip; }
};

struct Column {
    std::string name;
    std::function<std::string(const Row&)> cell;  // empty: not simulated
};

std::string ns(Picoseconds time) { return std::to_string((time.count() + 500) / 1000); }

std::string cycles(const Row& row, core::SimTime time) {
    const double seconds = core::to_seconds(time.time_since_epoch());
    return fmt::format("{:.0f}", seconds * static_cast<double>(row.chip().clock.value));
}

std::string percent(double part, Picoseconds whole) {
    if (whole.count() <= 0) return "";
    return fmt::format("{:.3f}", 100.0 * part / static_cast<double>(whole.count()));
}

// The program config that the simulated kernel stands for, by its class in tenstorrent/tt-metal
// ttnn/cpp/ttnn/operations/matmul/device/config/matmul_program_config_types.hpp.
std::string program_config(const Row& row, const dispatch::KernelPlan& plan) {
    const auto& item = row.command.item;
    const dispatch::MatmulSpecs specs{item.inputs.at(0).spec, item.inputs.at(1).spec,
                                      item.outputs.at(0).spec};
    if (dispatch::is_dram_sharded(specs, plan)) {
        return fmt::format(
            "MatmulMultiCoreReuseMultiCastDRAMShardedProgramConfig(per_core_M={};per_core_N={})",
            specs.row_tiles(), core::ceil_div(specs.col_tiles(), std::int64_t{plan.cores}));
    }
    const dispatch::MatmulBlocks blocks =
        dispatch::matmul_blocks(specs, plan, row.chip(), dispatch::MatmulTuning::Model);
    return fmt::format(
        "MatmulMultiCoreReuseMultiCast{}ProgramConfig(compute_with_storage_grid_size=(x={};y={});"
        "in0_block_w={};out_block_h={};out_block_w={};per_core_M={};per_core_N={})",
        blocks.multicast == dispatch::Multicast::Both ? "" : "1D", plan.grid.x, plan.grid.y,
        blocks.block_depth, blocks.block_rows, blocks.block_cols, blocks.core_rows,
        blocks.core_cols);
}

/// {'key': 'value'; 'key': 'value'}: no commas.
std::string attributes(const Row& row) {
    const model::RecordedCommand& command = row.command;
    std::string label = command.label();
    std::ranges::replace(label, ',', ';');
    std::string out = fmt::format("{{'label': '{}'; 'layer': '{}'", label, command.item.layer);
    if (const dispatch::OpCommand* op = command.op(); op != nullptr) {
        out += fmt::format("; 'bound': '{}'", row.span.parts.bound());
        if (std::holds_alternative<tensor::Linear>(op->op)) {
            out += fmt::format("; 'program_config': '{}'", program_config(row, op->plan));
        }
    } else {
        const dispatch::CollectiveCommand& body = *command.collective();
        const bool ring = body.collective.topology == fabric::Topology::Ring;
        out += fmt::format(
            "; 'cluster_axis': '{}'; 'dim': '{}'; 'num_links': '{}'; 'ring_size': '{}'; "
            "'topology': 'Topology::{}'",
            body.axis, body.dim, body.collective.links, body.collective.ranks,
            ring ? "Ring" : "Linear");
    }
    return out + "}";
}

std::string of_op(const Row& row, std::string (*cell)(const dispatch::OpCommand&)) {
    const dispatch::OpCommand* op = row.command.op();
    return op == nullptr ? std::string() : cell(*op);
}

/// Of a collective: the most that a chip of it takes. Empty for one whose program is not known.
std::string core_count(const Row& row) {
    if (const dispatch::OpCommand* op = row.command.op(); op != nullptr) {
        return std::to_string(op->plan.cores);
    }
    const ccl::Collective& body = row.command.collective()->collective;
    const bool known =
        body.algorithm == ccl::Algorithm::Default && body.buffers == ccl::Buffers::Fresh;
    const auto workers =
        known ? ccl::with_workers(body.kind, body.topology, ccl::kModelWorkers) : std::nullopt;
    return workers ? std::to_string(workers->most_cores(body.links, body.ranks)) : "";
}

/// Bytes of one chip's operands that are in DRAM.
double dram_bytes(const Row& row) {
    const tensor::Work& work = row.command.work;
    const dispatch::KernelPlan& plan = row.command.op()->plan;
    const auto sum = [](std::span<const core::Bytes> sizes,
                        std::span<const dispatch::MemoryConfig> places) {
        core::Bytes total;
        for (std::size_t i = 0; i < std::min(sizes.size(), places.size()); ++i) {
            if (places[i].type == mesh::BufferType::Dram) total += sizes[i];
        }
        return static_cast<double>(total.value);
    };
    return sum(work.reads, plan.inputs) + sum(work.writes, plan.outputs);
}

/// The rates that operands need where the op takes no longer than its slower part, GB/s.
std::string required_rates(const Row& row, std::span<const core::Bytes> sizes) {
    const Picoseconds ideal = std::max(row.span.parts.compute, row.span.parts.dram);
    if (row.command.op() == nullptr || ideal.count() <= 0) return "";
    std::string out;
    for (const core::Bytes size : sizes) {
        out += fmt::format("{}{:.3f}", out.empty() ? "" : "; ",
                           static_cast<double>(size.value) * 1e-9 / core::to_seconds(ideal));
    }
    return "[" + out + "]";
}

enum class Axis { W, Z, Y, X };

/// "32[19]": padded, then logical. Axes above the fourth are part of W.
std::string extent(const tensor::Spec& spec, Axis axis) {
    const tensor::Shape& shape = spec.shape;
    const int from_end = 4 - static_cast<int>(axis);  // X: 1
    if (axis == Axis::W) {
        std::int64_t outer = 1;
        for (int i = 0; i <= shape.rank() - from_end; ++i) outer *= shape[i];
        return fmt::format("{0}[{0}]", outer);
    }
    const std::int64_t logical = shape.rank() >= from_end ? shape[-from_end] : 1;
    const bool tiled = spec.layout == tensor::Layout::Tile && from_end <= 2;
    const std::int64_t padded = tiled ? core::round_up(logical, tensor::kTileSide) : logical;
    return fmt::format("{}[{}]", padded, logical);
}

using Side = std::vector<dispatch::Operand> dispatch::Enqueued::*;

void add_tensor(std::vector<Column>& columns, const std::string& name, Side side, std::size_t n) {
    const auto add = [&](const std::string& what,
                         std::function<std::string(const Row&, const dispatch::Operand&)> cell) {
        columns.push_back({name + "_" + what, [side, n, cell = std::move(cell)](const Row& row) {
                               const std::vector<dispatch::Operand>& all = row.command.item.*side;
                               return n < all.size() ? cell(row, all[n]) : std::string();
                           }});
    };
    const std::pair<const char*, Axis> axes[] = {
        {"W", Axis::W}, {"Z", Axis::Z}, {"Y", Axis::Y}, {"X", Axis::X}};
    for (const auto& [letter, axis] : axes) {
        add(std::string(letter) + "_PAD[LOGICAL]",
            [axis = axis](const Row&, const dispatch::Operand& operand) {
                return extent(operand.spec, axis);
            });
    }
    add("LAYOUT", [](const Row&, const dispatch::Operand& operand) -> std::string {
        return operand.spec.layout == tensor::Layout::Tile ? "TILE" : "ROW_MAJOR";
    });
    add("DATATYPE", [](const Row&, const dispatch::Operand& operand) {
        return std::string(tensor::ttnn_name(operand.spec.dtype));
    });
    add("MEMORY", [](const Row& row, const dispatch::Operand& operand) {
        return fmt::format("DEV_{}_{}", row.span.chip, dispatch::to_text(operand.memory));
    });
}

void add_empty(std::vector<Column>& columns, std::initializer_list<const char*> names) {
    for (const char* name : names) columns.push_back({name, {}});
}

void add_op_columns(std::vector<Column>& columns) {
    columns.push_back(
        {"OP CODE", [](const Row& row) { return op_code(*row.command.item.command); }});
    columns.push_back({"OP TYPE", [](const Row&) { return std::string("tt_dnn_device"); }});
    columns.push_back(
        {"GLOBAL CALL COUNT", [](const Row& row) { return std::to_string(row.call); }});
    columns.push_back({"DEVICE ID", [](const Row& row) { return std::to_string(row.span.chip); }});
    columns.push_back(
        {"DEVICE ARCH", [](const Row& row) { return mesh::to_text(row.chip().arch); }});
    columns.push_back({"ATTRIBUTES", attributes});
    columns.push_back({"MATH FIDELITY", [](const Row& row) {
                           return of_op(row, [](const dispatch::OpCommand& op) {
                               return mesh::to_text(op.plan.fidelity);
                           });
                       }});
    columns.push_back({"CORE COUNT", core_count});
    columns.push_back({"AVAILABLE WORKER CORE COUNT", [](const Row& row) {
                           const auto memory = dispatch::device_memory(row.chip(), row.run.device);
                           return std::to_string(memory.worker_grid.cores());
                       }});
    add_empty(columns, {"PARALLELIZATION STRATEGY"});
}

Picoseconds host_time(const Row& row) {
    const bool eager = row.command.origin == dispatch::Origin::Eager;
    return eager ? row.chip().launch.host_enqueue : Picoseconds{};
}

void add_time_columns(std::vector<Column>& columns) {
    const auto kernel = [](const Row& row) { return ns(row.duration); };
    columns.push_back(
        {"HOST START TS", [](const Row& row) { return std::to_string(row.host_start); }});
    columns.push_back({"HOST END TS", [](const Row& row) {
                           return std::to_string(row.host_start + host_time(row).count() / 1000);
                       }});
    columns.push_back({"HOST DURATION [ns]", [](const Row& row) { return ns(host_time(row)); }});
    columns.push_back(
        {"DEVICE FW START CYCLE", [](const Row& row) { return cycles(row, row.span.start); }});
    columns.push_back({"DEVICE FW END CYCLE",
                       [](const Row& row) { return cycles(row, row.span.start + row.duration); }});
    columns.push_back({"OP TO OP LATENCY [ns]", [](const Row& row) { return ns(row.gap); }});
    columns.push_back(
        {"OP TO OP LATENCY BR/NRISC START [ns]", [](const Row& row) { return ns(row.gap); }});
    columns.push_back({"DEVICE FW DURATION [ns]", kernel});
    columns.push_back({"DEVICE KERNEL DURATION [ns]", kernel});
    add_empty(columns,
              {"DEVICE KERNEL DURATION DM START [ns]", "DEVICE KERNEL DURATION PER CORE MIN [ns]",
               "DEVICE KERNEL DURATION PER CORE MAX [ns]",
               "DEVICE KERNEL DURATION PER CORE AVG [ns]", "DEVICE KERNEL FIRST TO LAST START [ns]",
               "DEVICE BRISC KERNEL DURATION [ns]", "DEVICE NCRISC KERNEL DURATION [ns]",
               "DEVICE TRISC0 KERNEL DURATION [ns]", "DEVICE TRISC1 KERNEL DURATION [ns]",
               "DEVICE TRISC2 KERNEL DURATION [ns]", "DEVICE ERISC KERNEL DURATION [ns]",
               "DEVICE COMPUTE CB WAIT FRONT [ns]", "DEVICE COMPUTE CB RESERVE BACK [ns]",
               "DISPATCH TOTAL CQ CMD OP TIME [ns]", "DISPATCH GO SEND WAIT TIME [ns]"});
}

void add_kernel_columns(std::vector<Column>& columns) {
    const auto trace = [](const Row& row) {
        return row.command.trace ? std::to_string(row.command.trace->value) : std::string();
    };
    columns.push_back({"METAL TRACE ID", trace});
    // One replay of each trace is recorded.
    columns.push_back({"METAL TRACE REPLAY SESSION ID",
                       [](const Row& row) { return std::string(row.command.trace ? "1" : ""); }});
    add_empty(columns,
              {"COMPUTE KERNEL SOURCE", "COMPUTE KERNEL HASH", "DATA MOVEMENT KERNEL SOURCE",
               "DATA MOVEMENT KERNEL HASH", "PROGRAM HASH", "PROGRAM CACHE HIT",
               "TENSIX DM 0 MAX KERNEL SIZE [B]", "TENSIX DM 1 MAX KERNEL SIZE [B]",
               "TENSIX COMPUTE 0 MAX KERNEL SIZE [B]", "TENSIX COMPUTE 1 MAX KERNEL SIZE [B]",
               "TENSIX COMPUTE 2 MAX KERNEL SIZE [B]", "ACTIVE ETH DM 0 MAX KERNEL SIZE [B]",
               "ACTIVE ETH DM 1 MAX KERNEL SIZE [B]", "IDLE ETH DM 0 MAX KERNEL SIZE [B]",
               "IDLE ETH DM 1 MAX KERNEL SIZE [B]"});
}

void add_model_columns(std::vector<Column>& columns) {
    const auto op_only = [](std::function<std::string(const Row&)> cell) {
        return [cell = std::move(cell)](const Row& row) {
            return row.command.op() == nullptr ? std::string() : cell(row);
        };
    };
    const auto& parts = [](const Row& row) -> const dispatch::OpTime& { return row.span.parts; };
    columns.push_back({"PM IDEAL [ns]", op_only([parts](const Row& row) {
                           return ns(std::max(parts(row).compute, parts(row).dram));
                       })});
    columns.push_back(
        {"PM COMPUTE [ns]", op_only([parts](const Row& row) { return ns(parts(row).compute); })});
    columns.push_back(
        {"PM BANDWIDTH [ns]", op_only([parts](const Row& row) { return ns(parts(row).dram); })});
    columns.push_back({"PM REQ I BW",
                       [](const Row& row) { return required_rates(row, row.command.work.reads); }});
    columns.push_back({"PM REQ O BW", [](const Row& row) {
                           return required_rates(row, row.command.work.writes);
                       }});
    columns.push_back({"PM FPU UTIL (%)", op_only([parts](const Row& row) {
                           const auto busy = static_cast<double>(parts(row).compute.count());
                           return percent(busy, row.duration);
                       })});
    add_empty(columns, {"NOC UTIL (%)", "MULTICAST NOC UTIL (%)"});
    columns.push_back({"DRAM BW UTIL (%)", op_only([](const Row& row) {
                           const auto peak = static_cast<double>(row.chip().dram.peak.value);
                           return percent(dram_bytes(row) / peak * 1e12, row.duration);
                       })});
    add_empty(columns, {"ETH BW UTIL (%)", "NPE CONG IMPACT (%)"});
}

std::vector<Column> all_columns(std::size_t inputs, std::size_t outputs) {
    std::vector<Column> columns;
    add_op_columns(columns);
    add_time_columns(columns);
    for (std::size_t n = 0; n < inputs; ++n) {
        add_tensor(columns, "INPUT_" + std::to_string(n), &dispatch::Enqueued::inputs, n);
    }
    for (std::size_t n = 0; n < outputs; ++n) {
        add_tensor(columns, "OUTPUT_" + std::to_string(n), &dispatch::Enqueued::outputs, n);
    }
    add_kernel_columns(columns);
    add_model_columns(columns);
    return columns;
}

std::vector<Column> columns_for(const SimRun& run) {
    std::size_t inputs = 2;  // tt-perf-report asks for two and one
    std::size_t outputs = 1;
    for (const model::RecordedStep* step : timed_steps(run.recording)) {
        for (const model::RecordedCommand& command : step->commands) {
            inputs = std::max(inputs, command.item.inputs.size());
            outputs = std::max(outputs, command.item.outputs.size());
        }
    }
    return all_columns(inputs, outputs);
}

class Writer {
public:
    explicit Writer(const SimRun& run)
        : run_(run), columns_(columns_for(run)), chips_(exported_chips(run.mesh.shape)) {}

    std::string write() {
        for (const Column& column : columns_) add(column.name);
        end_line();
        for (const model::RecordedStep* step : timed_steps(run_.recording)) {
            signpost(*step);
            ends_.clear();
            for (const model::RecordedCommand& command : step->commands) {
                for (const model::RecordedSpan& span : command.chips) {
                    if (std::ranges::binary_search(chips_, span.chip)) row(*step, command, span);
                }
            }
        }
        return std::move(text_);
    }

private:
    void signpost(const model::RecordedStep& step) {
        for (const Column& column : columns_) {
            std::string cell;
            if (column.name == "OP CODE") cell = step.name;
            if (column.name == "OP TYPE") cell = "signpost";
            if (column.name == "HOST START TS") cell = std::to_string(stamp(step.start));
            add(cell);
        }
        end_line();
    }

    void row(const model::RecordedStep& step, const model::RecordedCommand& command,
             const model::RecordedSpan& span) {
        if (span.start == core::SimTime::max()) return;
        const core::SimTime end = end_of(span, step);
        const auto before = ends_.find(span.chip);
        const Picoseconds gap = before == ends_.end() ? Picoseconds{} : span.start - before->second;
        ends_[span.chip] = end;
        const Row row{run_,
                      command,
                      span,
                      end - span.start,
                      ++calls_,
                      stamp(command.issued),
                      std::max(gap, Picoseconds{})};
        for (const Column& column : columns_) add(column.cell ? column.cell(row) : std::string());
        end_line();
    }

    /// Readers sort by it: every row has its own, in the order of the rows.
    std::int64_t stamp(core::SimTime host) {
        last_ = std::max(last_ + 1, host.time_since_epoch().count() / 1000);
        return last_;
    }

    void add(const std::string& cell) { text_.append(cell).push_back(','); }
    void end_line() { text_.back() = '\n'; }

    const SimRun& run_;
    std::vector<Column> columns_;
    std::vector<std::int32_t> chips_;
    std::map<std::int32_t, core::SimTime> ends_;
    std::int64_t calls_ = 0;
    std::int64_t last_ = -1;
    std::string text_;
};

}  // namespace

std::string ops_csv(const SimRun& run) { return Writer(run).write(); }

}  // namespace cli
