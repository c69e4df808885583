// Prompts put as a user's turn: each family's text to the letter, and no family for a tokenizer
// that knows none of their tokens.
#include "model/chat_template.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/files.h"
#include "tests/core/temp_folder.h"

namespace model {
namespace {

nlohmann::json demo_tokenizer() {
    return nlohmann::json::parse(
        core::read_text(TESSERA_SOURCE_DIR "/models/tiny-shakespeare/tokenizer.json"));
}

/// The demo's tokenizer with special tokens of its own only, and these.
std::string tokenizer_text(const std::vector<std::string>& tokens) {
    nlohmann::json file = demo_tokenizer();
    std::int64_t id = 4000;
    for (const std::string& token : tokens) {
        file["added_tokens"].push_back({{"id", id++},
                                        {"content", token},
                                        {"single_word", false},
                                        {"lstrip", false},
                                        {"rstrip", false},
                                        {"normalized", false},
                                        {"special", true}});
    }
    return file.dump();
}

Tokenizer tokenizer_with(const std::vector<std::string>& tokens) {
    return Tokenizer::parse(tokenizer_text(tokens), "tokenizer.json");
}

const std::vector<std::string> kLlama{"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"};

std::string applied(const std::vector<std::string>& tokens, std::string_view jinja = "") {
    const auto chat = ChatTemplate::of(tokenizer_with(tokens), jinja);
    return chat ? std::string(chat->family()) + ": " + chat->apply("Who? ") : "none";
}

TEST(ChatTemplate, is_that_of_the_family_whose_tokens_are_there) {
    // A missing line break is another prompt to the model.
    EXPECT_EQ(applied(kLlama),
              "llama3: <|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWho?<|eot_id|>"
              "<|start_header_id|>assistant<|end_header_id|>\n\n");
    EXPECT_EQ(applied({"<|im_start|>", "<|im_end|>"}),
              "chatml: <|im_start|>user\nWho? <|im_end|>\n<|im_start|>assistant\n");
    EXPECT_EQ(applied({"<|im_start|>", "<|im_sep|>", "<|im_end|>"}),
              "phi4: <|im_start|>user<|im_sep|>Who? <|im_end|><|im_start|>assistant<|im_sep|>");
    EXPECT_EQ(applied({"<|user|>", "<|assistant|>", "<|end|>"}),
              "phi3: <|user|>\nWho? <|end|>\n<|assistant|>\n");
    EXPECT_EQ(applied({"[INST]", "[/INST]", "<s>"}), "mistral: <s>[INST] Who? [/INST]");
    EXPECT_EQ(applied({"<|im_start|>"}), "none");
    EXPECT_EQ(applied({}), "none");
}

TEST(ChatTemplate, takes_what_else_a_family_says_from_the_jinja) {
    // Qwen2.5 starts with a system text unless one is given, Qwen3 with none; Mixtral writes its
    // marks in plain text.
    EXPECT_EQ(applied({"<|im_start|>", "<|im_end|>"},
                      "{{- '<|im_start|>system\\nYou are Qwen, created by Alibaba Cloud. You are a "
                      "helpful assistant.<|im_end|>\\n' }}"),
              "chatml: <|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a "
              "helpful assistant.<|im_end|>\n<|im_start|>user\nWho? <|im_end|>\n"
              "<|im_start|>assistant\n");
    EXPECT_EQ(applied({"<s>"}, "{{ bos_token }}{{ '[INST] ' + m + ' [/INST]' }}"),
              "mistral: <s>[INST] Who?  [/INST]");
    EXPECT_EQ(applied({"<s>"}, "{{ bos_token }}"), "none");
}

TEST(ChatTemplate, is_encoded_with_its_tokens_and_no_others) {
    // No second begin-of-text before the one that the family writes.
    const Tokenizer tokenizer = tokenizer_with(kLlama);
    const auto chat = ChatTemplate::of(tokenizer, "");
    ASSERT_TRUE(chat.has_value());
    const std::vector<std::int32_t> ids = chat->encode(tokenizer, "Who?");
    EXPECT_EQ(ids.front(), tokenizer.find_added("<|begin_of_text|>"));
    EXPECT_EQ(ids[1], 4000);
    EXPECT_EQ(std::count(ids.begin(), ids.end(), ids.front()), 1);
    EXPECT_EQ(tokenizer.decode(ids), chat->apply("Who?"));
}

TEST(ChatTemplate, is_found_beside_the_tokenizer) {
    // In tokenizer_config.json as text or as a list, or in a file of its own, which wins.
    const TempFolder folder;
    const Tokenizer tokenizer = tokenizer_with({"<s>"});
    const auto family = [&] {
        const auto chat = ChatTemplate::find(tokenizer, folder.path());
        return chat ? std::string(chat->family()) : "none";
    };
    EXPECT_EQ(family(), "none");
    folder.write("tokenizer_config.json", R"({"chat_template": "[INST]"})");
    EXPECT_EQ(family(), "mistral");
    folder.write("tokenizer_config.json",
                 R"({"chat_template": [{"name": "tool", "template": ""},
                                       {"name": "default", "template": "[INST]"}]})");
    EXPECT_EQ(family(), "mistral");
    folder.write("chat_template.jinja", "plain");
    EXPECT_EQ(family(), "none");
}

}  // namespace
}  // namespace model
