#include "core/csv.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "core/format.h"

namespace core {
namespace {

/// Length of the UTF-8 character at the start of `text`; 0 when it is broken or a control.
std::size_t character_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
    }
    // Overlong forms, surrogates and what lies beyond U+10FFFF.
    const auto second = static_cast<unsigned char>(text[1]);
    const bool low = (lead == 0xe0 && second < 0xa0) || (lead == 0xf0 && second < 0x90);
    const bool high = (lead == 0xed && second >= 0xa0) || (lead == 0xf4 && second >= 0x90);
    return low || high ? 0 : length;
}

class Parser {
public:
    Parser(std::string_view text, std::string_view where, const CsvLimits& limits)
        : text_(text), where_(where), limits_(limits) {
        constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
        if (text_.starts_with(kByteOrderMark)) text_.remove_prefix(kByteOrderMark.size());
    }

    CsvTable table() {
        CsvTable table;
        table.where = where_;
        while (!text_.empty()) {
            if (skip_line_break()) continue;
            CsvRow row = next_row();
            if (table.columns.empty()) {
                take_header(table, std::move(row));
            } else {
                take_row(table, std::move(row));
            }
        }
        if (table.columns.empty()) throw Error(where_ + ": expected a header row, got nothing");
        return table;
    }

private:
    Error at(std::int64_t line, std::string_view expected, std::string_view found) const {
        return Error::mismatch(where_ + ":" + std::to_string(line), "", expected, found);
    }

    bool skip_line_break() {
        const std::size_t length = text_.starts_with("\r\n") ? 2 : text_.starts_with('\n') ? 1 : 0;
        text_.remove_prefix(length);
        line_ += length > 0 ? 1 : 0;
        return length > 0;
    }

    // Takes one character of a field; quotes and separators are the caller's.
    void take_character(std::string& field) {
        const std::size_t length = text_[0] == '\t' ? 1 : character_length(text_);
        if (length == 0) throw at(line_, "UTF-8 text", "\"" + printable(text_.substr(0, 1)) + "\"");
        field.append(text_.substr(0, length));
        text_.remove_prefix(length);
    }

    std::string quoted() {
        const std::int64_t begin = line_;
        std::string field;
        text_.remove_prefix(1);
        while (!text_.empty()) {
            if (text_.starts_with("\"\"")) {
                field += '"';
                text_.remove_prefix(2);
            } else if (text_[0] == '"') {
                text_.remove_prefix(1);
                return field;
            } else if (skip_line_break()) {
                field += '\n';
            } else {
                take_character(field);
            }
        }
        throw at(begin, "a closing quote", "the end of the file");
    }

    std::string plain() {
        std::string field;
        while (!ends_field()) {
            if (text_[0] == '"') {
                throw at(line_, "a field in quotes, quotes in it doubled",
                         "a quote after \"" + printable(field) + "\"");
            }
            take_character(field);
        }
        return field;
    }

    bool ends_field() const {
        return text_.empty() || text_[0] == ',' || text_[0] == '\n' || text_.starts_with("\r\n");
    }

    CsvRow next_row() {
        CsvRow row;
        row.line = line_;
        while (true) {
            if (row.fields.size() == limits_.columns) {
                throw at(row.line, "at most " + std::to_string(limits_.columns) + " fields",
                         "more");
            }
            const bool in_quotes = text_.starts_with('"');
            row.fields.push_back(in_quotes ? quoted() : plain());
            if (!ends_field()) {
                throw at(line_, "a comma or the end of the line after a closing quote",
                         "\"" + printable(text_.substr(0, 1)) + "\"");
            }
            if (!text_.starts_with(',')) break;
            text_.remove_prefix(1);
        }
        skip_line_break();
        return row;
    }

    void take_header(CsvTable& table, CsvRow row) const {
        std::set<std::string_view> seen;
        for (const std::string& name : row.fields) {
            if (name.empty()) throw at(row.line, "a name for every column", "an empty one");
            if (!seen.insert(name).second) {
                throw at(row.line, "different column names",
                         "\"" + printable(name) + "\" more than once");
            }
        }
        table.columns = std::move(row.fields);
    }

    void take_row(CsvTable& table, CsvRow row) const {
        if (row.fields.size() != table.columns.size()) {
            throw at(row.line, std::to_string(table.columns.size()) + " fields, as the header has",
                     std::to_string(row.fields.size()))
                .hint("a field with a comma in it is written in quotes");
        }
        if (table.rows.size() == limits_.rows) {
            throw at(row.line, "at most " + std::to_string(limits_.rows) + " rows", "more");
        }
        table.rows.push_back(std::move(row));
    }

    std::string_view text_;
    std::string where_;
    CsvLimits limits_;
    std::int64_t line_ = 1;
};

}  // namespace

bool CsvTable::has(std::string_view column) const {
    return std::find(columns.begin(), columns.end(), column) != columns.end();
}

const std::string& CsvRecord::text(std::string_view column) const {
    static const std::string kEmpty;
    const auto& columns = table_->columns;
    const auto found = std::find(columns.begin(), columns.end(), column);
    if (found == columns.end()) return kEmpty;
    return row_->fields[static_cast<std::size_t>(found - columns.begin())];
}

std::optional<std::int64_t> CsvRecord::optional_integer(std::string_view column, std::int64_t min,
                                                        std::int64_t max) const {
    const std::string& field = text(column);
    if (field.empty()) return {};
    std::int64_t value = 0;
    const char* const end = field.data() + field.size();
    const auto [stop, code] = std::from_chars(field.data(), end, value);
    if (code != std::errc{} || stop != end || value < min || value > max) {
        throw unexpected(column,
                         "an integer from " + std::to_string(min) + " to " + std::to_string(max));
    }
    return value;
}

Error CsvRecord::unexpected(std::string_view column, std::string_view expected) const {
    return Error::mismatch(table_->where + ":" + std::to_string(row_->line), column, expected,
                           "\"" + printable(text(column)) + "\"");
}

CsvTable parse_csv(std::string_view text, std::string_view where, const CsvLimits& limits) {
    if (static_cast<std::int64_t>(text.size()) > limits.size.value) {
        throw Error::mismatch(where, "", "at most " + to_text(limits.size),
                              to_text(Bytes{static_cast<std::int64_t>(text.size())}));
    }
    return Parser(text, where, limits).table();
}

CsvTable read_csv(const std::filesystem::path& path, const CsvLimits& limits) {
    return parse_csv(read_text(path, limits.size), printable(path.string()), limits);
}

}  // namespace core
