#include "model/safetensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "core/error.h"
#include "tests/core/temp_folder.h"

namespace {

using core::Error;
using model::Checkpoint;
using model::StoredType;

/// The bytes of a file with this header and `data_bytes` of data, 0, 1, 2 ...
std::string file_of(const std::string& header, std::size_t data_bytes) {
    const std::uint64_t length = header.size();
    std::string file(8, '\0');
    std::memcpy(file.data(), &length, 8);
    file += header;
    for (std::size_t i = 0; i < data_bytes; ++i) file.push_back(static_cast<char>(i));
    return file;
}

model::TensorTable parse(const std::string& file) {
    return model::parse_safetensors(std::as_bytes(std::span(file.data(), file.size())), "w");
}

std::string failure(const std::string& header, std::size_t data_bytes) {
    const std::string file = file_of(header, data_bytes);
    return message_of<Error>([&] { parse(file); });
}

constexpr const char* kTwo =
    R"({"__metadata__": {"format": "pt"},
        "a": {"dtype": "BF16", "shape": [2, 3], "data_offsets": [0, 12]},
        "b": {"dtype": "I32", "shape": [2], "data_offsets": [12, 20]}})";

TEST(ParseSafetensors, gives_views_into_the_file) {
    // Nothing is copied: a 140 GB checkpoint is a few thousand views.
    const std::string file = file_of(kTwo, 20);
    const model::TensorTable tensors = parse(file);
    ASSERT_EQ(tensors.size(), 2u);
    const model::TensorView& b = tensors.at("b");
    EXPECT_EQ(b.dtype, StoredType::I32);
    EXPECT_EQ(b.shape, std::vector<std::int64_t>{2});
    EXPECT_EQ(b.elements(), 2);
    EXPECT_EQ(reinterpret_cast<const char*>(b.bytes.data()), file.data() + file.size() - 8);
    EXPECT_EQ(tensors.at("a").text(), "BF16 [2, 3]");
}

TEST(ParseSafetensors, every_truncation_is_an_error) {
    // An interrupted download must never look complete, wherever it stops.
    const std::string file = file_of(kTwo, 20);
    for (std::size_t length = 0; length < file.size(); ++length) {
        // A buffer of exactly this length, so that a sanitizer sees a read past it.
        const std::string cut(file, 0, length);
        EXPECT_THROW(parse(cut), Error) << "at byte " << length;
    }
}

TEST(ParseSafetensors, header_length_claims_are_checked_before_anything_is_read) {
    // A claim of 10 GB or of 2^64 - 1 must not become an allocation or an overflow.
    for (const std::uint64_t claim :
         {std::uint64_t{10'000'000'000}, std::numeric_limits<std::uint64_t>::max(),
          std::uint64_t{1} << 63, std::uint64_t{1000}}) {
        std::string file = file_of(kTwo, 20);
        std::memcpy(file.data(), &claim, 8);
        const std::string message = message_of<Error>([&] { parse(file); });
        EXPECT_PRED2(contains, message, "w: header length: expected at most");
        EXPECT_PRED2(contains, message, "got " + std::to_string(claim));
    }
}

TEST(ParseSafetensors, overlapping_tensors_are_named) {
    // Two names for the same bytes: the file was written wrongly or is meant to confuse.
    const std::string message = failure(
        R"({"a": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]},
            "b": {"dtype": "U8", "shape": [8], "data_offsets": [4, 12]}})",
        12);
    EXPECT_PRED2(contains, message, "b.data_offsets: expected begin 8, the end of \"a\", got 4");
    EXPECT_PRED2(contains, message, "overlap");
}

TEST(ParseSafetensors, holes_are_errors_but_trailing_bytes_are_not) {
    // A hole hides data between tensors; padding at the end is harmless and exists.
    const std::string hole = R"({"a": {"dtype": "U8", "shape": [4], "data_offsets": [4, 8]}})";
    EXPECT_PRED2(contains, failure(hole, 8), "expected begin 0, the start of the data, got 4");
    const std::string whole = R"({"a": {"dtype": "U8", "shape": [4], "data_offsets": [0, 4]}})";
    EXPECT_EQ(parse(file_of(whole, 9)).size(), 1u);
}

TEST(ParseSafetensors, offsets_outside_the_data_or_backwards_are_errors) {
    // These would read other memory.
    for (const char* offsets :
         {"[0, 9]", "[8, 4]", "[-8, 0]", "[0]", "[0, 8, 8]", "[0, 8.0]", "[0, \"8\"]",
          "[18446744073709551608, 8]", "[0, 18446744073709551615]", "8", "null"}) {
        const std::string header =
            R"({"a": {"dtype": "U8", "shape": [8], "data_offsets": )" + std::string(offsets) + "}}";
        EXPECT_PRED2(contains, failure(header, 8), "w: header: a.data_offsets: expected")
            << offsets;
    }
}

