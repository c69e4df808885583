// tokenizer.model files: SentencePiece's against its own library, on models trained here, and the
// token list of Llama 3 against merging by definition. Hostile files end in core::Error.
#include "model/tokenizer_model.h"

#include <gtest/gtest.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <map>
#include <random>

#include "core/error.h"
#include "core/json.h"
#include "model/tokenizer.h"
#include "tests/core/temp_folder.h"

namespace {

using core::Error;
using model::AddSpecial;
using model::ShowSpecial;
using model::Tokenizer;
using Ids = std::vector<std::int32_t>;

std::vector<std::string> strings() {
    return core::read_json(std::filesystem::path(TESSERA_SOURCE_DIR) /
                           "tests/data/tokenizers/strings.json")
        .get<std::vector<std::string>>();
}

/// Gives the test strings to the trainer, line by line.
class Sentences : public sentencepiece::SentenceIterator {
public:
    Sentences() {
        for (int round = 0; round < 3; ++round) {
            for (const std::string& text : strings()) {
                if (text.find_first_of(std::string("\n\r\0", 3)) == text.npos) {
                    texts_.push_back(text);
                }
            }
        }
    }
    bool done() const override { return at_ == texts_.size(); }
    void Next() override { ++at_; }
    const std::string& value() const override { return texts_[at_]; }
    sentencepiece::util::Status status() const override { return {}; }

private:
    std::vector<std::string> texts_;
    std::size_t at_ = 0;
};

std::string train(const std::string& options) {
    Sentences sentences;
    std::string proto;
    const auto status = sentencepiece::SentencePieceTrainer::Train(
        options +
            " --minloglevel=3 --character_coverage=0.98 --num_threads=1 --hard_vocab_limit=false",
        &sentences, &proto);
    EXPECT_TRUE(status.ok()) << status.ToString();
    return proto;
}

/// Llama 2's settings: text is kept as it is, unknown characters are bytes.
std::string llama2() {
    return train(
        "--model_type=bpe --vocab_size=700 --byte_fallback=true --split_digits=true "
        "--normalization_rule_name=identity --remove_extra_whitespaces=false "
        "--allow_whitespace_only_pieces=true --user_defined_symbols=<|x|>");
}

/// T5's settings but for the missing begin token.
std::string unigram() {
    return train("--model_type=unigram --vocab_size=400 --normalization_rule_name=nmt_nfkc");
}

TEST(SentencePiece, gives_the_ids_and_texts_of_its_library) {
    // The library encodes the whole text at once; here words are cut and looked up.
    const std::vector<std::string> kinds{
        llama2(),
        unigram(),
        train("--model_type=bpe --vocab_size=500 --normalization_rule_name=identity "
              "--remove_extra_whitespaces=false --add_dummy_prefix=false"),
        train("--model_type=bpe --vocab_size=500 --normalization_rule_name=nfkc"),
        train("--model_type=bpe --vocab_size=500 --normalization_rule_name=identity "
              "--remove_extra_whitespaces=false --split_by_whitespace=false"),
        train("--model_type=bpe --vocab_size=500 --treat_whitespace_as_suffix=true "
              "--user_defined_symbols=the,<ab>,\xe2\x96\x81of"),
        train("--model_type=unigram --vocab_size=700 --byte_fallback=true "
              "--normalization_rule_name=identity --remove_extra_whitespaces=false "
              "--user_defined_symbols=the,<ab>,\xe2\x96\x81of"),
        train("--model_type=unigram --vocab_size=500 --treat_whitespace_as_suffix=true "
              "--split_by_whitespace=false --normalization_rule_name=nmt_nfkc_cf"),
        train("--model_type=word --vocab_size=200"),
        train("--model_type=char --vocab_size=60")};
    for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
        sentencepiece::SentencePieceProcessor library;
        ASSERT_TRUE(library.LoadFromSerializedProto(kinds[kind]).ok());
        const Tokenizer tokenizer = Tokenizer::parse_model(kinds[kind], "tokenizer.model");
        EXPECT_EQ(tokenizer.vocab_size(), library.GetPieceSize());
        std::vector<std::string> texts = strings();
        std::string all;
        for (const std::string& text : texts) all += text;
        texts.push_back(all);
        for (const std::string& text : texts) {
            SCOPED_TRACE(std::to_string(kind) + ": " + text.substr(0, 200));
            const Ids ids = tokenizer.encode(text, AddSpecial::No);
            EXPECT_EQ(ids, library.EncodeAsIds(text));
            EXPECT_EQ(tokenizer.decode(ids, ShowSpecial::No), library.DecodeIds(ids));
        }
    }
}

