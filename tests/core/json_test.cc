#include "core/json.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/temp_folder.h"

namespace {

using core::Error;
using core::JsonObject;
using core::parse_json;

std::string failure(const std::string& text, core::JsonLimits limits = {}) {
    return message_of<Error>([&] { parse_json(text, "f.json", limits); });
}

TEST(ParseJson, agrees_with_the_library_on_good_text) {
    // The builder replaces the library's own; nested containers must come out the same.
    const std::string text =
        R"({"a": [1, -2, 3.5, [], {}, [[null, true]]], "b": {"c": "x\u00e9", "d": {}}, "e": false})";
    EXPECT_EQ(parse_json(text, "f.json"), nlohmann::json::parse(text));
    EXPECT_EQ(parse_json(" 7 ", "f.json"), 7);
    EXPECT_EQ(parse_json("18446744073709551615", "f.json"), 18446744073709551615ull);
}

TEST(ParseJson, says_line_and_column_of_a_syntax_error) {
    // People edit these files by hand.
    EXPECT_PRED2(begins, failure("{\n  \"a\": 1,\n  oops\n}"), "f.json:3:3: ");
    EXPECT_PRED2(begins, failure("{\"a\" 1}"), "f.json:1:6: ");
    EXPECT_PRED2(begins, failure(""), "f.json:1:1: ");
    EXPECT_PRED2(begins, failure("{} x"), "f.json:1:4: ");
}

TEST(ParseJson, names_a_duplicate_key) {
    // Parsers disagree on which of the two counts.
    const std::string message = failure("{\"x\": 1,\n \"rank\": 2, \"rank\": 3}");
    EXPECT_PRED2(begins, message, "f.json:2:18: ");
    EXPECT_PRED2(contains, message, "duplicate key \"rank\"");
    EXPECT_PRED2(contains, failure(R"({"o": {"k": 1, "k": {}}})"), "duplicate key \"k\"");
    EXPECT_EQ(parse_json(R"([{"k": 1}, {"k": 2}])", "f.json").size(), 2u);
}

TEST(ParseJson, rejects_nan_infinity_and_numbers_beyond_double) {
    // Python writes the first two; they poison every later comparison.
    for (const char* text : {"NaN", "Infinity", "-Infinity", "[1e999]", "{\"a\": NaN}"}) {
        EXPECT_PRED2(begins, failure(text), "f.json:1:") << text;
    }
}

TEST(ParseJson, depth_limit_is_exact) {
    // A megabyte of "[" must not exhaust a stack or the heap.
    const auto nested = [](std::size_t n) { return std::string(n, '[') + std::string(n, ']'); };
    EXPECT_EQ(parse_json(nested(64), "f.json").size(), 1u);
    EXPECT_PRED2(begins, failure(nested(65)), "f.json:1:65: expected at most 64 nested levels");
    EXPECT_PRED2(contains, failure(std::string(1'000'000, '[')), "nested levels");
}

TEST(ParseJson, size_limit_is_exact) {
    // The text is refused before it is parsed.
    EXPECT_EQ(parse_json("[1]", "f.json", {core::Bytes{3}, 8}).size(), 1u);
    EXPECT_PRED2(contains, failure("[10]", {core::Bytes{3}, 8}), "f.json: expected at most 3 B");
}

TEST(ParseJson, rejects_broken_utf8_and_trailing_commas) {
    // Strings from here are printed and written to JSON again.
    EXPECT_PRED2(begins, failure("\"\xff\""), "f.json:1:2: ");
    EXPECT_PRED2(begins, failure("[1,]"), "f.json:1:4: ");
}

TEST(ParseJson, a_huge_bad_token_is_cut_in_the_message) {
    // The library quotes the whole token it stumbled on.
    EXPECT_LT(failure("\"" + std::string(1'000'000, 'a')).size(), 400u);
}

TEST(ParseJson, every_truncation_of_a_document_is_an_error) {
    // An interrupted download must never look complete.
    const std::string text = R"({"a": [1, {"b": null}], "c": "d"})";
    for (std::size_t length = 0; length < text.size(); ++length) {
        EXPECT_THROW(parse_json(text.substr(0, length), "f.json"), Error) << length;
    }
}

TEST(ReadJson, names_the_file) {
    // With several files per model, the message must say which one.
    const TempFolder folder;
    const auto file = folder.write("broken.json", "{");
    EXPECT_PRED2(contains, message_of<Error>([&] { core::read_json(file); }), "broken.json:1:");
}

class JsonObjectTest : public testing::Test {
protected:
    nlohmann::json value_ = parse_json(R"({
        "n": 7, "negative": -1, "big": 18446744073709551615, "real": 2.5, "text": "t",
        "yes": true, "none": null, "list": [1, 2], "object": {"inner": "x"}})",
                                       "f.json");
    JsonObject object_{value_, "f.json"};
};

