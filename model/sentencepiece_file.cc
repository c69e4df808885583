#include "model/sentencepiece_file.h"

#include <cmath>
#include <cstdint>
#include <cstring>
#include <optional>

#include "core/error.h"
#include "model/utf8.h"

namespace model {

namespace {

using core::Error;

constexpr std::size_t kMaxPieces = std::size_t{1} << 21;

Error broken(std::string_view where, std::string_view key, std::string_view expected) {
    return Error::mismatch(where, key, expected, "something else")
        .hint("the file is damaged, or not a SentencePiece model");
}

/// One field of a protocol buffer message.
struct Field {
    std::uint64_t number = 0;
    std::uint64_t value = 0;  // of a number
    std::string_view bytes;   // of a text or message
};

/// Reads the fields of a message one by one (protobuf.dev: encoding).
class Fields {
public:
    Fields(std::string_view bytes, std::string_view where, std::string_view key)
        : rest_(bytes), where_(where), key_(key) {}

    std::optional<Field> next() {
        if (rest_.empty()) return std::nullopt;
        const std::uint64_t tag = varint();
        Field field;
        field.number = tag >> 3;
        switch (tag & 7) {
            case 0:
                field.value = varint();
                break;
            case 1:
                field.value = fixed(8);
                break;
            case 2:
                field.bytes = take(varint());
                break;
            case 5:
                field.value = fixed(4);
                break;
            default:
                throw broken(where_, key_, "a protocol buffer message");
        }
        return field;
    }

private:
    std::string_view take(std::uint64_t count) {
        if (count > rest_.size()) throw broken(where_, key_, "a whole protocol buffer message");
        const std::string_view taken = rest_.substr(0, static_cast<std::size_t>(count));
        rest_.remove_prefix(taken.size());
        return taken;
    }
    std::uint64_t fixed(std::size_t count) {
        std::uint64_t value = 0;
        const std::string_view bytes = take(count);
        for (std::size_t i = 0; i < count; ++i) {
            value |= static_cast<std::uint64_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
        }
        return value;
    }
    std::uint64_t varint() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 64; shift += 7) {
            const auto byte = static_cast<unsigned char>(take(1)[0]);
            value |= static_cast<std::uint64_t>(byte & 0x7f) << shift;
            if (byte < 0x80) return value;
        }
        throw broken(where_, key_, "numbers of at most 64 bits");
    }

    std::string_view rest_;
    std::string_view where_;
    std::string_view key_;
};

SentencePieceFile::Piece read_piece(std::string_view bytes, std::string_view where,
                                    std::size_t index) {
    const std::string key = "pieces[" + std::to_string(index) + "]";
    SentencePieceFile::Piece piece;
    Fields fields(bytes, where, key);
    while (const auto field = fields.next()) {
        if (field->number == 1) piece.text = field->bytes;
        if (field->number == 2) {
            const auto bits = static_cast<std::uint32_t>(field->value);
            float score = 0;
            std::memcpy(&score, &bits, sizeof score);
            if (!std::isfinite(score)) throw broken(where, key + ".score", "a finite number");
            piece.score = score;
        }
        if (field->number == 3) {
            if (field->value < 1 || field->value > 6) throw broken(where, key + ".type", "1 to 6");
            piece.type = static_cast<SentencePieceFile::Type>(field->value);
        }
    }
    // The library keeps pieces as C strings in places.
    if (piece.text.empty() || piece.text.find('\0') != piece.text.npos ||
        first_broken_byte(piece.text)) {
        throw broken(where, key + ".piece", "UTF-8 text without zero bytes");
    }
    return piece;
}

void read_trainer(std::string_view bytes, std::string_view where, SentencePieceFile& file) {
    Fields fields(bytes, where, "trainer_spec");
    while (const auto field = fields.next()) {
        if (field->number == 3) {
            if (field->value < 1 || field->value > 4) {
                throw broken(where, "trainer_spec.model_type", "1 to 4");
            }
            file.model = static_cast<SentencePieceFile::Model>(field->value);
        }
        if (field->number == 24) file.spaces_end_words = field->value != 0;
        if (field->number == 35) file.has_bytes = field->value != 0;
        if (field->number == 44) {
            file.unknown_text = field->bytes;
            if (first_broken_byte(file.unknown_text)) {
                throw broken(where, "trainer_spec.unk_surface", "UTF-8 text");
            }
        }
    }
}