TEST(SentencePiece, long_texts_have_the_ids_of_the_library) {
    // Sums of scores are floats that run over the whole text: near its end they round the most.
    std::mt19937 random(9);
    const std::vector<std::string> texts = strings();
    std::string text;
    while (text.size() < 300'000) text += texts[random() % texts.size()] + " the o l ll lll ";
    for (const std::string& proto : {llama2(), unigram()}) {
        sentencepiece::SentencePieceProcessor library;
        ASSERT_TRUE(library.LoadFromSerializedProto(proto).ok());
        const Tokenizer tokenizer = Tokenizer::parse_model(proto, "tokenizer.model");
        EXPECT_EQ(tokenizer.encode(text, AddSpecial::No), library.EncodeAsIds(text));
        const std::string letters(1 << 20, 'e');
        EXPECT_EQ(tokenizer.encode(letters, AddSpecial::No), library.EncodeAsIds(letters));
    }
}

TEST(SentencePiece, llama2_settings_lose_nothing) {
    // Bytes stand for what has no piece, so even rare characters come back.
    const Tokenizer tokenizer = Tokenizer::parse_model(llama2(), "tokenizer.model");
    for (const std::string& text : strings()) {
        // The one exception: the mark of spaces itself reads as a space.
        if (text.find("\xe2\x96\x81") != text.npos) continue;
        EXPECT_EQ(tokenizer.decode(tokenizer.encode(text, AddSpecial::Yes), ShowSpecial::No), text);
    }
}

TEST(SentencePiece, any_ids_read_as_in_the_library) {
    // A model writes what no text encodes to: begin tokens inside, unknown tokens, lone spaces.
    const std::string proto = llama2();
    sentencepiece::SentencePieceProcessor library;
    ASSERT_TRUE(library.LoadFromSerializedProto(proto).ok());
    const Tokenizer tokenizer = Tokenizer::parse_model(proto, "tokenizer.model");
    std::mt19937 random(3);
    for (int round = 0; round < 1000; ++round) {
        Ids ids;
        while (ids.size() < 6) {
            const auto id =
                static_cast<std::int32_t>(random() % static_cast<unsigned>(tokenizer.vocab_size()));
            // Half characters show as one U+FFFD here, and one per byte there.
            if (!library.IsByte(id)) ids.push_back(id);
        }
        if (round % 2 == 0) ids[0] = library.PieceToId("\xe2\x96\x81");
        EXPECT_EQ(tokenizer.decode(ids, ShowSpecial::No), library.DecodeIds(ids));
    }
}

TEST(SentencePiece, begin_and_end_come_from_the_model_or_the_config) {
    // transformers puts Llama 2's begin token before a text unless the configuration says no.
    const TempFolder folder;
    folder.write("tokenizer.model", llama2());
    const auto ends = [&](AddSpecial add) {
        const Ids ids = Tokenizer::load(folder.path()).encode("a", add);
        return std::pair(ids.front(), ids.back());
    };
    const std::int32_t a = ends(AddSpecial::No).second;
    EXPECT_EQ(ends(AddSpecial::Yes), std::pair(1, a));
    folder.write("tokenizer_config.json", R"({"add_bos_token": false, "add_eos_token": true})");
    EXPECT_EQ(ends(AddSpecial::Yes).second, 2);
    EXPECT_NE(ends(AddSpecial::Yes).first, 1);
    folder.write("tokenizer_config.json", R"({"add_bos_token": true, "bos_token": "</s>"})");
    EXPECT_EQ(ends(AddSpecial::Yes).first, 2);
    folder.write("tokenizer_config.json", R"({"add_bos_token": true, "bos_token": "<none>"})");
    EXPECT_PRED2(contains, message_of<Error>([&] { Tokenizer::load(folder.path()); }),
                 "bos_token: expected one of the added tokens");
}

TEST(SentencePiece, mistrals_file_names_are_known) {
    // tokenizer.model.v3 beside consolidated.safetensors; another file of the folder comes first.
    const TempFolder folder;
    EXPECT_PRED2(contains, message_of<Error>([&] { Tokenizer::load(folder.path()); }),
                 "tokenizer.json: expected a readable file");
    folder.write("tokenizer.model.v3", llama2());
    const Ids ids = Tokenizer::load(folder.path()).encode("a", AddSpecial::No);
    EXPECT_EQ(Tokenizer::load(folder.path() / "tokenizer.model.v3").encode("a", AddSpecial::No),
              ids);
    folder.write("tokenizer.model", "no model");
    EXPECT_THROW(Tokenizer::load(folder.path()), Error);
}

TEST(SentencePiece, added_tokens_come_from_the_config) {
    // SentencePiece itself never reads "</s>" as a token; with transformers' list it is one.
    const TempFolder folder;
    folder.write("tokenizer.model", llama2());
    const Ids spelled = Tokenizer::load(folder.path()).encode("a</s>", AddSpecial::No);
    EXPECT_EQ(std::count(spelled.begin(), spelled.end(), 2), 0);
    folder.write("tokenizer_config.json",
                 R"({"added_tokens_decoder": {"2": {"content": "</s>", "special": true},
                                              "9000": {"content": "<end>", "special": true}}})");
    const Tokenizer tokenizer = Tokenizer::load(folder.path());
    const Ids ids = tokenizer.encode("a</s><end>", AddSpecial::No);
    ASSERT_GE(ids.size(), 3u);
    EXPECT_EQ(Ids(ids.end() - 2, ids.end()), (Ids{2, 9000}));
    EXPECT_EQ(tokenizer.decode(ids), "a</s><end>");
    EXPECT_EQ(tokenizer.decode(ids, ShowSpecial::No), "a");
    folder.write("tokenizer_config.json", R"({"added_tokens_decoder": {"x": {"content": "y"}}})");
    EXPECT_PRED2(contains, message_of<Error>([&] { Tokenizer::load(folder.path()); }),
                 "added_tokens_decoder.x: expected token ids as keys");
}