TEST(ParseSafetensors, shape_must_match_the_bytes_without_overflow) {
    // 2^32 x 2^32 x 4 wraps to 0 in 64 bits and would pass a careless check.
    const auto with_shape = [](const std::string& shape) {
        return failure(
            R"({"a": {"dtype": "F32", "shape": )" + shape + R"(, "data_offsets": [0, 8]}})", 8);
    };
    EXPECT_PRED2(contains, with_shape("[3]"), "expected 12 bytes for F32 [3], got 8");
    EXPECT_PRED2(contains, with_shape("[4294967296, 4294967296]"), "below 2^63 bytes");
    EXPECT_PRED2(contains, with_shape("[0]"), "expected 0 bytes");
    EXPECT_PRED2(contains, with_shape("[-2]"), "expected axes of 0 or more, got -2");
    EXPECT_PRED2(contains, with_shape("[9223372036854775808]"), "expected axes of 0 or more");
    EXPECT_PRED2(contains, with_shape("[2.0]"), "got 2.0");
    EXPECT_PRED2(contains, with_shape("[1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,2]"), "at most 16 axes");
    EXPECT_PRED2(contains, with_shape("2"), "expected a list, got 2");
}

TEST(ParseSafetensors, scalars_and_empty_tensors_are_fine) {
    // [] is one element, [0, huge, huge] is none; the product must not overflow on the way.
    const std::string header =
        R"({"none": {"dtype": "F32", "shape": [9223372036854775807, 0, 9223372036854775807],
                     "data_offsets": [0, 0]},
            "one": {"dtype": "F32", "shape": [], "data_offsets": [0, 4]}})";
    const std::string file = file_of(header, 4);
    const model::TensorTable tensors = parse(file);
    EXPECT_EQ(tensors.at("none").elements(), 0);
    EXPECT_EQ(tensors.at("one").elements(), 1);
}

TEST(ParseSafetensors, unknown_dtypes_duplicates_and_wrong_types_are_errors) {
    // Each message must name the tensor.
    const auto entry = [](const std::string& body) { return "{\"a\": " + body + "}"; };
    EXPECT_PRED2(contains,
                 failure(entry(R"({"dtype": "F4", "shape": [8], "data_offsets": [0, 8]})"), 8),
                 "a.dtype: expected one of BOOL, U8");
    EXPECT_PRED2(contains, failure(entry("{}"), 8), "a.dtype: expected a text, got nothing");
    EXPECT_PRED2(contains, failure(entry("[]"), 8), "a: expected an object");
    EXPECT_PRED2(contains, failure("[]", 0), "w: header: expected an object");
    EXPECT_PRED2(contains, failure(R"({"__metadata__": {"n": 1}})", 0),
                 "__metadata__.n: expected a text, got 1");
    const std::string body = R"({"dtype": "U8", "shape": [0], "data_offsets": [0, 0]})";
    EXPECT_PRED2(contains, failure("{\"a\": " + body + ", \"a\": " + body + "}", 0),
                 "duplicate key \"a\"");
    EXPECT_PRED2(contains, failure(R"({"a": {"dtype": "U8", "shape": [NaN]}})", 0), "w: header:1:");
    EXPECT_PRED2(contains, failure("", 0), "w: header:1:1: ");
}

TEST(ParseSafetensors, any_damage_is_an_error_or_a_valid_table) {
    // Thousands of random edits: only core::Error may come out, views stay inside the file.
    const std::string good = file_of(kTwo, 20);
    std::mt19937 random(7);
    int survivors = 0;
    for (int round = 0; round < 5000; ++round) {
        std::string file = good;
        for (int edits = 1 + static_cast<int>(random() % 3); edits > 0; --edits) {
            file[random() % file.size()] = static_cast<char>(random());
        }
        try {
            for (const auto& [name, view] : parse(file)) {
                const auto* begin = reinterpret_cast<const char*>(view.bytes.data());
                ASSERT_TRUE(view.bytes.empty() ||
                            (begin >= file.data() &&
                             begin + view.bytes.size() <= file.data() + file.size()));
            }
            ++survivors;
        } catch (const Error&) {
        }
    }
    // Edits in the data or in a name are not damage.
    EXPECT_GT(survivors, 100);
    EXPECT_LT(survivors, 4000);
}

