#include "cli/tt_config.h"

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/json.h"

namespace cli {
namespace {

constexpr std::string_view kWhere = "--override-tt-config";
constexpr std::int64_t kMostBytes = std::int64_t{1} << 40;
constexpr std::int64_t kMostL1 = std::int64_t{1} << 21;

constexpr std::array<std::string_view, 8> kPlanned{
    "trace_region_size",  "worker_l1_size",     "l1_small_size", "dispatch_core_axis",
    "dispatch_core_type", "num_command_queues", "data_parallel", "optimizations"};

// Reads "a" or "b" of a key.
template <typename T>
std::optional<T> either(const core::JsonObject& object, std::string_view key, std::string_view a,
                        T first, std::string_view b, T second) {
    const std::optional<std::string> text = object.optional_text(key);
    if (!text) return std::nullopt;
    if (*text == a) return first;
    if (*text == b) return second;
    throw object.unexpected(key, "\"" + std::string(a) + "\" or \"" + std::string(b) + "\"");
}

}  // namespace

TtConfig parse_tt_config(std::string_view text) {
    const nlohmann::json json = core::parse_json(text, kWhere);
    const core::JsonObject object(json, std::string(kWhere));
    TtConfig config;
    config.trace_region_size = object.optional_integer("trace_region_size", 0, kMostBytes);
    config.worker_l1_size = object.optional_integer("worker_l1_size", 0, kMostL1);
    config.l1_small_size = object.optional_integer("l1_small_size", 0, kMostL1);
    config.dispatch_core_axis = either(object, "dispatch_core_axis", "row", mesh::DispatchAxis::Row,
                                       "col", mesh::DispatchAxis::Column);
    config.dispatch_core_type =
        either(object, "dispatch_core_type", "worker", mesh::DispatchCore::Worker, "eth",
               mesh::DispatchCore::Ethernet);
    config.num_command_queues = object.optional_integer("num_command_queues", 1, 2);
    config.data_parallel = object.optional_integer("data_parallel", 1, 1024);
    config.optimizations = object.optional_text("optimizations");
    for (const auto& [key, value] : json.items()) {
        const bool planned = std::find(kPlanned.begin(), kPlanned.end(), key) != kPlanned.end();
        if (!planned) config.without_effect.push_back(key);
    }
    return config;
}

}  // namespace cli
