// The kinds of tables, by file: validate_memory_fit.cc, validate_chunk_sizes.cc,
// validate_collectives.cc (three of collectives' times), validate_packets.cc, validate_matmul.cc,
// validate_dispatch.cc (two of launches), validate_pcie.cc,
// validate_speed.cc (four of whole models), validate_targets.cc (two of theoretical speeds),
// validate_attention.cc, validate_op_profiles.cc, validate_op_times.cc,
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
/// precision_mode, model, device, dp, batch, prefill_len, generated, tok_s_user, ttft_ms.
TableKind demo_speed_kind();
/// snapshot, model, dp, batch, hardware, chips, ttft_ms, tok_s_user.
TableKind readme_speed_kind();
/// model, device, impl_or_config, isl, osl, concurrency, ttft_ms, tpot_ms, tput_user, date.
TableKind server_speed_kind();
/// model, sku, batch, seq_len, ttft_ms, decode_tok_s_user.
TableKind target_speed_kind();
/// model, device, task_type, concurrency, theoretical_tput_user.
TableKind server_roofline_kind();
/// kind, model, device, theoretical_max_tok_s_user.
TableKind bounty_roofline_kind();

/// category, metric, arch, system, config, value, unit, source_date: launches and transfers by
/// category.
TableKind dispatch_kind();
/// arch, benchmark, config, arg_kernel_bytes_or_cycles, value, unit.
TableKind dispatch_latency_kind();
/// arch, level, direction, chip, page_size_bytes, contiguous_pages, transfer_bytes, host_memory,
/// value, unit.
TableKind pcie_kind();
/// A row of dispatch_kind whose category is host_device_bandwidth (validate_pcie.cc).
AskedRow ask_host_bandwidth(const core::CsvRecord& record, const ModelLibrary& library);

/// op, implementation, arch, batch, n_q_heads, n_kv_heads, head_dim, seq_q, kv_len, dtype_q,
/// dtype_kv, cores, value, unit; optional: product.
TableKind attention_kind();
/// system, arch, op, math_fidelity, core_count, input0, input1, input2, output0, attributes, value,
/// unit; optional: available_cores.
TableKind op_profiles_kind();
/// system, arch, op, config, value, unit, margin_rel.
TableKind op_targets_kind();
/// system, model, phase, op_name, seq_len, kernel_duration_ns.
TableKind galaxy_ops_kind();
/// system, model, layer, prior_context_tokens, chunk_tokens, op, value.
TableKind chunk_ops_kind();
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
