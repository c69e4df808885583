#include "cli/estimated_times.h"

#include "model/device_name.h"
#include "model/estimate.h"

namespace cli {
namespace {

model::EstimateOptions estimate_options(const ModelOptions& options, const Setup& setup,
                                        const World& world, const TimesQuestion& question) {
    using Run = model::EstimateOptions;
    Run run;
    run.isl = question.prompt;
    run.osl = question.generated;
    run.trace = question.trace == "on" ? Run::Trace::On : Run::Trace::Off;
    if (question.sampling == "host") run.sampling = Run::Sampling::Host;
    if (question.sampling == "device") run.sampling = Run::Sampling::Device;
    run.wanted = question.wanted;
    run.groups = options.dp;
    run.traced_prefills = setup.trace_defaults.prefill_lengths(
        setup.base_model, model::device_name(setup.group()).value_or(""), setup.device.release);
    run.host = model::load_host_costs(world.catalog.folder / "software" / "host_costs.yaml",
                                      options.software);
    return run;
}

model::Estimate fitting(model::Deployment& deployment, const model::EstimateOptions& options) {
    model::Estimate estimate = model::estimate(deployment, options);
    if (estimate.shortage.empty()) return estimate;
    throw NotPossible{{estimate.shortage}, "`tessera check` plans it"};
}

}  // namespace

EstimatedTimes estimated_times(model::Deployment& deployment, const ModelOptions& options,
                               const Setup& setup, const World& world,
                               const TimesQuestion& question) {
    const model::EstimateOptions run = estimate_options(options, setup, world, question);
    const model::Estimate whole = fitting(deployment, run);
    EstimatedTimes times{whole.time_to_first_token, whole.decode_step, {}, whole.sampler};
    for (const std::int64_t step : question.steps) {
        model::EstimateOptions at = run;
        at.isl += step;
        at.osl = 1;
        times.steps.push_back(fitting(deployment, at).decode_step);
    }
    return times;
}

}  // namespace cli
