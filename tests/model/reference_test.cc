#include "model/reference.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "core/error.h"
#include "tests/core/temp_folder.h"
#include "tests/model/torch_file.h"

namespace {

using core::Error;
using model::Reference;

std::filesystem::path demo(const char* name) {
    return std::filesystem::path(TESSERA_SOURCE_DIR) / "models/tiny-shakespeare" / name;
}

template <class T>
std::string bytes_of(const std::vector<T>& values) {
    return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(T)};
}

/// A reference file of two positions: ids, then whatever `entries` describe.
std::string file_of(const std::vector<std::int32_t>& ids, const std::string& entries,
                    const std::string& data) {
    const std::string header = R"({"input_ids": {"dtype": "I32", "shape": [)" +
                               std::to_string(ids.size()) + R"(], "data_offsets": [0, )" +
                               std::to_string(ids.size() * 4) + "]}" + entries + "}";
    const std::uint64_t length = header.size();
    std::string file(8, '\0');
    std::memcpy(file.data(), &length, 8);
    return file + header + bytes_of(ids) + data;
}

TEST(Reference, opens_the_demo_references) {
    // Shapes as models/README.md states them.
    const Reference whole = Reference::open(demo("reference.safetensors"));
    EXPECT_EQ(whole.positions(), 576);
    EXPECT_EQ(whole.vocab(), 2048);
    EXPECT_TRUE(whole.has_top5());
    EXPECT_FALSE(whole.has_hidden_states());
    const Reference layers = Reference::open(demo("reference_layers.safetensors"));
    EXPECT_EQ(layers.positions(), 128);
    EXPECT_EQ(layers.layers(), 4);
    EXPECT_EQ(layers.dim(), 256);
    EXPECT_EQ(layers.hidden_state(3, 127).size(), 256u);
}

TEST(Reference, opens_what_tt_transformers_ships) {
    // tests/data/reference/README.md; the numbers as CPython's zipfile and struct read them.
    const Reference reference = Reference::open(std::filesystem::path(TESSERA_SOURCE_DIR) /
                                                "tests/data/reference/Llama-3.2-1B-Instruct.refpt");
    EXPECT_EQ(reference.positions(), 1024);
    EXPECT_EQ(reference.rows(), 1023);
    EXPECT_TRUE(reference.has_top5());
    EXPECT_FALSE(reference.has_logits());
    EXPECT_FALSE(reference.has_hidden_states());
    EXPECT_EQ(reference.input_ids()[0], 128000);
    EXPECT_EQ(reference.input_ids()[1], 3305);
    EXPECT_EQ(reference.input_ids()[1023], 279);
    EXPECT_EQ(reference.top5(0), (std::array<std::int32_t, 5>{16309, 2, 791, 1340, 475}));
    EXPECT_EQ(reference.top5(1022), (std::array<std::int32_t, 5>{279, 420, 603, 9635, 6498}));
    EXPECT_THROW(reference.top5(1023), std::logic_error);
}

/// A .refpt of these tensors: ids [1, n], top-5 [rows, 5] of the token `row`.
std::string refpt(std::int64_t ids, std::int64_t rows, const std::string& storage = "LongStorage") {
    std::vector<std::int64_t> tokens;
    for (std::int64_t i = 0; i < ids; ++i) tokens.push_back(i + 3);
    std::vector<std::int64_t> top;
    for (std::int64_t i = 0; i < rows * 5; ++i) top.push_back(i);
    return testing_files::torch_file(
        {{"top5_tokens", "LongStorage", {rows, 5}, bytes_of(top), 8},
         {"reference_tokens", storage, {1, ids}, bytes_of(tokens), 8}});
}

TEST(Reference, refpt_rows_are_all_positions_or_all_but_the_last) {
    // The last token's continuation is not always stored.
    const TempFolder folder;
    for (const std::int64_t rows : {3, 4}) {
        const Reference reference = Reference::open(folder.write("r.refpt", refpt(4, rows)));
        EXPECT_EQ(reference.positions(), 4);
        EXPECT_EQ(reference.rows(), rows);
        EXPECT_EQ(reference.input_ids()[3], 6);
        EXPECT_EQ(reference.top5(2), (std::array<std::int32_t, 5>{10, 11, 12, 13, 14}));
    }
}

