// --override-tt-config: the JSON object that tt-inference-server and vLLM hand to the device and
// the model ({"trace_region_size": 50000000, "dispatch_core_axis": "col", ...}).
// Keys without an effect on what a verb answers are accepted and said.
// Source: tenstorrent/tt-inference-server: workflows/model_specs, tenstorrent/vllm: tt_worker.py.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mesh/chip_spec.h"

namespace cli {

struct TtConfig {
    std::optional<std::int64_t> trace_region_size;  // bytes
    std::optional<std::int64_t> worker_l1_size;     // bytes per core; 0: computed
    std::optional<std::int64_t> l1_small_size;      // bytes per core
    std::optional<mesh::DispatchAxis> dispatch_core_axis;
    std::optional<mesh::DispatchCore> dispatch_core_type;
    std::optional<std::int64_t> num_command_queues;  // 1 or 2
    std::optional<std::int64_t> data_parallel;
    std::optional<std::string> optimizations;  // as --precision
    std::vector<std::string> without_effect;   // "fabric_config", ...
};

/// Throws core::Error naming key, expected and found.
TtConfig parse_tt_config(std::string_view text);

}  // namespace cli
