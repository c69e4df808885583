// Strict reading of the YAML files of chips and kernels. A number is written
// `key: {value: V, source: "..."}`, or with `guess:` (the derivation) where nothing was published;
// a number without either is an error, and so is a key that nobody takes.
// Internal to this room: yaml-cpp does not leave it.
#pragma once

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <charconv>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "core/error.h"
#include "core/units.h"

namespace mesh {

constexpr std::int64_t kMaxMemory = std::int64_t{1} << 40;  // 1 TiB: nothing on a chip is larger
constexpr double kMaxGBps = 1e5;
constexpr double kMaxMicroseconds = 1e6;
constexpr double kMaxMegahertz = 1e5;

inline std::string located(const std::string& where, const YAML::Node& node) {
    const YAML::Mark mark = node.Mark();
    return mark.is_null() ? where : fmt::format("{}:{}", where, mark.line + 1);
}

inline std::string shown(const YAML::Node& node) {
    if (node.IsMap()) return "a map";
    if (node.IsSequence()) return fmt::format("a list of {}", node.size());
    if (!node.IsScalar()) return "nothing";
    return "\"" + node.Scalar().substr(0, 60) + "\"";
}

/// One map of the file. Every key must be taken; finish() reports those that nobody knows.
class Section {
public:
    Section(const YAML::Node& node, std::string where, std::string path)
        : node_(node), where_(std::move(where)), path_(std::move(path)) {
        if (!node_.IsMap()) fail(path_, node_, "a map");
        for (const auto& entry : node_) {
            if (!entry.first.IsScalar()) fail(path_, entry.first, "a plain key");
            const std::string& key = entry.first.Scalar();
            if (!entries_.emplace(key, entry.second).second) {
                throw core::Error::mismatch(located(where_, entry.first), full(key), "one value",
                                            "the key twice");
            }
        }
    }

    YAML::Node take(const std::string& key) {
        const auto found = entries_.find(key);
        if (found == entries_.end()) {
            throw core::Error::mismatch(located(where_, node_), full(key), "a value", "nothing");
        }
        taken_.insert(key);
        return found->second;
    }
    bool has(const std::string& key) const { return entries_.contains(key); }

    Section section(const std::string& key) { return {take(key), where_, full(key)}; }

    std::string text(const std::string& key) {
        const YAML::Node node = take(key);
        if (!node.IsScalar() || node.Scalar().empty()) fail(full(key), node, "a text");
        return node.Scalar();
    }

    /// The `value` of a number that says where it comes from.
    YAML::Node sourced(const std::string& key) {
        Section entry = section(key);
        const YAML::Node value = entry.take("value");
        entry.text(entry.has("guess") ? "guess" : "source");
        entry.finish();
        return value;
    }

    std::int64_t integer(const std::string& key, std::int64_t low, std::int64_t high) {
        return integer_of(full(key), sourced(key), low, high);
    }

    /// Requires: low < high. Finite, low <= number <= high.
    double real(const std::string& key, double low, double high) {
        const YAML::Node node = sourced(key);
        const std::string expected = fmt::format("a number from {} to {}", low, high);
        double number = 0;
        if (!parse(node, number) || !(number >= low && number <= high)) {
            fail(full(key), node, expected);
        }
        return number;
    }

    std::vector<std::int64_t> integers(const std::string& key, std::size_t count, std::int64_t low,
                                       std::int64_t high) {
        const YAML::Node node = sourced(key);
        if (!node.IsSequence() || node.size() != count) {
            fail(full(key), node, fmt::format("a list of {} integers", count));
        }
        std::vector<std::int64_t> numbers;
        for (const auto& item : node) numbers.push_back(integer_of(full(key), item, low, high));
        return numbers;
    }

    void finish() const {
        for (const auto& [key, node] : entries_) {
            if (taken_.contains(key)) continue;
            throw core::Error::mismatch(located(where_, node), full(key), "no such key",
                                        shown(node));
        }
    }

    /// The place of a whole section, for laws between its numbers.
    [[noreturn]] void broken_law(const std::string& key, const std::string& expected,
                                 const std::string& found) const {
        throw core::Error::mismatch(located(where_, node_), full(key), expected, found);
    }

private:
    std::string full(const std::string& key) const {
        return path_.empty() ? key : path_ + "." + key;
    }

    [[noreturn]] void fail(const std::string& path, const YAML::Node& node,
                           const std::string& expected) const {
        throw core::Error::mismatch(located(where_, node), path, expected, shown(node));
    }

    template <class Number>
    static bool parse(const YAML::Node& node, Number& number) {
        if (!node.IsScalar() || node.Tag() == "!") return false;  // "!": a quoted text
        const std::string& text = node.Scalar();
        const char* const end = text.data() + text.size();
        const auto [stop, error] = std::from_chars(text.data(), end, number);
        return error == std::errc{} && stop == end;
    }

    std::int64_t integer_of(const std::string& path, const YAML::Node& node, std::int64_t low,
                            std::int64_t high) const {
        std::int64_t number = 0;
        if (!parse(node, number) || number < low || number > high) {
            fail(path, node, fmt::format("an integer from {} to {}", low, high));
        }
        return number;
    }

    YAML::Node node_;
    std::string where_;
    std::string path_;  // "" at the top, "dram" inside it
    std::map<std::string, YAML::Node> entries_;
    std::set<std::string> taken_;
};

inline core::BytesPerSecond rate(Section& section, const std::string& key) {
    return {std::llround(section.real(key, 1e-3, kMaxGBps) * 1e9)};
}

inline core::Picoseconds time(Section& section, const std::string& key) {
    return core::Picoseconds{std::llround(section.real(key, 0, kMaxMicroseconds) * 1e6)};
}

inline core::Bytes bytes(Section& section, const std::string& key, std::int64_t low) {
    return {section.integer(key, low, kMaxMemory)};
}

inline core::Bytes alignment(Section& section, const std::string& key) {
    const std::int64_t size = section.integer(key, 1, 65536);
    if ((size & (size - 1)) != 0) {
        section.broken_law(key, "a power of two", fmt::to_string(size));
    }
    return {size};
}

inline constexpr std::size_t kMaxFileBytes = 1 << 20;

/// The text of a file of `what` ("a chip file"). Throws core::Error: missing, too large.
inline std::string read_text(const std::filesystem::path& file, const std::string& what) {
    std::ifstream stream(file, std::ios::binary);
    std::error_code failure;
    const std::uintmax_t size = std::filesystem::file_size(file, failure);
    if (!stream || failure) {
        throw core::Error::mismatch(file.string(), "", what, "nothing that can be read");
    }
    if (size > kMaxFileBytes) {
        throw core::Error::mismatch(file.string(), "",
                                    fmt::format("{} of at most {} bytes", what, kMaxFileBytes),
                                    fmt::format("{} bytes", size));
    }
    std::ostringstream text;
    text << stream.rdbuf();
    return text.str();
}

/// What `read` makes of the file's top map. YAML's own errors become core::Error; `what` is the
/// context of errors ("while loading a chip").
template <class Read>
auto parse_sections(std::string_view text, std::string_view where, const std::string& what,
                    Read read) {
    try {
        const YAML::Node root = YAML::Load(std::string(text));
        return read(Section(root, std::string(where), ""));
    } catch (core::Error& error) {
        error.within(what);
        throw;
    } catch (const YAML::Exception& error) {
        const std::string place = error.mark.is_null()
                                      ? std::string(where)
                                      : fmt::format("{}:{}", where, error.mark.line + 1);
        throw core::Error::mismatch(place, "", "YAML", error.msg);
    }
}

}  // namespace mesh
