#include "fabric/loading.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <future>
#include <memory>
#include <mutex>

#include "core/error.h"
#include "fabric/link_keys.h"
#include "mesh/kernel_spec.h"

namespace fabric {
namespace {

bool parse_extent(std::string_view text, std::int32_t& value) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data(), end, value);
    return error == std::errc{} && stop == end && value >= 1 && value <= kMaxChips;
}

}  // namespace

std::optional<mesh::Shape> parse_shape(std::string_view text) {
    const std::size_t cross = text.find_first_of("xX");
    if (cross == std::string_view::npos) return std::nullopt;
    mesh::Shape shape;
    if (!parse_extent(text.substr(0, cross), shape.rows) ||
        !parse_extent(text.substr(cross + 1), shape.cols)) {
        return std::nullopt;
    }
    if (std::int64_t{shape.rows} * shape.cols > kMaxChips) return std::nullopt;
    return shape;
}

std::string lower_case(std::string_view text) {
    std::string result(text);
    for (char& c : result) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    return result;
}

std::string system_name_of(const std::filesystem::path& file) {
    return lower_case(file.stem().string());
}

void add_cables(Cables& cables, ChipId a, ChipId b, std::int32_t links) {
    core::require(a != b, "a cable joins two chips");
    if (b < a) std::swap(a, b);
    cables[{a, b}] += links;
}

Wiring make_wiring(std::int32_t chips, const Cables& cables) {
    Wiring wiring;
    wiring.chips = chips;
    for (const auto& [pair, links] : cables) {
        wiring.edges.push_back({pair.first, pair.second, links});
    }
    return wiring;
}

void add_grid(Cables& cables, const MeshOption& grid, std::int32_t links,
              std::array<bool, 2> wraps) {
    const mesh::Shape shape = grid.shape;
    for (const int axis : {0, 1}) {
        for (const std::vector<std::int32_t>& group : mesh::groups_along(shape, axis)) {
            const auto chip = [&](std::size_t i) {
                return grid.chips[static_cast<std::size_t>(group[i])];
            };
            for (std::size_t i = 0; i + 1 < group.size(); ++i) {
                add_cables(cables, chip(i), chip(i + 1), links);
            }
            // Two chips are already neighbours: a ring of two does not exist.
            if (wraps[static_cast<std::size_t>(axis)] && group.size() > 2) {
                add_cables(cables, chip(group.size() - 1), chip(0), links);
            }
        }
    }
}

std::int32_t usual_links(const Wiring& wiring) {
    std::map<std::int32_t, std::int32_t> pairs_with;
    for (const Edge& edge : wiring.edges) ++pairs_with[edge.links];
    std::int32_t usual = 0;
    std::int32_t most = 0;
    for (const auto& [links, pairs] : pairs_with) {
        if (pairs >= most) {
            usual = links;
            most = pairs;
        }
    }
    return usual;
}

namespace {

// What `read` makes, once per name and catalog.
template <typename T, typename Read>
T once(const Catalog& catalog, Loaded::ByName<T> Loaded::*all, const std::string& name,
       const Read& read) {
    if (!catalog.loaded) return read();
    std::unique_lock<std::mutex> lock(catalog.loaded->mutex);
    auto& known = (*catalog.loaded).*all;
    auto found = known.find(name);
    if (found == known.end()) {
        // Read by the first get(), without the lock.
        found = known.emplace(name, std::async(std::launch::deferred, read).share()).first;
    }
    const std::shared_future<T> value = found->second;
    lock.unlock();
    return value.get();
}

LinkSpec read_link(const Catalog& catalog, const std::string& name,
                   const std::optional<Entry>& overrides) {
    const Entry file = Entry::open(catalog.folder / "links" / (name + ".yaml"));
    const auto value = [&](const char* key, std::int64_t least, std::int64_t most) {
        std::optional<Entry> entry = overrides ? overrides->find(key) : std::nullopt;
        if (!entry) entry = file.at(key);
        return entry->integer(least, most);
    };
    constexpr std::int64_t kLargestPacket = 1 << 20;
    constexpr std::int64_t kLongest = 1'000'000'000;  // a second
    constexpr std::int64_t kLargestSlice = std::int64_t{1} << 40;
    LinkSpec link;
    link.line_rate = {value("line_rate_MBps", 1, 10'000'000) * 1'000'000};
    link.hop_latency = core::Picoseconds{value("hop_latency_ns", 0, kLongest) * 1000};
    link.packet_payload = {value("packet_payload_B", 1, kLargestPacket)};
    link.packet_header = {value("packet_header_B", 0, kLargestPacket)};
    link.ethernet_frame = {value("ethernet_frame_B", 1, kLargestPacket)};
    link.ethernet_overhead = {value("ethernet_overhead_B", 0, kLargestPacket)};
    link.collective_setup = core::Picoseconds{value("collective_setup_ns", 0, kLongest) * 1000};
    link.routing_planes = static_cast<std::int32_t>(value("routing_planes", 0, kMaxLinks));
    for (const LinkTime& time : link_times()) {
        time.of(link) = core::Picoseconds{value(time.key, 0, kLongest) * 1000};
    }
    for (const LinkSize& size : link_sizes()) size.of(link) = {value(size.key, 0, kLargestSlice)};
    for (const LinkRate& rate : link_rates()) {
        rate.of(link) = {value(rate.key, 0, 10'000'000) * 1'000'000};
    }
    link.collectives.straight.sharing_permille = value("straight_sharing_permille", 0, 1000);
    return link;
}

}  // namespace

mesh::ChipSpec load_named_chip(const Catalog& catalog, const std::string& name) {
    const auto kernels = [&](const std::filesystem::path& file) {
        return once(catalog, &Loaded::kernels, file.string(), [&] {
            return std::make_shared<const mesh::KernelSpec>(mesh::load_kernels(file));
        });
    };
    return once(catalog, &Loaded::chips, name, [&] {
        return mesh::load_chip(catalog.folder / "chips" / (name + ".yaml"), kernels);
    });
}

LinkSpec load_link(const Catalog& catalog, const std::string& name,
                   const std::optional<Entry>& overrides) {
    // A system's own numbers hold for it alone.
    if (overrides) return read_link(catalog, name, overrides);
    return once(catalog, &Loaded::links, name, [&] { return read_link(catalog, name, {}); });
}

}  // namespace fabric
