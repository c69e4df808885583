// The trace_region_size that tt-metal's models ask for and the prefill lengths they trace: tables
// of topologies/software/trace_regions.yaml, looked up by release, base model name and the device
// name of one data-parallel group. Every row names its source.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "core/units.h"
#include "dispatch/mesh_device.h"

namespace model {

class TraceDefaults {
public:
    /// Throws core::Error: file and line, key, expected, found.
    static TraceDefaults load(const std::filesystem::path& file);
    /// Same, from text; `where` stands for the file in messages.
    static TraceDefaults parse(std::string_view text, std::string_view where);

    /// `model` is a base name ("Llama-3.1-8B", see base_model_name), `device` a device_name.
    /// 0: no region, dynamic trace buffers.
    core::Bytes default_trace_region(std::string_view model, std::string_view device,
                                     dispatch::Release release) const;
    /// Padded lengths whose prefill is traced, ascending; empty: prefill is not traced.
    std::vector<std::int64_t> prefill_lengths(std::string_view model, std::string_view device,
                                              dispatch::Release release) const;

    struct Row {
        dispatch::Release release = dispatch::Release::R2025;
        std::vector<std::string> models;    // empty: any
        std::vector<std::string> devices;   // empty: any
        core::Bytes bytes;                  // of a region
        std::vector<std::int64_t> lengths;  // of prefill traces
        std::string source;
    };
    const std::vector<Row>& regions() const { return regions_; }
    const std::vector<Row>& prefill_traces() const { return prefill_traces_; }

private:
    std::vector<Row> regions_;
    std::vector<Row> prefill_traces_;
};

}  // namespace model
