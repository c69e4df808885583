#include "fabric/yaml_entry.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <set>

#include "core/error.h"

namespace fabric {
namespace {

constexpr std::uintmax_t kLargestFile = 4U << 20U;  // a 128-chip descriptor is about 100 KiB

bool parse_integer(const std::string& text, std::int64_t& value) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end;
}

}  // namespace

std::string read_text_file(const std::filesystem::path& file) {
    std::error_code failed;
    if (!std::filesystem::is_regular_file(file, failed)) {
        throw core::Error(fmt::format("{}: no such file", file.string()));
    }
    const std::uintmax_t size = std::filesystem::file_size(file, failed);
    if (failed || size > kLargestFile) {
        throw core::Error::mismatch(file.string(), "size", "at most 4 MiB",
                                    failed ? failed.message() : fmt::format("{} B", size));
    }
    std::ifstream stream(file, std::ios::binary);
    std::string text(size, '\0');
    stream.read(text.data(), static_cast<std::streamsize>(size));
    if (!stream) throw core::Error(fmt::format("{}: cannot be read", file.string()));
    return text;
}

Entry::Entry(std::string where, std::string key, YAML::Node node)
    : where_(std::move(where)), key_(std::move(key)), node_(node) {}

Entry Entry::open(const std::filesystem::path& file) {
    const std::string text = read_text_file(file);
    try {
        Entry root(file.string(), "", YAML::Load(text));
        if (!root.is_mapping()) root.fail("a mapping of keys to values", root.found());
        return root;
    } catch (const YAML::Exception& problem) {
        throw core::Error::mismatch(file.string(), fmt::format("line {}", problem.mark.line + 1),
                                    "YAML", problem.msg);
    }
}

std::optional<Entry> Entry::find(std::string_view name) const {
    const std::string child(name);
    if (!node_.IsMap()) fail("a mapping", found());
    const YAML::Node value = node_[child];
    if (!value.IsDefined()) return std::nullopt;
    return Entry(where_, key_.empty() ? child : key_ + "." + child, value);
}

Entry Entry::at(std::string_view name) const {
    std::optional<Entry> value = find(name);
    if (!value) {
        throw core::Error::mismatch(where_, key_.empty() ? name : key_ + "." + std::string(name),
                                    "a value", "nothing");
    }
    return *value;
}

std::int64_t Entry::integer(std::int64_t least, std::int64_t most) const {
    std::int64_t value = 0;
    if (!node_.IsScalar() || !parse_integer(node_.Scalar(), value) || value < least ||
        value > most) {
        fail(fmt::format("an integer from {} to {}", least, most), found());
    }
    return value;
}

std::int32_t Entry::int32(std::int32_t least, std::int32_t most) const {
    return static_cast<std::int32_t>(integer(least, most));
}

std::string Entry::text() const {
    if (!node_.IsScalar()) fail("a word", found());
    return node_.Scalar();
}

std::vector<Entry> Entry::items(std::size_t least, std::size_t most) const {
    if (!node_.IsSequence()) fail("a list", found());
    if (node_.size() < least || node_.size() > most) {
        const std::string range =
            least == most ? fmt::format("{}", least) : fmt::format("{} to {}", least, most);
        fail(fmt::format("{} entries", range), fmt::format("{}", node_.size()));
    }
    std::vector<Entry> result;
    result.reserve(node_.size());
    for (std::size_t i = 0; i < node_.size(); ++i) {
        result.emplace_back(where_, fmt::format("{}[{}]", key_, i), node_[i]);
    }
    return result;
}

std::vector<std::pair<std::string, Entry>> Entry::fields() const {
    if (!node_.IsMap()) fail("a mapping", found());
    std::vector<std::pair<std::string, Entry>> result;
    std::set<std::string> seen;
    for (const auto& pair : node_) {
        if (!pair.first.IsScalar()) fail("words or numbers as keys", "a nested key");
        const std::string name = pair.first.Scalar();
        Entry value(where_, key_.empty() ? name : key_ + "." + name, pair.second);
        if (!seen.insert(name).second) value.fail("one entry", "the same key twice");
        result.emplace_back(name, std::move(value));
    }
    return result;
}

void Entry::allow_only(std::initializer_list<std::string_view> known) const {
    allow_only(std::vector<std::string_view>(known));
}

void Entry::allow_only(const std::vector<std::string_view>& known) const {
    for (const auto& [name, value] : fields()) {
        if (std::find(known.begin(), known.end(), name) == known.end()) {
            value.fail(fmt::format("one of the keys {}", fmt::join(known, ", ")), name);
        }
    }
}

void Entry::fail(std::string_view expected, std::string_view found, std::string_view hint) const {
    core::Error error =
        core::Error::mismatch(where_, key_.empty() ? "(the file)" : key_, expected, found);
    if (!hint.empty()) error.hint(hint);
    throw error;
}

std::string Entry::found() const {
    if (node_.IsSequence()) return fmt::format("a list of {}", node_.size());
    if (node_.IsMap()) return "a mapping";
    if (!node_.IsScalar()) return "nothing";
    constexpr std::size_t kLongest = 40;
    const std::string& text = node_.Scalar();
    return text.size() <= kLongest ? fmt::format("\"{}\"", text)
                                   : fmt::format("\"{}...\"", text.substr(0, kLongest));
}

std::int32_t chip_key(const Entry& mapping, const std::string& key, std::int32_t chips) {
    std::int64_t value = 0;
    if (!parse_integer(key, value) || value < 0 || value >= chips) {
        mapping.fail(fmt::format("chip numbers from 0 to {}", chips - 1),
                     fmt::format("\"{}\"", key));
    }
    return static_cast<std::int32_t>(value);
}

}  // namespace fabric
