#include "model/tiktoken.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/error.h"
#include "core/files.h"

namespace model {

namespace {

using core::Error;

constexpr std::size_t kMaxTokens = std::size_t{1} << 21;
constexpr std::size_t kLongestToken = 256;  // Llama 3's longest has 128 bytes
constexpr int kSpecialTokens = 256;

constexpr std::string_view kPattern =
    R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})"
    R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

/// The named special tokens, in order; reserved ones fill up to 256.
constexpr std::array<std::string_view, 12> kNamed{"<|begin_of_text|>",
                                                  "<|end_of_text|>",
                                                  "<|reserved_special_token_0|>",
                                                  "<|reserved_special_token_1|>",
                                                  "<|finetune_right_pad_id|>",
                                                  "<|step_id|>",
                                                  "<|start_header_id|>",
                                                  "<|end_header_id|>",
                                                  "<|eom_id|>",
                                                  "<|eot_id|>",
                                                  "<|python_tag|>",
                                                  "<|image|>"};

int base64_value(char letter) {
    if (letter >= 'A' && letter <= 'Z') return letter - 'A';
    if (letter >= 'a' && letter <= 'z') return letter - 'a' + 26;
    if (letter >= '0' && letter <= '9') return letter - '0' + 52;
    if (letter == '+') return 62;
    return letter == '/' ? 63 : -1;
}

/// RFC 4648, with padding; none when `text` is not that or stands for nothing.
std::optional<std::string> from_base64(std::string_view text) {
    if (text.empty() || text.size() % 4 != 0) return std::nullopt;
    std::size_t padding = 0;
    while (padding < 2 && text.ends_with('=')) {
        text.remove_suffix(1);
        ++padding;
    }
    std::string bytes;
    unsigned bits = 0;
    int held = 0;
    for (const char letter : text) {
        const int value = base64_value(letter);
        if (value < 0) return std::nullopt;
        bits = ((bits << 6) | static_cast<unsigned>(value)) & 0xffffu;
        held += 6;
        if (held < 8) continue;
        held -= 8;
        bytes.push_back(static_cast<char>((bits >> held) & 0xff));
    }
    return bytes;
}

struct Line {
    std::string bytes;
    std::uint32_t rank = 0;
};

std::optional<Line> parse_line(std::string_view line) {
    if (line.ends_with('\r')) line.remove_suffix(1);
    const std::size_t space = line.find(' ');
    if (space == line.npos || space > kLongestToken * 2) return std::nullopt;
    Line parsed;
    auto bytes = from_base64(line.substr(0, space));
    const std::string_view number = line.substr(space + 1);
    const auto [end, status] =
        std::from_chars(number.data(), number.data() + number.size(), parsed.rank);
    if (!bytes || bytes->empty() || status != std::errc() || end != number.data() + number.size()) {
        return std::nullopt;
    }
    parsed.bytes = std::move(*bytes);
    return parsed;
}

using Ranks = std::unordered_map<std::string, std::int32_t>;  // looked up only

/// The bytes of the tokens, by rank.
std::vector<std::string> read_tokens(std::string_view text, std::string_view where) {
    std::vector<std::string> tokens;
    std::size_t number = 0;
    while (!text.empty()) {
        ++number;
        const std::string_view line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(line.size() + 1, text.size()));
        if (line.empty()) continue;
        auto parsed = parse_line(line);
        // Every file of Meta's is in order; so ids need no check for gaps.
        if (!parsed || parsed->rank != tokens.size() || tokens.size() >= kMaxTokens) {
            throw Error::mismatch(where, "line " + std::to_string(number),
                                  "base64 and the rank " + std::to_string(tokens.size()),
                                  "\"" + core::printable(line) + "\"");
        }
        tokens.push_back(std::move(parsed->bytes));
    }
    return tokens;
}

Bpe::ByteIds byte_ids(const Ranks& ranks, std::string_view where) {
    Bpe::ByteIds ids{};
    for (std::size_t byte = 0; byte < ids.size(); ++byte) {
        const auto entry = ranks.find(std::string(1, static_cast<char>(byte)));
        if (entry == ranks.end()) {
            throw Error::mismatch(where, "tokens", "one for byte " + std::to_string(byte), "none");
        }
        ids[byte] = entry->second;
    }
    return ids;
}

/// Every way to make `token` of two tokens.
void add_merges(const std::string& token, std::int32_t rank, const Ranks& ranks, Bpe& bpe) {
    for (std::size_t at = 1; at < token.size(); ++at) {
        const auto left = ranks.find(token.substr(0, at));
        if (left == ranks.end()) continue;
        const auto right = ranks.find(token.substr(at));
        if (right != ranks.end()) bpe.add_merge(left->second, right->second, rank, rank);
    }
}

AddedTokens special_tokens(std::vector<Piece>& pieces) {
    std::vector<AddedToken> added;
    for (int i = 0; i < kSpecialTokens; ++i) {
        const auto index = static_cast<std::size_t>(i);
        AddedToken token;
        token.id = static_cast<std::int32_t>(pieces.size());
        token.content =
            index < kNamed.size()
                ? std::string(kNamed[index])
                : "<|reserved_special_token_" + std::to_string(index - kNamed.size() + 2) + "|>";
        token.is_special = true;
        pieces.push_back({Piece::Kind::Special, token.content});
        added.push_back(std::move(token));
    }
    return AddedTokens(std::move(added));
}

}  // namespace

bool looks_like_tiktoken(std::string_view text) {
    return parse_line(text.substr(0, text.find('\n'))).has_value();
}

TokenizerFile parse_tiktoken_file(std::string_view text, std::string_view where) {
    const std::vector<std::string> tokens = read_tokens(text, where);
    Ranks ranks;
    TokenizerFile file;
    for (const std::string& token : tokens) {
        const auto rank = static_cast<std::int32_t>(file.pieces.size());
        if (!ranks.emplace(token, rank).second) {
            throw Error::mismatch(where, "rank " + std::to_string(rank), "a token of its own",
                                  "\"" + core::printable(token) + "\" again");
        }
        file.pieces.push_back({Piece::Kind::Text, token});
    }
    Bpe bpe(byte_ids(ranks, where), WholePieces::Lookup);
    for (const auto& [token, rank] : ranks) {
        add_merges(token, rank, ranks, bpe);
        bpe.add_piece(token, rank);
    }
    file.model = std::move(bpe);
    const auto begin = static_cast<std::int32_t>(file.pieces.size());
    file.raw_added = special_tokens(file.pieces);
    file.pre_tokenizer.add(SplitStep{Pattern(kPattern, PatternKind::Regex, where, "pattern"),
                                     SplitBehavior::Isolated, false});
    file.around = TokenizerFile::Template{{begin}, {}};
    return file;
}

}  // namespace model
