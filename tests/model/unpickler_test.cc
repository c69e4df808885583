#include "model/unpickler.h"

#include <gtest/gtest.h>

#include <random>

#include "core/error.h"
#include "tests/core/temp_folder.h"
#include "tests/model/torch_file.h"

namespace {

using core::Error;
using testing_files::dict_pickle;
using testing_files::global;
using testing_files::integer;
using testing_files::tensor_call;
using testing_files::text;
using testing_files::TorchTensor;

model::PickledTable read(const std::string& pickle) {
    return model::unpickle_tensors(std::as_bytes(std::span(pickle.data(), pickle.size())), "f.pth");
}

std::string failure(const std::string& pickle) {
    return message_of<Error>([&] { read(pickle); });
}

std::string bytes(std::initializer_list<int> codes) {
    std::string made;
    for (const int code : codes) made.push_back(static_cast<char>(code));
    return made;
}

const TorchTensor kTensor{"w", "FloatStorage", {2, 3}, std::string(24, '\0'), 4};

TEST(Unpickler, reads_what_torch_save_writes_of_a_dict) {
    // Text values, numbers and sizes of other entries are passed over.
    const std::string pickle = dict_pickle({{"w", tensor_call(kTensor, "7", 6)},
                                            {"epoch", integer(3)},
                                            {"note", text("best")},
                                            {"loss", "G" + std::string(8, '\0')},
                                            {"dtype", global("torch", "float16")}});
    const auto tensors = read(pickle);  // names the storage where it stands in the pickle
    ASSERT_EQ(tensors.size(), 1u);
    const model::PickledTensor& w = tensors.at("w");
    EXPECT_EQ(w.dtype, model::StoredType::F32);
    EXPECT_EQ(w.storage, "7");
    EXPECT_EQ(w.storage_elements, 6);
    EXPECT_EQ(w.shape, (std::vector<std::int64_t>{2, 3}));
    EXPECT_EQ(w.strides, (std::vector<std::int64_t>{3, 1}));
}

TEST(Unpickler, reads_large_and_long_numbers) {
    // The embedding of Llama 3.1 405B has more elements than fit 31 bits.
    TorchTensor tensor = kTensor;
    tensor.shape = {128256, 16384};
    const std::int64_t elements = std::int64_t{128256} * 16384;
    const auto w = read(dict_pickle({{"w", tensor_call(tensor, "0", elements)}})).at("w");
    EXPECT_EQ(w.storage_elements, elements);
    // The same number in as few bytes as CPython takes, and a negative one.
    const auto shortest = bytes({0x8a, 5, 0x00, 0x00, 0x40, 0x7d, 0x00});
    EXPECT_EQ(read("\x80\x02}(" + text("a") + shortest + "u.").size(), 0u);
    tensor.offset = -1;
    EXPECT_PRED2(contains, failure(dict_pickle({{"w", tensor_call(tensor, "0", 1)}})),
                 "expected an integer of 0 or more, got -1");
}

TEST(Unpickler, any_other_global_is_refused_by_its_name) {
    // What makes pickles dangerous: a file says which function to call.
    const std::string run =
        dict_pickle({{"w", global("os", "system") + "(" + text("true") + "tR"}});
    const std::string error = failure(run);
    EXPECT_TRUE(begins(error, "f.pth: data.pkl: byte ")) << error;
    EXPECT_PRED2(contains, error, "got os.system");
    for (const auto& [module, name] : std::vector<std::pair<std::string, std::string>>{
             {"builtins", "eval"},
             {"torch", "load"},
             {"torch._utils", "_rebuild_tensor"},
             {"collections", "OrderedDict "},
             {"numpy.core.multiarray", "_reconstruct"}}) {
        EXPECT_PRED2(contains, failure(dict_pickle({{"w", global(module, name)}})),
                     module + "." + name);
    }
    // The same through protocol 4's way of naming, and an opcode that makes instances.
    EXPECT_PRED2(contains,
                 failure("\x80\x04}(" + text("w") + text("posix") + text("system") + "\x93u."),
                 "posix.system");
    EXPECT_PRED2(contains, failure("\x80\x02" + global("collections", "OrderedDict") + ")\x81."),
                 "got 0x81");
}

TEST(Unpickler, listed_globals_are_called_only_as_torch_calls_them) {
    // A dtype is not a function; a dict takes no arguments.
    const std::string arguments = "(" + integer(1) + "tR";
    for (const auto& made :
         {global("torch", "float32") + arguments, global("collections", "OrderedDict") + arguments,
          global("torch", "FloatStorage") + arguments, global("torch", "Size") + arguments}) {
        EXPECT_PRED2(contains, failure(dict_pickle({{"w", made}})), "with 1 arguments") << made;
    }
    EXPECT_PRED2(
        contains,
        failure(dict_pickle({{"w", global("torch._utils", "_rebuild_tensor_v2") + arguments}})),
        "a tensor of a storage");
    EXPECT_PRED2(contains, failure(dict_pickle({{"w", "(" + text("module") + "tQ"}})),
                 "expected a storage");
}

TEST(Unpickler, attributes_of_a_state_dict_are_passed_over) {
    // state_dict() is an OrderedDict with a _metadata beside its items.
    const std::string pickle = "\x80\x02" + global("collections", "OrderedDict") + ")R(" +
                               text("w") + tensor_call(kTensor, "0", 6) + "u}" + text("_metadata") +
                               "Nsb.";
    EXPECT_EQ(read(pickle).count("w"), 1u);
}

TEST(Unpickler, broken_pickles_say_where) {
    // One for each way the stack, the memo and the marks can be wrong.
    const std::vector<std::pair<std::string, std::string>> cases{
        {"", "the end of the file"},
        {"\x80\x05.", "protocol 2 to 4, got 5"},
        {"\x80\x02.", "expected one value at the end"},
        {"\x80\x02N.", "expected a dict of tensors, got a constant"},
        {"\x80\x02}}.", "expected one value"},
        {"\x80\x02}.N", "expected one value"},
        {"\x80\x02}(.", "expected one value"},
        {"\x80\x02}u.", "a mark on the stack"},
        {"\x80\x02}(Nu.", "pairs of keys and values"},
        {"\x80\x02(0.", "a value on the stack"},
        {"\x80\x02h\x05.", "in the memo at 5"},
        {"\x80\x02(q\x01.", "a value on the stack"},
        {"\x80\x02]NNs.", "expected a dict, got a list"},
        {"\x80\x02}Na.", "expected a list, got a dict"},
        {"\x80\x02NNR.", "expected a tuple, got a constant"},
        {"\x80\x02N)R.", "expected a tuple"},
        {"\x80\x02NNb.", "attributes of a dict"},
        {"\x80\x02X\xff\xff\xff\xff", "4294967295 bytes"},
        {"\x80\x02\x8d\xff\xff\xff\xff\xff\xff\xff\xff", "18446744073709551615 bytes"},
        {"\x80\x02\x8a\x09", "an integer of 64 bits"},
        {"\x80\x02"
         "cos\nsystem",
         "the end of the file"},
        {"\x80\x02i", "got 0x69"},
    };
    for (const auto& [pickle, part] : cases) {
        if (pickle == "\x80\x02N)R.") {
            EXPECT_PRED2(contains, failure(pickle), "expected a global, got a constant");
            continue;
        }
        EXPECT_PRED2(contains, failure(pickle), part);
    }
}

TEST(Unpickler, a_tensor_twice_and_wrong_shapes_are_errors) {
    // Both would leave it open which bytes are meant.
    EXPECT_PRED2(contains,
                 failure(dict_pickle(
                     {{"w", tensor_call(kTensor, "0", 6)}, {"w", tensor_call(kTensor, "1", 6)}})),
                 "f.pth: w: expected one tensor, got two");
    TorchTensor tensor = kTensor;
    tensor.strides = {1};
    EXPECT_PRED2(contains, failure(dict_pickle({{"w", tensor_call(tensor, "0", 6)}})),
                 "as many strides as axes");
    tensor.shape.assign(17, 1);
    tensor.strides.clear();
    EXPECT_PRED2(contains, failure(dict_pickle({{"w", tensor_call(tensor, "0", 6)}})),
                 "at most 16 numbers");
}

TEST(Unpickler, depth_and_number_of_values_are_bounded) {
    // A list in a list in a list: no recursion, so any depth. Millions of values: an error.
    std::string deep = "\x80\x02}(" + text("a");
    for (int i = 0; i < 100'000; ++i) deep += ']';
    for (int i = 1; i < 100'000; ++i) deep += 'a';
    EXPECT_EQ(read(deep + "u.").size(), 0u);
    // A list that holds itself is no reason to walk in circles.
    EXPECT_EQ(read("\x80\x02}(" + text("a") +
                   "]q\x01h\x01"
                   "au.")
                  .size(),
              0u);
    EXPECT_PRED2(contains, failure("\x80\x02(" + std::string(model::kMostValues + 1, 'N')),
                 "at most 2097152 values");
    // A tuple that doubles with every line: 2^40 leaves, 41 values.
    std::string laughs = "\x80\x02}(" + text("a") + "N";
    for (int i = 0; i < 40; ++i) laughs += std::string("q\x01h\x01\x86");
    EXPECT_EQ(read(laughs + "u.").size(), 0u);
}

TEST(Unpickler, any_damage_is_an_error_or_a_table) {
    // Cut and flipped anywhere; the sanitizer build watches the reads.
    const std::string pickle = dict_pickle({{"w", tensor_call(kTensor, "0", 6)}});
    for (std::size_t length = 0; length < pickle.size(); ++length) {
        EXPECT_THROW(read(pickle.substr(0, length)), Error) << length;
    }
    std::mt19937 random(5);
    int survivors = 0;
    for (int i = 0; i < 4000; ++i) {
        std::string spoiled = pickle;
        spoiled[random() % spoiled.size()] ^= static_cast<char>(1U << (random() % 8));
        try {
            read(spoiled);
            ++survivors;
        } catch (const Error&) {
        }
    }
    EXPECT_GT(survivors, 0);  // numbers and names may change
    EXPECT_LT(survivors, 2000);
}

}  // namespace
