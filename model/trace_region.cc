#include "model/trace_region.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "core/error.h"
#include "dispatch/trace_size.h"
#include "mesh/trace_region.h"
#include "model/device_name.h"

namespace model {
namespace {

constexpr core::Bytes kMegabyte{1'000'000};  // settings are written in millions of bytes

// The program that `capture` records. Another number of users is another deployment.
std::shared_ptr<const dispatch::Program> program_of(Deployment& deployment,
                                                    const Capture& capture) {
    if (capture.users < 1 || (capture.kind == Capture::Kind::Prefill && capture.rows < 1)) {
        throw core::Error::mismatch("capture", to_text(capture), "at least one user and one row",
                                    fmt::format("{} users, {} rows", capture.users, capture.rows));
    }
    if (capture.kind == Capture::Kind::Prefill) {
        return deployment.prefill(capture.rows, StepShape::Chunk::First);
    }
    if (capture.users == deployment.options().batch) return deployment.decode();
    DeploymentOptions options = deployment.options();
    options.batch = capture.users;
    return Deployment(deployment.config(), deployment.precision(), deployment.mesh(), options)
        .decode();
}

std::int64_t program_count(const dispatch::Program& program) {
    std::int64_t count = 0;
    program.for_each([&](const dispatch::Command& command, std::int32_t) {
        const bool on_host = std::holds_alternative<dispatch::ReadCommand>(command.body) ||
                             std::holds_alternative<dispatch::WriteCommand>(command.body);
        count += on_host ? 0 : 1;
    });
    return count;
}

// The smallest setting of whole megabytes, at least `wanted`, whose banks hold `per_bank`. Before
// a region was divided over the banks any setting that holds the total does.
core::Bytes smallest_setting(core::Bytes wanted, core::Bytes per_bank, mesh::TraceEra era,
                             const mesh::DramSpec& dram) {
    core::Bytes size = core::round_up(wanted, kMegabyte);
    while (mesh::trace_region_per_bank(era, size, dram.banks, dram.alignment) < per_bank) {
        size += kMegabyte;
    }
    return size;
}

core::Bytes with_margin(core::Bytes size, mesh::Arch arch) {
    return {core::ceil_div(size.value * (100 + trace_margin(arch)), 100)};
}

}  // namespace

std::string to_text(const Capture& capture) {
    if (capture.kind == Capture::Kind::Decode) {
        return fmt::format("decode, {} {}", capture.users, capture.users == 1 ? "user" : "users");
    }
    if (capture.users == 1) return fmt::format("prefill {}", capture.rows);
    return fmt::format("prefill {}, {} users", capture.rows, capture.users);
}

std::int64_t trace_margin(mesh::Arch arch) { return arch == mesh::Arch::Blackhole ? 50 : 30; }

std::vector<Capture> captured_shapes(const TraceDefaults& defaults, std::string_view model,
                                     const Deployment& deployment) {
    const DeploymentOptions& options = deployment.options();
    std::vector<Capture> captures{{Capture::Kind::Decode, options.batch, 0}};
    const std::optional<std::string> device = device_name(deployment.mesh());
    if (!device) return captures;  // tt_transformers traces no prefill where it knows no name
    const std::int64_t longest =
        std::min(options.prefill_chunk, padded_prefill_length(options.context));
    for (const std::int64_t rows :
         defaults.prefill_lengths(model, *device, options.device.release)) {
        if (rows <= longest) captures.push_back({Capture::Kind::Prefill, 1, rows});
    }
    return captures;
}

TraceRegionReport trace_region_report(Deployment& deployment, std::span<const Capture> captures) {
    const dispatch::DeviceOptions& device = deployment.options().device;
    const mesh::ChipSpec& chip = deployment.mesh().system.chip;
    const dispatch::StreamFormat format =
        dispatch::stream_format(dispatch::device_memory(chip, device));
    TraceRegionReport report;
    core::Bytes per_bank;
    for (const Capture& capture : captures) {
        const auto program = program_of(deployment, capture);
        const core::Bytes bytes = dispatch::trace_bytes(*program, format);
        const mesh::TraceLayout layout =
            mesh::trace_layout(bytes, chip.dram.banks, dispatch::trace_pages(device.release));
        const core::Bytes bank =
            mesh::bytes_per_bank(layout.pages, layout.page, chip.dram.banks, chip.dram.alignment);
        report.captures.push_back(
            {capture, to_text(capture), program_count(*program), bytes, layout.padded, bank});
        report.total += layout.padded;
        per_bank += bank;
    }
    if (report.captures.empty()) return report;
    report.recommended =
        smallest_setting(with_margin(report.total, chip.arch), with_margin(per_bank, chip.arch),
                         device.trace_era, chip.dram);
    report.taken_per_bank = mesh::trace_region_per_bank(device.trace_era, report.recommended,
                                                        chip.dram.banks, chip.dram.alignment);
    report.taken_per_chip = report.taken_per_bank * chip.dram.banks;
    return report;
}

}  // namespace model
