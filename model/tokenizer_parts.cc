#include "model/tokenizer_parts.h"

#include <array>
#include <utility>

#include "core/error.h"
#include "model/utf8.h"

namespace model {

namespace {

using core::Error;
using core::JsonObject;
using nlohmann::json;

constexpr std::int64_t kMostStripped = 1000;

Pattern read_pattern(const JsonObject& step) {
    const JsonObject pattern = step.object("pattern");
    const bool is_literal = pattern.has("String");
    const char* key = is_literal ? "String" : "Regex";
    return Pattern(pattern.text(key), is_literal ? PatternKind::Literal : PatternKind::Regex,
                   step.where(), pattern.path_of(key));
}

/// Throws Error unless `key` is one character.
std::string read_character(const JsonObject& step, std::string_view key) {
    std::string text = step.text(key);
    if (text.empty() || utf8_step(text).length != text.size()) {
        throw step.unexpected(key, "one character");
    }
    return text;
}

// --- normalizer ---

Normalizer::Step read_normalizer_step(const JsonObject& step) {
    const std::string type = step.text("type");
    if (type == "NFC") return UnicodeForm::Nfc;
    if (type == "NFD") return UnicodeForm::Nfd;
    if (type == "NFKC") return UnicodeForm::Nfkc;
    if (type == "NFKD") return UnicodeForm::Nfkd;
    if (type == "Lowercase") return LowercaseStep{};
    if (type == "Replace") return ReplaceStep{read_pattern(step), step.text("content")};
    if (type == "Prepend") return PrependStep{step.text("prepend")};
    if (type == "Strip") return StripStep{step.boolean("strip_left"), step.boolean("strip_right")};
    throw unsupported(step, "type",
                      "NFC, NFD, NFKC, NFKD, Lowercase, Replace, Prepend, Strip or Sequence");
}

// --- pre-tokenizer ---

SplitBehavior read_behavior(const JsonObject& step, std::string_view name) {
    constexpr std::array<std::pair<std::string_view, SplitBehavior>, 5> kKnown{
        {{"Removed", SplitBehavior::Removed},
         {"Isolated", SplitBehavior::Isolated},
         {"MergedWithPrevious", SplitBehavior::MergedWithPrevious},
         {"MergedWithNext", SplitBehavior::MergedWithNext},
         {"Contiguous", SplitBehavior::Contiguous}}};
    for (const auto& [known, behavior] : kKnown) {
        if (name == known) return behavior;
    }
    throw unsupported(step, "behavior",
                      "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous");
}

SplitStep read_split(const JsonObject& step) {
    return {read_pattern(step), read_behavior(step, step.text("behavior")),
            step.optional_boolean("invert").value_or(false)};
}

SplitStep fixed_split(const JsonObject& step, std::string_view pattern, SplitBehavior behavior) {
    return {Pattern(pattern, PatternKind::Regex, step.where(), step.path_of("type")), behavior,
            false};
}

ByteLevelStep read_byte_level(const JsonObject& step) {
    ByteLevelStep level;
    level.adds_space = step.optional_boolean("add_prefix_space").value_or(true);
    if (step.optional_boolean("use_regex").value_or(true)) {
        level.pattern.emplace(gpt2_pattern(), PatternKind::Regex, step.where(),
                              step.path_of("use_regex"));
    }
    return level;
}

/// "prepend_scheme", or "add_prefix_space" of older files.
MetaspaceStep::Prepend read_prepend(const JsonObject& step) {
    using Prepend = MetaspaceStep::Prepend;
    if (!step.has("prepend_scheme")) {
        return step.optional_boolean("add_prefix_space").value_or(true) ? Prepend::Always
                                                                        : Prepend::Never;
    }
    const std::string scheme = step.text("prepend_scheme");
    if (scheme == "always") return Prepend::Always;
    if (scheme == "first") return Prepend::First;
    if (scheme == "never") return Prepend::Never;
    throw unsupported(step, "prepend_scheme", "always, first or never");
}

MetaspaceStep read_metaspace(const JsonObject& step) {
    return {read_character(step, "replacement"), read_prepend(step),
            step.optional_boolean("split").value_or(true)};
}

PreTokenizer::Step read_pre_tokenizer_step(const JsonObject& step) {
    const std::string type = step.text("type");
    if (type == "Split") return read_split(step);
    if (type == "ByteLevel") return read_byte_level(step);
    if (type == "Metaspace") return read_metaspace(step);
    if (type == "Digits") {
        const bool single = step.optional_boolean("individual_digits").value_or(false);
        return fixed_split(step, "\\p{N}",
                           single ? SplitBehavior::Isolated : SplitBehavior::Contiguous);
    }
    if (type == "Punctuation") {
        const std::string behavior = step.optional_text("behavior").value_or("Isolated");
        return fixed_split(step, R"([\p{P}!-/:-@\[-`{-~])", read_behavior(step, behavior));
    }
    if (type == "WhitespaceSplit") return fixed_split(step, "\\s", SplitBehavior::Removed);
    throw unsupported(
        step, "type",
        "Split, Digits, Punctuation, WhitespaceSplit, Metaspace, ByteLevel or Sequence");
}

// --- decoder ---

EndStrip read_strip(const JsonObject& step) {
    return {read_character(step, "content"), step.integer("start", 0, kMostStripped),
            step.integer("stop", 0, kMostStripped)};
}

/// Adds the decoder Metaspace: marks are spaces, the first one of the text is not shown.
void add_metaspace(const JsonObject& step, TokenDecoder& decoder) {
    const std::string mark = read_character(step, "replacement");
    decoder.add(TokenDecoder::Replace{
        Pattern(mark, PatternKind::Literal, step.where(), step.path_of("replacement")), " "});
    if (read_prepend(step) != MetaspaceStep::Prepend::Never) decoder.set_ends({" ", 1, 0});
}

/// Adds a step that every piece goes through.
void add_piece_step(const JsonObject& step, TokenDecoder& decoder) {
    const std::string type = step.text("type");
    if (type == "Replace") {
        decoder.add(TokenDecoder::Replace{read_pattern(step), step.text("content")});
    } else if (type == "Strip") {
        decoder.add(read_strip(step));
    } else if (type == "ByteFallback") {
        decoder.add(TokenDecoder::ByteFallback{});
    } else if (type == "ByteLevel") {
        decoder.add(TokenDecoder::ByteLevel{});
    } else if (type == "Metaspace") {
        add_metaspace(step, decoder);
    } else {
        throw unsupported(step, "type",
                          "ByteLevel, ByteFallback, Fuse, Strip, Replace, Metaspace or Sequence");
    }
}

}  // namespace

Error unsupported(const JsonObject& object, std::string_view key, std::string_view supported) {
    return object.unexpected(key, supported)
        .hint(
            "BPE of bytes or characters is understood (GPT-2, Llama, Mistral, Phi, Qwen kind); "
            "see docs/tokenizers.md");
}

std::string element(std::string_view key, std::size_t index) {
    return std::string(key) + "[" + std::to_string(index) + "]";
}

std::vector<JsonObject> read_steps(const JsonObject& object, std::string_view list_key) {
    if (object.text("type") != "Sequence") return {object};
    std::vector<JsonObject> steps;
    const json& list = object.array(list_key);
    for (std::size_t i = 0; i < list.size(); ++i) {
        const JsonObject entry(list[i], object.where(), object.path_of(element(list_key, i)));
        for (JsonObject& step : read_steps(entry, list_key)) steps.push_back(std::move(step));
    }
    return steps;
}

Normalizer read_normalizer(const JsonObject& root) {
    Normalizer normalizer;
    if (!root.has("normalizer")) return normalizer;
    for (const JsonObject& step : read_steps(root.object("normalizer"), "normalizers")) {
        normalizer.add(read_normalizer_step(step));
    }
    return normalizer;
}

ReadPreTokenizer read_pre_tokenizer(const JsonObject& root) {
    ReadPreTokenizer read;
    if (!root.has("pre_tokenizer")) return read;
    for (const JsonObject& step : read_steps(root.object("pre_tokenizer"), "pretokenizers")) {
        if (read.symbols == Symbols::Bytes) {
            throw unsupported(step, "type", "nothing after ByteLevel");
        }
        if (step.text("type") == "ByteLevel") read.symbols = Symbols::Bytes;
        read.splitter.add(read_pre_tokenizer_step(step));
    }
    return read;
}

TokenDecoder read_decoder(const JsonObject& root, Symbols symbols) {
    TokenDecoder decoder;
    if (!root.has("decoder")) {
        if (symbols == Symbols::Bytes) decoder.add(TokenDecoder::ByteLevel{});
        return decoder;
    }
    bool is_fused = false;  // the pieces are one text from here on
    bool has_bytes = false;
    for (const JsonObject& step : read_steps(root.object("decoder"), "decoders")) {
        const std::string type = step.text("type");
        if (type == "Fuse") {
            is_fused = true;
        } else if (is_fused) {
            if (type != "Strip" || !decoder.ends().character.empty()) {
                throw unsupported(step, "type", "at most one Strip after Fuse");
            }
            decoder.set_ends(read_strip(step));
        } else if (has_bytes) {
            throw unsupported(step, "type", "Fuse after bytes");
        } else {
            add_piece_step(step, decoder);
            has_bytes = type == "ByteFallback" || type == "ByteLevel";
        }
    }
    return decoder;
}

}  // namespace model