TEST(ToFloats, widens_every_half_exactly) {
    // All 65536 patterns against the definition: (-1)^s 2^(e-15) 1.m, subnormals 2^-24 m.
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const float value = model::f16_to_float(static_cast<std::uint16_t>(bits));
        const int exponent = static_cast<int>((bits >> 10) & 31);
        const int mantissa = static_cast<int>(bits & 1023);
        ASSERT_EQ(std::signbit(value), (bits & 0x8000) != 0) << bits;
        if (exponent == 31) {
            ASSERT_EQ(std::isnan(value), mantissa != 0) << bits;
            ASSERT_EQ(std::isinf(value), mantissa == 0) << bits;
            continue;
        }
        const double magnitude =
            exponent == 0 ? std::ldexp(mantissa, -24) : std::ldexp(1024 + mantissa, exponent - 25);
        ASSERT_EQ(static_cast<double>(std::abs(value)), magnitude) << bits;
    }
}

TEST(ToFloats, reads_a_range_of_each_float_type_from_unaligned_bytes) {
    // Headers of odd length put tensors at odd addresses.
    const auto at_odd_address = [](StoredType type, const auto& values, std::int64_t first,
                                   std::int64_t count) {
        std::vector<std::byte> bytes(sizeof values + 1);
        std::memcpy(bytes.data() + 1, values.data(), sizeof values);
        const model::TensorView view{
            type, {static_cast<std::int64_t>(values.size())}, std::span(bytes).subspan(1)};
        std::vector<float> out(static_cast<std::size_t>(count));
        model::to_floats(view, first, count, out.data());
        return out;
    };
    const std::array<float, 3> f32{1.5f, -2.25f, 3e38f};
    EXPECT_EQ(at_odd_address(StoredType::F32, f32, 1, 2), (std::vector<float>{-2.25f, 3e38f}));
    const std::array<std::uint16_t, 3> bf16{0x3f80, 0xc010, 0x0001};
    EXPECT_EQ(at_odd_address(StoredType::BF16, bf16, 0, 3),
              (std::vector<float>{1.0f, -2.25f, 0x1p-133f}));
    const std::array<std::uint16_t, 3> f16{0x3c00, 0xc080, 0x0001};
    EXPECT_EQ(at_odd_address(StoredType::F16, f16, 1, 2), (std::vector<float>{-2.25f, 0x1p-24f}));
}

TEST(ToFloats, rejects_other_types_and_ranges) {
    // Quantized checkpoints (F8, U8) must not be read as something else.
    const std::array<std::byte, 8> bytes{};
    float out[8] = {};
    EXPECT_PRED2(contains, message_of<Error>([&] {
                     model::to_floats({StoredType::F8E4M3, {8}, bytes}, 0, 8, out);
                 }),
                 "expected F32, F16 or BF16, got F8_E4M3");
    const model::TensorView two{StoredType::F32, {2}, bytes};
    EXPECT_THROW(model::to_floats(two, 1, 2, out), std::logic_error);
    EXPECT_THROW(model::to_floats(two, -1, 1, out), std::logic_error);
    EXPECT_THROW(model::to_floats(two, 0, -1, out), std::logic_error);
}

