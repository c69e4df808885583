#include "tests/fuzz/json_mutator.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

namespace fuzz {
namespace {

// Its objects are lists of pairs, so a key can be there twice.
using Json = nlohmann::ordered_json;
using Object = Json::object_t;

// What JSON has no value for travels as a text with this mark and loses its quotes at the end.
constexpr std::string_view kRaw = "@raw@";

std::size_t below(std::size_t count, std::mt19937& random) { return random() % count; }

/// Every object and every value of the tree; members of at most 64 entries of a list.
struct Places {
    std::vector<Object*> objects;
    std::vector<Json*> values;

    void collect(Json& at) {
        if (at.is_object()) {
            objects.push_back(at.get_ptr<Json::object_t*>());
            for (auto& [key, value] : *objects.back()) visit(value);
        } else if (at.is_array()) {
            const std::size_t count = std::min<std::size_t>(at.size(), 64);
            for (std::size_t i = 0; i < count; ++i) visit(at[i]);
        }
    }

private:
    void visit(Json& value) {
        values.push_back(&value);
        collect(value);
    }
};

Json nested(std::size_t depth) {
    Json value = 1;
    for (std::size_t i = 0; i < depth; ++i) value = Json::array({std::move(value)});
    return value;
}

Json strange_value(std::mt19937& random) {
    static const std::array kRawTexts{
        "NaN",  "Infinity", "-Infinity", "1e999", "-0", "1e-400", "123456789012345678901234567890",
        "0x10", "01",       "+1"};
    static const std::array kTexts{"",     "32",     "full_attention", "sliding_attention",
                                   "yarn", "llama3", "\xED\xA0\x80",   "gelu",
                                   "auto"};
    static const std::array kCounts{std::int64_t{0},
                                    std::int64_t{-1},
                                    std::int64_t{1},
                                    std::int64_t{2},
                                    std::int64_t{3},
                                    std::int64_t{7},
                                    std::int64_t{33},
                                    std::int64_t{1} << 20,
                                    (std::int64_t{1} << 20) + 1,
                                    std::int64_t{1} << 30,
                                    std::int64_t{1} << 31,
                                    std::int64_t{1} << 53,
                                    std::numeric_limits<std::int64_t>::max(),
                                    std::numeric_limits<std::int64_t>::min()};
    static const std::array kFractions{0.5, -0.5, 1e-30, 1e30, 1e308, 2.0, 0.1};
    switch (below(9, random)) {
        case 0:
            return std::string(kRaw) + kRawTexts[below(kRawTexts.size(), random)];
        case 1:
            return kTexts[below(kTexts.size(), random)];
        case 2:
            return nullptr;
        case 3:
            return random() % 2 == 0;
        case 4:
            return kFractions[below(kFractions.size(), random)];
        case 5:
            return random() % 2 == 0 ? Json::array() : Json::object();
        case 6:
            return nested(1 + below(70, random));
        case 7:
            return std::numeric_limits<std::uint64_t>::max();
        default:
            return kCounts[below(kCounts.size(), random)];
    }
}

/// Another number near it, so that the file often stays one that is read.
void nudge(Json& value, std::mt19937& random) {
    if (value.is_number_integer()) {
        const auto number = value.get<std::int64_t>() & 0xFFFF'FFFF;
        const std::array changed{number + 1, number - 1, number * 2,
                                 number / 2, number * 3, number + 32};
        value = changed[below(changed.size(), random)];
    } else if (value.is_number_float()) {
        value = value.get<double>() * (random() % 2 == 0 ? 0.5 : 1.5);
    } else if (value.is_boolean()) {
        value = !value.get<bool>();
    } else if (value.is_array() && !value.empty()) {
        if (random() % 2 == 0) {
            value.erase(below(value.size(), random));
        } else {
            value.push_back(value[below(value.size(), random)]);
        }
    } else {
        value = strange_value(random);
    }
}

void change_key(Object& object, const Places& places, std::mt19937& random) {
    if (object.empty()) {
        object.push_back({"hidden_size", strange_value(random)});
        return;
    }
    const std::size_t index = below(object.size(), random);
    const auto at = object.begin() + static_cast<std::ptrdiff_t>(index);
    // Pairs of an ordered object have constant keys: a renamed one is a new pair.
    const std::string key = at->first;
    const Json value = at->second;
    switch (below(4, random)) {
        case 0:
            object.erase(at);
            break;
        case 1:
            object.erase(at);
            object.push_back({key + "_", value});
            break;
        case 2:
            object.push_back({key, value});  // the key twice
            break;
        default:
            object.push_back({key + "_2", *places.values[below(places.values.size(), random)]});
            break;
    }
}

void change_once(Json& root, std::mt19937& random) {
    Places places;
    places.collect(root);
    if (places.values.empty()) {
        root["num_hidden_layers"] = strange_value(random);
        return;
    }
    Json& value = *places.values[below(places.values.size(), random)];
    switch (below(4, random)) {
        case 0:
            value = strange_value(random);
            break;
        case 1:
            change_key(*places.objects[below(places.objects.size(), random)], places, random);
            break;
        default:
            nudge(value, random);
            break;
    }
}

/// The text of `root`, marked texts without their quotes.
std::string written(const Json& root) {
    std::string text = root.dump(-1, ' ', false, Json::error_handler_t::replace);
    const std::string mark = "\"" + std::string(kRaw);
    for (std::size_t at = 0; (at = text.find(mark, at)) != std::string::npos;) {
        text.erase(at, mark.size());
        const std::size_t end = text.find('"', at);
        if (end == std::string::npos) break;
        text.erase(end, 1);
    }
    return text;
}

}  // namespace

std::string mutated(std::string_view text, std::mt19937& random) {
    Json root = Json::parse(text, nullptr, false);
    if (!root.is_object()) return std::string(text);
    const std::size_t changes = 1 + below(4, random);
    for (std::size_t i = 0; i < changes; ++i) change_once(root, random);
    return written(root);
}

}  // namespace fuzz
