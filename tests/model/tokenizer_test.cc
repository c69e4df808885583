#include "model/tokenizer.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>

#include "core/error.h"
#include "core/json.h"
#include "model/byte_level.h"
#include "tests/core/temp_folder.h"

namespace {

using core::Error;
using model::AddSpecial;
using model::ShowSpecial;
using model::Tokenizer;
using nlohmann::json;
using Ids = std::vector<std::int32_t>;

const std::filesystem::path kDemo =
    std::filesystem::path(TESSERA_SOURCE_DIR) / "models/tiny-shakespeare";

/// A whole tokenizer.json: the 256 bytes are tokens 0 to 255, then `merged` pieces of two parts.
json small(const std::vector<std::pair<std::string, std::string>>& merged = {}) {
    json vocab = json::object();
    for (int byte = 0; byte < 256; ++byte) {
        vocab[model::byte_character(static_cast<std::uint8_t>(byte))] = byte;
    }
    json merges = json::array();
    for (const auto& [left, right] : merged) {
        vocab.emplace(left + right, vocab.size());
        merges.push_back(left + " " + right);
    }
    return {{"added_tokens", json::array()},
            {"normalizer", nullptr},
            {"pre_tokenizer",
             {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}}},
            {"post_processor", nullptr},
            {"decoder", {{"type", "ByteLevel"}}},
            {"model", {{"type", "BPE"}, {"vocab", vocab}, {"merges", merges}}}};
}

json split(const std::string& regex) {
    return {{"type", "Split"},
            {"pattern", {{"Regex", regex}}},
            {"behavior", "Isolated"},
            {"invert", false}};
}

json byte_level() {
    return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", false}};
}

Tokenizer parse(const json& value) { return Tokenizer::parse(value.dump(), "tokenizer.json"); }

std::string failure(const json& value) {
    return message_of<Error>([&] { parse(value); });
}

json with(const std::string& pointer, json value) {
    json file = small({{"a", "b"}});
    file[json::json_pointer(pointer)] = std::move(value);
    return file;
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

const std::vector<std::string> kTricky{
    "",
    " ",
    "   ",
    "\n",
    "\r\n\r\n \t\n",
    "a  b   c    ",
    "  \n  x\n\n  ",
    "It's we'll THEY'RE I'm can't o'clock",
    "1 12 123 1234 1234567 3.14159 -2e10",
    "\xf0\x9f\x98\x80\xf0\x9f\x91\xa9\xe2\x80\x8d\xf0\x9f\x92\xbb\xf0\x9f\x87\xa9\xf0\x9f\x87\xaa",
    "e\xcc\x81 n\xcc\x83 Z\xcc\xb7\xcc\xa2",                            // combining marks
    "\xe4\xbd\xa0\xe5\xa5\xbd\xe4\xb8\x96\xe7\x95\x8c\xe3\x80\x82",     // CJK
    "\xd9\x85\xd8\xb1\xd8\xad\xd8\xa8\xd8\xa7 \xd8\xa8\xd9\x83",        // Arabic
    "for (int i = 0; i < n; ++i) { x[i] *= 2.5f; }  // ok\n\treturn;",  // code
    "<|begin_of_text|>ROMEO:<|eot_id|> <|eot_id|",
    "<|pad|><|pad|><|reserved_0|>",
    std::string("nul \0 inside", 12),
    "\xc2\xa0\xe2\x80\xa8\xe3\x80\x80 \xe1\xa0\x8e \xef\xbb\xbf",  // spaces of all kinds
    "\xf4\x8f\xbf\xbf \xef\xbf\xbd \xed\x9f\xbf",                  // ends of the code space
    "Iffy \xc5\xbf'\xc5\xbf long s",
};

TEST(Tokenizer, gives_the_reference_ids_of_five_prompts) {
    // The ids come from the PyTorch reference with Hugging Face's tokenizer (reference.json).
    const Tokenizer tokenizer = Tokenizer::load(kDemo);
    const json reference = core::read_json(kDemo / "reference.json");
    ASSERT_EQ(reference.at("cases").size(), 5u);
    for (const json& entry : reference.at("cases")) {
        const auto prompt = entry.at("prompt").get<std::string>();
        EXPECT_EQ(tokenizer.encode(prompt, AddSpecial::Yes),
                  entry.at("prompt_token_ids").get<Ids>())
            << prompt;
        EXPECT_EQ(tokenizer.decode(entry.at("token_ids").get<Ids>()),
                  entry.at("text").get<std::string>());
    }
}

TEST(Tokenizer, decoding_undoes_encoding) {
    // Byte-level BPE loses nothing; any difference is a bug.
    const Tokenizer tokenizer = Tokenizer::load(kDemo);
    for (const std::string& text : kTricky) {
        EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, AddSpecial::No)), text);
        EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, AddSpecial::Yes), ShowSpecial::No),
                  tokenizer.decode(tokenizer.encode(text, AddSpecial::No), ShowSpecial::No));
    }
}

