// The kinds of tables, by file: validate_memory_fit.cc, validate_chunk_sizes.cc,
// validate_collectives.cc (three of collectives' times), validate_packets.cc, validate_matmul.cc,
// validate_op_profiles.cc, validate_op_times.cc.
#pragma once

#include "model/validate.h"

namespace model {

/// model, device, max_context_tokens, fits; optional: batch, dp, trace_region_size_B, verdict.
TableKind memory_fit_kind();
/// model, device, max_prefill_chunk_k_tokens.
TableKind chunk_sizes_kind();
/// system, op, topology, n_devices, num_links_per_direction, size_bytes, time_us; optional:
/// page_bytes, fabric_packet_payload_bytes, calls_back_to_back.
TableKind collectives_kind();
/// system, op, topology, n_devices, num_links, shape, dtype, variant, value, unit, kind, source.
TableKind collective_shapes_kind();
/// system, op, topology, chips, tiles_per_chip, tile_bytes, position, cycles, clock_MHz.
TableKind collective_traces_kind();
/// system, metric, test_name, ntype, topology, packet_or_payload_bytes, avg.
TableKind packets_kind();
/// product, config, M, K, N, use_trace, in0_storage, in1_storage, out_storage, dtype,
/// math_fidelity, value, unit; optional: grid_x, grid_y, in0_sharded, out_sharded.
TableKind matmul_kind();
/// system, arch, op, math_fidelity, core_count, input0, input1, input2, output0, attributes, value,
/// unit; optional: available_cores.
TableKind op_profiles_kind();
/// system, arch, op, config, value, unit, margin_rel.
TableKind op_targets_kind();
/// system, model, phase, op_name, seq_len, kernel_duration_ns.
TableKind galaxy_ops_kind();
/// system, model, layer, prior_context_tokens, chunk_tokens, op, value.
TableKind chunk_ops_kind();

/// "a/b" -> {"a", "b"}, blanks around the parts dropped.
std::vector<std::string> parts_of(std::string_view text, char separator);

/// Not negative; nullopt for an empty field. Throws core::Error for what is no number.
std::optional<double> optional_number(const core::CsvRecord& record, std::string_view column);

}  // namespace model
