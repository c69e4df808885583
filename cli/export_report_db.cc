#include "cli/export_report_db.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <map>
#include <memory>
#include <set>

#include "core/error.h"
#include "core/files.h"

namespace cli {
namespace {

constexpr const char* kSchema = R"(
CREATE TABLE devices (device_id int, num_y_cores int, num_x_cores int, num_y_compute_cores int,
    num_x_compute_cores int, worker_l1_size int, l1_num_banks int, l1_bank_size int,
    address_at_first_l1_bank int, address_at_first_l1_cb_buffer int,
    num_banks_per_storage_core int, num_compute_cores int, num_storage_cores int,
    total_l1_memory int, total_l1_for_tensors int, total_l1_for_interleaved_buffers int,
    total_l1_for_sharded_buffers int, cb_limit int);
CREATE TABLE operations (operation_id int UNIQUE, name text, duration float);
CREATE TABLE operation_arguments (operation_id int, name text, value text);
CREATE TABLE tensors (tensor_id int UNIQUE, shape text, dtype text, layout text,
    memory_config text, device_id int, address int, buffer_type int);
CREATE TABLE device_tensors (tensor_id int, device_id int, address int);
CREATE TABLE buffers (operation_id int, device_id int, address int, max_size_per_bank int,
    buffer_type int, buffer_layout int);
CREATE TABLE captured_graph (operation_id int, captured_graph text);
CREATE TABLE nodes (operation_id int, unique_id int, node_operation_id int, name text);
CREATE TABLE edges (operation_id int, source_unique_id int, sink_unique_id int,
    source_output_index int, sink_input_index int, key int);
CREATE TABLE report_metadata (key text UNIQUE, value text);
CREATE TABLE errors (operation_id int, operation_name text, error_type text, error_message text,
    stack_trace text, timestamp text);
CREATE TABLE stack_traces (operation_id int, stack_trace text);
CREATE TABLE input_tensors (operation_id int, input_index int, tensor_id int);
CREATE TABLE output_tensors (operation_id int, output_index int, tensor_id int);
CREATE TABLE local_tensor_comparison_records (tensor_id int, golden_tensor_id int, matches int,
    desired_pcc float, actual_pcc float);
CREATE TABLE global_tensor_comparison_records (tensor_id int, golden_tensor_id int, matches int,
    desired_pcc float, actual_pcc float);
CREATE TABLE buffer_pages (operation_id int, device_id int, address int, core_y int, core_x int,
    bank_id int, page_index int, page_address int, page_size int, buffer_type int);
)";

struct Close {
    void operator()(sqlite3* handle) const { sqlite3_close_v2(handle); }
    void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};

class Database {
public:
    explicit Database(const std::filesystem::path& path) {
        sqlite3* handle = nullptr;
        const int result = sqlite3_open(path.c_str(), &handle);
        handle_.reset(handle);
        if (result != SQLITE_OK) fail();
        execute("PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; BEGIN");
        execute(kSchema);
    }

    void commit() { execute("COMMIT"); }

    /// One row, a value for every column.
    template <class... Values>
    void insert(const char* table, const Values&... values) {
        sqlite3_stmt* statement = prepared(table, sizeof...(values));
        int column = 0;
        (bind(statement, ++column, values), ...);
        if (sqlite3_step(statement) != SQLITE_DONE) fail();
        sqlite3_reset(statement);
    }

private:
    [[noreturn]] void fail() const { throw core::Error(sqlite3_errmsg(handle_.get())); }

    void execute(const char* sql) {
        if (sqlite3_exec(handle_.get(), sql, nullptr, nullptr, nullptr) != SQLITE_OK) fail();
    }

    sqlite3_stmt* prepared(const std::string& table, std::size_t columns) {
        auto& known = statements_[table];
        if (known) return known.get();
        std::string sql = "INSERT INTO " + table + " VALUES (?";
        for (std::size_t i = 1; i < columns; ++i) sql += ",?";
        sql += ")";
        sqlite3_stmt* statement = nullptr;
        if (sqlite3_prepare_v2(handle_.get(), sql.c_str(), -1, &statement, nullptr) != SQLITE_OK) {
            fail();
        }
        known.reset(statement);
        return statement;
    }

