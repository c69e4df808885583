// The memory report, opened as ttnn-visualizer opens it.
#include "cli/export_report_db.h"

#include "tests/cli/recorded.h"
#include "tests/core/temp_folder.h"

namespace {

constexpr const char* k8B = TESSERA_SOURCE_DIR "/models/configs/Llama-3.1-8B-Instruct";

std::filesystem::path report_of(const TempFolder& folder, std::vector<std::string> words,
                                int exit_code = 0) {
    const std::filesystem::path file = folder.path() / "db.sqlite";
    words.insert(words.begin(), "sim");
    words.insert(words.end(), {"--report-db", file.string()});
    const Outcome outcome = tessera(words);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    return file;
}

TEST(ExportReportDb, has_the_tables_of_schema_v2) {
    // tenstorrent/ttnn-visualizer backend/ttnn_visualizer/tests/report_schemas.py
    const TempFolder folder;
    const auto file = report_of(folder, {kDemo, "--mesh", "n150"});
    std::map<std::string, std::string> tables;
    for (const auto& row : query(file,
                                 "SELECT m.name, group_concat(c.name, ' ') FROM sqlite_master m, "
                                 "pragma_table_info(m.name) c WHERE m.type = 'table' GROUP BY 1")) {
        tables[row[0]] = row[1];
    }
    EXPECT_EQ(tables.size(), 17u);
    EXPECT_EQ(tables["operations"], "operation_id name duration");
    EXPECT_EQ(tables["buffers"],
              "operation_id device_id address max_size_per_bank buffer_type buffer_layout");
    EXPECT_EQ(tables["tensors"],
              "tensor_id shape dtype layout memory_config device_id address buffer_type");
    EXPECT_EQ(tables["errors"],
              "operation_id operation_name error_type error_message stack_trace timestamp");
    EXPECT_EQ(tables["captured_graph"], "operation_id captured_graph");
    EXPECT_EQ(tables["device_tensors"], "tensor_id device_id address");
    EXPECT_EQ(tables["stack_traces"], "operation_id stack_trace");
    EXPECT_EQ(query(file, "SELECT DISTINCT captured_graph FROM captured_graph"), (Rows{{"[]"}}));
    EXPECT_EQ(query(file, "SELECT count(*) FROM report_metadata")[0][0], "2");
}

TEST(ExportReportDb, the_operands_of_an_operation_are_among_its_buffers) {
    // The visualizer finds the size of a tensor by this join.
    const TempFolder folder;
    const auto file = report_of(folder, {kDemo, "--mesh", "t3k"});
    for (const char* table : {"input_tensors", "output_tensors"}) {
        const std::string of_table = std::string(" FROM ") + table +
                                     " o JOIN tensors t USING "
                                     "(tensor_id) LEFT JOIN buffers b ON b.operation_id = "
                                     "o.operation_id AND b.address = t.address AND b.device_id = "
                                     "t.device_id AND b.buffer_type = t.buffer_type";
        EXPECT_NE(query(file, "SELECT count(*)" + of_table)[0][0], "0") << table;
        EXPECT_EQ(query(file, "SELECT count(*)" + of_table + " WHERE b.address IS NULL")[0][0], "0")
            << table;
    }
}

TEST(ExportReportDb, buffers_of_an_operation_do_not_overlap) {
    // They are a snapshot of one moment, not a history.
    const TempFolder folder;
    const auto file = report_of(folder, {kDemo, "--mesh", "n150"});
    EXPECT_EQ(query(file,
                    "SELECT count(*) FROM buffers a JOIN buffers b ON a.operation_id = "
                    "b.operation_id AND a.buffer_type = b.buffer_type AND a.address < b.address "
                    "AND a.address + a.max_size_per_bank > b.address")[0][0],
              "0");
}

TEST(ExportReportDb, every_command_of_a_prefill_and_of_a_decode_step_is_an_operation) {
    // Whether the step that is timed was traced or not.
    const TempFolder folder;
    const char* count =
        "SELECT value, count(*) FROM operation_arguments WHERE name = 'step' GROUP BY 1 ORDER BY 1";
    const Rows traced = query(report_of(folder, {kDemo, "--mesh", "n150"}), count);
    const Rows eager = query(report_of(folder, {kDemo, "--mesh", "n150", "--trace", "off"}), count);
    ASSERT_EQ(traced.size(), 2u);
    ASSERT_EQ(eager.size(), 2u);
    EXPECT_EQ(traced[0][0], model::kWarmUpStep);
    EXPECT_EQ(eager[0][0], model::kDecodeStep);
    EXPECT_EQ(traced[0][1], eager[0][1]);
    EXPECT_EQ(traced[1], eager[1]);
}

TEST(ExportReportDb, an_allocation_that_fails_is_an_error_of_the_last_operation) {
    // 8 billion parameters in fp32 are 32 GB; an N150 has 12. The exit code stays "no".
    const TempFolder folder;
    const auto file = report_of(folder, {k8B, "--mesh", "n150", "--precision", "fp32"}, 1);
    const Rows errors = query(file,
                              "SELECT e.error_type, e.error_message, e.operation_id, "
                              "o.name = e.operation_name FROM errors e JOIN operations o USING "
                              "(operation_id)");
    ASSERT_EQ(errors.size(), 1u);
    EXPECT_EQ(errors[0][0], "RuntimeError");
    EXPECT_TRUE(errors[0][1].starts_with("Out of Memory: Not enough space to allocate "))
        << errors[0][1];
    EXPECT_EQ(errors[0][3], "1");
    const std::string failed = errors[0][2];
    EXPECT_EQ(query(file, "SELECT max(operation_id) FROM operations")[0][0], failed);
    // What filled the memory is there to look at.
    EXPECT_NE(query(file, "SELECT count(*) FROM buffers WHERE operation_id = " + failed)[0][0],
              "0");
}

TEST(ExportReportDb, an_older_report_is_replaced) {
    const TempFolder folder;
    folder.write("db.sqlite", "not a database");
    const auto file = report_of(folder, {kDemo, "--mesh", "n150"});
    EXPECT_EQ(query(file, "SELECT count(*) FROM errors")[0][0], "0");
    EXPECT_FALSE(std::filesystem::exists(file.string() + ".part"));
}

}  // namespace
