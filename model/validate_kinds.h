// The kinds of tables, by file: validate_memory_fit.cc, validate_chunk_sizes.cc,
// validate_collectives.cc (three of collectives' times), validate_packets.cc, validate_matmul.cc,
// validate_noc.cc (latencies and bandwidths), validate_dram_bw.cc.
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
/// arch, mechanism, pattern, memory, num_transactions, num_subordinates, same_axis, stateful,
/// loopback, then b64, b128 ... b65536: cycles at a size.
TableKind noc_latency_kind();
/// test, arch, riscv, value, unit.
TableKind noc_bandwidth_kind();
/// arch, test, kind, value, unit, peak_GBps, reader_cores, K, N, dtype, packet_bytes, outstanding,
/// placement.
TableKind dram_bandwidth_kind();

/// "a/b" -> {"a", "b"}, blanks around the parts dropped.
std::vector<std::string> parts_of(std::string_view text, char separator);

/// Not negative; nullopt for an empty field. Throws core::Error for what is no number.
std::optional<double> optional_number(const core::CsvRecord& record, std::string_view column);

}  // namespace model
