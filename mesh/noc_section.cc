#include "mesh/noc_section.h"

namespace mesh {
namespace {

struct Number {
    const char* key;
    double NocSpec::*of;
    double low;
    double high;
};

constexpr Number kNumbers[] = {
    {"hop_cycles", &NocSpec::hop_cycles, 0, 1000},
    {"bank_bytes_per_cycle", &NocSpec::bank_bytes_per_cycle, 1, 1e4},
    {"dram_efficiency", &NocSpec::dram_efficiency, 0.1, 1},
    {"endpoint_cycles", &NocSpec::endpoint_cycles, 0, 1e4},
    {"flit_cycles", &NocSpec::flit_cycles, 1, 10},
    {"read_flit_cycles", &NocSpec::read_flit_cycles, 1, 10},
    {"read_issue_cycles", &NocSpec::read_issue_cycles, 1, 1000},
    {"write_issue_cycles", &NocSpec::write_issue_cycles, 1, 1000},
    {"target_cycles", &NocSpec::target_cycles, 0, 1000},
    {"dram_cycles", &NocSpec::dram_cycles, 0, 1e4},
    {"shared_read_bytes_per_cycle", &NocSpec::shared_read_per_cycle, 1, 1e4},
    {"shared_write_bytes_per_cycle", &NocSpec::shared_write_per_cycle, 1, 1e4},
    {"contention", &NocSpec::contention, 1, 10},
    {"multicast_overlap", &NocSpec::multicast_overlap, 0.01, 1},
};

}  // namespace

NocSpec read_noc(Section section) {
    NocSpec noc;
    noc.flit = bytes(section, "flit_bytes", 1);
    noc.packet = bytes(section, "packet_bytes", 1);
    const auto torus = section.integers("torus", 2, 1, 1000);
    noc.torus = {static_cast<std::int32_t>(torus[0]), static_cast<std::int32_t>(torus[1])};
    const auto columns = section.integers("columns_before_gap", 2, 0, 1000);
    noc.left_columns = columns[0];
    noc.column_gap = columns[1];
    const auto rows = section.integers("rows_before_gap", 2, 0, 1000);
    noc.upper_rows = rows[0];
    noc.row_gap = rows[1];
    for (const Number& number : kNumbers) {
        noc.*number.of = section.real(number.key, number.low, number.high);
    }
    section.finish();
    return noc;
}

}  // namespace mesh