TEST(Reference, refpt_that_contradict_themselves_are_errors) {
    const TempFolder folder;
    const auto failure = [&](const std::string& file) {
        const auto path = folder.write("r.refpt", file);
        return message_of<Error>([&] { Reference::open(path).top5(0); });
    };
    EXPECT_PRED2(contains, failure(refpt(4, 2)), "r.refpt: top5_tokens: expected I64 [3, 5]");
    EXPECT_PRED2(contains, failure(refpt(4, 5)), "top5_tokens: expected I64 [3, 5]");
    EXPECT_PRED2(contains, failure(refpt(1, 1)), "reference_tokens: expected I64");
    EXPECT_PRED2(contains, failure(refpt(4, 3, "DoubleStorage")), "reference_tokens: expected I64");
    const std::vector<std::int64_t> negative{1, -5};
    const std::vector<std::int64_t> top(5, std::int64_t{1} << 40);
    EXPECT_PRED2(contains,
                 failure(testing_files::torch_file(
                     {{"reference_tokens", "LongStorage", {1, 2}, bytes_of(negative), 8},
                      {"top5_tokens", "LongStorage", {1, 5}, bytes_of(top), 8}})),
                 "reference_tokens: expected token ids from 0");
    const std::vector<std::int64_t> good{1, 5};
    EXPECT_PRED2(contains,
                 failure(testing_files::torch_file(
                     {{"reference_tokens", "LongStorage", {1, 2}, bytes_of(good), 8},
                      {"top5_tokens", "LongStorage", {1, 5}, bytes_of(top), 8}})),
                 "top5_tokens: expected token ids from 0");
    EXPECT_PRED2(contains,
                 failure(testing_files::torch_file(
                     {{"reference_tokens", "LongStorage", {1, 2}, bytes_of(good), 8}})),
                 "top5_tokens: expected a tensor");
}

TEST(Reference, stored_top5_are_the_five_largest_logits) {
    // Ties the two tensors of the file, and our row indexing, together.
    const Reference reference = Reference::open(demo("reference.safetensors"));
    for (std::int64_t position = 0; position < reference.positions(); ++position) {
        const std::vector<float> logits = reference.logits(position);
        const auto top = reference.top5(position);
        for (std::size_t rank = 1; rank < top.size(); ++rank) {
            ASSERT_GE(logits[static_cast<std::size_t>(top[rank - 1])],
                      logits[static_cast<std::size_t>(top[rank])]);
        }
        const float fifth = logits[static_cast<std::size_t>(top[4])];
        int above = 0;
        for (const float value : logits) above += value > fifth ? 1 : 0;
        ASSERT_LE(above, 4) << position;
    }
}

TEST(Reference, top5_come_from_the_logits_when_not_stored) {
    // Lower ids first among equals, as the sampler's argmax.
    const TempFolder folder;
    const std::vector<float> logits{5, 1, 7, 7, 0, 2, /**/ 0, 0, 0, 0, 0, 0};
    const auto file = folder.write(
        "r.safetensors",
        file_of({1, 2}, R"(, "logits": {"dtype": "F32", "shape": [2, 6], "data_offsets": [8, 56]})",
                bytes_of(logits)));
    const Reference reference = Reference::open(file);
    EXPECT_EQ(reference.top5(0), (std::array<std::int32_t, 5>{2, 3, 0, 5, 1}));
    EXPECT_EQ(reference.top5(1), (std::array<std::int32_t, 5>{0, 1, 2, 3, 4}));
    EXPECT_THROW(reference.logits(2), std::logic_error);
    EXPECT_THROW(reference.hidden_state(0, 0), std::logic_error);
}

TEST(Reference, tensors_that_do_not_fit_each_other_are_errors) {
    // Each would read another row, or past the end.
    const TempFolder folder;
    const auto failure = [&](const std::vector<std::int32_t>& ids, const std::string& entries,
                             std::size_t data) {
        const auto file =
            folder.write("r.safetensors", file_of(ids, entries, std::string(data, '\0')));
        return message_of<Error>([&] { Reference::open(file); });
    };
    EXPECT_PRED2(
        contains,
        failure({1, 2}, R"(, "logits": {"dtype": "F32", "shape": [3, 6], "data_offsets": [8, 80]})",
                72),
        "logits: expected F32 with 2 axes, axis 0 of 2 positions, got F32 [3, 6]");
    EXPECT_PRED2(
        contains,
        failure({1, 2}, R"(, "logits": {"dtype": "I32", "shape": [2, 6], "data_offsets": [8, 56]})",
                48),
        "got I32 [2, 6]");
    EXPECT_PRED2(
        contains,
        failure({1, 6}, R"(, "logits": {"dtype": "F32", "shape": [2, 6], "data_offsets": [8, 56]})",
                48),
        "input_ids: expected token ids from 0 to 5, got 6");
    EXPECT_PRED2(
        contains,
        failure({1, 2}, R"(, "logits": {"dtype": "F32", "shape": [2, 4], "data_offsets": [8, 40]})",
                32),
        "a vocabulary of at least 5");
    EXPECT_PRED2(contains,
                 failure({1, 2},
                         R"(, "hidden_states": {"dtype": "F32", "shape": [0, 2, 4],
                             "data_offsets": [8, 8]})",
                         0),
                 "hidden_states: expected F32 with 3 axes");
    EXPECT_PRED2(contains,
                 failure({1, 2},
                         R"(, "top5_tokens": {"dtype": "I32", "shape": [2, 4],
                             "data_offsets": [8, 40]})",
                         32),
                 "top5_tokens: expected 5 tokens per position");
    EXPECT_PRED2(contains, failure({-1, 2}, "", 0), "input_ids: expected token ids from 0");
    EXPECT_PRED2(contains, failure({}, "", 0), "input_ids: expected I32 [positions], got I32 [0]");
}

