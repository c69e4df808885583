#include "model/tokenizer.h"

#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "core/json.h"

namespace model {

namespace {

using core::Error;

std::vector<TextRun> split_late(const AddedTokens& late, std::vector<TextRun> runs) {
    std::vector<TextRun> finer;
    for (const TextRun& run : runs) {
        if (run.token) {
            finer.push_back(run);
            continue;
        }
        const std::vector<TextRun> parts = late.split(run.text);
        finer.insert(finer.end(), parts.begin(), parts.end());
    }
    return finer;
}

}  // namespace

Tokenizer Tokenizer::parse(std::string_view text, std::string_view where) {
    return Tokenizer(parse_tokenizer_file(text, where));
}

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
    std::error_code ignored;
    const bool is_folder = std::filesystem::is_directory(path, ignored);
    const std::filesystem::path file = is_folder ? path / "tokenizer.json" : path;
    Tokenizer tokenizer = parse(core::read_text(file), core::printable(file.string()));
    const std::filesystem::path config = file.parent_path() / "tokenizer_config.json";
    if (!tokenizer.file_.around && std::filesystem::exists(config, ignored)) {
        tokenizer.read_begin_token(config);
    }
    return tokenizer;
}

void Tokenizer::read_begin_token(const std::filesystem::path& path) {
    const nlohmann::json value = core::read_json(path);
    const core::JsonObject root(value, core::printable(path.string()));
    if (!root.optional_boolean("add_bos_token").value_or(false)) return;
    // Either the text itself or an AddedToken object.
    const nlohmann::json* token = root.find("bos_token");
    const std::string content = token != nullptr && token->is_object()
                                    ? root.object("bos_token").text("content")
                                    : root.text("bos_token");
    const std::optional<std::int32_t> id = find_added(content);
    if (!id) throw root.unexpected("bos_token", "one of the added tokens of tokenizer.json");
    file_.around = TokenizerFile::Template{{*id}, {}};
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, AddSpecial add) const {
    if (const auto broken = first_broken_byte(text)) {
        throw Error::mismatch("text", "byte " + std::to_string(*broken), "UTF-8",
                              "\"" + core::printable(text.substr(*broken, 4)) + "\"");
    }
    std::vector<std::int32_t> ids;
    const bool wraps = add == AddSpecial::Yes && file_.around.has_value();
    if (wraps) ids = file_.around->before;
    for (const TextRun& run : split_late(file_.late_added, file_.raw_added.split(text))) {
        if (run.token) {
            ids.push_back(*run.token);
        } else {
            encode_text(run.text, ids);
        }
    }
    if (wraps) ids.insert(ids.end(), file_.around->after.begin(), file_.around->after.end());
    return ids;
}

void Tokenizer::encode_text(std::string_view text, std::vector<std::int32_t>& ids) const {
    for (const std::string& part : file_.pre_tokenizer.split(text)) file_.bpe.encode(part, ids);
}

std::string Tokenizer::decode(std::span<const std::int32_t> ids, ShowSpecial show) const {
    StreamDecoder decoder(*this, show);
    std::string text;
    for (const std::int32_t id : ids) text += decoder.push(id);
    return text + decoder.finish();
}

const Piece& Tokenizer::at(std::int32_t id) const {
    const bool exists = id >= 0 && id < vocab_size() &&
                        file_.pieces[static_cast<std::size_t>(id)].kind != Piece::Kind::Missing;
    if (!exists) {
        throw Error::mismatch(
            "tokenizer", "token id",
            "an entry of the vocabulary, 0 to " + std::to_string(vocab_size() - 1),
            std::to_string(id))
            .hint("the tokenizer does not belong to this model, or the id is a padding row");
    }
    return file_.pieces[static_cast<std::size_t>(id)];
}

std::string_view Tokenizer::piece(std::int32_t id) const { return at(id).bytes; }

bool Tokenizer::is_special(std::int32_t id) const { return at(id).kind == Piece::Kind::Special; }

std::optional<std::int32_t> Tokenizer::find_added(std::string_view content) const {
    const std::optional<std::int32_t> raw = file_.raw_added.find(content);
    return raw ? raw : file_.late_added.find(content);
}

std::string StreamDecoder::push(std::int32_t id) {
    const std::string_view bytes = tokenizer_->piece(id);
    if (show_ == ShowSpecial::No && tokenizer_->is_special(id)) return {};
    return stream_.push(bytes);
}

}  // namespace model
