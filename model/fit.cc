#include "model/fit.h"

namespace model {

FitReport fit(const Config& config, const Precision& precision, const fabric::Mesh& mesh,
              const DeploymentOptions& options, const SmallestSystem* smallest) {
    FitReport report;
    report.plan =
        Deployment(config, precision, mesh, options).plan_memory(dispatch::Detail::Report);
    Planner planner(config, precision, mesh);
    planner.remember(options, report.plan);
    report.max_context = planner.max_context(options);
    report.max_batch = planner.max_users(options, kMostUsers);
    report.most_users = report.max_batch;
    if (report.max_batch == kMostUsers) {
        report.most_users = planner.max_users(options, kUsersBeyond);
    }
    report.prefill_chunk = planner.prefill_chunk(options);
    if (!report.fits()) {
        const Found found{report.max_context, report.max_batch, report.prefill_chunk};
        report.suggestions = suggest({config, precision, mesh, options, smallest}, found, planner);
    }
    report.plans = planner.plans();
    return report;
}

}  // namespace model
