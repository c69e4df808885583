// Strict reader of topologies/kernels (mesh/yaml_section.h).
#include "mesh/kernel_spec.h"

#include "mesh/yaml_section.h"

namespace mesh {
namespace {

MatmulSpec read_matmul(Section section) {
    MatmulSpec matmul;
    matmul.clock_factor = section.real("clock_factor", 0.1, 1);
    matmul.product_factor = section.real("product_factor", 1, 10);
    matmul.unpack_bytes_per_cycle = section.real("unpack_bytes_per_cycle", 1, 1e4);
    matmul.feed_bytes_per_cycle = section.real("feed_bytes_per_cycle", 1, 1e4);
    matmul.block_setup = {section.integer("block_setup_cycles", 0, 1'000'000)};
    matmul.write = rate(section, "write_gb_per_s");
    matmul.start = time(section, "start_us");
    section.finish();
    return matmul;
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

KernelSpec read_kernels(Section top) {
    KernelSpec kernels;
    kernels.matmul = read_matmul(top.section("matmul"));
    kernels.stream = read_stream(top.section("stream"));
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