TEST(Tokenizer, special_tokens_in_text_become_their_ids) {
    // Chat templates are text; their markers must not be spelled out in letters.
    const Tokenizer tokenizer = Tokenizer::load(kDemo);
    EXPECT_EQ(tokenizer.encode("<|eot_id|><|pad|>", AddSpecial::Yes), (Ids{2040, 2044, 2045}));
    EXPECT_EQ(tokenizer.decode(Ids{2040, 870, 25, 2041}), "<|begin_of_text|>ROMEO:<|end_of_text|>");
    EXPECT_EQ(tokenizer.decode(Ids{2040, 870, 25, 2041}, ShowSpecial::No), "ROMEO:");
    EXPECT_EQ(tokenizer.find_added("<|eot_id|>"), 2044);
    EXPECT_EQ(tokenizer.find_added("<|eot"), std::nullopt);
    EXPECT_TRUE(tokenizer.is_special(2044));
    EXPECT_FALSE(tokenizer.is_special(870));
    EXPECT_EQ(tokenizer.piece(870), "ROMEO");
    EXPECT_EQ(tokenizer.vocab_size(), 2048);
}

TEST(Tokenizer, text_that_is_not_utf8_is_an_error_with_its_place) {
    // The pattern matcher reads memory it should not when given broken UTF-8.
    const Tokenizer tokenizer = Tokenizer::load(kDemo);
    for (const char* bad : {"ab\xff", "ab\xc3", "ab\xed\xa0\x80", "ab\xc0\x80",
                            "ab\xf4\x90\x80\x80", "ab\x80", "ab\xe2\x82"}) {
        EXPECT_PRED2(contains, message_of<Error>([&] { tokenizer.encode(bad, AddSpecial::Yes); }),
                     "text: byte 2: expected UTF-8");
    }
}

TEST(Tokenizer, unknown_ids_are_errors) {
    // The model's vocabulary may be padded beyond the tokenizer's.
    const Tokenizer tokenizer = Tokenizer::load(kDemo);
    for (const std::int32_t id : {-1, 2048, std::numeric_limits<std::int32_t>::max()}) {
        EXPECT_PRED2(contains, message_of<Error>([&] { tokenizer.decode(Ids{id}); }),
                     "expected an entry of the vocabulary, 0 to 2047, got " + std::to_string(id));
    }
}

TEST(Tokenizer, a_megabyte_of_one_letter_is_no_problem) {
    // A quadratic merge loop or pattern match would take hours here, and this ends in seconds.
    const Tokenizer tokenizer = Tokenizer::load(kDemo);
    for (const char letter : {'e', ' ', '\n', '<', '1', '.', '\''}) {
        const std::string text(1 << 20, letter);
        EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, AddSpecial::No)), text) << letter;
    }
    const std::string spaced = std::string(1 << 20, ' ') + "x";
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(spaced, AddSpecial::No)), spaced);
}

TEST(Tokenizer, the_llama3_pattern_splits_as_published) {
    // A split shows where merges that the vocabulary has do not happen.
    json file = small({{"1", "1"},
                       {"11", "1"},
                       {"111", "1"},
                       {"\xc4\xa0", "\xc4\xa0"},
                       {"\xc4\xa0", "a"},
                       {"a", "a"},
                       {"aa", "'"},
                       {"'", "s"},
                       {"'", "S"},
                       {"!", "\xc4\x8a"},
                       {"\xc4\x8a", "\xc4\x8a"},
                       {"!", "a"}});
    const json demo = core::read_json(kDemo / "tokenizer.json");
    file["pre_tokenizer"] = demo.at("pre_tokenizer");
    const Tokenizer tokenizer = parse(file);
    EXPECT_EQ(pieces(tokenizer, "11111"), "111|11");     // \p{N}{1,3}
    EXPECT_EQ(pieces(tokenizer, "aa's"), "aa|'s");       // contractions stand alone
    EXPECT_EQ(pieces(tokenizer, "aa'S"), "aa|'S");       // in either case
    EXPECT_EQ(pieces(tokenizer, "   a"), "  | a");       // the last space joins the word
    EXPECT_EQ(pieces(tokenizer, "a  "), "a|  ");         // trailing spaces
    EXPECT_EQ(pieces(tokenizer, "!\n\n"), "!\n|\n");     // newlines go with punctuation ...
    EXPECT_EQ(pieces(tokenizer, "a\n\na"), "a|\n\n|a");  // ... and else together
    EXPECT_EQ(pieces(tokenizer, "!a!a"), "!a|!a");       // one sign may lead a word
}

