// Prompts put as a user's turn: by the model's own template, else by the family whose special
// tokens the tokenizer has.
#include "model/chat_template.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/files.h"
#include "tests/core/temp_folder.h"

namespace model {
namespace {

/// The demo's tokenizer with these added tokens alone, from id 2040 on.
Tokenizer tokenizer_with(const std::vector<std::string>& tokens) {
    auto file = nlohmann::json::parse(
        core::read_text(TESSERA_SOURCE_DIR "/models/tiny-shakespeare/tokenizer.json"));
    file["added_tokens"] = nlohmann::json::array();
    file["post_processor"] = nullptr;
    std::int64_t id = 2040;
    for (const std::string& token : tokens) {
        file["added_tokens"].push_back({{"id", id++},
                                        {"content", token},
                                        {"single_word", false},
                                        {"lstrip", false},
                                        {"rstrip", false},
                                        {"normalized", false},
                                        {"special", true}});
    }
    return Tokenizer::parse(file.dump(), "tokenizer.json");
}

const std::vector<std::string> kLlama{"<|begin_of_text|>", "<|start_header_id|>",
                                      "<|end_header_id|>", "<|eot_id|>"};

std::string of_family(const std::vector<std::string>& tokens) {
    const auto chat = ChatTemplate::of_family(tokenizer_with(tokens));
    return chat ? chat->apply("Who? ") : "none";
}

TEST(ChatTemplate, of_a_family_is_known_by_its_tokens) {
    // A missing line break is another prompt to the model.
    EXPECT_EQ(of_family(kLlama),
              "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\nWho?<|eot_id|>"
              "<|start_header_id|>assistant<|end_header_id|>\n\n");
    EXPECT_EQ(of_family({"<|im_start|>", "<|im_end|>"}),
              "<|im_start|>user\nWho? <|im_end|>\n<|im_start|>assistant\n");
    EXPECT_EQ(of_family({"<|im_start|>", "<|im_sep|>", "<|im_end|>"}),
              "<|im_start|>user<|im_sep|>Who? <|im_end|><|im_start|>assistant<|im_sep|>");
    EXPECT_EQ(of_family({"<|user|>", "<|assistant|>", "<|end|>"}),
              "<|user|>\nWho? <|end|>\n<|assistant|>\n");
    EXPECT_EQ(of_family({"[INST]", "[/INST]", "<s>"}), "<s>[INST] Who? [/INST]");
    EXPECT_EQ(of_family({"<|im_start|>"}), "none");
}

TEST(ChatTemplate, is_encoded_with_its_tokens_and_no_others) {
    // No second begin-of-text before the one that the template writes.
    const Tokenizer tokenizer = tokenizer_with(kLlama);
    const auto chat = ChatTemplate::of_family(tokenizer);
    ASSERT_TRUE(chat.has_value());
    const std::vector<std::int32_t> ids = chat->encode(tokenizer, "Who?");
    EXPECT_EQ(ids[0], tokenizer.find_added("<|begin_of_text|>"));
    EXPECT_EQ(ids[1], tokenizer.find_added("<|start_header_id|>"));
    EXPECT_EQ(std::count(ids.begin(), ids.end(), ids[0]), 1);
    EXPECT_EQ(tokenizer.decode(ids), chat->apply("Who?"));
}

TEST(ChatTemplate, of_the_model_wins_over_its_tokens) {
    // tokenizer_config.json as a text or as a list of named ones, or a file of its own.
    const TempFolder folder;
    const Tokenizer tokenizer = tokenizer_with(kLlama);
    const auto applied = [&] { return ChatTemplate::find(tokenizer, folder.path())->apply("Q"); };
    EXPECT_TRUE(applied().starts_with("<|begin_of_text|><|start_header_id|>user"));
    folder.write("tokenizer_config.json",
                 R"({"bos_token": {"content": "<b>"}, "eos_token": "<e>",
                     "chat_template": "{{ bos_token + messages[0].content + eos_token }}"})");
    EXPECT_EQ(applied(), "<b>Q<e>");
    folder.write("tokenizer_config.json",
                 R"({"chat_template": [{"name": "tool_use", "template": "tools"},
                                       {"name": "default", "template": "plain"}]})");
    EXPECT_EQ(applied(), "plain");
    folder.write("chat_template.jinja", "{% if add_generation_prompt %}own{% endif %}");
    EXPECT_EQ(applied(), "own");
    const auto demo = ChatTemplate::find(tokenizer, TESSERA_SOURCE_DIR "/models/tiny-shakespeare");
    EXPECT_EQ(demo->apply("Who?"), "<|begin_of_text|>Who?\n\n");
}

}  // namespace
}  // namespace model
