#include "model/tokenizer_model.h"

#include <charconv>
#include <limits>
#include <map>

#include "core/json.h"
#include "model/tiktoken.h"

namespace model {

namespace {

using core::JsonObject;
using Type = SentencePieceFile::Type;

Piece decoded(const SentencePieceFile::Piece& piece, const SentencePieceFile& file) {
    constexpr std::string_view kMark = "\xe2\x96\x81";
    if (piece.type == Type::Control) return {Piece::Kind::Special, piece.text};
    if (piece.type == Type::Unknown) return {Piece::Kind::Text, file.unknown_text, true};
    if (piece.type == Type::Byte) {
        const std::optional<char> byte = byte_of_piece(piece.text);
        return {Piece::Kind::Text, byte ? std::string(1, *byte) : piece.text, true};
    }
    std::string text;
    for (std::string_view rest = piece.text; !rest.empty();) {
        const bool is_mark = rest.starts_with(kMark);
        text += is_mark ? ' ' : rest[0];
        rest.remove_prefix(is_mark ? kMark.size() : 1);
    }
    return {Piece::Kind::Text, std::move(text)};
}

TokenizerFile sentencepiece_tokenizer(std::string_view bytes, std::string_view where) {
    TokenizerFile file;
    SentencePieceModel model(bytes, where);
    const SentencePieceFile& source = model.file();
    for (const auto& piece : source.pieces) file.pieces.push_back(decoded(piece, source));
    if (source.drops_spaces) {
        file.ends = {" ", std::numeric_limits<std::int64_t>::max(), 0};
    } else if (source.adds_space) {
        file.ends = {" ", 1, 0};
    }
    // As Llama 2 and transformers' LlamaTokenizer do by default.
    if (const auto begin = model.begin_token()) {
        file.around = TokenizerFile::Template{{*begin}, {}};
    }
    file.model = std::move(model);
    return file;
}

/// The id of the token that `key` names; either the text itself or an AddedToken object.
std::optional<std::int32_t> named_token(const JsonObject& root, std::string_view key,
                                        const TokenizerFile& file) {
    const nlohmann::json* token = root.find(key);
    if (token == nullptr) return std::nullopt;
    const std::string content =
        token->is_object() ? root.object(key).text("content") : root.text(key);
    const std::optional<std::int32_t> id = find_token(file, content);
    if (!id) throw root.unexpected(key, "one of the added tokens of the tokenizer");
    return id;
}

/// One side of the template: "add_bos_token" and "bos_token", or "add_eos_token" and "eos_token".
void read_side(const JsonObject& root, const std::string& name, const TokenizerFile& file,
               std::optional<std::int32_t> own, std::vector<std::int32_t>& side) {
    const auto adds = root.optional_boolean("add_" + name);
    if (!adds.has_value()) return;
    side.clear();
    if (!*adds) return;
    auto id = named_token(root, name, file);
    if (!id) id = own;
    if (!id) throw root.unexpected(name, "a token, as add_" + name + " is true");
    side.push_back(*id);
}

/// "added_tokens_decoder": id -> token.
void read_added_decoder(const JsonObject& root, TokenizerFile& file) {
    const auto table = root.optional_object("added_tokens_decoder");
    if (!table) return;
    std::map<std::string, AddedToken> tokens;
    for (const auto& member : table->value().get_ref<const nlohmann::json::object_t&>()) {
        const std::string& key = member.first;
        std::int64_t id = -1;
        const auto [end, status] = std::from_chars(key.data(), key.data() + key.size(), id);
        if (status != std::errc() || end != key.data() + key.size() || id < 0 || id > kMaxTokenId) {
            throw table->unexpected(key, "token ids as keys");
        }
        AddedToken token = read_added_token(table->object(key));
        token.id = static_cast<std::int32_t>(id);
        const auto kind = token.is_special ? Piece::Kind::Special : Piece::Kind::Text;
        const auto index = static_cast<std::size_t>(id);
        if (index < file.pieces.size() && file.pieces[index].kind != Piece::Kind::Missing) {
            file.pieces[index].kind = kind;  // the model knows its text
        } else {
            place_piece(file.pieces, id, {kind, token.content}, *table, key);
        }
        const std::string content = token.content;
        if (!tokens.emplace(content, std::move(token)).second) {
            throw table->unexpected(key, "a content of its own");
        }
    }
    std::vector<AddedToken> list;
    for (auto& [content, token] : tokens) list.push_back(std::move(token));
    file.raw_added = AddedTokens(std::move(list));
}

}  // namespace

TokenizerFile parse_tokenizer_model(std::string_view bytes, std::string_view where) {
    if (looks_like_tiktoken(bytes)) return parse_tiktoken_file(bytes, where);
    return sentencepiece_tokenizer(bytes, where);
}

void read_tokenizer_config(const std::filesystem::path& path, TokenizerFile& file) {
    const auto* pieces = std::get_if<SentencePieceModel>(&file.model);
    if (pieces == nullptr && file.around) return;
    const nlohmann::json value = core::read_json(path);
    const JsonObject root(value, core::printable(path.string()));
    if (pieces != nullptr) read_added_decoder(root, file);
    TokenizerFile::Template around = file.around.value_or(TokenizerFile::Template{});
    const auto own = [&](auto token) {
        return pieces == nullptr ? std::optional<std::int32_t>() : (pieces->*token)();
    };
    read_side(root, "bos_token", file, own(&SentencePieceModel::begin_token), around.before);
    read_side(root, "eos_token", file, own(&SentencePieceModel::end_token), around.after);
    file.around = std::move(around);
}

std::optional<std::int32_t> find_token(const TokenizerFile& file, std::string_view content) {
    if (const auto raw = file.raw_added.find(content)) return raw;
    if (const auto late = file.late_added.find(content)) return late;
    for (std::size_t id = 0; id < file.pieces.size(); ++id) {
        const Piece& piece = file.pieces[id];
        if (piece.kind == Piece::Kind::Special && piece.bytes == content) {
            return static_cast<std::int32_t>(id);
        }
    }
    return std::nullopt;
}

}  // namespace model
