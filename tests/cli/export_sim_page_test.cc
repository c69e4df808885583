// The page of a simulation: whole by itself, safe with strange names, and with all its parts.
#include "cli/export_sim_page.h"

#include "tests/cli/recorded.h"
#include "tests/core/temp_folder.h"

namespace {

std::string page_of(const TempFolder& folder, const std::string& mesh) {
    const std::string file = (folder.path() / "page.html").string();
    const Outcome outcome = tessera({"sim", kDemo, "--mesh", mesh, "--html", file});
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    return read_file(file);
}

TEST(ExportSimPage, nothing_is_fetched) {
    const TempFolder folder;
    const std::string html = page_of(folder, "t3k");
    for (const char* part : {"http", "src=", "href=", "url(", "@import", "fetch(", "//cdn"}) {
        EXPECT_FALSE(says(html, part)) << part;
    }
}

TEST(ExportSimPage, shows_the_step_its_parts_the_links_and_the_memory) {
    const TempFolder folder;
    const std::string html = page_of(folder, "t3k");
    EXPECT_TRUE(says(html, "<canvas id=\"lanes\">"));
    EXPECT_TRUE(says(html, "AllGatherAsync"));
    EXPECT_TRUE(says(html, "<title>chip 0 to 1: "));
    EXPECT_TRUE(says(html, "DRAM, per bank: at most "));
    EXPECT_TRUE(says(html, "L1 with circular buffers, per core: at most "));
}

TEST(ExportSimPage, the_data_of_the_script_are_json) {
    const TempFolder folder;
    const std::string html = page_of(folder, "n300");
    const std::string begin = "<script>const step = ";
    const std::size_t at = html.find(begin) + begin.size();
    const Json step = Json::parse(html.substr(at, html.find(";</script>", at) - at));
    ASSERT_EQ(step.at("lanes").size(), 2u);
    std::int64_t end = 0;
    for (const Json& op : step["lanes"][0].at("ops")) {
        EXPECT_GE(op.at(0).get<std::int64_t>() + 1, end);  // whole nanoseconds
        end = op[0].get<std::int64_t>() + op.at(1).get<std::int64_t>();
        EXPECT_LT(op.at(2).get<std::size_t>(), step.at("kinds").size());
        EXPECT_LT(op.at(3).get<std::size_t>(), step.at("labels").size());
    }
    EXPECT_LE(end, step.at("length").get<std::int64_t>());
    EXPECT_GT(end, 0);
}

TEST(ExportSimPage, names_cannot_break_out_of_the_page) {
    // Titles come from folders of strangers, labels from their configs.
    using namespace dispatch::testing;
    Recorded recorded{row_of(1), {}, {}, {}};
    const auto program = add_program(1);
    only_command(*program).label = "</script><b>";
    record(recorded, {loose(program)});
    cli::SimRun run = recorded.run();
    run.title = "<i>model</i>";
    const std::string html = cli::sim_page(run);
    EXPECT_FALSE(says(html, "<i>"));
    EXPECT_FALSE(says(html, "<b>"));
    EXPECT_TRUE(says(html, "&lt;i&gt;model"));
    EXPECT_TRUE(says(html, "\\u003c/script>\\u003cb>"));
}

}  // namespace