TEST(Tokenizer, white_space_is_what_unicode_calls_so) {
    // U+180E left White_Space in Unicode 6.3 but PCRE2's \s keeps it; U+3000 is in both.
    json file =
        small({{"a", "\xc3\xa1"}, {"a\xc3\xa1", "\xc5\x82"}, {"a\xc3\xa1\xc5\x82", "\xc4\xb0"}});
    file["pre_tokenizer"] = {{"type", "Sequence"},
                             {"pretokenizers", {split("\\s+|[^\\s]+"), byte_level()}}};
    const Tokenizer tokenizer = parse(file);
    EXPECT_EQ(tokenizer.encode("a\xe1\xa0\x8e", AddSpecial::No).size(), 1u);
    file = small({{"a", "\xc3\xa3"}});
    file["pre_tokenizer"] = {{"type", "Sequence"},
                             {"pretokenizers", {split("\\s+|\\S+"), byte_level()}}};
    EXPECT_EQ(parse(file).encode("a\xe3\x80\x80", AddSpecial::No).size(), 4u);
}

/// Merges by the definition: find the lowest rank, the leftmost place, join, start over.
std::vector<std::string> merge_slowly(std::string_view text,
                                      const std::vector<std::pair<std::string, std::string>>& by) {
    std::vector<std::string> parts;
    for (const char letter : text) parts.emplace_back(1, letter);
    for (std::size_t rank = 0; rank < by.size();) {
        std::size_t i = 0;
        while (i + 1 < parts.size() &&
               !(parts[i] == by[rank].first && parts[i + 1] == by[rank].second)) {
            ++i;
        }
        if (i + 1 >= parts.size()) {
            ++rank;
            continue;
        }
        parts[i] += parts[i + 1];
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(i) + 1);
        rank = 0;
    }
    return parts;
}

TEST(Bpe, agrees_with_merging_by_definition) {
    // The queue skips stale pairs; a wrong skip shows only in rare overlaps such as "aaa".
    const std::vector<std::pair<std::string, std::string>> merged{
        {"a", "a"},   {"b", "a"},  {"a", "b"},    {"aa", "a"},  {"ab", "aa"}, {"ba", "ba"},
        {"aa", "ba"}, {"c", "ab"}, {"baba", "c"}, {"aa", "aa"}, {"b", "b"}};
    const Tokenizer tokenizer = parse(small(merged));
    std::mt19937 random(5);
    for (int round = 0; round < 2000; ++round) {
        std::string text(random() % 120, 'a');  // few symbols, and many
        for (char& letter : text) letter = static_cast<char>('a' + random() % 3);
        std::string expected;
        for (const std::string& part : merge_slowly(text, merged)) {
            expected += (expected.empty() ? "" : "|") + part;
        }
        ASSERT_EQ(pieces(tokenizer, text), expected) << text;
    }
}

TEST(Bpe, ignore_merges_takes_a_whole_pre_token_first) {
    // Llama-3 has entries that its merges never reach.
    json file = small({{"a", "b"}});
    file["model"]["vocab"]["abc"] = 257;
    EXPECT_EQ(pieces(parse(file), "abc"), "ab|c");
    file["model"]["ignore_merges"] = true;
    EXPECT_EQ(pieces(parse(file), "abc"), "abc");
}

TEST(Bpe, both_spellings_of_merges_are_read) {
    // Since tokenizers 0.20 merges are pairs of texts, which may then hold spaces.
    json file = small({{"a", "b"}, {"ab", "c"}});
    const Ids expected{257};
    EXPECT_EQ(parse(file).encode("abc", AddSpecial::No), expected);
    file["model"]["merges"] = json::array({json::array({"a", "b"}), json::array({"ab", "c"})});
    EXPECT_EQ(parse(file).encode("abc", AddSpecial::No), expected);
}

