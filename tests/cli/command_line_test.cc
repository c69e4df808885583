// The contract of the command line: verbs, help, exit codes, and where output goes.
#include <gtest/gtest.h>

#include "tests/cli/command.h"

namespace {

const std::vector<std::string> kVerbs{"run", "eval", "check", "sim", "topo"};

TEST(CommandLine, every_verb_has_help_with_an_example) {
    // An example answers most questions about options.
    for (const std::string& verb : kVerbs) {
        const Outcome outcome = tessera({verb, "--help"});
        EXPECT_EQ(outcome.exit_code, 0) << verb;
        EXPECT_TRUE(says(outcome.out, "Example: tessera " + verb + " ")) << outcome.out;
        EXPECT_TRUE(says(outcome.out, "--json")) << verb;
        EXPECT_EQ(outcome.err, "") << verb;
    }
}

TEST(CommandLine, help_lists_every_verb) {
    // The way to find out what there is.
    const Outcome outcome = tessera({"--help"});
    EXPECT_EQ(outcome.exit_code, 0);
    for (const std::string& verb : kVerbs) EXPECT_TRUE(says(outcome.out, "\n  " + verb)) << verb;
}

TEST(CommandLine, no_verb_or_an_unknown_one_is_bad_input) {
    // Scripts must notice: exit code 2, and nothing on stdout.
    for (const std::vector<std::string>& words :
         {std::vector<std::string>{}, {"walk"}, {"run"}, {"check", kDemo, "--colour", "red"}}) {
        const Outcome outcome = tessera(words);
        EXPECT_EQ(outcome.exit_code, 2);
        EXPECT_EQ(outcome.out, "");
        EXPECT_NE(outcome.err, "");
    }
}

struct Wrong {
    std::vector<std::string> words;
    std::string message;
};

TEST(CommandLine, wrong_values_are_named_with_what_was_expected) {
    // Each value is checked where it is read; nothing is guessed or clamped.
    const std::vector<Wrong> cases{
        {{"--precision", "fp8"}, "--precision: expected fp32, bf16, performance or accuracy, got"},
        {{"--batch", "0"}, "--batch"},
        {{"--batch", "33"}, "--batch"},
        {{"--batch", "two"}, "--batch"},
        {{"--dp", "-1"}, "--dp"},
        {{"--dp", "5"}, "5"},
        {{"--max-new-tokens", "0"}, "--max-new-tokens"},
        {{"--max-new-tokens", "99999999999999999999"}, "--max-new-tokens"},
        {{"--temperature", "nan"}, "temperature"},
        {{"--temperature", "-1"}, "temperature"},
        {{"--top-p", "1.5"}, "top_p"},
        {{"--top-k", "-3"}, "top_k"},
        {{"--seed", "x"}, "--seed"},
        {{"--threads", "0"}, "--threads"},
        {{"--context", "-5"}, "--context"},
        {{"--block-size", "33"}, "--block-size: expected a multiple of 32, got 33"},
        {{"--trace", "maybe"}, "--trace"},
        {{"--trace-era", "D"}, "--trace-era: expected A, B or C"},
        {{"--release", "1999"}, "--release: expected 2025, 2026-05 or 2026-09"},
        {{"--software", "vapour"}, "--software: expected tt-transformers"},
    };
    for (const Wrong& wrong : cases) {
        std::vector<std::string> words{"run", kDemo, "--mesh", "t3k", "--prompt", "A", "--json"};
        words.insert(words.end(), wrong.words.begin(), wrong.words.end());
        const Outcome outcome = tessera(words);
        EXPECT_EQ(outcome.exit_code, 2) << wrong.words[0] << " " << wrong.words[1];
        EXPECT_EQ(outcome.out, "") << wrong.words[0] << " " << wrong.words[1];
        EXPECT_TRUE(says(outcome.err, wrong.message)) << outcome.err;
    }
}

TEST(CommandLine, run_needs_exactly_one_source_of_prompts) {
    // Two would leave open which one counts.
    const Outcome neither = tessera({"run", kDemo, "--mesh", "n150"});
    EXPECT_EQ(neither.exit_code, 2);
    EXPECT_TRUE(says(neither.err, "--prompt TEXT or --prompts FILE")) << neither.err;
    const Outcome both =
        tessera({"run", kDemo, "--mesh", "n150", "--prompt", "A", "--prompts", "b.json"});
    EXPECT_EQ(both.exit_code, 2);
    EXPECT_TRUE(says(both.err, "--prompts")) << both.err;
}

TEST(CommandLine, topo_needs_an_action_it_knows) {
    // show and check; anything else is a typing error.
    EXPECT_EQ(tessera({"topo", "draw", "t3k"}).exit_code, 2);
    EXPECT_EQ(tessera({"topo"}).exit_code, 2);
    EXPECT_EQ(tessera({"topo", "show"}).exit_code, 2);
}

}  // namespace
