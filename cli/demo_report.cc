// What `tessera demo` prints: its JSON, and the lines of the real demo's log.
#include <fmt/format.h>

#include "cli/demo.h"
#include "core/format.h"

namespace cli {
namespace {

double per_second(core::Picoseconds step) {
    return step.count() > 0 ? 1.0 / core::to_seconds(step) : 0.0;
}

Json measurements_json(const Measurements& measured, double users) {
    const double each = per_second(measured.decode_step);
    Json json{{"ttft_ms", core::to_ms(measured.time_to_first_token)},
              {"prefill_tokens_per_second", static_cast<double>(measured.prompt_tokens) *
                                                per_second(measured.time_to_first_token)},
              {"decode_step_ms", core::to_ms(measured.decode_step)},
              {"tokens_per_second_per_user", each},
              {"tokens_per_second", each * users},
              {"iterations", measured.iterations},
              {"token_times", Json::array()}};
    for (const TokenTime& time : measured.tokens) {
        json["token_times"].push_back({{"token", time.token},
                                       {"ms", core::to_ms(time.step)},
                                       {"tokens_per_second_per_user", per_second(time.step)},
                                       {"tokens_per_second", per_second(time.step) * users}});
    }
    return json;
}

Json parameters_json(const Demo& demo) {
    const DemoMode& mode = demo.mode;
    const bool paged = demo.model.block_size > 0;
    return {{"max_seq_len", mode.max_seq_len},
            {"batch_size", mode.batch_size},
            {"data_parallel", mode.data_parallel},
            {"max_generated_tokens", mode.max_generated_tokens},
            {"repeat_batches", mode.repeat_batches},
            {"page_block_size", paged ? Json(mode.block_size) : Json()},
            {"page_max_num_blocks_per_dp", paged ? Json(mode.max_num_blocks) : Json()},
            {"stop_at_eos", mode.at_eos == AtEos::Stop},
            {"stress_test", mode.is_stress_test()},
            {"phases", to_text(mode.phases)},
            {"temperature", demo.sampling.temperature},
            {"top_p", demo.sampling.top_p}};
}

const char* ordinal(std::int64_t token) { return token == 1 ? "st" : "th"; }

// The lines of the demo's own log.
void print_measurements(const Measurements& measured, double users) {
    fmt::print("\n=== Performance metrics ===\n");
    for (const TokenTime& time : measured.tokens) {
        fmt::print("{}{} token decode time: {:.2f}ms [{:.2f} t/s/u, {:.2f} t/s]\n", time.token,
                   ordinal(time.token), core::to_ms(time.step), per_second(time.step),
                   per_second(time.step) * users);
    }
    fmt::print("==\n");
    if (measured.time_to_first_token.count() > 0) {
        fmt::print("Average Time to First Token (TTFT): {:.2f}ms\n",
                   core::to_ms(measured.time_to_first_token));
    }
    if (measured.decode_step.count() == 0) return;
    const double each = per_second(measured.decode_step);
    fmt::print("Average speed: {:.2f}ms @ {:.2f} tok/s/user ({:.2f} tok/s throughput)\n",
               core::to_ms(measured.decode_step), each, each * users);
}

}  // namespace

Json demo_json(const Demo& demo, const World& world, const DemoResult& result) {
    Json document = envelope("demo", world, demo.model.software);
    document["mode"] = demo.mode.name;
    document["mesh"] = demo.model.mesh;
    document["precision"] = demo.model.precision;
    document["problems"] = result.problems;
    document["notes"] = demo.notes;
    document["parameters"] = parameters_json(demo);
    document["generated"] = !result.batches.empty();
    document["batches"] = Json::array();
    for (std::size_t i = 0; i < result.batches.size(); ++i) {
        Json batch{{"prompt_tokens", Json::array()},
                   {"token_ids", result.batches[i].report.token_ids},
                   {"text", result.texts[i]}};
        for (const auto& prompt : result.batches[i].prompts) {
            batch["prompt_tokens"].push_back(prompt.size());
        }
        document["batches"].push_back(std::move(batch));
    }
    document["measurements"] =
        measurements_json(result.measured, static_cast<double>(demo.users()));
    document["repeats_agree"] = result.repeats_agree ? Json(*result.repeats_agree) : Json();
    document["token_accuracy"] = nullptr;
    if (result.accuracy) {
        document["token_accuracy"] = {{"positions", result.accuracy->positions},
                                      {"top1", result.accuracy->top1},
                                      {"top5", result.accuracy->top5}};
    }
    document["accuracy"] = "extrapolated";
    document["host_seconds"] = result.host_seconds;
    document["memory"] = memory_json(*result.plan, result.chips);
    return document;
}

void print_demo(const Demo& demo, const DemoResult& result) {
    for (const std::string& problem : result.problems) fmt::print("note: {}\n", problem);
    for (const std::string& note : demo.notes) fmt::print("note: {}\n", note);
    for (std::size_t i = 0; i < result.texts.size(); ++i) {
        fmt::print("\n==REPEAT BATCH {}\n", i);
        for (std::size_t user = 0; user < result.texts[i].size(); ++user) {
            fmt::print("==USER {} - OUTPUT\n{}\n", user, result.texts[i][user]);
        }
    }
    if (result.repeats_agree) {
        fmt::print("\nrepeated prompts give {} tokens\n",
                   *result.repeats_agree ? "the same" : "different");
    }
    if (result.accuracy) {
        fmt::print(
            "\n=== Top1 and Top5 Token Accuracy ===\n Top1 Accuracy: {:.2f}%, Top5 Accuracy: "
            "{:.2f}%\n",
            result.accuracy->top1, result.accuracy->top5);
    }
    print_measurements(result.measured, static_cast<double>(demo.users()));
    fmt::print("Times are simulated (extrapolated).\n\n{}",
               memory_text(*result.plan, result.chips));
}

}  // namespace cli