TEST(ToIntegers, reads_both_widths) {
    // Reference files hold I32; other exporters write I64.
    const std::array<std::int32_t, 2> narrow{-1, 2'000'000'000};
    const std::array<std::int64_t, 2> wide{-1, 3'000'000'000};
    std::int64_t out[2] = {};
    model::to_integers({StoredType::I32, {2}, std::as_bytes(std::span(narrow))}, 0, 2, out);
    EXPECT_EQ(out[1], 2'000'000'000);
    model::to_integers({StoredType::I64, {2}, std::as_bytes(std::span(wide))}, 1, 1, out);
    EXPECT_EQ(out[0], 3'000'000'000);
    EXPECT_THROW(
        model::to_integers({StoredType::F32, {2}, std::as_bytes(std::span(narrow))}, 0, 2, out),
        Error);
}

TEST(Checkpoint, opens_the_demo_model) {
    // The checkpoint that ships with the project: 4 layers of 9 tensors, embedding, norm, head.
    const Checkpoint checkpoint =
        Checkpoint::open(std::filesystem::path(TESSERA_SOURCE_DIR) / "models/tiny-shakespeare");
    EXPECT_EQ(checkpoint.names().size(), 4u * 9 + 3);
    const model::TensorView& k = checkpoint.at("model.layers.3.self_attn.k_proj.weight");
    EXPECT_EQ(k.text(), "BF16 [256, 256]");
    std::vector<float> row(256);
    model::to_floats(k, 255 * 256, 256, row.data());
    EXPECT_TRUE(std::all_of(row.begin(), row.end(), [](float x) { return std::abs(x) < 10; }));
    EXPECT_TRUE(std::any_of(row.begin(), row.end(), [](float x) { return x != 0; }));
    EXPECT_EQ(checkpoint.find("nothing"), nullptr);
    EXPECT_PRED2(contains, message_of<Error>([&] { checkpoint.at("nothing"); }),
                 "tiny-shakespeare: nothing: expected a tensor, got nothing");
    const std::array<std::int64_t, 2> wrong{256, 128};
    EXPECT_PRED2(contains, message_of<Error>([&] {
                     checkpoint.at("model.layers.3.self_attn.k_proj.weight", wrong);
                 }),
                 "expected BF16 [256, 128], got BF16 [256, 256]");
}

class ShardedCheckpoint : public testing::Test {
protected:
    void SetUp() override {
        folder_.write("one.safetensors", tensor("a"));
        folder_.write("two.safetensors", tensor("b"));
    }
    static std::string tensor(const std::string& name) {
        return file_of(
            "{\"" + name + R"(": {"dtype": "U8", "shape": [3], "data_offsets": [0, 3]}})", 3);
    }
    std::string failure_of(const std::string& index) const {
        folder_.write("model.safetensors.index.json", index);
        return message_of<Error>([&] { Checkpoint::open(folder_.path()); });
    }
    TempFolder folder_;
};

TEST_F(ShardedCheckpoint, finds_tensors_of_all_shards) {
    // Models above 10 GB come like this; views stay valid after the checkpoint moves.
    folder_.write("model.safetensors.index.json",
                  R"({"metadata": {"total_size": 6},
                      "weight_map": {"b": "two.safetensors", "a": "one.safetensors"}})");
    Checkpoint opened = Checkpoint::open(folder_.path());
    const Checkpoint checkpoint = std::move(opened);
    EXPECT_EQ(checkpoint.names(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(checkpoint.at("b").bytes[2], std::byte{2});
}

TEST_F(ShardedCheckpoint, file_names_must_stay_in_the_folder) {
    // A downloaded index must not make us map arbitrary files.
    for (const char* name :
         {"../one.safetensors", "/etc/passwd", "sub/one.safetensors", "..", "", "one.bin",
          ".hidden.safetensors", "..\\\\one.safetensors", "one\\u0000.safetensors"}) {
        const std::string message =
            failure_of(R"({"weight_map": {"a": ")" + std::string(name) + "\"}}");
        EXPECT_PRED2(contains, message, "weight_map.a: expected a") << name;
        EXPECT_PRED2(contains, message, "file name") << name;
    }
}

TEST_F(ShardedCheckpoint, index_and_shards_must_agree) {
    // A missing shard or a renamed tensor is found at once, not at layer 79.
    EXPECT_PRED2(contains, failure_of(R"({"weight_map": {"a": "three.safetensors"}})"),
                 "three.safetensors: expected a readable file");
    EXPECT_PRED2(contains, failure_of(R"({"weight_map": {"x": "one.safetensors"}})"),
                 "weight_map.x: expected a tensor of this name in one.safetensors, got none");
    folder_.write("two.safetensors",
                  file_of(R"({"b": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]},
                              "c": {"dtype": "U8", "shape": [1], "data_offsets": [1, 2]}})",
                          2));
    EXPECT_PRED2(contains, failure_of(R"({"weight_map": {"b": "two.safetensors"}})"),
                 "weight_map.c: expected an entry, as two.safetensors holds it, got nothing");
    EXPECT_PRED2(contains, failure_of(R"({"weight_map": {}})"), "expected at least one tensor");
    EXPECT_PRED2(contains, failure_of(R"({"weight_map": {"a": 1}})"), "expected a text, got 1");
    EXPECT_PRED2(contains, failure_of("{}"), "weight_map: expected an object, got nothing");
}

TEST(Checkpoint, a_folder_without_safetensors_says_what_was_looked_for) {
    // Old checkpoints hold pytorch_model.bin, which we do not read.
    const TempFolder folder;
    folder.write("pytorch_model.bin", "x");
    EXPECT_PRED2(contains, message_of<Error>([&] { Checkpoint::open(folder.path()); }),
                 "expected weights: model.safetensors, model.safetensors.index.json, "
                 "consolidated.safetensors or consolidated.00.pth, got none of them");
    EXPECT_PRED2(contains,
                 message_of<Error>([&] { Checkpoint::open(folder.path() / "none.safetensors"); }),
                 "none.safetensors: expected a readable file");
}

}  // namespace