TEST(Tokenizer, prefix_space_and_gpt2_pattern_work_as_in_gpt2) {
    // "use_regex" and "add_prefix_space" default to true in the format.
    json file = small({{"\xc4\xa0", "h"}, {"i", "1"}});
    file["pre_tokenizer"] = {{"type", "ByteLevel"}};
    EXPECT_EQ(pieces(parse(file), "hi1"), " h|i|1");
    EXPECT_EQ(pieces(parse(file), " hi"), " h|i");
    file["pre_tokenizer"]["use_regex"] = false;
    EXPECT_EQ(pieces(parse(file), "hi1"), " h|i1");
}

TEST(Tokenizer, added_tokens_take_the_longest_and_may_strip) {
    // "<s>" must not win over "<s>x" where both fit.
    json file = small();
    file["added_tokens"] = {
        {{"id", 300}, {"content", "<s>"}, {"special", true}},
        {{"id", 301}, {"content", "<s>x"}, {"special", false}, {"normalized", false}},
        {{"id", 302}, {"content", "<m>"}, {"special", true}, {"lstrip", true}, {"rstrip", true}}};
    const Tokenizer tokenizer = parse(file);
    EXPECT_EQ(tokenizer.encode("<s>x<s>y", AddSpecial::No), (Ids{301, 300, 'y'}));
    EXPECT_EQ(tokenizer.encode("a \xe3\x80\x80<m>\n b", AddSpecial::No), (Ids{'a', 302, 'b'}));
    EXPECT_EQ(tokenizer.vocab_size(), 303);
    // Ids 256 to 299 are holes.
    EXPECT_THROW(tokenizer.piece(299), Error);
    EXPECT_EQ(tokenizer.decode(Ids{301, 300}, ShowSpecial::No), "<s>x");
}

TEST(Tokenizer, templates_put_tokens_around_the_text) {
    // Llama-3 wraps its template in a Sequence with a ByteLevel.
    json file = small();
    file["added_tokens"] = {{{"id", 256}, {"content", "<b>"}, {"special", true}},
                            {{"id", 257}, {"content", "<e>"}, {"special", true}}};
    const json around = {
        {"type", "TemplateProcessing"},
        {"single",
         {{{"SpecialToken", {{"id", "<b>"}, {"type_id", 0}}}},
          {{"Sequence", {{"id", "A"}, {"type_id", 0}}}},
          {{"SpecialToken", {{"id", "<e>"}, {"type_id", 0}}}}}},
        {"special_tokens",
         {{"<b>", {{"id", "<b>"}, {"ids", {256}}}}, {"<e>", {{"id", "<e>"}, {"ids", {257}}}}}}};
    file["post_processor"] = {{"type", "Sequence"},
                              {"processors", {{{"type", "ByteLevel"}}, around}}};
    const Tokenizer tokenizer = parse(file);
    EXPECT_EQ(tokenizer.encode("!", AddSpecial::Yes), (Ids{256, '!', 257}));
    EXPECT_EQ(tokenizer.encode("!", AddSpecial::No), Ids{'!'});
    file["post_processor"]["processors"][1]["special_tokens"]["<e>"]["ids"] = {999};
    EXPECT_PRED2(contains, failure(file),
                 "post_processor.processors[1].special_tokens.<e>.ids: expected ids of the "
                 "vocabulary, got 999");
    file["post_processor"]["processors"][1]["single"] = json::array();
    EXPECT_PRED2(contains, failure(file), "a template with one Sequence");
}

TEST(Tokenizer, begin_token_comes_from_the_config_without_a_template) {
    // Some checkpoints say so only in tokenizer_config.json.
    const TempFolder folder;
    json file = small();
    file["added_tokens"] = {{{"id", 256}, {"content", "<b>"}, {"special", true}}};
    folder.write("tokenizer.json", file.dump());
    EXPECT_EQ(Tokenizer::load(folder.path()).encode("", AddSpecial::Yes), Ids{});
    folder.write("tokenizer_config.json", R"({"add_bos_token": true, "bos_token": "<b>"})");
    EXPECT_EQ(Tokenizer::load(folder.path()).encode("", AddSpecial::Yes), Ids{256});
    folder.write("tokenizer_config.json",
                 R"({"add_bos_token": true, "bos_token": {"content": "<b>"}})");
    EXPECT_EQ(Tokenizer::load(folder.path() / "tokenizer.json").encode("", AddSpecial::Yes),
              Ids{256});
    folder.write("tokenizer_config.json", R"({"add_bos_token": true, "bos_token": "<x>"})");
    EXPECT_PRED2(contains, message_of<Error>([&] { Tokenizer::load(folder.path()); }),
                 "tokenizer_config.json: bos_token: expected one of the added tokens");
}

