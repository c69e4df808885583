#include "model/torch_archive.h"

#include <gtest/gtest.h>

#include <cstring>
#include <random>

#include "core/error.h"
#include "core/files.h"
#include "model/safetensors.h"
#include "model/zip_archive.h"
#include "tests/core/temp_folder.h"
#include "tests/model/torch_file.h"

namespace {

using core::Error;
using model::StoredType;
using testing_files::dict_pickle;
using testing_files::raw;
using testing_files::tensor_call;
using testing_files::torch_file;
using testing_files::TorchTensor;
using testing_files::zip_file;
using testing_files::ZipContent;

std::span<const std::byte> view_of(const std::string& file) {
    return std::as_bytes(std::span(file.data(), file.size()));
}

model::TensorTable parse(const std::string& file) {
    return model::parse_torch_archive(view_of(file), "f.pth");
}

std::string failure(const std::string& file) {
    return message_of<Error>([&] { parse(file); });
}

const TorchTensor kFloats{"w", "FloatStorage", {2, 3}, std::string(24, '\1'), 4};

/// An archive with one tensor `w`, described as `tensor`, whose storage holds `bytes`.
std::string archive(const TorchTensor& tensor, std::int64_t elements, const std::string& bytes) {
    return zip_file({{"a/data.pkl", dict_pickle({{"w", tensor_call(tensor, "0", elements)}})},
                     {"a/data/0", bytes}});
}

void replace(std::string& file, const std::string& from, const std::string& to) {
    const std::size_t at = file.rfind(from);
    ASSERT_NE(at, file.npos);
    file.replace(at, from.size(), to);
}

TEST(TorchArchive, gives_views_into_the_file) {
    // Nothing is copied; a file of torch.save may be 16 GB.
    const std::string file =
        torch_file({kFloats, {"b", "LongStorage", {2}, std::string(16, '\2'), 8}});
    ASSERT_TRUE(model::is_torch_file(view_of(file)));
    const model::TensorTable tensors = parse(file);
    ASSERT_EQ(tensors.size(), 2u);
    EXPECT_EQ(tensors.at("w").text(), "F32 [2, 3]");
    EXPECT_EQ(tensors.at("b").text(), "I64 [2]");
    const auto* data = reinterpret_cast<const char*>(tensors.at("b").bytes.data());
    EXPECT_GE(data, file.data());
    EXPECT_LE(data + 16, file.data() + file.size());
    EXPECT_EQ(std::string(data, 16), std::string(16, '\2'));
}

TEST(TorchArchive, every_storage_class_has_its_dtype) {
    const std::vector<std::pair<std::string, StoredType>> classes{
        {"BFloat16Storage", StoredType::BF16}, {"HalfStorage", StoredType::F16},
        {"FloatStorage", StoredType::F32},     {"DoubleStorage", StoredType::F64},
        {"LongStorage", StoredType::I64},      {"IntStorage", StoredType::I32},
        {"ShortStorage", StoredType::I16},     {"CharStorage", StoredType::I8},
        {"ByteStorage", StoredType::U8},       {"BoolStorage", StoredType::Bool}};
    for (const auto& [name, type] : classes) {
        const std::int64_t each = model::element_bytes(type).value;
        const auto bytes = static_cast<std::size_t>(6 * each);
        const auto tensors =
            parse(torch_file({{"w", name, {2, 3}, std::string(bytes, 'x'), each}}));
        EXPECT_EQ(tensors.at("w").dtype, type);
        EXPECT_EQ(tensors.at("w").elements(), 6);
    }
}

TEST(TorchArchive, tensors_may_share_a_storage) {
    // Tied embeddings, and rows of one matrix.
    TorchTensor row = kFloats;
    row.shape = {3};
    row.offset = 3;
    std::string bytes;
    for (const float value : {1.0F, 2.0F, 3.0F, 4.0F, 5.0F, 6.0F}) {
        bytes += std::string(reinterpret_cast<const char*>(&value), sizeof value);
    }
    const std::string file = zip_file(
        {{"a/data.pkl",
          dict_pickle({{"w", tensor_call(kFloats, "0", 6)}, {"row", tensor_call(row, "0", 6)}})},
         {"a/data/0", bytes}});
    const model::TensorTable tensors = parse(file);
    std::vector<float> values(3);
    model::to_floats(tensors.at("row"), 0, 3, values.data());
    EXPECT_EQ(values, (std::vector<float>{4, 5, 6}));
    EXPECT_EQ(tensors.at("row").bytes.data(), tensors.at("w").bytes.data() + 12);
}

TEST(TorchArchive, a_tensor_must_lie_inside_its_storage) {
    // Each lie names the tensor.
    const std::string bytes(24, 'x');
    TorchTensor tensor = kFloats;
    tensor.offset = 1;
    EXPECT_PRED2(contains, failure(archive(tensor, 6, bytes)),
                 "f.pth: w: expected elements inside its storage of 6");
    tensor.offset = std::int64_t{1} << 62;
    EXPECT_PRED2(contains, failure(archive(tensor, 6, bytes)), "inside its storage");
    tensor = kFloats;
    tensor.shape = {std::int64_t{1} << 40, std::int64_t{1} << 40};
    tensor.strides = {1, 1};
    EXPECT_PRED2(contains, failure(archive(tensor, 6, bytes)), "a size below 2^63 bytes");
    EXPECT_PRED2(contains, failure(archive(kFloats, 7, bytes)),
                 "f.pth: w: expected F32 [7] in data/0, got 24 bytes");
    EXPECT_PRED2(contains, failure(archive(kFloats, std::int64_t{1} << 62, bytes)), "got 24 bytes");
    EXPECT_PRED2(
        contains,
        failure(zip_file({{"a/data.pkl", dict_pickle({{"w", tensor_call(kFloats, "1", 6)}})},
                          {"a/data/0", bytes}})),
        "f.pth: w: expected an entry data/1, got none");
}

TEST(TorchArchive, strides_must_be_those_of_rows) {
    // A transposed view would be read in the wrong order; an axis of one has no order.
    TorchTensor tensor = kFloats;
    tensor.strides = {1, 2};
    EXPECT_PRED2(contains, failure(archive(tensor, 6, std::string(24, 'x'))), ".contiguous()");
    tensor.shape = {1, 6};
    tensor.strides = {99, 1};
    EXPECT_EQ(parse(archive(tensor, 6, std::string(24, 'x'))).at("w").elements(), 6);
}

TEST(TorchArchive, other_archives_and_old_files_say_what_they_are) {
    const std::string old = "\x80\x02\x8a\x0al\xfc\x9c\x46\xf9 j\xa8P\x19.";
    ASSERT_TRUE(model::is_torch_file(view_of(old)));
    EXPECT_PRED2(contains, failure(old), "since PyTorch 1.6");
    // A safetensors file may begin with the same byte: the length of its header.
    EXPECT_FALSE(model::is_torch_file(view_of(raw(std::uint64_t{0x280}) + "{}")));
    EXPECT_PRED2(contains, failure(zip_file({{"readme.txt", "hello"}})), "an entry data.pkl");
    const ZipContent content{{"a/data.pkl", dict_pickle({})}};
    EXPECT_PRED2(contains, failure(zip_file(content)), "a dict of tensors");
    EXPECT_PRED2(contains, failure(zip_file(content, 8)), "compression method 8");
    EXPECT_PRED2(contains,
                 failure(zip_file({{"a/data.pkl", dict_pickle({})}, {"a/byteorder", "big"}})),
                 "byteorder: expected little, got big");
}

TEST(TorchArchive, damaged_pickles_and_small_storages_are_found_by_their_sum) {
    // A flipped bit in a weight would otherwise pass for a weight.
    std::string file = torch_file({kFloats});
    replace(file, std::string(24, '\1'), std::string(23, '\1') + '\3');
    EXPECT_PRED2(contains, failure(file), "archive/data/0: expected bytes with check sum");
}

TEST(ZipArchive, records_that_lie_are_errors) {
    const ZipContent content{{"a/one", "1111"}, {"a/two", "2222"}};
    const auto entries = [](const std::string& file) {
        return model::zip_entries(view_of(file), "z");
    };
    const std::string whole = zip_file(content);
    EXPECT_EQ(entries(whole).size(), 2u);
    const auto refused = [&](const std::string& from, const std::string& to) {
        std::string file = whole;
        replace(file, from, to);
        return message_of<Error>([&] { entries(file); });
    };
    const std::size_t directory = whole.find("PK\x01\x02");
    const auto second = static_cast<std::uint32_t>(whole.rfind("PK\x03\x04"));
    // The second entry at the place of the first, one past the end, and a name of its own.
    EXPECT_PRED2(contains, refused(raw(second) + "a/two", raw(0U) + "a/two"), "the same name");
    EXPECT_PRED2(contains, refused(raw(second) + "a/two", raw(0xfffffff0U) + "a/two"),
                 "a/two: expected at most " + std::to_string(directory));
    EXPECT_PRED2(contains, refused("a/two", "a/tvo"), "the same name in its header");
    // One record more than there are, one less, and a directory past the end.
    EXPECT_PRED2(contains,
                 refused(raw(std::uint64_t{2}) + raw(std::uint64_t{2}),
                         raw(std::uint64_t{2}) + raw(std::uint64_t{3})),
                 "the end of the file");
    EXPECT_PRED2(contains,
                 refused(raw(std::uint64_t{2}) + raw(std::uint64_t{2}),
                         raw(std::uint64_t{2}) + raw(std::uint64_t{1})),
                 "expected 1 entries, got more bytes");
    EXPECT_PRED2(contains,
                 refused(raw(static_cast<std::uint64_t>(directory)) + raw(0x07064b50U),
                         raw(~std::uint64_t{0}) + raw(0x07064b50U)),
                 "zip directory");
    EXPECT_PRED2(contains, message_of<Error>([&] {
                     entries(zip_file({content[0], content[0]}));
                 }),
                 "one entry of this name");
    EXPECT_PRED2(contains, message_of<Error>([&] { entries(whole.substr(0, whole.size() - 1)); }),
                 "the directory of a zip archive");
}

TEST(ZipArchive, entries_that_overlap_are_errors) {
    // An entry whose data reaches into the next one's header.
    const std::string inner = zip_file({{"a/two", "22"}});
    const std::string local = inner.substr(0, inner.find("PK\x07\x08"));
    std::string file = zip_file({{"a/one", local}, {"a/two", "22"}});
    const auto outer = static_cast<std::uint32_t>(file.find(local));
    const auto second = static_cast<std::uint32_t>(file.rfind("PK\x03\x04"));
    replace(file, raw(second) + "a/two", raw(outer) + "a/two");
    EXPECT_PRED2(contains, message_of<Error>([&] { model::zip_entries(view_of(file), "z"); }),
                 "a/two: expected bytes of its own, got those of \"a/one\"");
}

TEST(ZipArchive, sizes_of_more_than_32_bits_are_read_from_their_field) {
    // What a storage of 4 GiB and more has: the directory's numbers are all ones.
    std::string file = zip_file({{"a/one", "1111"}});
    const std::size_t entry = file.rfind("PK\x01\x02");
    const std::size_t end64 = file.rfind("PK\x06\x06");
    const std::string field = raw(std::uint16_t{1}) + raw(std::uint16_t{24}) +
                              raw(std::uint64_t{4}) + raw(std::uint64_t{4}) + raw(std::uint64_t{0});
    std::string directory = file.substr(entry, end64 - entry) + field;
    directory.replace(20, 8, std::string(8, '\xff'));
    directory.replace(30, 2, raw(static_cast<std::uint16_t>(field.size())));
    directory.replace(42, 4, std::string(4, '\xff'));
    const std::string tail =
        raw(static_cast<std::uint64_t>(directory.size())) + raw(static_cast<std::uint64_t>(entry));
    std::string made = file.substr(0, entry) + directory;
    const auto end = static_cast<std::uint64_t>(made.size());
    made += file.substr(end64, 40) + tail + raw(0x07064b50U) + raw(0U) + raw(end) + raw(1U) +
            file.substr(file.size() - 22);
    const auto entries = model::zip_entries(view_of(made), "z");
    ASSERT_EQ(entries.count("a/one"), 1u);
    EXPECT_EQ(entries.at("a/one").size(), 4u);
    // A field that is cut short is no reason to read on.
    made.replace(made.find(field) + 2, 2, raw(std::uint16_t{8}));
    EXPECT_THROW(model::zip_entries(view_of(made), "z"), Error);
}

TEST(TorchArchive, any_damage_is_an_error_or_a_valid_table) {
    // Cut anywhere, and flipped anywhere: the sanitizer build watches the reads.
    const std::string file =
        torch_file({kFloats, {"b", "LongStorage", {2}, std::string(16, '\2'), 8}});
    for (std::size_t length = 0; length < file.size(); ++length) {
        EXPECT_THROW(parse(file.substr(0, length)), Error) << length;
    }
    std::mt19937 random(6);
    int survivors = 0;
    for (int i = 0; i < 4000; ++i) {
        std::string spoiled = file;
        spoiled[random() % spoiled.size()] ^= static_cast<char>(1U << (random() % 8));
        try {
            for (const auto& [name, view] : parse(spoiled)) {
                const auto* begin = reinterpret_cast<const char*>(view.bytes.data());
                ASSERT_TRUE(view.bytes.empty() ||
                            (begin >= spoiled.data() &&
                             begin + view.bytes.size() <= spoiled.data() + spoiled.size()));
            }
            ++survivors;
        } catch (const Error&) {
        }
    }
    EXPECT_GT(survivors, 0);  // times and version numbers are nobody's business
    EXPECT_LT(survivors, 3000);
}

TEST(Checkpoint, opens_a_single_file_of_torch_save) {
    const TempFolder folder;
    const auto path = folder.write("w.pth", torch_file({kFloats}));
    EXPECT_EQ(model::Checkpoint::open(path).names(), std::vector<std::string>{"w"});
}

}  // namespace