    static void bind(sqlite3_stmt* statement, int column, std::int64_t value) {
        sqlite3_bind_int64(statement, column, value);
    }
    static void bind(sqlite3_stmt* statement, int column, double value) {
        sqlite3_bind_double(statement, column, value);
    }
    static void bind(sqlite3_stmt* statement, int column, const std::string& value) {
        sqlite3_bind_text(statement, column, value.data(), static_cast<int>(value.size()),
                          SQLITE_TRANSIENT);
    }

    std::unique_ptr<sqlite3, Close> handle_;
    std::map<std::string, std::unique_ptr<sqlite3_stmt, Close>> statements_;
};

// BufferType and TensorMemoryLayout of tenstorrent/ttnn-visualizer
// backend/ttnn_visualizer/models.py and tt-metal tt_metal/api/tt-metalium/buffer_types.hpp.
std::int64_t buffer_type(mesh::BufferType type) {
    switch (type) {
        case mesh::BufferType::Dram:
            return 0;
        case mesh::BufferType::L1:
            return 1;
        case mesh::BufferType::L1Small:
            return 3;
        case mesh::BufferType::Trace:
            return 4;
    }
    return 0;
}

struct LayoutName {
    std::int64_t number = 0;
    const char* text = "INTERLEAVED";
};

LayoutName layout_name(dispatch::MemoryLayout layout) {
    switch (layout) {
        case dispatch::MemoryLayout::Interleaved:
            return {};
        case dispatch::MemoryLayout::HeightSharded:
            return {2, "HEIGHT_SHARDED"};
        case dispatch::MemoryLayout::DramWidthSharded:
        case dispatch::MemoryLayout::WidthSharded:
            return {3, "WIDTH_SHARDED"};
        case dispatch::MemoryLayout::BlockSharded:
            return {4, "BLOCK_SHARDED"};
    }
    return {};
}

std::string memory_config(const dispatch::MemoryConfig& memory) {
    return fmt::format(
        "MemoryConfig(memory_layout=TensorMemoryLayout::{},buffer_type=BufferType::{},"
        "shard_spec=std::nullopt)",
        layout_name(memory.layout).text, mesh::to_text(memory.type));
}

class Report {
public:
    Report(Database& database, const SimRun& run)
        : database_(database), run_(run), live_(run.recording.memory()) {}

    void write() {
        device();
        database_.insert("report_metadata", std::string("title"), run_.title);
        database_.insert("report_metadata", std::string("source"),
                         std::string("tessera sim: simulated, not measured"));
        placed();
        for (const model::RecordedStep* step : memory_steps(run_.recording)) {
            for (const model::RecordedCommand& one : step->commands) command(*step, one);
        }
        if (run_.recording.shortage()) failure(*run_.recording.shortage());
    }

private:
    void device() {
        const mesh::ChipSpec& chip = run_.mesh.system.chip;
        const dispatch::DeviceMemory memory = dispatch::device_memory(chip, run_.device);
        const mesh::Grid grid = memory.worker_grid;
        const std::int64_t banks = memory.l1.banks;
        const std::int64_t for_tensors = memory.l1.size.value * banks;
        database_.insert("devices", std::int64_t{0}, std::int64_t{chip.tensix.y},
                         std::int64_t{chip.tensix.x}, std::int64_t{grid.y}, std::int64_t{grid.x},
                         chip.l1.size.value, banks, memory.l1.size.value, memory.l1.base,
                         chip.l1.unreserved_base.value, std::int64_t{1}, std::int64_t{grid.cores()},
                         std::int64_t{0}, chip.l1.size.value * banks, for_tensors, for_tensors,
                         for_tensors, chip.l1.size.value - memory.l1.base);
    }

    // What stays: weights, caches, inputs.
    void placed() {
        const auto steps = memory_steps(run_.recording);
        const std::size_t events =
            steps.empty() ? run_.recording.memory().size() : steps.front()->memory_events;
        live_.advance(events);
        begin("placed before the first step", 0.0, "weights, caches and inputs");
        std::int64_t index = 0;
        for (const auto& [id, buffer] : live_.buffers()) {
            database_.insert("output_tensors", operation_, index++, tensor(buffer));
        }
        snapshot();
    }

