#include "core/json.h"

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

#include "core/format.h"

namespace core {

namespace {

using nlohmann::json;

/// Reads the text and shows how far the parser has come, which SAX events do not tell.
class Cursor {
public:
    using iterator_category = std::input_iterator_tag;
    using value_type = char;
    using difference_type = std::ptrdiff_t;
    using pointer = const char*;
    using reference = const char&;

    Cursor(const char* at, const char** reached) : at_(at), reached_(reached) {}
    reference operator*() const { return *at_; }
    Cursor& operator++() {
        *reached_ = ++at_;
        return *this;
    }
    bool operator==(const Cursor& other) const { return at_ == other.at_; }
    bool operator!=(const Cursor& other) const { return at_ != other.at_; }

private:
    const char* at_;
    const char** reached_;
};

/// Builds the value from parser events. Returns false from an event to stop at a problem.
class Builder {
public:
    explicit Builder(int depth_limit) : depth_limit_(depth_limit) {}

    const std::string& problem() const { return problem_; }
    /// Bytes read up to a syntax error; 0 for problems that this class found.
    std::size_t position() const { return position_; }
    json take() { return std::move(root_); }

    bool null() { return place(nullptr); }
    bool boolean(bool value) { return place(value); }
    bool number_integer(std::int64_t value) { return place(value); }
    bool number_unsigned(std::uint64_t value) { return place(value); }
    bool number_float(double value, const std::string&) { return place(value); }
    bool string(std::string& value) { return place(std::move(value)); }
    bool binary(json::binary_t&) { return fail("binary value"); }
    bool start_object(std::size_t) { return open(json::object()); }
    bool start_array(std::size_t) { return open(json::array()); }
    bool end_object() { return close(); }
    bool end_array() { return close(); }

    bool key(std::string& name) {
        const auto [entry, is_new] =
            open_.back()->get_ref<json::object_t&>().try_emplace(name, nullptr);
        if (!is_new) return fail("duplicate key \"" + printable(name) + "\"");
        slot_ = &entry->second;
        return true;
    }

    bool parse_error(std::size_t position, const std::string&, const json::exception& error) {
        position_ = position;
        // The library's text: "[json.exception.x] parse error at line 1, column 2: <reason>".
        std::string_view text = error.what();
        if (const auto end = text.find("] "); end != text.npos) text.remove_prefix(end + 2);
        if (text.starts_with("parse error at")) {
            if (const auto end = text.find(": "); end != text.npos) text.remove_prefix(end + 2);
        }
        return fail(printable(text));
    }

private:
    bool fail(std::string text) {
        problem_ = std::move(text);
        return false;
    }

    json* put(json value) {
        if (open_.empty()) return &(root_ = std::move(value));
        json& parent = *open_.back();
        if (!parent.is_array()) return &(*slot_ = std::move(value));
        parent.push_back(std::move(value));
        return &parent.back();
    }

    bool place(json value) {
        put(std::move(value));
        return true;
    }

    bool open(json value) {
        if (static_cast<int>(open_.size()) >= depth_limit_) {
            return fail("expected at most " + std::to_string(depth_limit_) +
                        " nested levels, got more");
        }
        // Stable: a parent does not grow while its last child is open.
        open_.push_back(put(std::move(value)));
        return true;
    }

    bool close() {
        open_.pop_back();
        return true;
    }

