// tessera op matmul.
#include <fmt/format.h>

#include "cli/op.h"
#include "dispatch/matmul_question.h"

namespace cli {
namespace {

dispatch::MatmulQuestion question_of(const OpOptions& options, const mesh::ChipSpec& chip) {
    dispatch::MatmulQuestion question{.m = options.m, .k = options.k, .n = options.n};
    question.dtype = dtype_of(options.dtype);
    question.fidelity = fidelity_of(options.fidelity);
    question.grid = chip.worker_grid;
    if (options.in0 == "l1") question.activations = mesh::BufferType::L1;
    question.output = question.activations;
    if (options.weights == "dram-sharded") {
        question.weight_layout = dispatch::MemoryLayout::DramWidthSharded;
    }
    if (options.tuned) question.tuning = dispatch::MatmulTuning::Tuned;
    return question;
}

OpAnswer ask(const OpOptions& options, const mesh::ChipSpec& chip) {
    const dispatch::MatmulQuestion question = question_of(options, chip);
    return {dispatch::matmul_time(question, chip), question.flops(),
            fmt::format("matmul {}x{}x{} {} {}", options.m, options.k, options.n, options.dtype,
                        options.fidelity)};
}

}  // namespace

OpEntry matmul_op() {
    return {"matmul",
            {"--m", "--k", "--n"},
            {"--dtype", "--fidelity", "--in0", "--weights", "--tuned"},
            ask};
}

}  // namespace cli
