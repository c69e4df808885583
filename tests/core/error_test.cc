#include "core/error.h"

#include <gtest/gtest.h>

namespace {

TEST(Error, the_whole_text_is_message_then_context_then_hint) {
    // This is the form a user sees; the example is the one of the style guide.
    core::Error error = core::Error::mismatch("topologies/t3k.json", "chips[3].links",
                                              "2 entries (wiring is \"mesh\")", "3");
    error.within("while loading topology \"t3k\"")
        .hint("a corner chip of a 2x4 mesh has two neighbours");
    EXPECT_STREQ(error.what(),
                 "topologies/t3k.json: chips[3].links: expected 2 entries (wiring is \"mesh\"), "
                 "got 3\n"
                 "  while loading topology \"t3k\"\n"
                 "hint: a corner chip of a 2x4 mesh has two neighbours");
}

TEST(Error, context_added_on_the_way_up_stays_innermost_first) {
    // The first line below the message must be the place nearest to the fault.
    core::Error error("bad");
    error.hint("mend it").within("inner").within("outer");
    EXPECT_STREQ(error.what(), "bad\n  inner\n  outer\nhint: mend it");
}

TEST(Error, no_key_leaves_no_empty_field) {
    // A whole file can be wrong; ": :" would look like a missing value.
    EXPECT_STREQ(core::Error::mismatch("a.json", "", "an object", "a list").what(),
                 "a.json: expected an object, got a list");
}

TEST(Error, parts_can_be_read_apart_from_the_text) {
    // The command line prints message and hint in its own way with --json.
    core::Error error("where: what");
    error.within("context").hint("first").hint("second");
    EXPECT_EQ(error.message(), "where: what");
    EXPECT_EQ(error.hint_text(), "second");
    EXPECT_STREQ(error.what(), "where: what\n  context\nhint: second");
}

TEST(Error, context_survives_catching_by_reference_and_rethrowing) {
    // Rooms add their line in a catch block and throw on; nothing may be lost.
    const auto load = [] {
        try {
            throw core::Error("chip.yaml: clock: expected a number, got \"fast\"");
        } catch (core::Error& error) {
            error.within("while loading chip \"wormhole\"");
            throw;
        }
    };
    try {
        load();
        FAIL() << "nothing was thrown";
    } catch (const std::exception& error) {
        EXPECT_STREQ(error.what(),
                     "chip.yaml: clock: expected a number, got \"fast\"\n"
                     "  while loading chip \"wormhole\"");
    }
}

TEST(Require, a_broken_rule_is_a_logic_error_in_every_build) {
    // The release build must check too; it is the one that users run.
    EXPECT_NO_THROW(core::require(true, "never seen"));
    try {
        core::require(false, "one and one is two");
        FAIL() << "nothing was thrown";
    } catch (const std::logic_error& error) {
        EXPECT_STREQ(error.what(), "broken rule: one and one is two");
    }
}

TEST(Require, a_broken_rule_is_not_taken_for_bad_input) {
    // Exit code 2 blames the user; our own mistake must not come out as one.
    bool blamed_the_user = false;
    try {
        core::require(false, "rule");
    } catch (const core::Error&) {
        blamed_the_user = true;
    } catch (const std::exception&) {
    }
    EXPECT_FALSE(blamed_the_user);
}

}  // namespace