TEST(SentencePiece, any_damage_is_an_error_or_a_tokenizer) {
    // The library trusts its files: its table of replaced characters is read without bounds.
    std::mt19937 random(11);
    int errors = 0;
    for (const std::string& good : {llama2(), unigram()}) {
        for (int round = 0; round < 400; ++round) {
            std::string bytes = good;
            if (round % 4 == 0) bytes.resize(random() % bytes.size());
            for (int i = 0; i < 3 && !bytes.empty(); ++i) {
                bytes[random() % bytes.size()] = static_cast<char>(random());
            }
            try {
                const Tokenizer tokenizer = Tokenizer::parse_model(bytes, "t");
                const Ids ids = tokenizer.encode("Hello \xef\xac\x81 12 \xc2\xbd", AddSpecial::Yes);
                EXPECT_EQ(model::first_broken_byte(tokenizer.decode(ids)), std::nullopt);
            } catch (const Error&) {
                ++errors;
            }
        }
    }
    EXPECT_GT(errors, 50);
    EXPECT_THROW(Tokenizer::parse_model("", "t"), Error);
}

// --- Llama 3's list ---

std::string base64(std::string_view bytes) {
    constexpr std::string_view kLetters =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        unsigned bits = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            bits =
                bits << 8 | (i + k < bytes.size() ? static_cast<unsigned char>(bytes[i + k]) : 0u);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out += i + k > bytes.size() ? '=' : kLetters[(bits >> (18 - 6 * k)) & 63];
        }
    }
    return out;
}

/// The bytes and pieces out of the test strings.
std::vector<std::string> tokens() {
    std::vector<std::string> list;
    std::map<std::string, int> known;
    for (int byte = 0; byte < 256; ++byte) {
        list.emplace_back(1, static_cast<char>(byte));
        known[list.back()] = 1;
    }
    const std::vector<std::string> texts = strings();
    std::mt19937 random(5);
    while (list.size() < 1200) {
        const std::string& text = texts[random() % texts.size()];
        if (text.empty()) continue;
        const std::string piece = text.substr(random() % text.size(), 2 + random() % 5);
        if (piece.size() > 1 && known[piece]++ == 0) list.push_back(piece);
    }
    return list;
}