    int depth_limit_;
    json root_;
    std::vector<json*> open_;
    json* slot_ = nullptr;  // where the value of the last key goes
    std::string problem_;
    std::size_t position_ = 0;
};

Error at_position(std::string_view where, std::string_view text, std::size_t position,
                  std::string_view problem) {
    const std::string_view before = text.substr(0, position == 0 ? 0 : position - 1);
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const std::size_t newline = before.rfind('\n');
    const std::size_t column = before.size() - (newline == before.npos ? 0 : newline + 1) + 1;
    return Error(std::string(where) + ":" + std::to_string(line) + ":" + std::to_string(column) +
                 ": " + std::string(problem));
}

std::string range_text(std::string_view what, const std::string& min, const std::string& max) {
    return std::string(what) + " from " + min + " to " + max;
}

}  // namespace

json parse_json(std::string_view text, std::string_view where, JsonLimits limits) {
    if (static_cast<std::int64_t>(text.size()) > limits.size.value) {
        throw Error::mismatch(where, "", "at most " + to_text(limits.size) + " of JSON",
                              to_text(Bytes{static_cast<std::int64_t>(text.size())}));
    }
    const char* reached = text.data();
    Builder builder(limits.depth);
    const bool done = json::sax_parse(Cursor(text.data(), &reached),
                                      Cursor(text.data() + text.size(), &reached), &builder);
    if (!done) {
        const std::size_t position = builder.position() > 0
                                         ? builder.position()
                                         : static_cast<std::size_t>(reached - text.data());
        throw at_position(where, text, position, builder.problem());
    }
    return builder.take();
}

json read_json(const std::filesystem::path& path, JsonLimits limits) {
    return parse_json(read_text(path, limits.size), printable(path.string()), limits);
}

std::string describe(const json& value) {
    switch (value.type()) {
        case json::value_t::string:
            return "\"" + printable(value.get_ref<const std::string&>()) + "\"";
        case json::value_t::array:
            return "a list of " + std::to_string(value.size()) + " entries";
        case json::value_t::object:
            return "an object of " + std::to_string(value.size()) + " keys";
        default:
            return value.dump();
    }
}

JsonObject::JsonObject(const json& value, std::string where, std::string path)
    : value_(&value), where_(std::move(where)), path_(std::move(path)) {
    if (!value.is_object()) throw Error::mismatch(where_, path_, "an object", describe(value));
}

const json* JsonObject::find(std::string_view key) const {
    const auto& members = value_->get_ref<const json::object_t&>();
    const auto entry = members.find(key);
    return entry == members.end() || entry->second.is_null() ? nullptr : &entry->second;
}

std::string JsonObject::path_of(std::string_view key) const {
    return path_.empty() ? printable(key) : path_ + "." + printable(key);
}

Error JsonObject::unexpected(std::string_view key, std::string_view expected) const {
    const json* found = find(key);
    return Error::mismatch(where_, path_of(key), expected,
                           found == nullptr ? "nothing" : describe(*found));
}

const json& JsonObject::at(std::string_view key, std::string_view expected) const {
    const json* found = find(key);
    if (found == nullptr) throw unexpected(key, expected);
    return *found;
}

std::int64_t JsonObject::integer(std::string_view key, std::int64_t min, std::int64_t max) const {
    const auto expected = [&] {
        return range_text("an integer", std::to_string(min), std::to_string(max));
    };
    const json* found = find(key);
    if (found == nullptr || !found->is_number_integer()) throw unexpected(key, expected());
    // A value above the signed range is stored unsigned and would wrap.
    const bool wraps = found->is_number_unsigned() &&
                       found->get<std::uint64_t>() > static_cast<std::uint64_t>(kMaxInteger);
    if (wraps) throw unexpected(key, expected());
    const auto value = found->get<std::int64_t>();
    if (value < min || value > max) throw unexpected(key, expected());
    return value;
}

double JsonObject::number(std::string_view key, double min, double max) const {
    const json* found = find(key);
    if (found != nullptr && found->is_number()) {
        const auto value = found->get<double>();
        if (value >= min && value <= max) return value;
    }
    throw unexpected(key, range_text("a number", json(min).dump(), json(max).dump()));
}

std::string JsonObject::text(std::string_view key) const {
    const json& found = at(key, "a text");
    if (!found.is_string()) throw unexpected(key, "a text");
    return found.get<std::string>();
}

bool JsonObject::boolean(std::string_view key) const {
    const json& found = at(key, "true or false");
    if (!found.is_boolean()) throw unexpected(key, "true or false");
    return found.get<bool>();
}

JsonObject JsonObject::object(std::string_view key) const {
    const json& found = at(key, "an object");
    return JsonObject(found, where_, path_of(key));
}

const json& JsonObject::array(std::string_view key) const {
    const json& found = at(key, "a list");
    if (!found.is_array()) throw unexpected(key, "a list");
    return found;
}

std::optional<std::int64_t> JsonObject::optional_integer(std::string_view key, std::int64_t min,
                                                         std::int64_t max) const {
    if (!has(key)) return std::nullopt;
    return integer(key, min, max);
}

std::optional<double> JsonObject::optional_number(std::string_view key, double min,
                                                  double max) const {
    if (!has(key)) return std::nullopt;
    return number(key, min, max);
}

std::optional<std::string> JsonObject::optional_text(std::string_view key) const {
    if (!has(key)) return std::nullopt;
    return text(key);
}

std::optional<bool> JsonObject::optional_boolean(std::string_view key) const {
    if (!has(key)) return std::nullopt;
    return boolean(key);
}

std::optional<JsonObject> JsonObject::optional_object(std::string_view key) const {
    if (!has(key)) return std::nullopt;
    return object(key);
}

const json* JsonObject::optional_array(std::string_view key) const {
    return has(key) ? &array(key) : nullptr;
}

}  // namespace core
