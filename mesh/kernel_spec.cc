// Strict reader of topologies/kernels (mesh/yaml_section.h).
#include "mesh/kernel_spec.h"

#include "mesh/noc_section.h"
#include "mesh/yaml_section.h"

namespace mesh {
namespace {

MatmulSpec read_matmul(Section section) {
    MatmulSpec matmul;
    matmul.clock_factor = section.real("clock_factor", 0.1, 1);
    matmul.product_factor = section.real("product_factor", 1, 10);
    matmul.unpack_bytes_per_cycle = section.real("unpack_bytes_per_cycle", 1, 1e4);
    matmul.feed_bytes_per_cycle = section.real("feed_bytes_per_cycle", 1, 1e4);
    matmul.reader_bytes_per_cycle = section.real("reader_bytes_per_cycle", 1, 1e4);
    matmul.write_share = section.real("write_share", 0.01, 1);
    section.finish();
    return matmul;
}

// A release may leave out what is as in the one after it.
LaunchRelease read_release(Section section, const LaunchRelease* later) {
    const auto own = [&](const char* key) { return later == nullptr || section.has(key); };
    LaunchRelease release = later != nullptr ? *later : LaunchRelease{};
    release.floor = time(section, "floor_us");
    release.binaries_stay = section.integer("binaries_stay", 0, 1) == 1;
    if (own("floor_writes_us")) release.floor_writes = time(section, "floor_writes_us");
    if (own("page_write_us")) release.page_write = time(section, "page_write_us");
    if (own("page_read_us")) release.page_read = time(section, "page_read_us");
    if (section.has("axis_gather_us")) release.axis_gather = time(section, "axis_gather_us");
    section.finish();
    return release;
}

core::Cycles cycles(Section& section, const std::string& key) {
    return {section.integer(key, 0, 1'000'000)};
}

LaunchKernelSpec read_launch(Section section) {
    LaunchKernelSpec launch;
    launch.base = cycles(section, "base_cycles");
    launch.group = cycles(section, "group_cycles");
    launch.command = cycles(section, "command_cycles");
    launch.args_core_cycles = section.real("args_core_cycles", 0, 1e4);
    launch.config = cycles(section, "config_cycles");
    launch.config_core_cycles = section.real("config_core_cycles", 0, 1e4);
    launch.write_bytes_per_cycle = section.real("write_bytes_per_cycle", 0.1, 1e4);
    launch.stream_bytes_per_cycle = section.real("stream_bytes_per_cycle", 0.1, 1e4);
    launch.fetch_bytes_per_cycle = section.real("fetch_bytes_per_cycle", 0.1, 1e4);
    if (section.has("iram_bytes_per_cycle")) {
        launch.iram_bytes_per_cycle = section.real("iram_bytes_per_cycle", 0.1, 1e4);
    }
    launch.ethernet_factor = section.real("ethernet_factor", 1, 100);
    launch.untraced_floor = time(section, "untraced_floor_us");
    launch.config_ring = bytes(section, "config_ring_bytes", 1);
    launch.op_call = time(section, "op_call_us");
    launch.op_call_sharded = time(section, "op_call_sharded_us");
    Section releases = section.section("releases");
    const LaunchRelease* later = nullptr;
    for (const char* const name : {"2026-09", "2026-05", "2025"}) {
        const LaunchRelease release = read_release(releases.section(name), later);
        later = &launch.releases.emplace(name, release).first->second;
    }
    releases.finish();
    section.finish();
    return launch;
}

HostLinkSpec read_host(Section section) {
    HostLinkSpec host;
    host.run = time(section, "run_us");
    host.wire = rate(section, "wire_gb_per_s");
    host.remote_write = rate(section, "remote_write_gb_per_s");
    host.remote_read = rate(section, "remote_read_gb_per_s");
    host.kernel_issue = cycles(section, "kernel_issue_cycles");
    section.finish();
    return host;
}

SamplingSpec read_sampling(Section section) {
    SamplingSpec sampling;
    sampling.argmax_value = {section.integer("argmax_cycles_per_value", 0, 1'000'000)};
    sampling.top_k_tile = time(section, "top_k_tile_us");
    sampling.draw = time(section, "draw_us");
    section.finish();
    return sampling;
}

AttentionSpec read_attention(Section section) {
    AttentionSpec attention;
    attention.softmax_tile = {section.integer("softmax_tile_cycles", 0, 1'000'000)};
    attention.exact_exp = {section.integer("exact_exp_cycles", 0, 1'000'000)};
    attention.chunk = {section.integer("chunk_cycles", 0, 1'000'000)};
    attention.merge = {section.integer("merge_cycles", 0, 1'000'000)};
    attention.start = time(section, "start_us");
    section.finish();
    return attention;
}

StreamSpec read_stream(Section section) {
    const auto cycles = [&](const std::string& key) {
        return core::Cycles{section.integer(key, 0, 1'000'000)};
    };
    StreamSpec stream;
    stream.start = time(section, "start_us");
    stream.dram_latency = cycles("dram_latency_cycles");
    stream.l1_latency = cycles("l1_latency_cycles");
    stream.page_issue = cycles("page_issue_cycles");
    stream.page_bytes_per_cycle = section.real("page_bytes_per_cycle", 1, 1e4);
    stream.write_share = section.real("write_share", 0.01, 1);
    stream.sfpu_tile = cycles("sfpu_tile_cycles");
    stream.slow_sfpu_tile = cycles("slow_sfpu_tile_cycles");
    stream.untilize_row = cycles("untilize_row_cycles");
    stream.fill_tile = cycles("fill_tile_cycles");
    stream.norm_pass = cycles("norm_pass_cycles");
    section.finish();
    return stream;
}

TopKSpec read_top_k(Section section) {
    TopKSpec top_k;
    top_k.one_core_tile = time(section, "one_core_tile_us");
    section.finish();
    return top_k;
}

KernelSpec read_kernels(Section top) {
    KernelSpec kernels;
    kernels.matmul = read_matmul(top.section("matmul"));
    kernels.launch = read_launch(top.section("launch"));
    kernels.host = read_host(top.section("host"));
    kernels.sampling = read_sampling(top.section("sampling"));
    kernels.attention = read_attention(top.section("attention"));
    kernels.stream = read_stream(top.section("stream"));
    kernels.noc = read_noc(top.section("noc"));
    kernels.top_k = read_top_k(top.section("top_k"));
    top.finish();
    return kernels;
}

}  // namespace

KernelSpec parse_kernels(std::string_view text, std::string_view where) {
    return parse_sections(text, where, "while loading kernels", read_kernels);
}

KernelSpec load_kernels(const std::filesystem::path& file) {
    return parse_kernels(read_text(file, "a file of kernels"), file.string());
}

}  // namespace mesh
