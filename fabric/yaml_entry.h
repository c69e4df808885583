// A value of a YAML file that knows where it stands: the file and the dotted key.
// Invariant: whatever is wrong with a value becomes a core::Error naming file, key, what was
// expected and what was found. Sizes are bounded before anything is allocated.
#pragma once

#include <yaml-cpp/yaml.h>

#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fabric {

/// The text of a regular file of at most 4 MiB. Throws core::Error.
std::string read_text_file(const std::filesystem::path& file);

class Entry {
public:
    Entry(std::string where, std::string key, YAML::Node node);
    /// The root of a file. Throws core::Error when it cannot be read, is no YAML or no mapping.
    static Entry open(const std::filesystem::path& file);

    const std::string& key() const { return key_; }
    const std::string& where() const { return where_; }
    const YAML::Node& node() const { return node_; }
    bool is_list() const { return node_.IsSequence(); }
    bool is_mapping() const { return node_.IsMap(); }
    bool is_scalar() const { return node_.IsScalar(); }

    std::optional<Entry> find(std::string_view name) const;
    /// As find(), but an absent key is an Error.
    Entry at(std::string_view name) const;
    std::int64_t integer(std::int64_t least, std::int64_t most) const;
    std::int32_t int32(std::int32_t least, std::int32_t most) const;
    std::string text() const;
    /// The items of a list with at least `least` and at most `most` of them.
    std::vector<Entry> items(std::size_t least, std::size_t most) const;
    /// The pairs of a mapping in file order; a repeated key is an Error.
    std::vector<std::pair<std::string, Entry>> fields() const;
    /// Requires every key of the mapping to be one of `known`.
    void allow_only(std::initializer_list<std::string_view> known) const;
    void allow_only(const std::vector<std::string_view>& known) const;

    /// Throws a core::Error for this value.
    [[noreturn]] void fail(std::string_view expected, std::string_view found,
                           std::string_view hint = {}) const;
    /// What stands there, short, for a message.
    std::string found() const;

private:
    std::string where_;
    std::string key_;
    YAML::Node node_;
};

/// The key of a mapping as a chip number from 0 to `chips` - 1.
std::int32_t chip_key(const Entry& mapping, const std::string& key, std::int32_t chips);

}  // namespace fabric
