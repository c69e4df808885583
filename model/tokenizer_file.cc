#include "model/tokenizer_file.h"

#include <array>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "model/byte_level.h"
#include "model/tokenizer_parts.h"

namespace model {

namespace {

using core::Error;
using core::JsonObject;
using nlohmann::json;

constexpr std::size_t kLongestAdded = 512;
constexpr std::string_view kSpaceMark = "\xe2\x96\x81";  // U+2581

// --- model: vocabulary and merges ---

void check_model(const JsonObject& model, Symbols symbols) {
    if (model.optional_text("type").value_or("BPE") != "BPE") {
        throw unsupported(model, "type", "\"BPE\"");
    }
    if (symbols == Symbols::Bytes && model.optional_boolean("byte_fallback").value_or(false)) {
        throw unsupported(model, "byte_fallback", "false with the pre-tokenizer ByteLevel");
    }
    if (model.optional_number("dropout", 0, 1).value_or(0) != 0) {
        throw unsupported(model, "dropout", "null (encoding must not be random)");
    }
    for (const char* key : {"continuing_subword_prefix", "end_of_word_suffix"}) {
        if (!model.optional_text(key).value_or("").empty()) {
            throw unsupported(model, key, "null or \"\"");
        }
    }
}

struct Vocabulary {
    JsonObject holder;  // model.vocab
    std::optional<std::int32_t> find(const std::string& piece) const {
        const json* id = holder.find(piece);
        if (id == nullptr) return std::nullopt;
        return id->get<std::int32_t>();
    }
    template <class Visit>
    void each(const Visit& visit) const {
        for (const auto& member : holder.value().get_ref<const json::object_t&>()) {
            visit(member.first,
                  static_cast<std::int32_t>(holder.integer(member.first, 0, kMaxTokenId)));
        }
    }
};

/// Fills `pieces` from model.vocab.
Vocabulary read_vocabulary(const JsonObject& model, const TokenDecoder& decoder,
                           std::vector<Piece>& pieces) {
    const Vocabulary vocabulary{model.object("vocab")};
    vocabulary.each([&](const std::string& text, std::int32_t id) {
        const auto index = static_cast<std::size_t>(id);
        if (index < pieces.size() && pieces[index].kind != Piece::Kind::Missing) {
            throw vocabulary.holder.unexpected(text, "an id no other entry has");
        }
        place_piece(pieces, id, {Piece::Kind::Text, decoder.bytes_of(text)}, vocabulary.holder,
                    text);
    });
    return vocabulary;
}

Bpe::ByteIds read_byte_ids(const Vocabulary& vocabulary) {
    Bpe::ByteIds ids{};
    for (std::size_t byte = 0; byte < ids.size(); ++byte) {
        const std::string character = byte_character(static_cast<std::uint8_t>(byte));
        const std::optional<std::int32_t> id = vocabulary.find(character);
        if (!id) {
            throw unsupported(vocabulary.holder, character,
                              "a token for byte " + std::to_string(byte));
        }
        ids[byte] = *id;
    }
    return ids;
}

Bpe::Unknown read_unknown(const JsonObject& model, const Vocabulary& vocabulary) {
    Bpe::Unknown unknown;
    unknown.fuses = model.optional_boolean("fuse_unk").value_or(false);
    if (const auto token = model.optional_text("unk_token")) {
        unknown.token = vocabulary.find(*token);
        if (!unknown.token) throw model.unexpected("unk_token", "an entry of the vocabulary");
    }
    if (!model.optional_boolean("byte_fallback").value_or(false)) return unknown;
    unknown.bytes.emplace().fill(-1);
    vocabulary.each([&](const std::string& text, std::int32_t id) {
        // Only the spelling that encoding looks for: "<0x0A>".
        const std::optional<char> byte = byte_of_piece(text);
        if (!byte || text.find_first_of("abcdef") != text.npos) return;
        (*unknown.bytes)[static_cast<unsigned char>(*byte)] = id;
    });
    return unknown;
}

/// One merge, "a b" or ["a", "b"].
std::pair<std::string, std::string> read_merge(const json& entry, const JsonObject& model,
                                               std::size_t index) {
    if (entry.is_array() && entry.size() == 2 && entry[0].is_string() && entry[1].is_string()) {
        return {entry[0].get<std::string>(), entry[1].get<std::string>()};
    }
    if (entry.is_string()) {
        const auto& text = entry.get_ref<const std::string&>();
        const std::size_t space = text.find(' ');
        if (space != text.npos && text.find(' ', space + 1) == text.npos) {
            return {text.substr(0, space), text.substr(space + 1)};
        }
    }
    throw Error::mismatch(model.where(), model.path_of(element("merges", index)),
                          "\"a b\" or [\"a\", \"b\"]", core::describe(entry));
}

/// Whether nothing merges across the start of a word: no merge has a mark on the right alone.
enum class WordStarts { Apart, Merged };

WordStarts read_merges(const JsonObject& model, const Vocabulary& vocabulary, Bpe& bpe) {
    const json& merges = model.array("merges");
    WordStarts starts = WordStarts::Apart;
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
        const auto [left, right] = read_merge(merges[rank], model, rank);
        const auto id_of = [&, rank](const std::string& piece) {
            const std::optional<std::int32_t> id = vocabulary.find(piece);
            if (id) return *id;
            throw Error::mismatch(model.where(), model.path_of(element("merges", rank)),
                                  "pieces of the vocabulary", "\"" + core::printable(piece) + "\"");
        };
        const std::int32_t left_id = id_of(left);
        const std::int32_t right_id = id_of(right);
        bpe.add_merge(left_id, right_id, static_cast<std::int32_t>(rank), id_of(left + right));
        if (right.starts_with(kSpaceMark) && !left.ends_with(kSpaceMark)) {
            starts = WordStarts::Merged;
        }
    }
    return starts;
}

Bpe read_bpe(const JsonObject& root, const TokenDecoder& decoder, ReadPreTokenizer& splitting,
             std::vector<Piece>& pieces) {
    const JsonObject model = root.object("model");
    check_model(model, splitting.symbols);
    const Vocabulary vocabulary = read_vocabulary(model, decoder, pieces);
    const bool whole = model.optional_boolean("ignore_merges").value_or(false);
    const WholePieces lookup = whole ? WholePieces::Lookup : WholePieces::Merge;
    const bool is_bytes = splitting.symbols == Symbols::Bytes;
    Bpe bpe = is_bytes ? Bpe(read_byte_ids(vocabulary), lookup)
                       : Bpe(read_unknown(model, vocabulary), lookup);
    vocabulary.each([&](const std::string& text, std::int32_t id) {
        // A piece outside the byte alphabet is never a pre-token.
        const auto piece = is_bytes ? bytes_of_piece(text) : text;
        if (piece) bpe.add_piece(*piece, id);
    });
    const WordStarts starts = read_merges(model, vocabulary, bpe);
    if (!is_bytes && !whole && starts == WordStarts::Apart &&
        vocabulary.find(std::string(kSpaceMark))) {
        splitting.splitter.add(CutStep{std::string(kSpaceMark)});
    }
    return bpe;
}

// --- added tokens ---

struct AddedLists {
    std::vector<AddedToken> raw;
    std::vector<AddedToken> late;
};

AddedLists read_added(const JsonObject& root, const Normalizer& normalizer,
                      const TokenDecoder& decoder, Symbols symbols, std::vector<Piece>& pieces) {
    AddedLists lists;
    const json* array = root.optional_array("added_tokens");
    if (array == nullptr) return lists;
    for (std::size_t i = 0; i < array->size(); ++i) {
        const JsonObject entry((*array)[i], root.where(), element("added_tokens", i));
        AddedToken token = read_added_token(entry);
        token.id = static_cast<std::int32_t>(entry.integer("id", 0, kMaxTokenId));
        const auto kind = token.is_special ? Piece::Kind::Special : Piece::Kind::Text;
        // The byte alphabet is not for added tokens, whatever letters they hold.
        const bool is_plain = symbols == Symbols::Bytes;
        place_piece(pieces, token.id,
                    {kind, is_plain ? token.content : decoder.bytes_of(token.content)}, entry,
                    "id");
        const bool is_late = entry.optional_boolean("normalized").value_or(!token.is_special);
        if (is_late) token.content = normalizer.normalized(token.content);
        if (token.content.empty()) continue;  // normalized away: never found
        (is_late ? lists.late : lists.raw).push_back(std::move(token));
    }
    return lists;
}

void check_distinct(const AddedLists& lists, const JsonObject& root) {
    for (const auto* list : {&lists.raw, &lists.late}) {
        std::map<std::string_view, int> seen;
        for (const AddedToken& token : *list) {
            if (seen[token.content]++ == 0) continue;
            throw Error::mismatch(root.where(), "added_tokens", "distinct contents",
                                  "\"" + core::printable(token.content) + "\" twice");
        }
    }
}

// --- post-processor ---

/// The ids of one special token of a template.
std::vector<std::int32_t> read_template_ids(const JsonObject& processor, const std::string& name,
                                            const std::vector<Piece>& pieces) {
    const JsonObject special = processor.object("special_tokens").object(name);
    std::vector<std::int32_t> ids;
    for (const json& id : special.array("ids")) {
        const bool exists = id.is_number_unsigned() && id.get<std::uint64_t>() < pieces.size() &&
                            pieces[id.get<std::size_t>()].kind != Piece::Kind::Missing;
        if (!exists) {
            throw Error::mismatch(special.where(), special.path_of("ids"), "ids of the vocabulary",
                                  core::describe(id));
        }
        ids.push_back(id.get<std::int32_t>());
    }
    return ids;
}

TokenizerFile::Template read_template(const JsonObject& processor,
                                      const std::vector<Piece>& pieces) {
    TokenizerFile::Template around;
    int texts = 0;
    const json& single = processor.array("single");
    for (std::size_t i = 0; i < single.size(); ++i) {
        const JsonObject step(single[i], processor.where(),
                              processor.path_of(element("single", i)));
        if (step.has("Sequence")) {
            ++texts;
            continue;
        }
        const std::string name = step.object("SpecialToken").text("id");
        const std::vector<std::int32_t> ids = read_template_ids(processor, name, pieces);
        std::vector<std::int32_t>& side = texts == 0 ? around.before : around.after;
        side.insert(side.end(), ids.begin(), ids.end());
    }
    if (texts != 1) throw processor.unexpected("single", "a template with one Sequence");
    return around;
}

std::optional<TokenizerFile::Template> read_post_processor(const JsonObject& root,
                                                           const std::vector<Piece>& pieces) {
    std::optional<TokenizerFile::Template> around;
    if (!root.has("post_processor")) return around;
    for (const JsonObject& step : read_steps(root.object("post_processor"), "processors")) {
        const std::string type = step.text("type");
        if (type == "ByteLevel") continue;  // only moves offsets
        if (type != "TemplateProcessing" || around) {
            throw unsupported(step, "type", "ByteLevel and one TemplateProcessing");
        }
        around = read_template(step, pieces);
    }
    return around;
}

}  // namespace

