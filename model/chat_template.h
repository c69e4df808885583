// How a prompt is put to a model that was trained on conversations: one turn of the user, up to
// where the assistant answers. The model's own template (chat_template of tokenizer_config.json or
// chat_template.jinja, run by jinja.h) counts; a tokenizer without one is told by its special
// tokens. Nothing but the model's files and a date that is given goes in, so that the same command
// makes the same prompt on any day.
// Sources: tenstorrent/tt-metal models/tt_transformers/tt/common.py (encode_prompt_hf,
// encode_prompt_instruct); chat_template of Qwen/Qwen2.5-7B-Instruct, microsoft/phi-4,
// microsoft/Phi-3-mini-128k-instruct and mistralai/Mistral-7B-Instruct-v0.3.
#pragma once

#include <cstdint>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer.h"

namespace model {

class ChatTemplate {
public:
    /// nullopt when the tokenizer of this folder (or file in it) has no template and is of no known
    /// family. Throws core::Error when its tokenizer_config.json cannot be read.
    static std::optional<ChatTemplate> find(const Tokenizer& tokenizer,
                                            const std::filesystem::path& path);
    /// By the tokenizer's special tokens.
    static std::optional<ChatTemplate> of_family(const Tokenizer& tokenizer);
    /// By its Jinja; `names` has bos_token and the like, `where` names it in messages.
    static ChatTemplate of_jinja(std::string text, nlohmann::json names, std::string where);

    /// The day ("2026-11-22") for templates that ask; without it those that can do without get
    /// none, the others 2024-07-26 (jinja.h). Throws core::Error when it is none.
    void set_day(const std::string& day);
    /// The whole text, special tokens written out. Throws core::Error for Jinja that is not
    /// understood.
    std::string apply(std::string_view prompt) const;
    /// The token ids of that text. Throws core::Error when the prompt is not UTF-8, too.
    std::vector<std::int32_t> encode(const Tokenizer& tokenizer, std::string_view prompt) const;

private:
    // Of a family
    std::string before_;
    std::string after_;
    bool trims_ = false;
    // Of a Jinja
    std::string jinja_;
    nlohmann::json names_;
    std::string where_;
    std::string day_;
};

/// Names of the families, separated by ", ".
std::string chat_families();

}  // namespace model