/// A table of replaced characters: the size of a double-array trie, the trie, the replacements.
/// Every step of a walk along the trie must stay inside.
SentencePieceFile::Replacements read_replacements(std::string_view map, std::string_view where) {
    constexpr std::string_view kKey = "normalizer_spec.precompiled_charsmap";
    constexpr std::size_t kBlock = 256;
    std::uint32_t trie_bytes = 0;
    if (map.size() < sizeof trie_bytes) throw broken(where, kKey, "a size and a trie");
    std::memcpy(&trie_bytes, map.data(), sizeof trie_bytes);
    map.remove_prefix(sizeof trie_bytes);
    if (trie_bytes >= map.size() || trie_bytes % (4 * kBlock) != 0 || trie_bytes == 0) {
        throw broken(where, kKey, "a trie of whole blocks inside the table");
    }
    const std::string_view texts = map.substr(trie_bytes);
    if (texts.back() != '\0') throw broken(where, kKey, "replacements that end with a zero byte");
    const std::size_t units = trie_bytes / 4;
    const auto unit_at = [&](std::size_t index) {
        std::uint32_t unit = 0;
        std::memcpy(&unit, map.data() + 4 * index, sizeof unit);
        return unit;
    };
    for (std::size_t i = 0; i < units; ++i) {
        const std::uint32_t unit = unit_at(i);
        if ((unit >> 31) != 0) continue;  // a value, checked from the unit above it
        const std::size_t children = i ^ (std::size_t{unit} >> 10) << ((unit & (1u << 9)) >> 6);
        if (children / kBlock >= units / kBlock) {
            throw broken(where, kKey, "offsets inside the trie");
        }
        const bool has_value = (unit >> 8 & 1u) != 0;
        if (has_value && (unit_at(children) & 0x7fffffff) >= texts.size()) {
            throw broken(where, kKey, "values inside the replacements");
        }
    }
    return {std::string(map.substr(0, trie_bytes)), std::string(texts)};
}

void read_normalizer(std::string_view bytes, std::string_view where, SentencePieceFile& file) {
    Fields fields(bytes, where, "normalizer_spec");
    while (const auto field = fields.next()) {
        if (field->number == 2 && !field->bytes.empty()) {
            file.replacements = read_replacements(field->bytes, where);
        }
        if (field->number == 3) file.adds_space = field->value != 0;
        if (field->number == 4) file.drops_spaces = field->value != 0;
        if (field->number == 5) file.escapes_spaces = field->value != 0;
    }
}

void check_denormalizer(std::string_view bytes, std::string_view where) {
    Fields fields(bytes, where, "denormalizer_spec");
    while (const auto field = fields.next()) {
        if (field->number == 2 && !field->bytes.empty()) {
            throw broken(where, "denormalizer_spec.precompiled_charsmap", "nothing");
        }
    }
}

}  // namespace

SentencePieceFile parse_sentencepiece_file(std::string_view bytes, std::string_view where) {
    SentencePieceFile file;
    Fields fields(bytes, where, "model");
    while (const auto field = fields.next()) {
        if (field->number == 1) {
            file.pieces.push_back(read_piece(field->bytes, where, file.pieces.size()));
            if (file.pieces.size() > kMaxPieces) throw broken(where, "pieces", "at most 2^21");
        }
        if (field->number == 2) read_trainer(field->bytes, where, file);
        if (field->number == 3) read_normalizer(field->bytes, where, file);
        if (field->number == 5) check_denormalizer(field->bytes, where);
    }
    if (file.pieces.empty()) throw broken(where, "pieces", "a vocabulary");
    return file;
}

}  // namespace model
