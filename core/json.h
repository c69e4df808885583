// JSON from strangers: a strict parser with limits, and typed access with good messages.
// Invariant: a value that came through here has no duplicate keys, no NaN or infinity, is valid
// UTF-8 and nests no deeper than the limit. Columns in messages count bytes from 1.
#pragma once

#include <cstdint>
#include <filesystem>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/error.h"
#include "core/files.h"
#include "core/units.h"

namespace core {

struct JsonLimits {
    Bytes size = kTextLimit;
    int depth = 64;
};

/// Throws Error "where:line:column: ..." on bad syntax, duplicate keys or a broken limit.
nlohmann::json parse_json(std::string_view text, std::string_view where, JsonLimits limits = {});

/// parse_json of a file; `where` is its path.
nlohmann::json read_json(const std::filesystem::path& path, JsonLimits limits = {});

/// What a value is, short enough for a message: "null", "\"silu\"", "a list of 3 entries".
std::string describe(const nlohmann::json& value);

/// Typed reader of one JSON object. A key with the value null counts as absent.
/// Getters throw Error "where: key: expected X, got Y". Keeps a reference to the value.
class JsonObject {
public:
    static constexpr std::int64_t kMaxInteger = std::numeric_limits<std::int64_t>::max();
    static constexpr double kMaxNumber = std::numeric_limits<double>::max();

    /// `where` names the file; `path` is the key of this object in it ("" for the root).
    JsonObject(const nlohmann::json& value, std::string where, std::string path = {});
    JsonObject(nlohmann::json&& value, std::string where, std::string path = {}) = delete;

    bool has(std::string_view key) const { return find(key) != nullptr; }

    std::int64_t integer(std::string_view key, std::int64_t min, std::int64_t max) const;
    double number(std::string_view key, double min, double max) const;
    std::string text(std::string_view key) const;
    bool boolean(std::string_view key) const;
    JsonObject object(std::string_view key) const;
    const nlohmann::json& array(std::string_view key) const;

    std::optional<std::int64_t> optional_integer(std::string_view key, std::int64_t min,
                                                 std::int64_t max) const;
    std::optional<double> optional_number(std::string_view key, double min, double max) const;
    std::optional<std::string> optional_text(std::string_view key) const;
    std::optional<bool> optional_boolean(std::string_view key) const;
    std::optional<JsonObject> optional_object(std::string_view key) const;
    /// Null when absent.
    const nlohmann::json* optional_array(std::string_view key) const;

    /// The value of `key`, or null when it is absent or null.
    const nlohmann::json* find(std::string_view key) const;
    const nlohmann::json& value() const { return *value_; }
    const std::string& where() const { return where_; }
    /// The full path of `key` in the file, for messages: "rope_scaling.factor".
    std::string path_of(std::string_view key) const;
    /// "where: key: expected X, got <what is there>".
    Error unexpected(std::string_view key, std::string_view expected) const;

private:
    const nlohmann::json& at(std::string_view key, std::string_view expected) const;

    const nlohmann::json* value_;
    std::string where_;
    std::string path_;
};

}  // namespace core
