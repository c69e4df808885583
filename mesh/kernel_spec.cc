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
    matmul.block_setup = {section.integer("block_setup_cycles", 0, 1'000'000)};
    matmul.write = rate(section, "write_gb_per_s");
    matmul.start = time(section, "start_us");
    section.finish();
    return matmul;
}

KernelSpec read_kernels(Section top) {
    KernelSpec kernels;
    kernels.matmul = read_matmul(top.section("matmul"));
    kernels.noc = read_noc(top.section("noc"));
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