TEST(Tokenizer, other_kinds_are_named_with_what_is_supported) {
    // WordPiece and Unigram files must not be half understood.
    EXPECT_PRED2(contains, failure(with("/model/type", "Unigram")),
                 "tokenizer.json: model.type: expected \"BPE\", got \"Unigram\"");
    EXPECT_PRED2(contains, failure(with("/model/type", "Unigram")), "hint: BPE of bytes");
    EXPECT_PRED2(contains, failure(with("/model/byte_fallback", true)), "model.byte_fallback");
    EXPECT_PRED2(contains, failure(with("/model/dropout", 0.1)), "model.dropout");
    EXPECT_PRED2(contains, failure(with("/model/end_of_word_suffix", "</w>")),
                 "model.end_of_word_suffix");
    EXPECT_PRED2(contains, failure(with("/pre_tokenizer", {{"type", "BertPreTokenizer"}})),
                 "pre_tokenizer.type: expected Split, Digits");
    EXPECT_PRED2(contains, failure(with("/normalizer", {{"type", "BertNormalizer"}})),
                 "normalizer.type: expected NFC, NFD");
    EXPECT_PRED2(contains, failure(with("/decoder", {{"type", "WordPiece"}})), "decoder.type");
    EXPECT_PRED2(contains, failure(with("/post_processor", {{"type", "BertProcessing"}})),
                 "post_processor.type");
    EXPECT_PRED2(contains, failure(json::object()), "tokenizer.json: model: expected an object");
    EXPECT_PRED2(contains, failure(json::array()), "tokenizer.json: expected an object");
}

TEST(Tokenizer, broken_vocabularies_and_merges_are_errors) {
    // Each names the entry.
    json file = small({{"a", "b"}});
    file["model"]["vocab"].erase("z");
    EXPECT_PRED2(contains, failure(file),
                 "model.vocab.z: expected a token for byte 122, got nothing");
    EXPECT_PRED2(contains, failure(with("/model/vocab/zz", 5)),
                 "expected an id no other entry has");
    EXPECT_PRED2(contains, failure(with("/model/vocab/zz", -1)),
                 "model.vocab.zz: expected an integer");
    EXPECT_PRED2(contains, failure(with("/model/vocab/zz", 1ll << 40)), "expected an integer");
    EXPECT_PRED2(contains, failure(with("/model/vocab", nullptr)),
                 "model.vocab: expected an object");
    for (const json& bad :
         {json("ab"), json("a b c"), json::array({"a"}), json(1), json::array({"a", 1})}) {
        EXPECT_PRED2(contains, failure(with("/model/merges", json::array({bad}))),
                     "model.merges[0]: expected \"a b\"")
            << bad;
    }
    EXPECT_PRED2(contains, failure(with("/model/merges", json::array({"a q"}))),
                 "model.merges[0]: expected pieces of the vocabulary, got \"aq\"");
    const json twice = {{{"id", 300}, {"content", "<s>"}}, {{"id", 301}, {"content", "<s>"}}};
    EXPECT_PRED2(contains, failure(with("/added_tokens", twice)), "\"<s>\" twice");
    const json taken = {{{"id", 36}, {"content", "<s>"}}};
    EXPECT_PRED2(contains, failure(with("/added_tokens", taken)), "\"$\" has it already");
    const json empty = {{{"id", 300}, {"content", ""}}};
    EXPECT_PRED2(contains, failure(with("/added_tokens", empty)),
                 "added_tokens[0].content: expected 1 to 512 bytes");
}

TEST(Tokenizer, hostile_patterns_end) {
    // Two nested repeats take exponentially many steps on a run of "a" that no "!b" follows.
    json file = small();
    file["pre_tokenizer"] = {{"type", "Sequence"},
                             {"pretokenizers", {split("(?:a|a?)+(?:a|a?)+!b"), byte_level()}}};
    const Tokenizer tokenizer = parse(file);
    EXPECT_PRED2(contains, message_of<Error>([&] {
                     tokenizer.encode(std::string(200, 'a') + "!cb", AddSpecial::No);
                 }),
                 "tokenizer pattern: expected a match in bounded time");
    file["pre_tokenizer"]["pretokenizers"][0] = split("(a");
    EXPECT_PRED2(contains, failure(file),
                 "pretokenizers[0].pattern.Regex: expected a regular expression, got \"(a\"");
    file["pre_tokenizer"]["pretokenizers"][0] = split("x*");  // matches nothing everywhere
    EXPECT_EQ(parse(file).decode(parse(file).encode("axxb", AddSpecial::No)), "axxb");
    file["pre_tokenizer"]["pretokenizers"][0] = split("(?<=a)b|\\Kc");
    EXPECT_EQ(parse(file).decode(parse(file).encode("abcab", AddSpecial::No)), "abcab");
}

