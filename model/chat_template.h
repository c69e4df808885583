// How a prompt is put to a model that was trained on conversations: what its family writes around
// one turn of the user, up to where the assistant answers. Families are told apart by the special
// tokens of the tokenizer; the Jinja of a tokenizer_config.json is searched, not run: it says which
// system text a Qwen starts with, and whether a tokenizer without such tokens is Mistral's.
// Sources: tenstorrent/tt-metal models/tt_transformers/tt/common.py (encode_prompt_instruct), and
// chat_template of meta-llama/Llama-3.1-8B-Instruct, Qwen/Qwen2.5-7B-Instruct, microsoft/phi-4,
// microsoft/Phi-3-mini-128k-instruct, mistralai/Mistral-7B-Instruct-v0.3 and Mixtral-8x7B.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "model/tokenizer.h"

namespace model {

class ChatTemplate {
public:
    /// nullopt when the tokenizer of this folder (or file in it) is of no known family. Throws
    /// core::Error when its tokenizer_config.json cannot be read.
    static std::optional<ChatTemplate> find(const Tokenizer& tokenizer,
                                            const std::filesystem::path& path);
    /// By the text of the Jinja template; empty: there is none.
    static std::optional<ChatTemplate> of(const Tokenizer& tokenizer, std::string_view jinja);

    /// "llama3", "chatml", "phi4", "phi3" or "mistral".
    std::string_view family() const { return family_; }
    /// The whole text, special tokens written out.
    std::string apply(std::string_view prompt) const;
    /// The token ids of that text. Throws core::Error when the prompt is not UTF-8.
    std::vector<std::int32_t> encode(const Tokenizer& tokenizer, std::string_view prompt) const;

private:
    std::string_view family_;
    std::string before_;
    std::string after_;
};

/// Names of the families, separated by ", ".
std::string chat_families();

}  // namespace model