std::string list_file(const std::vector<std::string>& list) {
    std::string text;
    for (std::size_t rank = 0; rank < list.size(); ++rank) {
        text += base64(list[rank]) + " " + std::to_string(rank) + "\n";
    }
    return text;
}

/// openai/tiktoken's rule: of all neighbours that are a token together, join the lowest.
std::vector<std::string> join_by_rank(std::string_view text,
                                      const std::map<std::string, std::size_t>& ranks) {
    if (ranks.count(std::string(text)) != 0) return {std::string(text)};
    std::vector<std::string> parts;
    for (const char byte : text) parts.emplace_back(1, byte);
    while (true) {
        std::size_t best = ranks.size();
        std::size_t place = 0;
        for (std::size_t i = 0; i + 1 < parts.size(); ++i) {
            const auto entry = ranks.find(parts[i] + parts[i + 1]);
            if (entry != ranks.end() && entry->second < best) {
                best = entry->second;
                place = i;
            }
        }
        if (best == ranks.size()) return parts;
        parts[place] += parts[place + 1];
        parts.erase(parts.begin() + static_cast<std::ptrdiff_t>(place) + 1);
    }
}

TEST(Tiktoken, agrees_with_joining_by_definition) {
    // Words only, so that the pattern gives one pre-token; the pattern has tests of its own.
    const std::vector<std::string> list = tokens();
    std::map<std::string, std::size_t> ranks;
    for (std::size_t i = 0; i < list.size(); ++i) ranks[list[i]] = i;
    const Tokenizer tokenizer = Tokenizer::parse_model(list_file(list), "tokenizer.model");
    std::mt19937 random(7);
    for (int round = 0; round < 400; ++round) {
        std::string word;
        const std::size_t size = 1 + random() % 90;
        while (word.size() < size) {
            word += std::vector<std::string>{"the", "ing", "ab", "\xc3\xa9", "\xe4\xbd\xa0",
                                             "o",   "l",   "W",  "hello",    "tion"}[random() % 10];
        }
        Ids expected;
        for (const std::string& part : join_by_rank(word, ranks)) {
            expected.push_back(static_cast<std::int32_t>(ranks.at(part)));
        }
        ASSERT_EQ(tokenizer.encode(word, AddSpecial::No), expected) << word;
    }
}

TEST(Tiktoken, loses_nothing_and_knows_the_special_tokens) {
    // meta-llama/llama-models tokenizer.py: 256 special tokens follow the list.
    const std::vector<std::string> list = tokens();
    const Tokenizer tokenizer = Tokenizer::parse_model(list_file(list), "tokenizer.model");
    const auto base = static_cast<std::int32_t>(list.size());
    EXPECT_EQ(tokenizer.vocab_size(), base + 256);
    EXPECT_EQ(tokenizer.find_added("<|begin_of_text|>"), base);
    EXPECT_EQ(tokenizer.find_added("<|eot_id|>"), base + 9);
    EXPECT_EQ(tokenizer.find_added("<|reserved_special_token_2|>"), base + 12);
    EXPECT_EQ(tokenizer.find_added("<|reserved_special_token_245|>"), base + 255);
    for (const std::string& text : strings()) {
        const Ids ids = tokenizer.encode(text, AddSpecial::Yes);
        EXPECT_EQ(ids.front(), base);
        EXPECT_EQ(tokenizer.decode(ids, ShowSpecial::No), text);
    }
}

TEST(Tiktoken, broken_lists_are_errors_with_their_line) {
    // Each names the line or the token.
    const auto failure = [](const std::string& text) {
        return message_of<Error>([&] { Tokenizer::parse_model(text, "tokenizer.model"); });
    };
    EXPECT_PRED2(contains, failure("IQ== 0\nIg=\n"), "tokenizer.model: line 2: expected base64");
    EXPECT_PRED2(contains, failure("IQ== 0\nIg== 2\n"), "the rank 1, got \"Ig== 2\"");
    EXPECT_PRED2(contains, failure("IQ== 0\nIQ== 1\n"), "rank 1: expected a token of its own");
    EXPECT_PRED2(contains, failure("IQ== 0\n"), "tokens: expected one for byte 0");
}

}  // namespace
