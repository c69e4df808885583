#include "model/trace_defaults.h"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <set>
#include <utility>

#include "core/error.h"
#include "core/files.h"

namespace model {
namespace {

using Row = TraceDefaults::Row;

constexpr std::int64_t kMostBytes = std::int64_t{1} << 40;  // 1 TiB: more than any chip holds
constexpr std::int64_t kMostPositions = std::int64_t{1} << 24;

constexpr std::array<std::pair<std::string_view, dispatch::Release>, 3> kReleases{
    {{"2025", dispatch::Release::R2025},
     {"2026-05", dispatch::Release::R2026_05},
     {"2026-09", dispatch::Release::R2026_09}}};

enum class Table { Regions, PrefillTraces };

// Reads one file; keeps the place for messages.
class Reader {
public:
    explicit Reader(std::string_view where) : where_(where) {}

    [[noreturn]] void fail(const YAML::Node& node, std::string_view key,
                           std::string_view expected) const {
        throw core::Error::mismatch(located(node), key, expected, shown(node));
    }

    std::vector<Row> table(const YAML::Node& file, const char* key, Table kind) const {
        const YAML::Node list = file[key];
        if (!list || !list.IsSequence() || list.size() == 0) fail(list, key, "a list of rows");
        std::vector<Row> rows;
        for (const YAML::Node& node : list) rows.push_back(row(node, key, kind));
        return rows;
    }

    void only_keys(const YAML::Node& map, const std::set<std::string>& known) const {
        std::set<std::string> seen;
        for (const auto& entry : map) {
            const std::string key = entry.first.IsScalar() ? entry.first.Scalar() : "";
            if (!known.contains(key)) fail(entry.first, key, "no such key");
            if (!seen.insert(key).second) fail(entry.first, key, "the key once");
        }
    }

private:
    std::string located(const YAML::Node& node) const {
        const YAML::Mark mark = node ? node.Mark() : YAML::Mark::null_mark();
        return mark.is_null() ? where_ : fmt::format("{}:{}", where_, mark.line + 1);
    }

    static std::string shown(const YAML::Node& node) {
        if (!node) return "nothing";
        if (node.IsScalar()) return "\"" + node.Scalar().substr(0, 60) + "\"";
        return node.IsMap() ? "a map" : node.IsSequence() ? "a list" : "nothing";
    }

    Row row(const YAML::Node& node, const char* table, Table kind) const {
        if (!node.IsMap()) fail(node, table, "rows that are maps");
        const char* value = kind == Table::Regions ? "bytes" : "lengths";
        only_keys(node, {"release", "models", "devices", value, "source"});
        Row row;
        row.release = release(node["release"]);
        row.models = names(node["models"], "models");
        row.devices = names(node["devices"], "devices");
        if (kind == Table::Regions) {
            row.bytes = core::Bytes{integer(node[value], value, 0, kMostBytes)};
        } else {
            row.lengths = lengths(node[value]);
        }
        const YAML::Node source = node["source"];
        if (!source || !source.IsScalar() || source.Scalar().empty()) {
            fail(source, "source", "where the number comes from");
        }
        row.source = source.Scalar();
        return row;
    }

    dispatch::Release release(const YAML::Node& node) const {
        for (const auto& [name, release] : kReleases) {
            if (node && node.IsScalar() && node.Scalar() == name) return release;
        }
        fail(node, "release", "\"2025\", \"2026-05\" or \"2026-09\"");
    }

    std::vector<std::string> names(const YAML::Node& node, const char* key) const {
        if (!node) return {};
        if (!node.IsSequence() || node.size() == 0) fail(node, key, "a list of names");
        std::vector<std::string> result;
        for (const YAML::Node& item : node) {
            if (!item.IsScalar() || item.Scalar().empty()) fail(item, key, "a name");
            result.push_back(item.Scalar());
        }
        return result;
    }

    std::vector<std::int64_t> lengths(const YAML::Node& node) const {
        if (!node || !node.IsSequence()) fail(node, "lengths", "a list of lengths, or []");
        std::vector<std::int64_t> result;
        for (const YAML::Node& item : node) {
            result.push_back(integer(item, "lengths", 1, kMostPositions));
            const std::size_t last = result.size() - 1;
            if (last > 0 && result[last] <= result[last - 1]) fail(item, "lengths", "rising ones");
        }
        return result;
    }

    std::int64_t integer(const YAML::Node& node, const char* key, std::int64_t low,
                         std::int64_t high) const {
        std::int64_t number = 0;
        if (!node || !node.IsScalar() || !YAML::convert<std::int64_t>::decode(node, number) ||
            number < low || number > high) {
            fail(node, key, fmt::format("an integer from {} to {}", low, high));
        }
        return number;
    }

    std::string where_;
};

bool lists(const std::vector<std::string>& names, std::string_view name) {
    return std::ranges::find(names, name) != names.end();
}

// Rows of the newest release of the table that is not after `release`; the one that says most.
const Row* find(const std::vector<Row>& rows, std::string_view model, std::string_view device,
                dispatch::Release release) {
    auto newest = dispatch::Release::R2025;
    for (const Row& row : rows) {
        if (row.release <= release) newest = std::max(newest, row.release);
    }
    const Row* best = nullptr;
    int best_rank = -1;
    for (const Row& row : rows) {
        const bool model_fits = row.models.empty() || lists(row.models, model);
        const bool device_fits = row.devices.empty() || lists(row.devices, device);
        if (row.release != newest || !model_fits || !device_fits) continue;
        const int rank = (row.models.empty() ? 0 : 2) + (row.devices.empty() ? 0 : 1);
        if (rank > best_rank) best = &row, best_rank = rank;
    }
    return best;
}

}  // namespace

TraceDefaults TraceDefaults::parse(std::string_view text, std::string_view where) {
    const Reader reader(where);
    YAML::Node file;
    try {
        file = YAML::Load(std::string(text));
    } catch (const YAML::Exception& error) {
        throw core::Error(fmt::format("{}:{}: {}", where, error.mark.line + 1, error.msg));
    }
    if (!file.IsMap()) reader.fail(file, "", "the keys regions and prefill_traces");
    reader.only_keys(file, {"regions", "prefill_traces"});
    TraceDefaults defaults;
    defaults.regions_ = reader.table(file, "regions", Table::Regions);
    defaults.prefill_traces_ = reader.table(file, "prefill_traces", Table::PrefillTraces);
    return defaults;
}

TraceDefaults TraceDefaults::load(const std::filesystem::path& file) {
    return parse(core::read_text(file), file.string());
}

core::Bytes TraceDefaults::default_trace_region(std::string_view model, std::string_view device,
                                                dispatch::Release release) const {
    const Row* row = find(regions_, model, device, release);
    if (row == nullptr) {
        throw core::Error::mismatch("trace regions", std::string(device),
                                    "a row for it or a default of the release", "neither");
    }
    return row->bytes;
}

std::vector<std::int64_t> TraceDefaults::prefill_lengths(std::string_view model,
                                                         std::string_view device,
                                                         dispatch::Release release) const {
    const Row* row = find(prefill_traces_, model, device, release);
    return row == nullptr ? std::vector<std::int64_t>{} : row->lengths;
}

}  // namespace model
