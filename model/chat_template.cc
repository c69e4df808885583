#include "model/chat_template.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/files.h"
#include "core/json.h"
#include "model/jinja.h"
#include "model/jinja_text.h"

namespace model {
namespace {

constexpr core::JsonLimits kLimits{core::Bytes{64 << 20}, 64};

struct Family {
    std::string_view name;
    std::array<std::string_view, 3> tokens;  // all must be there; empty: fewer
    std::string_view before;
    std::string_view after;
};

// The first that fits counts: phi-4 has the tokens of ChatML and one more.
constexpr std::array kFamilies{
    Family{"Llama 3",
           {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
           "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n",
           "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
    Family{"phi-4",
           {"<|im_start|>", "<|im_sep|>", "<|im_end|>"},
           "<|im_start|>user<|im_sep|>",
           "<|im_end|><|im_start|>assistant<|im_sep|>"},
    Family{"ChatML",
           {"<|im_start|>", "<|im_end|>", ""},
           "<|im_start|>user\n",
           "<|im_end|>\n<|im_start|>assistant\n"},
    Family{"Phi-3",
           {"<|user|>", "<|assistant|>", "<|end|>"},
           "<|user|>\n",
           "<|end|>\n<|assistant|>\n"},
    Family{"Mistral", {"[INST]", "[/INST]", "<s>"}, "<s>[INST] ", "[/INST]"},
};

std::string_view stripped(std::string_view text) {
    constexpr std::string_view kSpace = " \t\n\r\f\v";
    const std::size_t first = text.find_first_not_of(kSpace);
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// chat_template is a text, or a list of named ones of which "default" counts.
std::string jinja_of(const nlohmann::json& config) {
    const auto found = config.find("chat_template");
    if (found == config.end()) return {};
    if (found->is_string()) return found->get<std::string>();
    if (!found->is_array()) return {};
    for (const nlohmann::json& entry : *found) {
        if (!entry.is_object() || entry.value("name", nlohmann::json()) != "default") continue;
        const auto text = entry.find("template");
        if (text != entry.end() && text->is_string()) return text->get<std::string>();
    }
    return {};
}

// bos_token and the like: a text, or an object with its "content".
nlohmann::json names_of(const nlohmann::json& config) {
    nlohmann::json names = nlohmann::json::object();
    for (const char* key : {"bos_token", "eos_token", "unk_token", "pad_token"}) {
        const auto found = config.find(key);
        if (found == config.end()) continue;
        const bool object = found->is_object() && found->contains("content");
        const nlohmann::json& text = object ? found->at("content") : *found;
        if (text.is_string()) names[key] = text;
    }
    return names;
}

}  // namespace

std::optional<ChatTemplate> ChatTemplate::of_family(const Tokenizer& tokenizer) {
    for (const Family& family : kFamilies) {
        const bool fits = std::ranges::all_of(family.tokens, [&](std::string_view token) {
            return token.empty() || tokenizer.find_added(token).has_value();
        });
        if (!fits) continue;
        ChatTemplate chat;
        chat.before_ = family.before;
        chat.after_ = family.after;
        chat.trims_ = family.name == "Llama 3";  // encode_prompt_instruct: prompt_text.strip()
        return chat;
    }
    return std::nullopt;
}

ChatTemplate ChatTemplate::of_jinja(std::string text, nlohmann::json names, std::string where) {
    ChatTemplate chat;
    chat.jinja_ = std::move(text);
    chat.names_ = std::move(names);
    chat.where_ = std::move(where);
    return chat;
}

std::optional<ChatTemplate> ChatTemplate::find(const Tokenizer& tokenizer,
                                               const std::filesystem::path& path) {
    const auto folder = std::filesystem::is_directory(path) ? path : path.parent_path();
    const auto file = folder / "tokenizer_config.json";
    nlohmann::json config = nlohmann::json::object();
    if (std::filesystem::exists(file)) config = core::read_json(file, kLimits);
    if (!config.is_object()) config = nlohmann::json::object();
    // transformers 4.43 and later may keep the template in a file of its own.
    const auto own = folder / "chat_template.jinja";
    const bool has_own = std::filesystem::exists(own);
    std::string jinja = has_own ? core::read_text(own, kLimits.size) : jinja_of(config);
    if (jinja.empty()) return of_family(tokenizer);
    return of_jinja(std::move(jinja), names_of(config),
                    core::printable((has_own ? own : file).string()) + ": chat_template");
}

void ChatTemplate::set_day(const std::string& day) {
    jinja::date_text("%d", day);
    day_ = day;
}

std::string ChatTemplate::apply(std::string_view prompt) const {
    if (jinja_.empty()) return before_ + std::string(trims_ ? stripped(prompt) : prompt) + after_;
    nlohmann::ordered_json variables = names_;
    variables["messages"] = {{{"role", "user"}, {"content", prompt}}};
    variables["add_generation_prompt"] = true;
    if (!day_.empty()) variables["strftime_now"] = day_;
    return render_jinja(jinja_, variables, where_);
}

std::vector<std::int32_t> ChatTemplate::encode(const Tokenizer& tokenizer,
                                               std::string_view prompt) const {
    return tokenizer.encode(apply(prompt), AddSpecial::No);
}

std::string chat_families() {
    std::string names;
    for (const Family& family : kFamilies) {
        names.append(names.empty() ? "" : ", ").append(family.name);
    }
    return names;
}

}  // namespace model
