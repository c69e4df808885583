// config.json files that cannot be what somebody meant, one table row each: exit code 2 and a
// message that names the file, the key, what was expected and what was there. And networks that
// are sound but do not go over a mesh (exit code 1, the text of tt_transformers with both numbers)
// or look odd and do (exit code 0).
#include <gtest/gtest.h>

#include <fstream>

#include "tests/cli/command.h"
#include "tests/core/temp_folder.h"

namespace {

/// config.json of Llama-3.2-1B: 32 heads of 64, 8 KV heads, 2048 wide.
Json llama_1b() {
    return Json::parse(
        read_file(TESSERA_SOURCE_DIR "/models/configs/Llama-3.2-1B-Instruct/config.json"));
}

std::string write_text(const TempFolder& folder, const std::string& text) {
    std::ofstream(folder.path() / "config.json") << text;
    return folder.path().string();
}

Outcome check(const std::string& model, const std::string& mesh) {
    return tessera({"check", model, "--mesh", mesh, "--context", "1024"});
}

// --- exit code 2: not a network ---

struct BadValue {
    const char* key;
    Json value;
    const char* expected;  // follows "config.json: KEY: expected "
};
void PrintTo(const BadValue& bad, std::ostream* out) {
    *out << bad.key << ": " << bad.value.dump();
}

class BadConfig : public ::testing::TestWithParam<BadValue> {};

TEST_P(BadConfig, names_the_key_and_what_was_there) {
    // Numbers that would overflow sizes later, or divide by zero, stop where they are read.
    const TempFolder folder;
    Json config = llama_1b();
    config[GetParam().key] = GetParam().value;
    const std::string model = write_text(folder, config.dump());
    for (const char* verb : {"check", "sim"}) {
        const Outcome outcome = tessera({verb, model, "--mesh", "t3k"});
        EXPECT_EQ(outcome.exit_code, 2) << verb;
        EXPECT_EQ(outcome.out, "") << verb;
        EXPECT_TRUE(outcome.err.starts_with("error: ")) << outcome.err;
        EXPECT_TRUE(says(outcome.err, std::string("config.json: ") + GetParam().key +
                                          ": expected " + GetParam().expected))
            << outcome.err;
    }
}

INSTANTIATE_TEST_SUITE_P(
    Sizes, BadConfig,
    ::testing::Values(
        BadValue{"hidden_size", 0, "an integer from 1 to 1048576, got 0"},
        BadValue{"hidden_size", -2048, "an integer from 1 to 1048576, got -2048"},
        BadValue{"hidden_size", 1048577, "an integer from 1 to 1048576, got 1048577"},
        BadValue{"hidden_size", 2048.5, "an integer from 1 to 1048576, got 2048.5"},
        BadValue{"hidden_size", "2048", "an integer from 1 to 1048576, got \"2048\""},
        BadValue{"hidden_size", nullptr, "an integer from 1 to 1048576, got nothing"},
        BadValue{"hidden_size", Json::array({2048}), "an integer from 1 to 1048576, got a list"},
        BadValue{"num_hidden_layers", 0, "an integer from 1 to 4096, got 0"},
        BadValue{"num_hidden_layers", 1'000'000'000, "an integer from 1 to 4096, got 1000000000"},
        BadValue{"num_hidden_layers", 18446744073709551615u,
                 "an integer from 1 to 4096, got 18446744073709551615"},
        BadValue{"num_attention_heads", 0, "an integer from 1 to 16384, got 0"},
        BadValue{"num_attention_heads", true, "an integer from 1 to 16384, got true"},
        BadValue{"num_key_value_heads", -8, "an integer from 1 to 16384, got -8"},
        BadValue{"num_key_value_heads", 5, "a divisor of num_attention_heads (32), got 5"},
        BadValue{"num_key_value_heads", 64, "a divisor of num_attention_heads (32), got 64"},
        BadValue{"intermediate_size", Json::object(),
                 "an integer from 1 to 1048576, got an object of 0 keys"},
        BadValue{"vocab_size", 0, "an integer from 1 to 16777216, got 0"},
        BadValue{"vocab_size", 9223372036854775807, "an integer from 1 to 16777216, got 9223372"},
        BadValue{"max_position_embeddings", -1, "an integer from 1 to 1073741824, got -1"}));

INSTANTIATE_TEST_SUITE_P(
    OtherValues, BadConfig,
    ::testing::Values(BadValue{"architectures", "LlamaForCausalLM", "a list"},
                      BadValue{"architectures", Json({"BertModel"}), "one of LlamaForCausalLM"},
                      BadValue{"rms_norm_eps", "1e-5", "a number from 1e-30 to 1.0, got \"1e-5\""},
                      BadValue{"rms_norm_eps", -1e-5, "a number from 1e-30 to 1.0, got -1e-05"},
                      BadValue{"rope_theta", 0, "a number from "},
                      BadValue{"rope_scaling", "yarn", "an object"},
                      BadValue{"hidden_act", "mish", "one of gelu"},
                      BadValue{"tie_word_embeddings", 1, "true or false, got 1"},
                      BadValue{"torch_dtype", "int4", "float32, bfloat16 or float16, got \"int4\""},
                      BadValue{"bos_token_id", 128256, "an integer from 0 to 128255, got 128256"},
                      BadValue{"eos_token_id", Json({128256}), "token ids from 0 to 128255"}));

struct BadText {
    std::string text;
    const char* message;
};

TEST(BadConfigText, is_refused_with_its_place) {
    // What JSON does not allow, at the line and column where it stands.
    const std::string good = llama_1b().dump();
    const std::string body = good.substr(1);
    for (const BadText& bad :
         {BadText{"", "config.json:1:1: "},
          {"{\"hidden_size\": NaN, " + body, "config.json:1:17: "},
          {"{\"hidden_size\": Infinity, " + body, "config.json:1:17: "},
          {"{\"hidden_size\": 1e999, " + body, "config.json:1:"},
          {"{\"hidden_size\": 2048, " + body, "duplicate key \"hidden_size\""},
          {good.substr(0, good.size() / 2), "config.json:1:"},
          {"[" + good + "]", "config.json: expected an object, got a list of 1 entries"},
          {"null", "config.json: expected an object, got null"},
          {"{\"a\": " + std::string(100, '[') + std::string(100, ']') + ", " + body,
           "expected at most 32 nested levels, got more"}}) {
        const TempFolder folder;
        const Outcome outcome = check(write_text(folder, bad.text), "t3k");
        EXPECT_EQ(outcome.exit_code, 2) << bad.message;
        EXPECT_EQ(outcome.out, "");
        EXPECT_TRUE(says(outcome.err, bad.message)) << bad.message << "\n" << outcome.err;
    }
}

TEST(BadConfigText, required_keys_are_missed_by_name) {
    // The shortest wrong file: one line deleted.
    for (const char* key : {"architectures", "hidden_size", "num_hidden_layers", "vocab_size",
                            "num_attention_heads", "intermediate_size"}) {
        const TempFolder folder;
        Json config = llama_1b();
        config.erase(key);
        const Outcome outcome = check(write_text(folder, config.dump()), "t3k");
        EXPECT_EQ(outcome.exit_code, 2) << key;
        EXPECT_TRUE(says(outcome.err, std::string("config.json: ") + key + ": expected ")) << key;
        EXPECT_TRUE(says(outcome.err, "got nothing")) << outcome.err;
    }
}

// --- exit codes 1 and 0: networks ---

struct Network {
    const char* what;
    std::int64_t heads;
    std::int64_t kv_heads;  // 0: the key is absent
    std::int64_t head_dim;
    std::int64_t ffn;
    const char* mesh;
    std::vector<std::string> reasons;  // empty: it splits and fits
};
void PrintTo(const Network& network, std::ostream* out) { *out << network.what; }

class OddNetwork : public ::testing::TestWithParam<Network> {};

TEST_P(OddNetwork, splits_or_says_which_two_numbers_do_not_divide) {
    // The texts are the assertions of tt_transformers' model_config.py.
    const Network& network = GetParam();
    Json config = llama_1b();
    config["num_attention_heads"] = network.heads;
    config["head_dim"] = network.head_dim;
    config["hidden_size"] = network.heads * network.head_dim;
    config["intermediate_size"] = network.ffn;
    config.erase("num_key_value_heads");
    if (network.kv_heads > 0) config["num_key_value_heads"] = network.kv_heads;
    const TempFolder folder;
    const std::string model = write_text(folder, config.dump());

    const bool works = network.reasons.empty();
    const Json json =
        document({"check", model, "--mesh", network.mesh, "--context", "1024"}, works ? 0 : 1);
    EXPECT_EQ(json.at("splits"), works);
    EXPECT_EQ(json.at("fits"), works);
    EXPECT_EQ(json.at("split").at("heads"), network.heads);
    EXPECT_EQ(json.at("split").at("kv_heads"),
              network.kv_heads > 0 ? network.kv_heads : network.heads);
    const std::vector<std::string> reasons = json.at("split").at("reasons");
    for (const std::string& reason : network.reasons) {
        EXPECT_NE(std::find(reasons.begin(), reasons.end(), reason), reasons.end())
            << reason << "\n"
            << json.at("split").at("reasons");
        EXPECT_TRUE(says(check(model, network.mesh).out, reason));
    }
    if (works) {
        EXPECT_TRUE(reasons.empty());
    }
}

INSTANTIATE_TEST_SUITE_P(
    Heads, OddNetwork,
    ::testing::Values(
        Network{"Qwen2.5-0.5B: 14 heads and 2 KV heads over 8 chips",
                14,
                2,
                64,
                4864,
                "t3k",
                {"n_heads must be divisible by num_devices: 14 % 8",
                 "n_kv_heads must be divisible by num_devices: 2 % 8"}},
        Network{"14 heads over 2 chips", 14, 2, 64, 4864, "n300", {}},
        Network{"Qwen2.5-7B: 28 heads and 4 KV heads over 8 chips",
                28,
                4,
                128,
                18944,
                "t3k",
                {"n_heads must be divisible by num_devices: 28 % 8",
                 "n_kv_heads must be divisible by num_devices: 4 % 8"}},
        Network{"28 heads and 4 KV heads over 4 chips", 28, 4, 128, 18944, "n150x4", {}},
        Network{
            "40 heads and 8 KV heads over the 8 rows of a Galaxy", 40, 8, 128, 17408, "galaxy", {}},
        Network{"40 heads and 8 KV heads over 32 chips in a line",
                40,
                8,
                128,
                17408,
                "galaxy:1x32",
                {"n_heads must be divisible by num_devices: 40 % 32",
                 "n_kv_heads must be divisible by num_devices: 8 % 32"}},
        Network{"32 heads over 7 chips",
                32,
                8,
                64,
                8192,
                "t3k:1x7",
                {"n_heads must be divisible by num_devices: 32 % 7",
                 "n_kv_heads must be divisible by num_devices: 8 % 7"}},
        // The real stack computes wrong heads there (tenstorrent/tt-metal #35248); values here are
        // right, as tiles are padded.
        Network{"heads of 24", 4, 4, 24, 256, "n150", {}},
        // 128,256 is no multiple of 7 x 32: the LM head is padded.
        Network{"a vocabulary of 128256 over 7 chips", 7, 7, 64, 896, "t3k:1x7", {}},
        Network{"no num_key_value_heads: as many as heads", 32, 0, 64, 8192, "t3k", {}}));

}  // namespace
