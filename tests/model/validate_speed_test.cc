// Tables of whole models' speed: what a row asks, what is skipped and why, and the fitted null.
// The rows are published ones (tenstorrent/tt-metal models/tt_transformers/PERF.md,
// models/README.md, models/model_targets.yaml; tenstorrent/tt-inference-server).
#include "tests/model/validate_fixture.h"

namespace model::testing {
namespace {

constexpr const char* kDemoColumns =
    "section,precision_mode,model,device,chips,dp,batch,prefill_len,generated,tok_s_user,ttft_ms,"
    "ff1_3,ff2,wqkv,wo,kv_cache,activation,fidelity\n";

Validation demo(const std::string& rows) { return validated(kDemoColumns + rows); }

TEST(SpeedTables, a_row_of_two_values_is_two_questions) {
    // Decode speed and time to the first token, in groups of their own.
    const Validation found = demo(
        "performance,performance,Llama-3.1-8B,N150,1,1,1,128 (speed) / 512 (accuracy),200,28.3,104"
        ",,,,,,,\n");
    ASSERT_EQ(found.rows.size(), 2u);
    EXPECT_EQ(found.kind, "demo speeds");
    EXPECT_EQ(found.software, "tt-transformers");
    EXPECT_EQ(found.rows[0].group, "tok_s_user N150 performance");
    EXPECT_EQ(found.rows[1].group, "ttft_ms N150 performance");
    EXPECT_NE(found.rows[0].asked.find("performance, 128 + 200 tokens"), std::string::npos);
    EXPECT_NE(found.rows[0].why.find("Matmul"), std::string::npos);
    EXPECT_LT(std::abs(found.rows[0].error_pct(found.rows[0].predicted_value).value()), 30);
}

TEST(SpeedTables, custom_columns_are_an_optimizations_text) {
    // The Pareto rows: formats and fidelities of their own.
    const Validation found = demo(
        "pareto,custom,Llama-3.2-1B,N300,2,1,1,128 (speed) / 512 "
        "(accuracy),200,91.2,,bf16,bf16,bfp8,bfp8,bfp8,mixed,"
        "li_ff1_3:hifi4;sdpa_decode:hifi2na\n"
        "pareto,custom,Llama-3.2-1B,N300,2,1,1,128,200,100.3,,bfp4,bfp4,bfp8,bfp8,bfp8,mixed,"
        "li_ff1_3:lofi;sdpa_decode:hifi2na\n");
    // What a row has no value for asks nothing. Its one run is that of accuracy: 512 tokens.
    EXPECT_NE(found.rows[0].asked.find("512 + 200 tokens"), std::string::npos);
    ASSERT_EQ(found.rows.size(), 2u);
    ASSERT_EQ(found.scores.rows, 2);
    EXPECT_LT(found.rows[0].predicted_value, found.rows[1].predicted_value);
}

TEST(SpeedTables, rows_that_are_no_measurement_are_skipped_with_the_reason) {
    const Validation found = demo(
        "performance,performance,Mixtral-8x7B,T3K,8,1,1,128,200,28.3,104,,,,,,,\n"
        "performance,performance,Llama-3.2-11B,N150,1,1,1,128,200,55.5,,,,,,,,\n"
        "performance,performance,Llama-3.2-90B,T3K,8,1,1,128,200,6,5535,,,,,,,\n"
        "performance,performance,Nobody-1B,T3K,8,1,1,128,200,6,,,,,,,,\n");
    EXPECT_EQ(found.scores.rows, 0);
    EXPECT_EQ(found.skipped.at("copied from another row of PERF.md"), 2);
    EXPECT_EQ(found.skipped.at("above the rate at which its bytes can be read"), 1);
    EXPECT_EQ(found.skipped.at("the demo with images"), 2);
    EXPECT_EQ(found.skipped.at("no configuration of Nobody-1B"), 1);
}

TEST(SpeedTables, a_null_of_two_coefficients_goes_through_two_rows) {
    // It is fitted on the rows themselves, so it must meet as many as it has coefficients.
    const Validation found = demo(
        "performance,performance,Llama-3.2-1B,N150,1,1,1,128,200,87.8,,,,,,,,\n"
        "performance,performance,Llama-3.1-8B,N150,1,1,1,128,200,28.3,,,,,,,,\n");
    ASSERT_EQ(found.scores.null_errors.rows, 2);
    EXPECT_NEAR(found.scores.null_errors.mean_ape_pct.value(), 0, 1e-6);
}

TEST(SpeedTables, targets_have_skus_and_servers_have_slots) {
    // model_targets.yaml spells devices its own way; a server decodes 32 slots.
    const Validation targets = validated(
        "model,sku,batch,seq_len,ttft_ms,decode_tok_s_user,notes\n"
        "qwen2.5-32b,wh_llmbox,32,707,101,22.66,\n"
        "gpt-oss-20b,wh_llmbox,1,128,400,12.0,t/s inconsistent\n");
    EXPECT_EQ(targets.kind, "CI speeds");
    EXPECT_EQ(targets.rows[0].group, "tok_s_user T3K CI");
    EXPECT_EQ(targets.skipped.at("the row contradicts itself"), 2);
    const Validation served = validated(
        "model,device,impl_or_config,isl,osl,concurrency,ttft_ms,tpot_ms,tput_user,date,"
        "client_tool\n"
        "Llama-3.1-8B-Instruct,n300,,128,128,1,141.6,24.7,,2025-06-10,vllm bench serve\n"
        "Qwen3-8B,t3k,,128,128,1,145.4,24.4,~41,2025-08-13,vllm bench serve\n");
    EXPECT_NE(served.rows[0].asked.find("1 of 32 users"), std::string::npos);
    EXPECT_NEAR(served.rows[0].measured_value, 1000 / 24.7, 1e-9);
    EXPECT_EQ(served.rows[1].verdict, Verdict::Skipped);
    // The exact time of a token goes before a rate of "about 41".
    EXPECT_NEAR(served.rows[2].measured_value, 1000 / 24.4, 1e-9);
    EXPECT_EQ(served.rows[3].verdict, Verdict::Compared);
}

TEST(SpeedTables, users_of_a_server_are_seated_as_its_specification_says) {
    // Llama-3.1-8B on a P150x8 is eight groups: 32 users are four in each. Another program of the
    // same model, and a model without a config, say so.
    const Validation served = validated(
        "model,device,impl_or_config,isl,osl,concurrency,ttft_ms,tpot_ms,tput_user,date,"
        "client_tool\n"
        "Llama-3.1-8B-Instruct,p150x8,,128,128,32,677,,,2026-04-10,vllm bench serve\n"
        "Llama-3.3-70B-Instruct,t3k,,128,128,1,,,~15,2025-05-21,vllm bench serve\n"
        "gpt-oss-120b,p300x2,,128,128,1,,46.1,,2026-04-27,vllm bench serve\n"
        "Nobody-3B,GPU A100,,128,128,1,,24.3,,2025-07-18,vllm bench serve\n"
        "Llama-3.1-8B-Instruct,p150,no server,128,128,1,85.5,,,,\n");
    EXPECT_NE(served.rows[0].asked.find("8 groups of 1x1, 4 of 32 users"), std::string::npos);
    EXPECT_EQ(served.rows[1].measured_value, 15);
    EXPECT_EQ(served.skipped.at("another program: gpt_oss"), 1);
    EXPECT_EQ(served.skipped.at("no configuration of Nobody-3B"), 1);
    EXPECT_EQ(served.rows[4].group, "ttft_ms p150 demo");
    EXPECT_NE(served.rows[4].asked.find("1 of 1 user,"), std::string::npos);
}

TEST(SpeedTables, servers_prefill_users_together_once_their_batches_fit) {
    // tenstorrent/tt-metal PR #40108 of April 2026: 32 prompts are one program from then on.
    const Validation served = validated(
        "model,device,impl_or_config,isl,osl,concurrency,ttft_ms,tpot_ms,tput_user,date,"
        "client_tool\n"
        "Llama-3.1-8B-Instruct,n300,,128,128,32,2000,,,2026-04-10,vllm bench serve\n"
        "Llama-3.1-8B-Instruct,n300,,128,128,32,2000,,,2026-04-11,vllm bench serve\n"
        "Llama-3.1-8B-Instruct,n300,,128,128,1,70,,,2026-04-10,vllm bench serve\n"
        "Llama-3.1-8B-Instruct,n300,,128,128,1,70,,,2026-04-11,vllm bench serve\n");
    const double in_turn = served.rows[0].predicted_value;
    const double alone = served.rows[2].predicted_value;
    EXPECT_NEAR(in_turn, 32 * alone, 1e-6 * in_turn);
    EXPECT_LT(served.rows[1].predicted_value, in_turn / 2);
    EXPECT_GT(served.rows[1].predicted_value, alone);
    EXPECT_EQ(served.rows[3].predicted_value, alone);
    EXPECT_NE(served.rows[0].why.find("Matmul"), std::string::npos);
}

TEST(SpeedTables, rows_of_the_evaluation_have_30_short_prompts_and_2_long_ones) {
    // seq_len is the longest of eval_repeat_prompts_batch32.json: the mean lies between, near the
    // short ones. Users of several groups are one each.
    const Validation found = validated(
        "model,sku,batch,seq_len,ttft_ms,decode_tok_s_user,notes\n"
        "llama3.1-8b,wh_llmbox,32,712,40,,\n"
        "llama3.1-8b,wh_llmbox,1,128,40,,\n"
        "llama3.1-8b,wh_llmbox,1,1024,40,,\n"
        "llama3.1-8b,p300x2,4,,19,20.88,data-parallel b4 aggregate\n");
    ASSERT_EQ(found.rows.size(), 5u);
    const double mean = found.rows[0].predicted_value;
    const double near = found.rows[1].predicted_value;
    const double far = found.rows[2].predicted_value;
    EXPECT_NEAR(mean, (30 * near + 2 * far) / 32, 1e-6 * mean);
    EXPECT_NE(found.rows[0].asked.find("30 of 128 tokens, 2 of 712 tokens"), std::string::npos);
    EXPECT_NE(found.rows[3].asked.find("4 groups of 1x1, 1 of 1 user"), std::string::npos);
}

TEST(SpeedTables, a_rate_that_is_about_nothing_is_an_error) {
    EXPECT_THROW(validated("model,device,impl_or_config,isl,osl,concurrency,ttft_ms,tpot_ms,"
                           "tput_user,date,client_tool\n"
                           "Llama-3.1-8B-Instruct,n300,,128,128,1,,,~fast,2026-04-10,\n"),
                 core::Error);
}

TEST(SpeedTables, theoretical_speeds_are_compared_with_the_rule_behind_them) {
    const Validation found = validated(
        "model,device,task_type,concurrency,theoretical_tput_user\n"
        "Llama-3.1-8B-Instruct,n150,text,1,21.0\n"
        "phi-4,p150,text,1,20.0\n"
        "Qwen2.5-72B,t3k,text,32,20\n");
    ASSERT_EQ(found.scores.rows, 1);
    EXPECT_LT(found.scores.median_ape_pct.value(), 1);
    EXPECT_EQ(found.skipped.at("no size in the name"), 1);
    EXPECT_EQ(found.skipped.at("of several users"), 1);
}

}  // namespace
}  // namespace model::testing