void place_piece(std::vector<Piece>& pieces, std::int64_t id, Piece piece, const JsonObject& holder,
                 std::string_view key) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= pieces.size()) pieces.resize(index + 1);
    if (pieces[index].kind != Piece::Kind::Missing && pieces[index].bytes != piece.bytes) {
        throw holder.unexpected(key, "an id of its own; \"" + core::printable(pieces[index].bytes) +
                                         "\" has it already");
    }
    pieces[index] = std::move(piece);
}

AddedToken read_added_token(const JsonObject& entry) {
    AddedToken token;
    token.content = entry.text("content");
    if (token.content.empty() || token.content.size() > kLongestAdded) {
        throw entry.unexpected("content", "1 to 512 bytes");
    }
    token.is_single_word = entry.optional_boolean("single_word").value_or(false);
    token.strips_left = entry.optional_boolean("lstrip").value_or(false);
    token.strips_right = entry.optional_boolean("rstrip").value_or(false);
    token.is_special = entry.optional_boolean("special").value_or(false);
    return token;
}

TokenizerFile parse_tokenizer_file(std::string_view text, std::string_view where) {
    const json value = core::parse_json(text, where);
    const JsonObject root(value, std::string(where));
    TokenizerFile file;
    file.normalizer = read_normalizer(root);
    ReadPreTokenizer splitting = read_pre_tokenizer(root);
    const TokenDecoder decoder = read_decoder(root, splitting.symbols);
    file.ends = decoder.ends();
    file.model = read_bpe(root, decoder, splitting, file.pieces);
    AddedLists added = read_added(root, file.normalizer, decoder, splitting.symbols, file.pieces);
    check_distinct(added, root);
    file.around = read_post_processor(root, file.pieces);
    file.raw_added = AddedTokens(std::move(added.raw));
    file.late_added = AddedTokens(std::move(added.late));
    file.pre_tokenizer = std::move(splitting.splitter);
    return file;
}

}  // namespace model
