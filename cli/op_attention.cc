// tessera op sdpa (prefill) and sdpa-decode.
#include <fmt/format.h>

#include "cli/op.h"
#include "core/error.h"
#include "dispatch/attention_question.h"

namespace cli {
namespace {

using dispatch::AttentionMask;
using dispatch::AttentionQuestion;

/// What both have in common.
AttentionQuestion question_of(const OpOptions& options) {
    AttentionQuestion question;
    question.batch = options.batch;
    question.of.heads = options.heads;
    question.of.kv_heads = options.kv_heads > 0 ? options.kv_heads : options.heads;
    question.of.q_dim = question.of.v_dim = options.head_dim;
    question.of.q = dtype_of(options.dtype);
    question.of.kv = dtype_of(options.kv_dtype);
    question.window = options.window;
    question.cores = options.cores;
    question.fidelity = fidelity_of(options.fidelity);
    if (options.exp == "approximate") question.config.exp = dispatch::ExpMode::Approximate;
    question.config.q_chunk = options.q_chunk;
    question.config.k_chunk = options.k_chunk;
    if (question.of.heads % question.of.kv_heads != 0) {
        throw core::Error::mismatch("--kv-heads", "", "a divisor of --heads",
                                    fmt::format("{} of {}", options.kv_heads, options.heads));
    }
    return question;
}

void check_chunk(const char* option, std::int64_t rows) {
    if (rows % tensor::kTileSide == 0) return;
    throw core::Error::mismatch(option, "", "a multiple of 32", fmt::to_string(rows));
}

OpAnswer answered(const OpOptions& options, const AttentionQuestion& question, double flops,
                  const mesh::ChipSpec& chip) {
    if (question.cores > chip.worker_grid.cores()) {
        throw core::Error::mismatch(
            "--cores", "", fmt::format("at most {} on {}", chip.worker_grid.cores(), chip.name),
            fmt::to_string(question.cores));
    }
    const dispatch::AttentionAnswer answer = dispatch::attention_answer(question, chip);
    return {answer.time, flops,
            fmt::format("{} {} users, {}/{} heads of {}, {} rows, {} keys, {}, K and V {}, {}, {} "
                        "cores",
                        options.op, question.batch, question.of.heads, question.of.kv_heads,
                        options.head_dim, question.rows, question.keys, options.dtype,
                        options.kv_dtype, options.fidelity, answer.cores)};
}

OpAnswer ask_prefill(const OpOptions& options, const mesh::ChipSpec& chip) {
    AttentionQuestion question = question_of(options);
    question.rows = options.rows;
    question.keys = options.keys > 0 ? options.keys : options.rows;
    if (options.mask == "full") question.mask = AttentionMask::Full;
    if (question.mask == AttentionMask::Causal && question.keys < question.rows) {
        throw core::Error::mismatch("--kv-len", "", "at least --seq where the mask is causal",
                                    fmt::to_string(question.keys));
    }
    if (options.tuned) question.chunks = dispatch::AttentionChunks::Tuned;
    if ((options.q_chunk > 0) != (options.k_chunk > 0) || (options.tuned && options.q_chunk > 0)) {
        throw core::Error::mismatch("--q-chunk", "", "--q-chunk and --k-chunk, or --tuned, or none",
                                    "another choice of them");
    }
    if (options.q_chunk > 0) {
        check_chunk("--q-chunk", options.q_chunk);
        check_chunk("--k-chunk", options.k_chunk);
        question.chunks = dispatch::AttentionChunks::Given;
    }
    // A causal mask leaves half of the scores of the prompt itself.
    AttentionQuestion masked = question;
    masked.keys = question.rows;
    const bool causal = question.mask == AttentionMask::Causal;
    const double flops = question.full_flops() - (causal ? masked.full_flops() / 2 : 0);
    return answered(options, question, flops, chip);
}

OpAnswer ask_decode(const OpOptions& options, const mesh::ChipSpec& chip) {
    AttentionQuestion question = question_of(options);
    question.kind = dispatch::AttentionKind::Decode;
    question.keys = options.keys;
    check_chunk("--k-chunk", options.k_chunk);
    return answered(options, question, question.full_flops(), chip);
}

}  // namespace

OpEntry sdpa_op() {
    return {"sdpa",
            {"--heads", "--head-dim", "--seq"},
            {"--kv-heads", "--kv-len", "--batch", "--window", "--mask", "--dtype", "--kv-dtype",
             "--fidelity", "--exp", "--cores", "--q-chunk", "--k-chunk", "--tuned"},
            ask_prefill};
}

OpEntry sdpa_decode_op() {
    return {"sdpa-decode",
            {"--heads", "--head-dim", "--kv-len"},
            {"--kv-heads", "--batch", "--window", "--dtype", "--kv-dtype", "--fidelity", "--exp",
             "--cores", "--k-chunk"},
            ask_decode};
}

}  // namespace cli
