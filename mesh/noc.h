// How long transactions on the network on chip take. A core issues them one after the other; each
// is cut into packets of a header flit and data flits. The two networks are one-way tori, so a
// transaction and what comes back for it go once around every ring they turn into. The slowest of
// issue, endpoints and shared links bounds many transactions; the first pays the way there and
// back. Times are cycles of the chip's clock. Errors on measurements: docs/noc.md.
#pragma once

#include <cstdint>

#include "core/units.h"
#include "mesh/chip_spec.h"

namespace mesh {

/// One network of an architecture. From topologies/kernels/ARCH.yaml, section noc.
struct NocSpec {
    core::Bytes flit;                   // what a link moves per cycle
    core::Bytes packet;                 // largest payload of one packet
    Grid torus;                         // routers, whatever is beside them
    std::int64_t left_columns = 0;      // columns of Tensix cores before the columns of DRAM
    std::int64_t column_gap = 0;        // routers between those and the columns after
    std::int64_t upper_rows = 0;        // the same of rows
    std::int64_t row_gap = 0;           //
    double hop_cycles = 0;              // router to router
    double bank_bytes_per_cycle = 1;    // of one DRAM bank
    double dram_efficiency = 1;         // of all banks, each read by a core next to it
    double endpoint_cycles = 0;         // of the first transaction, beside its way
    double flit_cycles = 1;             // of one flit in a stream
    double read_flit_cycles = 1;        // the same when one L1 answers reads
    double read_issue_cycles = 0;       // of one core between two reads
    double write_issue_cycles = 0;      //
    double target_cycles = 0;           // the first write to another target costs so much more
    double dram_cycles = 0;             // of the first access, beside that to an L1
    double shared_read_per_cycle = 1;   // bytes of all banks, read by cores that do not coordinate
    double shared_write_per_cycle = 1;  //
    double contention = 1;              // of time, when cores block each other's paths
    double multicast_overlap = 1;       // of time, when multicasts of several cores cross
};

enum class NocOp { Read, Write, Multicast, MulticastLinked };
enum class NocMemory { L1, DramBank, DramInterleaved };
enum class NocPath { Turns, SameColumn, SameRow };  // of one core to one other
enum class NocSender { Outside, AmongTargets };     // of a multicast

/// `transactions` of `size` that every sender has, in turn with every target. A multicast reaches
/// all targets; other transactions one. Requires: transactions >= 1, size >= 1 B, grids not empty.
struct NocTraffic {
    NocOp op = NocOp::Write;
    NocMemory memory = NocMemory::L1;
    std::int64_t transactions = 1;
    core::Bytes size{1};
    std::int64_t senders = 1;
    Grid targets{1, 1};  // in DRAM: not looked at
    NocPath path = NocPath::Turns;
    NocSender sender = NocSender::Outside;
};

/// What the time is made of: `way` is paid once, the slower of the others is added.
struct NocTime {
    double way = 0;    // there and back
    double issue = 0;  // of all but the first
    double data = 0;   // endpoints, links, banks
    core::Cycles total() const;
};

NocTime noc_time(const NocSpec& noc, const NocTraffic& traffic);

}  // namespace mesh
