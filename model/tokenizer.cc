#include "model/tokenizer.h"

#include <algorithm>
#include <bit>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "model/tokenizer_model.h"

namespace model {

namespace {

using core::Error;
using Ids = std::vector<std::int32_t>;

/// Where the tokens of words stand in the ids of one text already encoded; words repeat.
/// A slot holds the last word that fell on it.
class SeenWords {
public:
    explicit SeenWords(std::size_t text_size)
        : slots_(std::bit_ceil(std::clamp(text_size / kBytesPerSlot, kLeast, kMost))) {}

    /// Appends the tokens of `word` to `ids`, from `encode` when they are not known.
    template <class Encode>
    void encode(std::string_view word, Ids& ids, const Encode& encode_word) {
        if (word.empty() || word.size() > kLongest) return encode_word(word);
        Slot& slot = slots_[std::hash<std::string_view>{}(word) & (slots_.size() - 1)];
        if (slot.word == word) {
            for (std::size_t i = 0; i < slot.count; ++i) ids.push_back(ids[slot.begin + i]);
            return;
        }
        const std::size_t begin = ids.size();
        encode_word(word);
        slot = {word, begin, ids.size() - begin};
    }

private:
    static constexpr std::size_t kBytesPerSlot = 16;
    static constexpr std::size_t kLeast = 16;
    static constexpr std::size_t kMost = 32768;
    static constexpr std::size_t kLongest = 64;
    struct Slot {
        std::string_view word;
        std::size_t begin = 0;
        std::size_t count = 0;
    };
    std::vector<Slot> slots_;
};

/// Encodes one text: what it needs from run to run.
class Encoding {
public:
    Encoding(const TokenizerFile& file, std::string_view text, Ids& ids)
        : file_(file), text_(text), ids_(ids), seen_(text.size()) {}

    void run() {
        for (const TextRun& run : file_.raw_added.split(text_)) {
            if (run.token) {
                ids_.push_back(*run.token);
            } else {
                encode_raw(run.text,
                           run.text.data() == text_.data() ? Place::Begin : Place::Inside);
            }
        }
    }

private:
    void encode_raw(std::string_view text, Place place) {
        if (!file_.normalizer.is_identity()) {
            text = store_.emplace_back(file_.normalizer.normalized(text));
        }
        for (const TextRun& run : file_.late_added.split(text)) {
            if (run.token) {
                ids_.push_back(*run.token);
            } else {
                encode_text(run.text, run.text.data() == text.data() ? place : Place::Inside);
            }
        }
    }

    void encode_text(std::string_view text, Place place) {
        if (const auto* bpe = std::get_if<Bpe>(&file_.model)) {
            file_.pre_tokenizer.split(text, place, store_, parts_);
            encode_parts([&](std::string_view word) { bpe->encode(word, ids_, scratch_); });
        } else {
            const auto& pieces = std::get<SentencePieceModel>(file_.model);
            pieces.split(text, store_, parts_);
            encode_parts([&](std::string_view word) { pieces.encode(word, ids_, scratch_); });
        }
    }

    template <class Encode>
    void encode_parts(const Encode& encode) {
        for (const std::string_view part : parts_) seen_.encode(part, ids_, encode);
    }

    const TokenizerFile& file_;
    std::string_view text_;
    Ids& ids_;
    SeenWords seen_;
    TextStore store_;
    std::vector<std::string_view> parts_;
    Bpe::Scratch scratch_;
};

/// The last ones are Mistral's, by the version of its control tokens.
std::filesystem::path tokenizer_file_in(const std::filesystem::path& folder) {
    std::error_code ignored;
    for (const char* name : {"tokenizer.json", "tokenizer.model", "tokenizer.model.v3",
                             "tokenizer.model.v2", "tokenizer.model.v1"}) {
        if (std::filesystem::exists(folder / name, ignored)) return folder / name;
    }
    return folder / "tokenizer.json";
}

}  // namespace

Tokenizer Tokenizer::parse(std::string_view text, std::string_view where) {
    return Tokenizer(parse_tokenizer_file(text, where));
}

Tokenizer Tokenizer::parse_model(std::string_view bytes, std::string_view where) {
    return Tokenizer(parse_tokenizer_model(bytes, where));
}

Tokenizer Tokenizer::load(const std::filesystem::path& path) {
    std::error_code ignored;
    const bool is_folder = std::filesystem::is_directory(path, ignored);
    const std::filesystem::path file = is_folder ? tokenizer_file_in(path) : path;
    const std::string text = core::read_text(file);
    const std::string where = core::printable(file.string());
    Tokenizer tokenizer =
        file.extension() == ".json" ? parse(text, where) : parse_model(text, where);
    const std::filesystem::path config = file.parent_path() / "tokenizer_config.json";
    if (std::filesystem::exists(config, ignored)) {
        read_tokenizer_config(config, tokenizer.file_);
    }
    return tokenizer;
}

std::vector<std::int32_t> Tokenizer::encode(std::string_view text, AddSpecial add) const {
    if (const auto broken = first_broken_byte(text)) {
        throw Error::mismatch("text", "byte " + std::to_string(*broken), "UTF-8",
                              "\"" + core::printable(text.substr(*broken, 4)) + "\"");
    }
    Ids ids;
    const bool wraps = add == AddSpecial::Yes && file_.around.has_value();
    if (wraps) ids = file_.around->before;
    Encoding(file_, text, ids).run();
    if (wraps) ids.insert(ids.end(), file_.around->after.begin(), file_.around->after.end());
    return ids;
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
    return find_token(file_, content);
}

std::string StreamDecoder::push(std::int32_t id) {
    const Piece& piece = tokenizer_->at(id);
    if (show_ == ShowSpecial::No && piece.kind == Piece::Kind::Special) return {};
    if (piece.keeps_space) ends_.keep_start();
    return ends_.push(stream_.push(piece.bytes));
}

std::string StreamDecoder::finish() {
    std::string text = ends_.push(stream_.finish());
    return text + ends_.finish();
}

}  // namespace model