TEST_F(JsonObjectTest, getters_give_the_values) {
    // The plain case of each type.
    EXPECT_EQ(object_.integer("n", 0, 7), 7);
    EXPECT_EQ(object_.integer("negative", -1, 7), -1);
    EXPECT_EQ(object_.number("real", 0, 3), 2.5);
    EXPECT_EQ(object_.number("n", 0, 7), 7.0);
    EXPECT_EQ(object_.text("text"), "t");
    EXPECT_TRUE(object_.boolean("yes"));
    EXPECT_EQ(object_.array("list").size(), 2u);
    EXPECT_EQ(object_.object("object").text("inner"), "x");
}

TEST_F(JsonObjectTest, null_counts_as_absent) {
    // Hugging Face files write null for "not set".
    EXPECT_FALSE(object_.has("none"));
    EXPECT_EQ(object_.optional_integer("none", 0, 1), std::nullopt);
    EXPECT_EQ(object_.optional_integer("missing", 0, 1), std::nullopt);
    EXPECT_EQ(object_.optional_array("none"), nullptr);
    EXPECT_EQ(object_.optional_integer("n", 0, 9), 7);
    EXPECT_PRED2(contains, message_of<Error>([&] { object_.text("none"); }),
                 "f.json: none: expected a text, got nothing");
}

TEST_F(JsonObjectTest, wrong_types_name_key_expectation_and_value) {
    // The message is all a user gets to fix the file.
    EXPECT_PRED2(contains, message_of<Error>([&] { object_.integer("text", 0, 9); }),
                 "f.json: text: expected an integer from 0 to 9, got \"t\"");
    EXPECT_PRED2(contains, message_of<Error>([&] { object_.integer("real", 0, 9); }), "got 2.5");
    EXPECT_PRED2(contains, message_of<Error>([&] { object_.boolean("n"); }),
                 "n: expected true or false, got 7");
    EXPECT_PRED2(contains, message_of<Error>([&] { object_.number("yes", 0, 1); }), "got true");
    EXPECT_PRED2(contains, message_of<Error>([&] { object_.text("list"); }),
                 "got a list of 2 entries");
    EXPECT_PRED2(contains, message_of<Error>([&] { object_.array("object"); }),
                 "got an object of 1 keys");
    EXPECT_PRED2(contains, message_of<Error>([&] { object_.object("list"); }),
                 "list: expected an object");
    EXPECT_PRED2(contains, message_of<Error>([&] { object_.optional_boolean("text"); }),
                 "got \"t\"");
}

TEST_F(JsonObjectTest, ranges_are_inclusive_and_unsigned_values_do_not_wrap) {
    // 2^64 - 1 read as a signed number would be -1.
    EXPECT_THROW(object_.integer("n", 8, 9), Error);
    EXPECT_THROW(object_.integer("n", 0, 6), Error);
    EXPECT_THROW(object_.integer("big", -1, JsonObject::kMaxInteger), Error);
    EXPECT_THROW(object_.number("real", 2.6, 3), Error);
}

TEST_F(JsonObjectTest, nested_keys_show_their_path) {
    // "factor" alone could be in three places of a config.
    const JsonObject inner = object_.object("object");
    EXPECT_PRED2(contains, message_of<Error>([&] { inner.integer("factor", 0, 1); }),
                 "f.json: object.factor: ");
}

TEST(JsonObject, a_root_that_is_no_object_is_an_error) {
    // "[]" is valid JSON and no config.
    const nlohmann::json list = parse_json("[]", "f.json");
    EXPECT_PRED2(contains, message_of<Error>([&] { JsonObject(list, "f.json"); }),
                 "f.json: expected an object, got a list of 0 entries");
}

}  // namespace
