#include "mesh/noc.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"

namespace mesh {
namespace {

bool is_multicast(NocOp op) { return op == NocOp::Multicast || op == NocOp::MulticastLinked; }

std::int64_t packets_of(const NocSpec& noc, core::Bytes size) {
    return core::ceil_div(size.value, noc.packet.value);
}

/// Data flits and a header flit per packet.
double flits_of(const NocSpec& noc, core::Bytes size) {
    const std::int64_t whole = size.value / noc.packet.value;
    const std::int64_t rest = size.value % noc.packet.value;
    const std::int64_t data = whole * core::ceil_div(noc.packet.value, noc.flit.value) +
                              core::ceil_div(rest, noc.flit.value);
    return static_cast<double>(data + packets_of(noc, size));
}

/// Routers from the first to the last of `cores` in a row or column.
double span(std::int64_t cores, std::int64_t before_gap, std::int64_t gap) {
    return static_cast<double>(cores - 1 + (cores > before_gap ? gap : 0));
}

double once_around(const NocSpec& noc) {
    return noc.hop_cycles * static_cast<double>(noc.torus.x + noc.torus.y);
}

/// Hops of a multicast from the sender to the last target. A sender outside sits just behind the
/// targets, and a one-way ring leads there only the long way round.
double multicast_hops(const NocSpec& noc, const NocTraffic& traffic) {
    const double across = span(traffic.targets.x, noc.left_columns, noc.column_gap);
    const double down = span(traffic.targets.y, noc.upper_rows, noc.row_gap);
    if (traffic.sender == NocSender::AmongTargets) return across + down;
    return traffic.targets.y == 1 ? across + down + noc.torus.y - 1 : down + noc.torus.x - 1;
}

/// A multicast reserves its path and waits until the reservation is back, once per packet; linked
/// ones keep it. Every target acknowledges every packet, one flit each, into the same port as the
/// data if the sender is a target.
NocTime multicast_time(const NocSpec& noc, const NocTraffic& traffic) {
    const auto packets = static_cast<double>(packets_of(noc, traffic.size));
    const double reserve = packets * 2 * noc.hop_cycles * multicast_hops(noc, traffic);
    const double acknowledged = packets * static_cast<double>(traffic.targets.cores());
    const bool among = traffic.sender == NocSender::AmongTargets;
    double data = flits_of(noc, traffic.size) * noc.flit_cycles;
    data = among ? data + acknowledged : std::max(data, acknowledged);
    const double issue = noc.write_issue_cycles;
    double first = reserve + std::max(data, issue);
    double next = traffic.op == NocOp::MulticastLinked ? std::max(data, issue) : first;
    if (traffic.senders > 1) {
        const double crossing =
            std::max(1.0, noc.multicast_overlap * static_cast<double>(traffic.senders));
        first *= crossing;
        next *= crossing;
    }
    NocTime time;
    time.way = noc.endpoint_cycles + once_around(noc);
    if (among && traffic.targets.x == 1) time.way -= noc.hop_cycles * noc.torus.x;
    if (among && traffic.targets.y == 1) time.way -= noc.hop_cycles * noc.torus.y;
    time.data = first + static_cast<double>(traffic.transactions - 1) * next;
    return time;
}

double issue_cycles(const NocSpec& noc, const NocTraffic& traffic) {
    return traffic.op == NocOp::Read ? noc.read_issue_cycles : noc.write_issue_cycles;
}

NocTime dram_time(const NocSpec& noc, const NocTraffic& traffic) {
    const bool reads = traffic.op == NocOp::Read;
    const auto transactions = static_cast<double>(traffic.transactions);
    const double flits = flits_of(noc, traffic.size);
    const auto flit = static_cast<double>(noc.flit.value);
    NocTime time;
    time.way = noc.endpoint_cycles + once_around(noc) + noc.dram_cycles;
    time.issue = (transactions - 1) * issue_cycles(noc, traffic);
    const double one =
        traffic.memory == NocMemory::DramBank ? flit / noc.bank_bytes_per_cycle : noc.flit_cycles;
    time.data = transactions * flits * one;
    if (traffic.senders > 1) {
        const double shared = reads ? noc.shared_read_per_cycle : noc.shared_write_per_cycle;
        const auto senders = static_cast<double>(traffic.senders);
        time.data = std::max(time.data, transactions * flits * flit * senders / shared);
    }
    return time;
}

/// Streams that every core has with every core: what a core takes in, and the flits of others that
/// pass its links. On a one-way ring the ways between two cores are once around it together, so k
/// cores load every link with (k - 1) / 2 of what one sends. A blocked packet holds its whole path,
/// so the loads add up.
double all_to_all(const NocSpec& noc, const NocTraffic& traffic) {
    const double rows = traffic.targets.y - 1;
    const double columns = traffic.targets.x - 1;
    return (1 + columns / 2 + rows / 2) * noc.contention;
}

NocTime l1_time(const NocSpec& noc, const NocTraffic& traffic) {
    const bool reads = traffic.op == NocOp::Read;
    const auto transactions = static_cast<double>(traffic.transactions);
    const std::int32_t targets = traffic.targets.cores();
    NocTime time;
    time.way = noc.endpoint_cycles + once_around(noc);
    if (traffic.path == NocPath::SameColumn) time.way -= noc.hop_cycles * noc.torus.x;
    if (traffic.path == NocPath::SameRow) time.way -= noc.hop_cycles * noc.torus.y;
    time.issue = (transactions - 1) * issue_cycles(noc, traffic);
    if (!reads) time.issue += (targets - 1) * noc.target_cycles;
    const bool one_answers = reads && targets == 1;
    time.data = transactions * flits_of(noc, traffic.size) *
                (one_answers ? noc.read_flit_cycles : noc.flit_cycles);
    if (traffic.senders > 1) time.data *= all_to_all(noc, traffic);
    return time;
}

}  // namespace

core::Cycles NocTime::total() const {
    return {static_cast<std::int64_t>(std::llround(way + std::max(issue, data)))};
}

NocTime noc_time(const NocSpec& noc, const NocTraffic& traffic) {
    core::require(traffic.transactions >= 1 && traffic.size.value >= 1 && traffic.senders >= 1 &&
                      traffic.targets.x >= 1 && traffic.targets.y >= 1,
                  "traffic on the network on chip has a size, senders and targets");
    if (is_multicast(traffic.op)) return multicast_time(noc, traffic);
    return traffic.memory == NocMemory::L1 ? l1_time(noc, traffic) : dram_time(noc, traffic);
}

}  // namespace mesh
