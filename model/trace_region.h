// How large the trace region must be for a set of captured shapes, and what it takes from every
// chip: the command streams of the Programs that would be captured, laid out in pages as the device
// lays them out. Sizes are one chip's; all chips of a mesh hold the same.
// Which lengths are captured: tenstorrent/tt-metal models/tt_transformers/tt/model_config.py
// (get_trace_prefill_supported_seq_lens) and generator.py, in model/trace_defaults.h.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "core/units.h"
#include "mesh/chip_spec.h"
#include "model/deployment.h"
#include "model/trace_defaults.h"

namespace model {

/// One trace. A batched prefill runs the programs of a single one on more rows.
struct Capture {
    enum class Kind { Decode, Prefill } kind = Kind::Decode;
    std::int64_t users = 1;
    std::int64_t rows = 0;  // padded positions of each user; Prefill only
    bool operator==(const Capture&) const = default;
};
/// "decode, 32 users", "prefill 128", "prefill 128, 4 users".
std::string to_text(const Capture& capture);

struct CapturedTrace {
    Capture capture;
    std::string name;
    std::int64_t programs = 0;
    core::Bytes bytes;     // of the stream
    core::Bytes padded;    // whole pages: what counts against trace_region_size
    core::Bytes per_bank;  // what it takes of every DRAM bank
};

struct TraceRegionReport {
    std::vector<CapturedTrace> captures;
    core::Bytes total;           // of padded: the smallest trace_region_size the check lets through
    core::Bytes recommended;     // trace_region_size to ask for: with trace_margin, in whole MB
    core::Bytes taken_per_bank;  // by the recommended size, in the era of the options
    core::Bytes taken_per_chip;
    bool fits(core::Bytes trace_region_size) const { return total <= trace_region_size; }
};

/// Percent added to the computed bytes: what brings the worst row of docs/trace-region.md up to its
/// measured total (22 % below on Wormhole, 32 % below a bound on Blackhole).
std::int64_t trace_margin(mesh::Arch arch);

/// What the software captures for this deployment: decode, then a prefill of one user for each
/// length of `defaults` up to the prefill chunk and the padded context. `model` is a base name.
std::vector<Capture> captured_shapes(const TraceDefaults& defaults, std::string_view model,
                                     const Deployment& deployment);

/// Throws core::Error for a capture without users or (prefill) rows.
TraceRegionReport trace_region_report(Deployment& deployment, std::span<const Capture> captures);

}  // namespace model
