// Every kind of tokenizer against an independent one: Hugging Face's JavaScript library (its ids
// are checked in, with the script that made them) and the examples of the Rust library where the
// JavaScript one differs from it.
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/json.h"
#include "model/byte_level.h"
#include "model/tokenizer.h"
#include "tests/core/temp_folder.h"

namespace {

using core::Error;
using model::AddSpecial;
using model::ShowSpecial;
using model::Tokenizer;
using nlohmann::json;
using Ids = std::vector<std::int32_t>;

json read(const std::string& name) {
    return core::read_json(std::filesystem::path(TESSERA_SOURCE_DIR) / "tests/data/tokenizers" /
                           (name + ".json"));
}

std::vector<std::string> strings() { return read("strings").get<std::vector<std::string>>(); }

/// The tokenizer.json of one kind, put together.
json kind_file(json parts) {
    json file = parts;
    file["model"] = read("base_" + parts.at("base").get<std::string>());
    file.erase("base");
    for (const char* key : {"ignore_merges", "fuse_unk"}) {
        if (!file.contains(key)) continue;
        file["model"][key] = file[key];
        file.erase(key);
    }
    return file;
}

Tokenizer parse(const json& file) { return Tokenizer::parse(file.dump(), "tokenizer.json"); }

std::string streamed(const Tokenizer& tokenizer, const Ids& ids, ShowSpecial show) {
    model::StreamDecoder decoder(tokenizer, show);
    std::string text;
    for (const std::int32_t id : ids) {
        const std::string part = decoder.push(id);
        EXPECT_EQ(model::first_broken_byte(part), std::nullopt);
        text += part;
    }
    return text + decoder.finish();
}

/// The texts of the tokens, joined by "|".
std::string pieces(const Tokenizer& tokenizer, std::string_view text) {
    std::string out;
    for (const std::int32_t id : tokenizer.encode(text, AddSpecial::No)) {
        if (!out.empty()) out += '|';
        out += tokenizer.piece(id);
    }
    return out;
}

TEST(TokenizerKinds, give_the_ids_and_texts_of_hugging_face) {
    // The JavaScript library shares no code with this one, nor with the Rust library.
    const std::vector<std::string> texts = strings();
    ASSERT_GE(texts.size(), 200u);
    int kinds = 0;
    const json all = read("kinds");
    for (const auto& [name, parts] : all.items()) {
        ++kinds;
        const Tokenizer tokenizer = parse(kind_file(parts));
        const json expected = read("expected_" + name);
        for (std::size_t i = 0; i < texts.size(); ++i) {
            SCOPED_TRACE(name + ": " + texts[i]);
            EXPECT_EQ(tokenizer.encode(texts[i], AddSpecial::Yes),
                      expected.at("ids")[i].get<Ids>());
            const Ids plain = tokenizer.encode(texts[i], AddSpecial::No);
            const std::string text = tokenizer.decode(plain);
            EXPECT_EQ(text, expected.at("texts").value(std::to_string(i), texts[i]));
            EXPECT_EQ(streamed(tokenizer, plain, ShowSpecial::Yes), text);
        }
    }
    EXPECT_GE(kinds, 17);
}

TEST(TokenizerKinds, cutting_between_words_changes_no_token) {
    // A vocabulary without merges across words is cut between them; with one that has them it is
    // not. Both must be what merging the whole text gives, seen through a mark in no merge.
    json file = kind_file(read("kinds").at("llama2_old"));
    const Tokenizer cut = parse(file);
    // A merge across words that can never happen turns the cutting off.
    file["model"]["vocab"]["\x01q"] = 9000;
    file["model"]["vocab"]["\x01"] = 9001;
    file["model"]["vocab"]["\x01\xe2\x96\x81"] = 9002;
    file["model"]["merges"].push_back("\x01 \xe2\x96\x81");
    const Tokenizer whole = parse(file);
    std::string all;
    for (const std::string& text : strings()) {
        if (text.find('\x01') != text.npos) continue;
        EXPECT_EQ(cut.encode(text, AddSpecial::No), whole.encode(text, AddSpecial::No)) << text;
        all += text;
    }
    EXPECT_EQ(cut.encode(all, AddSpecial::No), whole.encode(all, AddSpecial::No));
}

json bytes_with(const json& pre_tokenizer) {
    json file = kind_file(read("kinds").at("gpt2"));
    file["model"]["merges"] = json::array();
    file["pre_tokenizer"] = {
        {"type", "Sequence"},
        {"pretokenizers",
         {pre_tokenizer,
          {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}}}};
    return file;
}

/// The pre-tokens of `text`, joined by "|": with every one of them in the vocabulary.
std::string pre_tokens(const json& step, const std::string& text) {
    json file = bytes_with(step);
    file["model"]["ignore_merges"] = true;
    int id = 10000;
    for (std::size_t begin = 0; begin < text.size(); ++begin) {
        for (std::size_t size = 2; begin + size <= text.size(); ++size) {
            std::string piece;
            for (const char byte : text.substr(begin, size)) {
                piece += model::byte_character(static_cast<std::uint8_t>(byte));
            }
            if (!file["model"]["vocab"].contains(piece)) file["model"]["vocab"][piece] = id++;
        }
    }
    return pieces(parse(file), text);
}

TEST(TokenizerKinds, splits_treat_delimiters_in_five_ways) {
    // The example of huggingface/tokenizers: tokenizer/pre_tokenizer.rs and normalizer.rs.
    const std::map<std::string, std::string> expected{
        {"Removed", "the|final|countdown"},
        {"Isolated", "the|-|final|-|-|countdown"},
        {"MergedWithPrevious", "the-|final-|-|countdown"},
        {"MergedWithNext", "the|-final|-|-countdown"},
        {"Contiguous", "the|-|final|--|countdown"}};
    for (const auto& [behavior, parts] : expected) {
        const json step = {{"type", "Split"},
                           {"pattern", {{"String", "-"}}},
                           {"behavior", behavior},
                           {"invert", false}};
        EXPECT_EQ(pre_tokens(step, "the-final--countdown"), parts) << behavior;
    }
}

TEST(TokenizerKinds, digits_and_punctuation_split) {
    // Digits are Unicode's category N, as Rust's char::is_numeric.
    const json together = {{"type", "Digits"}, {"individual_digits", false}};
    const json single = {{"type", "Digits"}, {"individual_digits", true}};
    EXPECT_EQ(pre_tokens(together, "ab12\xd9\xa3 4"), "ab|12\xd9\xa3| |4");
    EXPECT_EQ(pre_tokens(single, "ab12"), "ab|1|2");
    EXPECT_EQ(pre_tokens({{"type", "Punctuation"}, {"behavior", "Contiguous"}}, "a,$b\xc2\xbf"),
              "a|,$|b|\xc2\xbf");
    EXPECT_EQ(pre_tokens({{"type", "WhitespaceSplit"}}, "a b\n"), "a|b");
}

TEST(TokenizerKinds, metaspace_may_split_at_every_mark) {
    // "split": true is the default; marks that follow each other stand alone.
    json file = kind_file(read("kinds").at("always"));
    file["pre_tokenizer"].erase("split");
    file["model"]["vocab"]["\xe2\x96\x81\xe2\x96\x81"] = 9000;
    file["model"]["merges"].insert(file["model"]["merges"].begin(), "\xe2\x96\x81 \xe2\x96\x81");
    EXPECT_EQ(pieces(parse(file), "  a"), " | a");
    file["pre_tokenizer"]["split"] = false;
    EXPECT_EQ(pieces(parse(file), "  a"), "  a");
    // Before "prepend_scheme" there was "add_prefix_space".
    file["pre_tokenizer"].erase("prepend_scheme");
    file["pre_tokenizer"]["add_prefix_space"] = false;
    EXPECT_EQ(pieces(parse(file), "a").front(), 'a');
}

TEST(TokenizerKinds, single_words_are_not_found_inside_words) {
    // huggingface/tokenizers added_vocabulary.rs: letters, marks, digits and "_" make words.
    json file = kind_file(read("kinds").at("gpt2"));
    file["added_tokens"] = {{{"id", 9000}, {"content", "cat"}, {"single_word", true}}};
    const Tokenizer tokenizer = parse(file);
    const auto found = [&](std::string_view text) {
        int count = 0;
        for (const std::int32_t id : tokenizer.encode(text, AddSpecial::No)) count += id == 9000;
        return count;
    };
    EXPECT_EQ(found("cat"), 1);
    EXPECT_EQ(found("a cat, cat"), 2);
    for (const char* inside : {"cats", "bobcat", "cat_", "9cat", "cat\xcc\x81",
                               "\xe4\xbd\xa0"
                               "cat"}) {
        EXPECT_EQ(found(inside), 0) << inside;
    }
}

TEST(TokenizerKinds, lowercase_goes_letter_by_letter) {
    // Rust's char::to_lowercase: dotted I becomes two characters, a final sigma stays medial.
    json file = kind_file(read("kinds").at("gpt2"));
    file["normalizer"] = {{"type", "Lowercase"}};
    const Tokenizer tokenizer = parse(file);
    const auto lower = [&](std::string_view text) {
        return tokenizer.decode(tokenizer.encode(text, AddSpecial::No));
    };
    EXPECT_EQ(lower("\xc4\xb0X"), "i\xcc\x87x");
    EXPECT_EQ(lower("\xce\x9f\xce\xa3"), "\xce\xbf\xcf\x83");
}

TEST(TokenizerKinds, byte_pieces_stream_as_whole_characters) {
    // An emoji outside the vocabulary comes as four pieces.
    const Tokenizer tokenizer = parse(kind_file(read("kinds").at("llama2_old")));
    const Ids ids = tokenizer.encode("\xf0\x9f\x98\x80 a", AddSpecial::No);
    model::StreamDecoder decoder(tokenizer);
    std::vector<std::string> parts;
    for (const std::int32_t id : ids) parts.push_back(decoder.push(id));
    EXPECT_EQ(parts, (std::vector<std::string>{"", "", "", "", "\xf0\x9f\x98\x80", " a"}));
    // The first space is the tokenizer's; one that ends the output too early is broken.
    EXPECT_EQ(tokenizer.decode(Ids{ids[0], ids[1], ids[2]}), "\xef\xbf\xbd");
}

TEST(TokenizerKinds, unknown_parts_are_named) {
    // A part that is skipped silently gives wrong ids.
    const json good = kind_file(read("kinds").at("llama2_old"));
    const auto failure = [&](const std::string& pointer, const json& value) {
        json file = good;
        file[json::json_pointer(pointer)] = value;
        return message_of<Error>([&] { parse(file); });
    };
    EXPECT_PRED2(contains, failure("/normalizer/normalizers/0/type", "Nmt"),
                 "normalizer.normalizers[0].type: expected NFC, NFD");
    EXPECT_PRED2(contains, failure("/pre_tokenizer", {{"type", "UnicodeScripts"}}),
                 "pre_tokenizer.type: expected Split, Digits");
    EXPECT_PRED2(contains, failure("/decoder/decoders/1/type", "CTC"),
                 "decoder.decoders[1].type: expected ByteLevel, ByteFallback");
    EXPECT_PRED2(contains, failure("/decoder/decoders/3/type", "Replace"),
                 "decoder.decoders[3].type: expected at most one Strip after Fuse");
    EXPECT_PRED2(contains, failure("/model/type", "WordPiece"), "model.type: expected \"BPE\"");
    EXPECT_PRED2(contains, failure("/model/unk_token", "<none>"),
                 "model.unk_token: expected an entry of the vocabulary");
    EXPECT_PRED2(contains, failure("/decoder/decoders/3/content", "ab"),
                 "decoder.decoders[3].content: expected one character");
    EXPECT_PRED2(contains,
                 failure("/pre_tokenizer",
                         {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "last"}}),
                 "pre_tokenizer.prepend_scheme: expected always, first or never");
}

}  // namespace
