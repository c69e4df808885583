#include "core/csv.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/temp_folder.h"

namespace {

using core::CsvRecord;
using core::CsvTable;
using core::Error;
using core::parse_csv;

std::string failure(const std::string& text, const core::CsvLimits& limits = {}) {
    return message_of<Error>([&] { parse_csv(text, "t.csv", limits); });
}

TEST(ParseCsv, quotes_hold_commas_quotes_and_line_breaks) {
    // The three things RFC 4180 has quotes for, and both line endings in one file.
    const CsvTable table =
        parse_csv("a,b,c\r\n\"1,5\",\"say \"\"x\"\"\",\"two\r\nlines\"\n,,\n", "t");
    ASSERT_EQ(table.rows.size(), 2u);
    EXPECT_EQ(table.columns, (std::vector<std::string>{"a", "b", "c"}));
    EXPECT_EQ(table.rows[0].fields, (std::vector<std::string>{"1,5", "say \"x\"", "two\nlines"}));
    EXPECT_EQ(table.rows[1].fields, (std::vector<std::string>{"", "", ""}));
}

TEST(ParseCsv, rows_know_the_line_they_begin_on) {
    // Blank lines and line breaks in quotes count, or messages would point at the wrong row.
    const CsvTable table = parse_csv("a\n\n\"x\ny\"\n\n z \n", "t");
    ASSERT_EQ(table.rows.size(), 2u);
    EXPECT_EQ(table.rows[0].line, 3);
    EXPECT_EQ(table.rows[1].line, 6);
    EXPECT_EQ(table.rows[1].fields.front(), " z ");  // blanks belong to the field
}

TEST(ParseCsv, a_byte_order_mark_is_not_part_of_the_first_name) {
    // Spreadsheets write one.
    EXPECT_TRUE(parse_csv("\xef\xbb\xbf"
                          "a,b\n",
                          "t")
                    .has("a"));
    EXPECT_FALSE(parse_csv("a,b\n", "t").has("c"));
}

TEST(ParseCsv, the_last_line_needs_no_line_break) {
    // Editors disagree about it; a trailing comma is one more, empty, field.
    EXPECT_EQ(parse_csv("a,b\n1,", "t").rows.at(0).fields, (std::vector<std::string>{"1", ""}));
    EXPECT_EQ(parse_csv("a,b\n1,\"2\"", "t").rows.at(0).fields.back(), "2");
}

TEST(ParseCsv, what_is_wrong_is_named_with_its_line) {
    // People edit these files by hand.
    EXPECT_EQ(failure(""), "t.csv: expected a header row, got nothing");
    EXPECT_EQ(failure("\n\r\n"), "t.csv: expected a header row, got nothing");
    EXPECT_PRED2(begins, failure("a,b\n1,2\n1\n"),
                 "t.csv:3: expected 2 fields, as the header has, got 1\nhint: ");
    EXPECT_PRED2(begins, failure("a,b\n1,2,3\n"), "t.csv:2: expected 2 fields");
    EXPECT_EQ(failure("a,,c\n"), "t.csv:1: expected a name for every column, got an empty one");
    EXPECT_EQ(failure("a,b,a\n"),
              "t.csv:1: expected different column names, got \"a\" more than once");
}

TEST(ParseCsv, broken_quotes_are_named_with_their_line) {
    // A quote that never closes would swallow the rest of the file; the line is where it opened.
    EXPECT_EQ(failure("a\nx\n\"1\n2\n"),
              "t.csv:3: expected a closing quote, got the end of the file");
    EXPECT_EQ(failure("a\n1\"2\n"),
              "t.csv:2: expected a field in quotes, quotes in it doubled, got a quote after \"1\"");
    EXPECT_EQ(failure("a\n\"1\"2\n"),
              "t.csv:2: expected a comma or the end of the line after a closing quote, got \"2\"");
}

TEST(ParseCsv, bytes_that_are_no_text_are_refused) {
    // They would end in a terminal or in JSON: NUL, escape, a lone CR, broken and overlong UTF-8,
    // surrogates.
    for (const std::string& bad :
         {std::string("\0", 1), std::string("\x1b"), std::string("\rx"), std::string("\xff"),
          std::string("\xc3"), std::string("\xe0\x80\x80"), std::string("\xed\xa0\x80"),
          std::string("\xf4\x90\x80\x80")}) {
        EXPECT_PRED2(begins, failure("a\n" + bad), "t.csv:2: expected UTF-8 text, got \"");
        EXPECT_PRED2(begins, failure("a\n\"" + bad + "\""), "t.csv:2: expected UTF-8 text, got \"");
    }
    EXPECT_EQ(parse_csv("a\n\xc3\xa9\t\xf0\x9f\x98\x80\n", "t").rows.at(0).fields.front(),
              "\xc3\xa9\t\xf0\x9f\x98\x80");
}

TEST(ParseCsv, limits_hold_before_memory_is_taken) {
    // A stranger's file must not decide how much memory we use.
    core::CsvLimits limits;
    limits.size = core::Bytes{16};
    EXPECT_PRED2(begins, failure(std::string(17, 'a'), limits), "t.csv: expected at most 16 B");
    limits = {};
    limits.columns = 2;
    EXPECT_EQ(failure("a,b,c\n", limits), "t.csv:1: expected at most 2 fields, got more");
    limits = {};
    limits.rows = 1;
    EXPECT_EQ(failure("a\n1\n2\n", limits), "t.csv:3: expected at most 1 rows, got more");
    const TempFolder folder;
    const auto file = folder.write("big.csv", std::string(64, 'a'));
    limits.size = core::Bytes{32};
    EXPECT_THROW(core::read_csv(file, limits), Error);
    EXPECT_THROW(core::read_csv(folder.path() / "absent.csv"), Error);
}

TEST(CsvRecord, integers_are_whole_fields_within_bounds) {
    // "12k", " 5" and 2^63 are mistakes, an empty field or an absent column is not.
    const CsvTable table = parse_csv("n,m\n42,\n12k,\n 5,\n9223372036854775808,\n-1,\n", "t.csv");
    const auto number = [&](std::size_t row) {
        return CsvRecord(table, table.rows.at(row)).optional_integer("n", 0, 100);
    };
    EXPECT_EQ(number(0), 42);
    EXPECT_FALSE(CsvRecord(table, table.rows[0]).optional_integer("m", 0, 1).has_value());
    EXPECT_FALSE(CsvRecord(table, table.rows[0]).optional_integer("absent", 0, 1).has_value());
    EXPECT_EQ(message_of<Error>([&] { number(1); }),
              "t.csv:3: n: expected an integer from 0 to 100, got \"12k\"");
    for (const std::size_t row : {2u, 3u, 4u}) EXPECT_THROW(number(row), Error) << row;
}

}  // namespace
