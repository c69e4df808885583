// Tables from strangers: comma-separated values of RFC 4180 (quotes, doubled quotes, line breaks in
// quotes), LF or CRLF, with a header row. A strict parser with limits, and typed access.
// Invariant: every row has as many fields as the header has names; names differ and are not empty;
// all text is valid UTF-8 without control characters but tab and line breaks. Rows know their line.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "core/units.h"

namespace core {

struct CsvLimits {
    Bytes size = kTextLimit;
    std::size_t columns = 256;
    std::size_t rows = 1'000'000;
};

struct CsvRow {
    std::int64_t line = 0;  // where it begins, from 1
    std::vector<std::string> fields;
};

struct CsvTable {
    std::string where;  // the file
    std::vector<std::string> columns;
    std::vector<CsvRow> rows;

    bool has(std::string_view column) const;
};

/// Typed reader of one row. An absent column counts as an empty field. Getters throw Error
/// "where:line: column: expected X, got Y". Keeps a reference to the table.
class CsvRecord {
public:
    CsvRecord(const CsvTable& table, const CsvRow& row) : table_(&table), row_(&row) {}
    CsvRecord(CsvTable&& table, const CsvRow& row) = delete;

    std::int64_t line() const { return row_->line; }
    /// Empty when the field or the column is.
    const std::string& text(std::string_view column) const;
    std::optional<std::int64_t> optional_integer(std::string_view column, std::int64_t min,
                                                 std::int64_t max) const;
    /// "where:line: column: expected X, got <what is there>".
    Error unexpected(std::string_view column, std::string_view expected) const;

private:
    const CsvTable* table_;
    const CsvRow* row_;
};

/// Blank lines are skipped; a byte order mark is. Throws Error "where:line: ..." otherwise.
CsvTable parse_csv(std::string_view text, std::string_view where, const CsvLimits& limits = {});

/// parse_csv of a file; `where` is its path.
CsvTable read_csv(const std::filesystem::path& path, const CsvLimits& limits = {});

}  // namespace core
