// Padding that lets a network split over more chips than its heads allow, and the padding of
// feed-forwards that tt_transformers does: a Config with larger sizes, which keeps the sizes of
// the checkpoint (Config::unpadded, LayerConfig::unpadded), and where each stored head comes from.
// Invariant: logits do not change. A padded query head is zeros and meets zero rows of wo; a KV
// head is stored once for each chip that asks it, or is zeros; padded feed-forward channels are
// silu(0) * 0 and meet zero rows of w2.
// tenstorrent/tt-metal: models/tt_transformers/README.md asks for head padding and has none;
// tenstorrent/tt-xla #4111 and #4881 pad heads too.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "dispatch/release.h"
#include "model/config.h"

namespace model {

struct HeadCounts {
    std::int64_t heads = 0;
    std::int64_t kv_heads = 0;
    std::int64_t kv_copies = 1;  // times that each KV head is stored

    bool operator==(const HeadCounts&) const = default;
};

/// The narrowest q, k and v that split over `tp` chips, each query beside its own keys: every KV
/// head stored r times (r = 1 .. tp) for a part of its queries each. Requires: tp > 0, kv_heads
/// divides heads.
HeadCounts padded_heads(std::int64_t heads, std::int64_t kv_heads, std::int64_t tp);

/// Where the stored heads of a layer come from: entry j is the checkpoint's head at place j, -1 a
/// head of zeros. Both lists are empty for a layer that was not padded.
struct HeadMap {
    std::int64_t source_heads = 0;  // of the checkpoint
    std::int64_t source_kv_heads = 0;
    std::vector<std::int32_t> q;
    std::vector<std::int32_t> kv;
};
HeadMap head_map(const LayerConfig& layer);

/// One entry per layer; those of a Config made by hand are alike.
std::vector<LayerConfig> layers_of(const Config& config);

/// Why the heads of this network cannot be padded; nullopt: they can.
std::optional<std::string> padding_obstacle(const Config& config);

/// The network with heads that split over `tp` chips (the rows of a 2-D mesh), layer by layer; a
/// layer that splits already stays as it is. Throws core::Error where there is an obstacle.
Config pad_heads(const Config& config, std::int64_t tp);

/// PAD_MLP_CORES of tt_transformers: cores whose tiles the feed-forward of each device fills. A
/// given number wins over the model's default of that release; 0: no padding. Throws core::Error
/// below 0.
std::int64_t mlp_padding_cores(std::string_view base_model, std::optional<std::int64_t> asked_cores,
                               dispatch::Release release = dispatch::Release::R2026_05);

/// The stored width of a feed-forward of `intermediate_size` on `devices` chips.
std::int64_t padded_intermediate(std::int64_t intermediate_size, std::string_view base_model,
                                 std::int64_t devices, std::optional<std::int64_t> asked_cores);

/// Channels of a layer's feed-forward that the checkpoint fills; the rest are zeros.
std::int64_t source_intermediate(const LayerConfig& layer);

/// The network with the gated feed-forwards tt_transformers would store; experts and feed-forwards
/// of two matrices are left as they are.
Config pad_feed_forward(const Config& config, std::string_view base_model, std::int64_t devices,
                        std::optional<std::int64_t> asked_cores);

}  // namespace model