    void command(const model::RecordedStep& step, const model::RecordedCommand& one) {
        live_.advance(one.memory_events);
        const model::RecordedSpan& span = one.chips.front();
        const std::string place = step.name + ", " + group_name(one) + ": " + one.label();
        begin(op_code(*one.item.command), core::to_seconds(end_of(span, step) - span.start), place);
        argument("label", one.label());
        argument("step", step.name);
        argument("layer", std::to_string(one.item.layer));
        if (const dispatch::OpCommand* op = one.op(); op != nullptr) {
            argument("cores", std::to_string(op->plan.cores));
            argument("math_fidelity", mesh::to_text(op->plan.fidelity));
            argument("circular_buffer_bytes_per_core",
                     std::to_string(op->plan.circular_buffer_bytes().value));
        }
        tensors("input_tensors", one.item.inputs);
        tensors("output_tensors", one.item.outputs);
        snapshot();
    }

    void failure(const model::RecordedShortage& shortage) {
        live_.advance(run_.recording.memory().size());
        const std::string step = shortage.step.empty() ? "before the first step" : shortage.step;
        const std::string name = "allocate " + shortage.shortage.buffer;
        begin(name, 0.0, step + ": " + shortage.shortage.buffer);
        snapshot();
        database_.insert("errors", operation_, name, std::string("RuntimeError"),
                         shortage.shortage.text(), step, std::string());
    }

    void begin(const std::string& name, double seconds, const std::string& place) {
        ++operation_;
        database_.insert("operations", operation_, name, seconds);
        database_.insert("captured_graph", operation_, std::string("[]"));
        database_.insert("stack_traces", operation_, place);
    }

    void argument(const char* name, const std::string& value) {
        database_.insert("operation_arguments", operation_, std::string(name), value);
    }

    void tensors(const char* table, const std::vector<dispatch::Operand>& operands) {
        std::int64_t index = 0;
        for (const dispatch::Operand& operand : operands) {
            const dispatch::DeviceBuffer* buffer = live_.at(operand.memory.type, operand.address);
            if (buffer != nullptr) database_.insert(table, operation_, index, tensor(*buffer));
            ++index;
        }
    }

    std::int64_t tensor(const dispatch::DeviceBuffer& buffer) {
        const std::int64_t id = buffer.id.value + 1;
        if (!tensors_.insert(id).second) return id;
        const dispatch::Operand& operand = buffer.operand;
        const bool tiled = operand.spec.layout == tensor::Layout::Tile;
        database_.insert("tensors", id, "Shape(" + operand.spec.shape.text() + ")",
                         "DataType." + std::string(tensor::ttnn_name(operand.spec.dtype)),
                         std::string(tiled ? "Layout.TILE" : "Layout.ROW_MAJOR"),
                         memory_config(operand.memory), std::int64_t{0}, operand.address,
                         buffer_type(operand.memory.type));
        for (std::int64_t chip = 0; chip < run_.mesh.chip_count(); ++chip) {
            database_.insert("device_tensors", id, chip, operand.address);
        }
        return id;
    }

    void snapshot() {
        for (const auto& [id, buffer] : live_.buffers()) {
            const dispatch::Operand& operand = buffer.operand;
            database_.insert("buffers", operation_, std::int64_t{0}, operand.address,
                             buffer.per_bank.value, buffer_type(operand.memory.type),
                             layout_name(operand.memory.layout).number);
        }
    }

    Database& database_;
    const SimRun& run_;
    LiveBuffers live_;
    std::int64_t operation_ = 0;
    std::set<std::int64_t> tensors_;
};

// A file beside the one asked for, gone in the end unless it was renamed.
class Beside {
public:
    explicit Beside(std::filesystem::path path) : path_(std::move(path)) {
        path_ += ".part";
        remove();
    }
    ~Beside() { remove(); }
    Beside(const Beside&) = delete;
    Beside& operator=(const Beside&) = delete;
    const std::filesystem::path& path() const { return path_; }

private:
    void remove() const {
        std::error_code ignored;
        std::filesystem::remove(path_, ignored);
    }
    std::filesystem::path path_;
};

}  // namespace

void write_report_db(const std::filesystem::path& path, const SimRun& run) {
    const Beside beside(path);
    try {
        // A folder or a device in the way is found before the work.
        std::error_code error;
        const auto status = std::filesystem::status(path, error);
        if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
            throw core::Error("not a regular file");
        }
        {
            Database database(beside.path());
            Report(database, run).write();
            database.commit();
        }
        std::filesystem::rename(beside.path(), path, error);
        if (error) throw core::Error(error.message());
    } catch (const core::Error& reason) {
        throw core::Error(core::printable(path.string()) + ": cannot be written: " + reason.what());
    }
}

}  // namespace cli
