#include "model/chat_template.h"

#include <algorithm>
#include <array>

#include "core/files.h"
#include "core/json.h"

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
    Family{"llama3",
           {"<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"},
           "<|begin_of_text|><|start_header_id|>user<|end_header_id|>\n\n",
           "<|eot_id|><|start_header_id|>assistant<|end_header_id|>\n\n"},
    Family{"phi4",
           {"<|im_start|>", "<|im_sep|>", "<|im_end|>"},
           "<|im_start|>user<|im_sep|>",
           "<|im_end|><|im_start|>assistant<|im_sep|>"},
    Family{"chatml",
           {"<|im_start|>", "<|im_end|>", ""},
           "<|im_start|>user\n",
           "<|im_end|>\n<|im_start|>assistant\n"},
    Family{
        "phi3", {"<|user|>", "<|assistant|>", "<|end|>"}, "<|user|>\n", "<|end|>\n<|assistant|>\n"},
    Family{"mistral", {"[INST]", "[/INST]", "<s>"}, "<s>[INST] ", "[/INST]"},
};

// What the Qwens say before the first turn when nobody gives them a system text.
constexpr std::array<std::string_view, 2> kSystems{
    "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.",
    "You are a helpful assistant.",
};

bool holds(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

bool has_all(const Tokenizer& tokenizer, const Family& family) {
    return std::ranges::all_of(family.tokens, [&](std::string_view token) {
        return token.empty() || tokenizer.find_added(token).has_value();
    });
}

std::string_view stripped(std::string_view text) {
    constexpr std::string_view kSpace = " \t\n\r\f\v";
    const std::size_t first = text.find_first_not_of(kSpace);
    if (first == text.npos) return {};
    return text.substr(first, text.find_last_not_of(kSpace) - first + 1);
}

// chat_template is a text, or a list of named ones of which "default" counts.
std::string jinja_of(const std::filesystem::path& file) {
    const nlohmann::json config = core::read_json(file, kLimits);
    if (!config.is_object()) return {};
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

}  // namespace

std::optional<ChatTemplate> ChatTemplate::of(const Tokenizer& tokenizer, std::string_view jinja) {
    ChatTemplate chat;
    for (const Family& family : kFamilies) {
        if (!has_all(tokenizer, family)) continue;
        chat.family_ = family.name;
        chat.before_ = family.before;
        chat.after_ = family.after;
        if (family.name != "chatml") return chat;
        for (const std::string_view system : kSystems) {
            if (!holds(jinja, system)) continue;
            chat.before_.insert(0, "<|im_start|>system\n" + std::string(system) + "<|im_end|>\n");
            break;
        }
        return chat;
    }
    // Before its third tokenizer Mistral wrote [INST] in plain text.
    if (!holds(jinja, "[INST]") || !tokenizer.find_added("<s>")) return std::nullopt;
    chat.family_ = "mistral";
    chat.before_ = holds(jinja, "' [INST] '") ? "<s> [INST] " : "<s>[INST] ";
    chat.after_ = " [/INST]";
    return chat;
}

std::optional<ChatTemplate> ChatTemplate::find(const Tokenizer& tokenizer,
                                               const std::filesystem::path& path) {
    const auto folder = std::filesystem::is_directory(path) ? path : path.parent_path();
    // transformers 4.43 and later may keep the template in a file of its own.
    const auto own = folder / "chat_template.jinja";
    const auto config = folder / "tokenizer_config.json";
    if (std::filesystem::exists(own)) return of(tokenizer, core::read_text(own, kLimits.size));
    return of(tokenizer, std::filesystem::exists(config) ? jinja_of(config) : std::string());
}

std::string ChatTemplate::apply(std::string_view prompt) const {
    // Llama's template trims what the user says, the others do not.
    const std::string_view said = family_ == "llama3" ? stripped(prompt) : prompt;
    return before_ + std::string(said) + after_;
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
