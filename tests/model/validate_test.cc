#include "model/validate.h"

#include <gtest/gtest.h>
#include <tbb/global_control.h>

#include <algorithm>

#include "core/error.h"
#include "model/validate_kinds.h"
#include "tests/model/validate_fixture.h"

namespace model::testing {
namespace {

using core::Error;

TEST(Validate, columns_that_match_no_kind_list_the_kinds) {
    // People bring their own tables; the message says what they must have.
    const std::string text = message_of<Error>([] { validated("model,speed\na,1\n"); });
    EXPECT_PRED2(begins, text, "t.csv:1: expected the columns of a kind of table (memory fit: ");
    EXPECT_PRED2(contains, text, "model, device, max_context_tokens, fits");
    EXPECT_PRED2(contains, text, "chunk sizes: model, device, max_prefill_chunk_k_tokens");
    EXPECT_PRED2(contains, text, "got model, speed");
}

TEST(Validate, a_model_that_fits_eight_chips_does_not_fit_one) {
    // Llama-3.1-70B: published on T3K, refused on N150 and N300.
    const Validation found = validated_fit({"a,Llama-3.1-70B,T3K,131072,32,1,90000000,yes,",
                                            "a,Llama-3.1-70B,N150,1024,1,1,,no,",
                                            "a,Llama-3.1-70B,N300,1024,1,1,,yes,"});
    EXPECT_EQ(found.kind, "memory fit");
    ASSERT_EQ(found.rows.size(), 3u);
    EXPECT_EQ(found.rows[0].verdict, Verdict::Agrees);
    EXPECT_EQ(found.rows[1].verdict, Verdict::Agrees);
    EXPECT_EQ(found.rows[2].verdict, Verdict::Disagrees);  // the table is wrong on purpose
    EXPECT_PRED2(contains, found.rows[2].why, "Out of Memory: Not enough space to allocate");
    EXPECT_DOUBLE_EQ(found.scores.agree_yes_pct.value(), 50);
    EXPECT_DOUBLE_EQ(found.scores.agree_no_pct.value(), 100);
    EXPECT_FALSE(found.scores.median_ape_pct.has_value());
    ASSERT_EQ(found.groups.size(), 3u);
    EXPECT_EQ(found.groups[2].name, "T3K");
    EXPECT_FALSE(found.groups[2].scores.agree_no_pct.has_value());
}

TEST(Validate, several_devices_in_a_cell_must_all_agree) {
    // 70B fits T3K and not N150: neither "yes" nor "no" holds for both.
    const Validation found = validated_fit({"a,Llama-3.1-70B,T3K/N150,1024,1,1,,yes,",
                                            "a,Llama-3.1-70B,T3K / N150,1024,1,1,,no,",
                                            "a,Llama-3.1-70B,N150/N300,1024,1,1,,no,"});
    EXPECT_EQ(found.rows[0].verdict, Verdict::Disagrees);
    EXPECT_PRED2(contains, found.rows[0].asked, " on N150,");
    EXPECT_EQ(found.rows[1].verdict, Verdict::Disagrees);
    EXPECT_PRED2(contains, found.rows[1].asked, " on T3K,");
    EXPECT_EQ(found.rows[2].verdict, Verdict::Agrees);
}

TEST(Validate, rows_that_cannot_be_asked_are_counted_by_reason) {
    // A percentage over the rest must not hide how much was left out.
    const Validation found = validated_fit(
        {"a,No-Such-1B,N150,1024,1,1,,yes,", "a,No-Such-1B,N300,1024,1,1,,yes,",
         "a,Llama-3.1-8B,QUAD_GALAXY,1024,1,1,,yes,", "a,Llama-3.1-8B,N150,1024,1,1,,,not tried",
         "a,Qwen/Qwen2.5-VL-7B-Instruct,N150,1024,1,1,,yes,",
         "a,Llama-3.1-8B,N150/QUAD_GALAXY,1024,1,1,,yes,", "a,Llama-3.1-8B,T3K,1024,3,3,,yes,"});
    EXPECT_EQ(found.scores.rows, 0);
    EXPECT_FALSE(found.scores.agree_yes_pct.has_value());
    const std::map<std::string, std::int64_t> reasons{
        {"no configuration of No-Such-1B", 2},
        {"no system for QUAD_GALAXY", 2},
        {"Unsupported device split: 8 devices, 3 groups", 1},
        {"neither yes nor no", 1},
        {"only the language part of Qwen2.5-VL-7B-Instruct is configured", 1}};
    EXPECT_EQ(found.skipped, reasons);
    EXPECT_EQ(found.rows[4].line, 6);
}

TEST(Validate, a_bad_field_is_named_with_its_line) {
    // A typo in a long table must be found.
    EXPECT_EQ(message_of<Error>([] { validated_fit({"a,Llama-3.1-8B,N150,1,1,1,,maybe,"}); }),
              "t.csv:2: fits: expected yes, no or nothing, got \"maybe\"");
    EXPECT_PRED2(begins,
                 message_of<Error>([] { validated_fit({"a,Llama-3.1-8B,N150,64k,1,1,,yes,"}); }),
                 "t.csv:2: max_context_tokens: expected an integer from 1 to");
    EXPECT_PRED2(begins, message_of<Error>([] { validated_chunks({"Llama-3.1-8B,N150,few"}); }),
                 "t.csv:2: max_prefill_chunk_k_tokens: expected an integer");
    EXPECT_PRED2(begins, message_of<Error>([] { validated_chunks({"Llama-3.1-8B,N150,"}); }),
                 "t.csv:2: max_prefill_chunk_k_tokens: expected a number of 1024 tokens");
}

TEST(Validate, the_question_says_what_was_asked) {
    // Users of a group, the group of a Galaxy, the trace region of the row, the name's own config.
    const Validation found =
        validated_fit({"served spec,Qwen/QwQ-32B,GALAXY,131072,128,4,27381760,yes,fits"});
    EXPECT_EQ(found.rows[0].asked,
              "QwQ-32B (Qwen2.5-32B-Instruct) on GALAXY, 1 of 4 groups of 1x8, 32 users, "
              "performance, trace region 27,381,760 B, 131,072 tokens");
    EXPECT_EQ(found.rows[0].verdict, Verdict::Agrees);
}

TEST(Validate, a_chunk_in_the_verdict_is_the_chunk_that_is_planned) {
    // tenstorrent/tt-metal #24105: 72B on T3K runs out of memory with 32k chunks, not with 16k.
    const Validation found =
        validated_fit({"a,Qwen2.5-72B,T3K,32768,32,1,,no,does not fit with chunk 32k",
                       "a,Qwen2.5-72B,T3K,32768,32,1,,yes,fits with chunk 16k"});
    EXPECT_PRED2(contains, found.rows[0].asked, "131,072 tokens, chunk 32,768");
    EXPECT_EQ(found.rows[0].verdict, Verdict::Agrees) << found.rows[0].why;
    EXPECT_PRED2(contains, found.rows[0].why, "allocate 268435456 B DRAM buffer");
    EXPECT_EQ(found.rows[1].verdict, Verdict::Agrees) << found.rows[1].why;
    EXPECT_PRED2(begins, found.rows[1].why, "chunk 16,384; free ");
}

TEST(Validate, accuracy_mode_is_another_precision) {
    // tenstorrent/tt-metal #21904: bfp8 feed-forwards leave no room for 66,176 tokens of cache.
    const Validation found =
        validated_fit({"a,Llama-3.1-8B accuracy mode,N150,66176,32,1,25000000,no,",
                       "a,Llama-3.1-8B,N150,65536,1,1,25000000,yes,"});
    EXPECT_PRED2(contains, found.rows[0].asked, "accuracy");
    EXPECT_EQ(found.rows[0].verdict, Verdict::Agrees);
    EXPECT_PRED2(contains, found.rows[0].why, "Out of Memory: Not enough space to allocate");
    EXPECT_EQ(found.rows[1].verdict, Verdict::Agrees) << found.rows[1].why;
}

TEST(Validate, a_served_row_gets_the_pool_the_server_allocates) {
    // tt_worker.py gives Llama-3.2-90B on T3K 65,536 tokens; a documented row means what it says.
    const Validation found =
        validated_fit({"served spec,meta-llama/Llama-3.2-90B-Vision,T3K,131072,32,1,,yes,",
                       "documented,Llama-3.2-90B-Vision,T3K,131072,32,1,,no,"});
    EXPECT_PRED2(contains, found.rows[0].asked, "65,536 tokens");
    EXPECT_EQ(found.rows[0].verdict, Verdict::Agrees) << found.rows[0].why;
    EXPECT_PRED2(contains, found.rows[1].asked, "131,072 tokens");
    EXPECT_EQ(found.rows[1].verdict, Verdict::Agrees) << found.rows[1].why;
}

TEST(Validate, chunks_found_by_hand_are_found_by_planning) {
    // tt_transformers README: 4k on N150 (at 64k of context), 64k on N300, 32k for 70B on T3K.
    const Validation found =
        validated_chunks({"Llama3.1-8B,N150,4", "Llama-3.1-8B,N300,64", "Llama-3.1-70B,T3K,32",
                          "Llama-3.1-70B,N300,unsupported", "Llama-3.2-1B,N150,128"});
    for (const JudgedRow& row : found.rows) EXPECT_EQ(row.verdict, Verdict::Agrees) << row.asked;
    EXPECT_PRED2(begins, found.rows[0].why, "at 64k of context: free ");
    EXPECT_PRED2(contains, found.rows[0].why, "; 8k: ");
    EXPECT_DOUBLE_EQ(found.scores.exact_pct.value(), 100);
    EXPECT_DOUBLE_EQ(found.scores.p90_ape_pct.value(), 0);
}

TEST(Validate, heads_that_do_not_divide_have_no_chunk) {
    // 28 heads over 8 chips: the reason is the text of tt_transformers.
    const Validation found = validated_chunks({"Qwen2.5-7B,T3K,128"});
    EXPECT_EQ(found.rows[0].predicted, "unsupported");
    EXPECT_EQ(found.rows[0].why, "n_heads must be divisible by num_devices: 28 % 8");
}

TEST(Validate, threads_change_nothing) {
    // Rows are answered in parallel; the report must be the same bytes.
    const std::vector<std::string> rows{"Llama-3.1-8B,N150,4", "Llama-3.2-3B,N150,8",
                                        "Llama-3.2-1B,T3K,128", "Llama-3.1-8B,N150,4"};
    const auto text = [&](std::size_t threads) {
        const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
        std::string all;
        for (const JudgedRow& row : validated_chunks(rows).rows) {
            all += row.asked + row.predicted + row.why;
        }
        return all;
    };
    EXPECT_EQ(text(1), text(4));
}

JudgedRow judged(double predicted, double measured, Verdict verdict) {
    JudgedRow row;
    row.predicted_value = predicted;
    row.measured_value = measured;
    row.verdict = verdict;
    return row;
}

TEST(Score, sizes_are_scored_by_powers_of_two_and_by_percent) {
    // Worked by hand: errors 0, 100, 50 and 300 % of the rows measured above 0.
    const std::vector<JudgedRow> rows{
        judged(4, 4, Verdict::Agrees), judged(8, 4, Verdict::WithinTwofold),
        judged(4, 8, Verdict::WithinTwofold), judged(16, 4, Verdict::Disagrees),
        judged(128, 0, Verdict::Disagrees)};
    std::vector<const JudgedRow*> all;
    for (const JudgedRow& row : rows) all.push_back(&row);
    const Scores scores = score(Scoring::Size, all);
    EXPECT_EQ(scores.rows, 5);
    EXPECT_DOUBLE_EQ(scores.exact_pct.value(), 20);
    EXPECT_DOUBLE_EQ(scores.within_2x_pct.value(), 60);
    EXPECT_DOUBLE_EQ(scores.within_2x_or_above_pct.value(), 100);
    EXPECT_DOUBLE_EQ(scores.median_ape_pct.value(), 75);
    EXPECT_DOUBLE_EQ(scores.mean_ape_pct.value(), 112.5);
    EXPECT_DOUBLE_EQ(scores.p90_ape_pct.value(), 300);
    EXPECT_FALSE(scores.agree_yes_pct.has_value());
}

TEST(Score, no_rows_have_no_percentages) {
    // 0 of 0 is neither 0 nor 100 %.
    const Scores scores = score(Scoring::Size, {});
    EXPECT_EQ(scores.rows, 0);
    EXPECT_FALSE(scores.exact_pct || scores.within_2x_pct || scores.mean_ape_pct);
}

TEST(ModelLibrary, names_are_found_by_folder_and_by_alias) {
    // In any case, with or without the owner; software chooses by the name that was asked.
    const auto known = [](const char* name) { return std::get<KnownModel>(library().model(name)); };
    EXPECT_EQ(known("meta-llama/Llama-3.1-8B-Instruct").folder, "Llama-3.1-8B-Instruct");
    EXPECT_EQ(known("llama-3.1-8b-instruct").folder, "Llama-3.1-8B-Instruct");
    EXPECT_EQ(known("Llama3.2-1B").base, "Llama-3.2-1B");
    EXPECT_EQ(known("Qwen/QwQ-32B").folder, "Qwen2.5-32B-Instruct");
    EXPECT_EQ(known("Qwen/QwQ-32B").base, "QwQ-32B");
    EXPECT_EQ(known("medgemma-27b-it").folder, "gemma-3-27b-it");
    EXPECT_TRUE(std::holds_alternative<Unknown>(library().model("Llama-3.1-8B-Something")));
    EXPECT_TRUE(std::holds_alternative<Unknown>(library().model(std::string(5000, 'a'))));
}

TEST(ModelLibrary, aliased_models_have_the_sizes_of_their_folder) {
    // Each alias claims equal sizes; these two are checked against what their model cards say.
    const Config& qwq = *std::get<KnownModel>(library().model("QwQ-32B")).config;
    EXPECT_EQ(qwq.num_hidden_layers, 64);
    EXPECT_EQ(qwq.hidden_size, 5120);
    EXPECT_EQ(qwq.intermediate_size, 27648);
    EXPECT_EQ(qwq.vocab_size, 152064);
    const Config& phi = *std::get<KnownModel>(library().model("Phi-3.5-mini-instruct")).config;
    EXPECT_EQ(phi.num_hidden_layers, 32);
    EXPECT_EQ(phi.hidden_size, 3072);
    EXPECT_EQ(phi.vocab_size, 32064);
}

TEST(ModelLibrary, devices_are_opened_as_the_software_opens_them) {
    // GALAXY_T3K is a slice; 32 chips in groups are rows of eight.
    const auto shape = [](const char* device, std::int64_t groups) {
        return std::get<fabric::Mesh>(library().group(device, groups)).shape;
    };
    EXPECT_EQ(shape("GALAXY_T3K", 1), (mesh::Shape{1, 8}));
    EXPECT_EQ(shape("galaxy", 1), (mesh::Shape{8, 4}));
    EXPECT_EQ(shape("GALAXY", 4), (mesh::Shape{1, 8}));
    EXPECT_EQ(shape("BLACKHOLE_GALAXY", 4), (mesh::Shape{1, 8}));
    EXPECT_EQ(shape("T3K", 8), (mesh::Shape{1, 1}));
    EXPECT_EQ(std::get<Unknown>(library().group("T3K", 3)).reason,
              "Unsupported device split: 8 devices, 3 groups");
}

std::string problem_of(const std::string& aliases) {
    const TempFolder folder;
    const auto file = folder.write("aliases.yaml", aliases);
    return message_of<Error>([&] {
        ModelLibrary({TESSERA_SOURCE_DIR "/topologies"}, TESSERA_SOURCE_DIR "/models/configs",
                     file);
    });
}

TEST(ModelLibrary, aliases_are_checked) {
    // An alias without a reason is a guess.
    const std::string rest = "devices: {}\nserved_pools: []\n";
    EXPECT_PRED2(contains, problem_of("models: [{pattern: a, config: b}]\n" + rest),
                 "models[0].reason");
    EXPECT_PRED2(contains, problem_of("models: [{pattern: '(', config: b, reason: c}]\n" + rest),
                 "expected a regular expression");
    EXPECT_PRED2(contains,
                 problem_of("models: [{pattern: a, config: b, reason: c, part: x}]\n" + rest),
                 "expected whole or text");
    EXPECT_PRED2(contains, problem_of("devices: {}\n"), "models");
}

TEST(PartsOf, blanks_around_parts_are_dropped) {
    // "N150 / N300" and "a;b" as tables have them.
    EXPECT_EQ(parts_of("N150 / N300", '/'), (std::vector<std::string>{"N150", "N300"}));
    EXPECT_EQ(parts_of("", ';'), (std::vector<std::string>{""}));
    EXPECT_EQ(parts_of("a;;b", ';'), (std::vector<std::string>{"a", "", "b"}));
}

}  // namespace
}  // namespace model::testing