TEST(Reference, nan_in_a_row_is_an_error_when_read) {
    // A NaN reference would make every score NaN.
    const TempFolder folder;
    std::vector<float> logits(12, 0.0f);
    logits[8] = std::nanf("");
    const auto file = folder.write(
        "r.safetensors",
        file_of({1, 2}, R"(, "logits": {"dtype": "F32", "shape": [2, 6], "data_offsets": [8, 56]})",
                bytes_of(logits)));
    const Reference reference = Reference::open(file);
    EXPECT_EQ(reference.logits(0).size(), 6u);
    EXPECT_PRED2(contains, message_of<Error>([&] { reference.logits(1); }),
                 "logits: expected finite numbers, got NaN or infinity at element 8");
}

TEST(Reference, a_checkpoint_is_no_reference) {
    // The two are easily swapped on the command line.
    EXPECT_PRED2(contains, message_of<Error>([] { Reference::open(demo("model.safetensors")); }),
                 "input_ids: expected a tensor, got nothing");
}

TEST(Comparison, matches_values_worked_by_hand) {
    // a = 1 2 3, b = 1 2 4: covariance 3, variances 2 and 14/3: 3 / sqrt(28/3).
    const std::vector<float> a{1, 2, 3};
    const std::vector<float> b{1, 2, 4};
    EXPECT_NEAR(model::pcc(a, b), 3 / std::sqrt(28.0 / 3), 1e-15);
    EXPECT_EQ(model::max_abs_error(a, b), 1.0);
    const std::vector<float> negated{-1, -2, -3};
    EXPECT_NEAR(model::pcc(a, negated), -1.0, 1e-15);
}

TEST(Comparison, a_large_mean_does_not_cost_precision) {
    // Sums of squares of 1e6 + {0..3} lose these digits; Welford's update keeps them.
    std::vector<float> a;
    std::vector<float> b;
    for (int i = 0; i < 1000; ++i) {
        a.push_back(1e6f + static_cast<float>(i % 4));
        b.push_back(1e6f + static_cast<float>((i + 1) % 4));
    }
    // Four points of a cycle against the next ones: covariance -1/4, variance 5/4.
    EXPECT_NEAR(model::pcc(a, b), -0.2, 1e-9);
}

TEST(Comparison, pieces_give_what_the_whole_gives) {
    // Logits are compared row by row as they are too large to keep.
    const std::vector<float> a{1, -2, 3.5f, 0, 8};
    const std::vector<float> b{1, -1, 3, 0.5f, 9};
    model::Comparison pieces;
    pieces.add(std::span(a).first(2), std::span(b).first(2));
    pieces.add(std::span(a).subspan(2), std::span(b).subspan(2));
    EXPECT_EQ(pieces.pcc(), model::pcc(a, b));
    EXPECT_EQ(pieces.max_abs_error(), 1.0);
}

TEST(Comparison, constant_and_nan_streams_have_an_answer) {
    // No variance: correlation is 0/0, equality decides. NaN stays visible.
    const std::vector<float> ones(3, 1.0f);
    const std::vector<float> twos(3, 2.0f);
    EXPECT_EQ(model::pcc(ones, ones), 1.0);
    EXPECT_EQ(model::pcc(ones, twos), 0.0);
    const std::vector<float> nan{1.0f, std::nanf(""), 5.0f};
    EXPECT_TRUE(std::isnan(model::pcc(ones, nan)));
    EXPECT_TRUE(std::isnan(model::max_abs_error(nan, ones)));
    EXPECT_THROW(model::pcc(ones, std::vector<float>{1.0f}), std::logic_error);
}

}  // namespace