TEST(Tokenizer, any_damage_is_an_error_or_a_tokenizer) {
    // Random edits of a real file: only core::Error may come out, and what loads must work.
    json demo = core::read_json(kDemo / "tokenizer.json");
    demo["model"] = small({{"a", "b"}, {"ab", "c"}})["model"];
    const std::string good = demo.dump();
    std::mt19937 random(11);
    int survivors = 0;
    for (int round = 0; round < 400; ++round) {
        std::string text = good;
        text[random() % text.size()] = static_cast<char>(32 + random() % 96);
        try {
            const Tokenizer tokenizer = Tokenizer::parse(text, "t");
            EXPECT_FALSE(tokenizer.encode("abc 12\n", AddSpecial::No).empty());
            ++survivors;
        } catch (const Error&) {
        }
    }
    EXPECT_GT(survivors, 10);
    EXPECT_LT(survivors, 390);
}

TEST(StreamDecoder, gives_whole_characters_only_and_the_same_text) {
    // A terminal or an HTTP client shows garbage for half a character.
    const Tokenizer tokenizer = Tokenizer::load(kDemo);
    for (const std::string& text : kTricky) {
        const Ids ids = tokenizer.encode(text, AddSpecial::No);
        model::StreamDecoder decoder(tokenizer);
        std::string streamed;
        for (const std::int32_t id : ids) {
            const std::string part = decoder.push(id);
            EXPECT_EQ(model::first_broken_byte(part), std::nullopt);
            streamed += part;
        }
        EXPECT_EQ(decoder.finish(), "");
        EXPECT_EQ(streamed, text);
    }
}

TEST(StreamDecoder, waits_for_the_last_byte_of_an_emoji) {
    // Models write emoji byte by byte.
    const Tokenizer tokenizer = parse(small());
    model::StreamDecoder decoder(tokenizer);
    EXPECT_EQ(decoder.push(0xf0), "");
    EXPECT_EQ(decoder.push(0x9f), "");
    EXPECT_EQ(decoder.push(0x98), "");
    EXPECT_EQ(decoder.push(0x80), "\xf0\x9f\x98\x80");
}

TEST(StreamDecoder, broken_bytes_become_replacement_characters) {
    // A model can stop in the middle, or produce nonsense; JSON output must stay valid UTF-8.
    const Tokenizer tokenizer = parse(small());
    const std::string replacement = "\xef\xbf\xbd";
    EXPECT_EQ(tokenizer.decode(Ids{0xf0, 0x9f, 'a'}), replacement + "a");
    EXPECT_EQ(tokenizer.decode(Ids{'a', 0xf0, 0x9f}), "a" + replacement);
    EXPECT_EQ(tokenizer.decode(Ids{0xff, 0xfe}), replacement + replacement);
    EXPECT_EQ(tokenizer.decode(Ids{0xed, 0xa0, 0x80}), replacement + replacement + replacement);
    EXPECT_EQ(tokenizer.decode(Ids{0xe2, 0x82, 0xe2, 0x82, 0xac}), replacement + "\xe2\x82\xac");
}

TEST(ByteAlphabet, every_byte_has_its_own_character_and_comes_back) {
    // The published samples: space is U+0120, newline U+010A, 0xAD the last one, U+0143.
    for (int byte = 0; byte < 256; ++byte) {
        const std::string character = model::byte_character(static_cast<std::uint8_t>(byte));
        EXPECT_EQ(model::bytes_of_piece(character), std::string(1, static_cast<char>(byte)));
    }
    EXPECT_EQ(model::byte_character(' '), "\xc4\xa0");
    EXPECT_EQ(model::byte_character('\n'), "\xc4\x8a");
    EXPECT_EQ(model::byte_character(0xad), "\xc5\x83");
    EXPECT_EQ(model::bytes_of_piece("\xe2\x96\x81"), std::nullopt);
}

}  // namespace
