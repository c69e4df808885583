#include "model/tokenizer_file.h"

#include <array>
#include <map>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "model/byte_level.h"

namespace model {

namespace {

using core::Error;
using core::JsonObject;
using nlohmann::json;

// The largest published vocabularies have under 300,000 entries.
constexpr std::int64_t kMaxId = (1 << 21) - 1;
constexpr std::size_t kLongestAdded = 512;

Error unsupported(const JsonObject& object, std::string_view key, std::string_view supported) {
    return object.unexpected(key, supported)
        .hint("only byte-level BPE tokenizers (GPT-2, Llama-3, Qwen kind) are supported");
}

std::string element(std::string_view key, std::size_t index) {
    return std::string(key) + "[" + std::to_string(index) + "]";
}

/// Gives `id` its text; an id or a place in `pieces` is used once.
void place(std::vector<Piece>& pieces, std::int64_t id, Piece piece, const JsonObject& holder,
           std::string_view key) {
    const auto index = static_cast<std::size_t>(id);
    if (index >= pieces.size()) pieces.resize(index + 1);
    if (pieces[index].kind != Piece::Kind::Missing && pieces[index].bytes != piece.bytes) {
        throw holder.unexpected(key, "an id of its own; \"" + core::printable(pieces[index].bytes) +
                                         "\" has it already");
    }
    pieces[index] = std::move(piece);
}

// --- model: vocabulary and merges ---

void check_model(const JsonObject& model) {
    if (model.optional_text("type").value_or("BPE") != "BPE") {
        throw unsupported(model, "type", "\"BPE\"");
    }
    if (model.optional_boolean("byte_fallback").value_or(false)) {
        throw unsupported(model, "byte_fallback", "false");
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
};

/// Fills `pieces` from model.vocab.
Vocabulary read_vocabulary(const JsonObject& model, std::vector<Piece>& pieces) {
    const Vocabulary vocabulary{model.object("vocab")};
    const JsonObject& holder = vocabulary.holder;
    for (const auto& member : holder.value().get_ref<const json::object_t&>()) {
        const std::int64_t id = holder.integer(member.first, 0, kMaxId);
        // A piece outside the byte alphabet cannot be reached by merging; it reads as it stands.
        Piece piece{Piece::Kind::Text, bytes_of_piece(member.first).value_or(member.first)};
        const bool is_new = static_cast<std::size_t>(id) >= pieces.size() ||
                            pieces[static_cast<std::size_t>(id)].kind == Piece::Kind::Missing;
        if (!is_new) throw holder.unexpected(member.first, "an id no other entry has");
        place(pieces, id, std::move(piece), holder, member.first);
    }
    return vocabulary;
}

std::array<std::int32_t, 256> read_byte_ids(const Vocabulary& vocabulary) {
    std::array<std::int32_t, 256> ids{};
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

void read_merges(const JsonObject& model, const Vocabulary& vocabulary, Bpe& bpe) {
    const json& merges = model.array("merges");
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
    }
}

Bpe read_bpe(const JsonObject& root, std::vector<Piece>& pieces) {
    const JsonObject model = root.object("model");
    check_model(model);
    const Vocabulary vocabulary = read_vocabulary(model, pieces);
    const bool whole = model.optional_boolean("ignore_merges").value_or(false);
    Bpe bpe(read_byte_ids(vocabulary), whole ? WholePieces::Lookup : WholePieces::Merge);
    for (std::size_t id = 0; id < pieces.size(); ++id) {
        if (pieces[id].kind != Piece::Kind::Missing) {
            bpe.add_piece(pieces[id].bytes, static_cast<std::int32_t>(id));
        }
    }
    read_merges(model, vocabulary, bpe);
    return bpe;
}

// --- added tokens ---

struct AddedLists {
    std::vector<AddedToken> raw;
    std::vector<AddedToken> late;
};

AddedLists read_added(const JsonObject& root, std::vector<Piece>& pieces) {
    AddedLists lists;
    const json* array = root.optional_array("added_tokens");
    if (array == nullptr) return lists;
    for (std::size_t i = 0; i < array->size(); ++i) {
        const JsonObject entry((*array)[i], root.where(), element("added_tokens", i));
        AddedToken token;
        token.id = static_cast<std::int32_t>(entry.integer("id", 0, kMaxId));
        token.content = entry.text("content");
        if (token.content.empty() || token.content.size() > kLongestAdded) {
            throw entry.unexpected("content", "1 to 512 bytes");
        }
        if (entry.optional_boolean("single_word").value_or(false)) {
            throw unsupported(entry, "single_word", "false");
        }
        token.strips_left = entry.optional_boolean("lstrip").value_or(false);
        token.strips_right = entry.optional_boolean("rstrip").value_or(false);
        token.is_special = entry.optional_boolean("special").value_or(false);
        const auto kind = token.is_special ? Piece::Kind::Special : Piece::Kind::Text;
        place(pieces, token.id, {kind, token.content}, entry, "id");
        const bool is_late = entry.optional_boolean("normalized").value_or(!token.is_special);
        (is_late ? lists.late : lists.raw).push_back(std::move(token));
    }
    return lists;
}

void check_distinct(const AddedLists& lists, const JsonObject& root) {
    std::map<std::string_view, int> seen;
    for (const auto* list : {&lists.raw, &lists.late}) {
        for (const AddedToken& token : *list) {
            if (seen[token.content]++ == 0) continue;
            throw Error::mismatch(root.where(), "added_tokens", "distinct contents",
                                  "\"" + core::printable(token.content) + "\" twice");
        }
    }
}

// --- pre-tokenizer ---

Pattern read_split(const JsonObject& step) {
    const std::string behavior = step.text("behavior");
    const bool inverts = step.optional_boolean("invert").value_or(false);
    if (behavior != "Isolated" && !(behavior == "Removed" && inverts)) {
        throw unsupported(step, "behavior", "\"Isolated\", or \"Removed\" with invert");
    }
    const Gaps gaps = behavior == "Isolated" ? Gaps::Keep : Gaps::Drop;
    const JsonObject pattern = step.object("pattern");
    const bool is_literal = pattern.has("String");
    const char* key = is_literal ? "String" : "Regex";
    return Pattern(pattern.text(key), is_literal ? PatternKind::Literal : PatternKind::Regex, gaps,
                   step.where(), pattern.path_of(key));
}

void read_byte_level(const JsonObject& step, PreTokenizer& splitter) {
    const bool adds_space = step.optional_boolean("add_prefix_space").value_or(true);
    std::vector<Pattern> pattern;
    if (step.optional_boolean("use_regex").value_or(true)) {
        pattern.emplace_back(gpt2_pattern(), PatternKind::Regex, Gaps::Keep, step.where(),
                             step.path_of("use_regex"));
    }
    splitter.set_byte_level(adds_space ? PrefixSpace::Add : PrefixSpace::No, std::move(pattern));
}

/// The steps of a "Sequence", or the single step itself.
std::vector<JsonObject> read_steps(const JsonObject& object, std::string_view list_key) {
    if (object.text("type") != "Sequence") return {object};
    std::vector<JsonObject> steps;
    const json& list = object.array(list_key);
    for (std::size_t i = 0; i < list.size(); ++i) {
        steps.emplace_back(list[i], object.where(), object.path_of(element(list_key, i)));
    }
    return steps;
}

PreTokenizer read_pre_tokenizer(const JsonObject& root) {
    constexpr std::string_view kExpected = "Split steps, then one ByteLevel";
    PreTokenizer splitter;
    if (!root.has("pre_tokenizer")) throw unsupported(root, "pre_tokenizer", kExpected);
    const JsonObject object = root.object("pre_tokenizer");
    bool is_complete = false;
    for (const JsonObject& step : read_steps(object, "pretokenizers")) {
        const std::string type = step.text("type");
        if (is_complete || (type != "Split" && type != "ByteLevel")) {
            throw unsupported(step, "type", kExpected);
        }
        if (type == "Split") {
            splitter.add_split(read_split(step));
        } else {
            read_byte_level(step, splitter);
            is_complete = true;
        }
    }
    if (!is_complete) throw unsupported(root, "pre_tokenizer", kExpected);
    return splitter;
}

// --- normalizer, decoder, post-processor ---

void check_normalizer(const JsonObject& root) {
    if (!root.has("normalizer")) return;
    const JsonObject normalizer = root.object("normalizer");
    if (!read_steps(normalizer, "normalizers").empty()) {
        throw unsupported(normalizer, "type", "no normalizer");
    }
}

void check_decoder(const JsonObject& root) {
    if (!root.has("decoder")) return;
    const JsonObject decoder = root.object("decoder");
    if (decoder.text("type") != "ByteLevel") throw unsupported(decoder, "type", "\"ByteLevel\"");
}

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

TokenizerFile parse_tokenizer_file(std::string_view text, std::string_view where) {
    const json value = core::parse_json(text, where);
    const JsonObject root(value, std::string(where));
    check_normalizer(root);
    PreTokenizer splitter = read_pre_tokenizer(root);
    check_decoder(root);
    std::vector<Piece> pieces;
    Bpe bpe = read_bpe(root, pieces);
    AddedLists added = read_added(root, pieces);
    check_distinct(added, root);
    auto around = read_post_processor(root, pieces);
    return {std::move(pieces),
            AddedTokens(std::move(added.raw)),
            AddedTokens(std::move(added.late)),
            std::move(splitter),
            std::move(bpe),
            std::move(around)};
}

}  // namespace model
