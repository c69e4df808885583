#include "cli/page.h"

#include <gtest/gtest.h>

namespace {

using cli::Page;
using cli::PageCell;
using core::Bytes;

Page small_page() {
    Page page;
    page.title = "Llama on t3k";
    page.intro = "two <chips> & more";
    page.table.columns = {"n150", "t3k"};
    page.table.rows = {{"Llama",
                        {{PageCell::Kind::No, "no", "14 heads over \"8\"", ""},
                         {PageCell::Kind::Yes, "128k", "", "llama-t3k"}}}};
    page.sections = {{"llama-t3k",
                      "Llama on t3k",
                      {"fits: yes"},
                      {{"chip 0", Bytes{1000}, {{"weights", Bytes{250}}, {"kv cache", Bytes{500}}}},
                       {"chip 1", Bytes{1000}, {{"weights", Bytes{1250}}}}}}};
    return page;
}

TEST(Page, widths_are_shares_of_the_chip) {
    // A bar is the whole chip; what no part takes is what is free.
    const std::string html = to_html(small_page());
    EXPECT_NE(html.find("width:25.000%"), std::string::npos);
    EXPECT_NE(html.find("width:50.000%"), std::string::npos);
    EXPECT_NE(html.find("250 B free"), std::string::npos);
    EXPECT_NE(html.find("title=\"weights: 250 B\""), std::string::npos);
}

TEST(Page, what_does_not_fit_says_by_how_much) {
    const std::string html = to_html(small_page());
    EXPECT_NE(html.find("250 B too much"), std::string::npos);
    EXPECT_NE(html.find("width:100.000%"), std::string::npos);
}

TEST(Page, texts_are_escaped) {
    // Model names come from folders of strangers.
    const std::string html = to_html(small_page());
    EXPECT_NE(html.find("two &lt;chips&gt; &amp; more"), std::string::npos);
    EXPECT_NE(html.find("14 heads over &quot;8&quot;"), std::string::npos);
    EXPECT_EQ(html.find("<chips>"), std::string::npos);
}

TEST(Page, an_owner_has_one_colour_everywhere) {
    const std::string html = to_html(small_page());
    const std::string first = "background:#3b6fb6\" title=\"weights";
    const std::size_t at = html.find(first);
    ASSERT_NE(at, std::string::npos);
    EXPECT_NE(html.find(first, at + 1), std::string::npos);
}

TEST(Page, nothing_is_fetched) {
    const std::string html = to_html(small_page());
    EXPECT_EQ(html.find("http"), std::string::npos);
    EXPECT_EQ(html.find("<script"), std::string::npos);
    EXPECT_NE(html.find("href=\"#llama-t3k\""), std::string::npos);
}

}  // namespace
