// Jinja as chat templates use it. What is expected was rendered by jinja2 3.1 with trim_blocks and
// lstrip_blocks, as transformers sets them.
#include "model/jinja.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "core/files.h"

namespace model {
namespace {

std::string rendered(std::string_view text) {
    static const auto kVariables = nlohmann::ordered_json::parse(R"({
        "messages": [{"role": "system", "content": "Be kind."},
                     {"role": "user", "content": " Who? "}],
        "bos_token": "<s>", "add_generation_prompt": true, "pairs": {"a": 1, "b": "x"}})");
    try {
        return render_jinja(text, kVariables, "t");
    } catch (const core::Error& error) {
        return std::string("error ") + error.what();
    }
}

struct Example {
    const char* text;
    const char* rendered;
};

TEST(Jinja, renders_as_the_library_does) {
    const Example examples[] = {
        {"a\n  {% if true %}\nb\n  {% endif %}\nc\n", "a\nb\nc"},
        {"x {{- ' y ' -}} z", "x y z"},
        {"   {# c #}   \nline\n{%+ if true %} k {% endif %}", "   \nline\n k "},
        {"{{ 1 + 2 * 3 }} {{ 7 // 2 }} {{ -7 // 2 }} {{ -7 % 3 }} {{ 1 / 2 }}", "7 3 -4 2 0.5"},
        {"{{ 10 - 2 - 3 }}{{ 'a' ~ 1 }}{{ not 1 == 2 }}{{ 1 < 2 < 3 }}", "5a1TrueTrue"},
        {"{{ 'abcdef'[1:4] }}{{ 'abc'[-1] }}{{ [1, 2, 3][::-1] | join('-') }}", "bcdc3-2-1"},
        {"{% for k, v in pairs.items() %}{{ k }}={{ v }}{{ ',' if not loop.last }}{% endfor %}",
         "a=1,b=x"},
        {"{% for x in [1, 2, 3] if x != 2 %}{{ loop.index0 }}:{{ x }} {% endfor %}", "0:1 1:3 "},
        {"{% for x in [] %}a{% else %}none{% endfor %}", "none"},
        {"{% set n = namespace(i=0) %}{% for x in [1, 2] %}{% set n.i = n.i + x %}{% endfor %}"
         "{{ n.i }}",
         "3"},
        {"{% set x = 1 %}{% for i in [1] %}{% set x = 2 %}{{ x }}{% endfor %}{{ x }}", "21"},
        {"{% macro f(a, b='z') %}<{{ a }}{{ b }}>{% endmacro %}{{ f('q') }}{{ f('q', 'w') }}",
         "<qz><qw>"},
        {"{% set x %}hi {{ 1 }}{% endset %}{{ x | upper }}", "HI 1"},
        {"{{ nothing }}|{{ none }}|{{ nothing | default('d') }}|{{ nothing is defined }}",
         "|None|d|False"},
        {"{{ pairs | tojson }}{{ messages | length }}{{ messages | map(attribute='role') | last }}",
         "{\"a\": 1, \"b\": \"x\"}2user"},
        {"{{ messages | selectattr('role', 'equalto', 'user') | list | length }}"
         "{{ 'role' in messages[0] }}{{ 'z' not in 'abc' }}",
         "1TrueTrue"},
        {"{{ 'a</t>\\n b'.split('</t>')[-1].lstrip('\\n') }}|{{ ' x '.strip() }}", " b|x"},
    };
    for (const Example& example : examples) {
        EXPECT_EQ(rendered(example.text), example.rendered) << example.text;
    }
}

TEST(Jinja, renders_every_construct_of_chat_templates_as_the_library_does) {
    // tests/data/jinja/make_expected.py lists them and asks jinja2, set up as transformers does.
    const auto data = nlohmann::ordered_json::parse(
        core::read_text(TESSERA_SOURCE_DIR "/tests/data/jinja/expected.json"));
    nlohmann::ordered_json variables = data.at("variables");
    variables["strftime_now"] = data.at("day");
    ASSERT_GT(data.at("cases").size(), 60u);
    for (const auto& entry : data.at("cases")) {
        const auto text = entry.at(0).get<std::string>();
        try {
            EXPECT_EQ(render_jinja(text, variables, "t"), entry.at(1)) << text;
        } catch (const core::Error& error) {
            ADD_FAILURE() << text << "\n" << error.what();
        }
    }
}

TEST(Jinja, the_date_is_given_or_that_of_llama_3) {
    // Today's would make another prompt of the same command every day.
    EXPECT_EQ(rendered("{{ strftime_now is defined }} {{ strftime_now('%d %b %Y') }}"),
              "False 26 Jul 2024");
    const auto on = [](const char* day) {
        return render_jinja("{{ strftime_now('%a') }}", {{"strftime_now", day}}, "t");
    };
    EXPECT_EQ(on("2026-02-28"), "Sat");
    for (const char* day : {"2026-02-30", "today", "2026-2", "2026-01-01x"}) {
        EXPECT_THROW(on(day), core::Error) << day;
    }
}

TEST(Jinja, renders_a_published_template) {
    // mistralai/Mixtral-8x7B-Instruct-v0.1: a system text goes into the first turn.
    EXPECT_EQ(rendered("{%- if messages[0]['role'] == 'system' %}\n"
                       "    {%- set system_message = messages[0]['content'] %}\n"
                       "    {%- set loop_messages = messages[1:] %}\n"
                       "{%- else %}\n"
                       "    {%- set loop_messages = messages %}\n"
                       "{%- endif %}\n\n"
                       "{{- bos_token }}\n"
                       "{%- for message in loop_messages %}\n"
                       "    {%- if (message['role'] == 'user') != (loop.index0 % 2 == 0) %}\n"
                       "        {{- raise_exception('roles must alternate') }}\n"
                       "    {%- endif %}\n"
                       "    {%- if loop.first and system_message is defined %}\n"
                       "        {{- ' [INST] ' + system_message + '\\n\\n' + message['content'] + "
                       "' [/INST]' }}\n"
                       "    {%- endif %}\n"
                       "{%- endfor %}\n"),
              "<s> [INST] Be kind.\n\n Who?  [/INST]");
}

TEST(Jinja, says_what_it_does_not_understand_and_where) {
    // Templates come with models: a wrong one is an answer, not a crash or a hang.
    const Example examples[] = {
        {"a\n{{ raise_exception('no tools') }}", "t:2: expected a conversation it takes, got no"},
        {"{{ nothing.of.it }}", "expected a value that has it, got an undefined one"},
        {"{{ nothing[1:] }}{{ 5[1:] }}", "expected a list or a text"},
        {"a\xff", "byte 1: expected UTF-8"},
        {"{% set a, b = [1] %}", "expected 2 values to unpack"},
        {"{{ range(1000000) }}", "at most 100000 numbers"},
        {"{% break %}", "got break"},
        {"{{ 'x' | replace('', 'yyyyyyyyyyyyyyyy') | map('wordwrap') | list }}", "known filter"},
        {"{{ [1] | select('wordwrap') | list }}", "a known test, got wordwrap"},
        {"{{ '%d %d' % 1 }}", "%s or %d for every value"},
        {"{{ 'x' | wordwrap }}", "t:1: expected a known filter, got wordwrap"},
        {"{{ now() }}", "t:1: expected a known function, got now"},
        {"{% include 'x' %}", "got include"},
        {"{% if true %}a", "got the end of the template"},
        {"a\n\n{{ x", "t:3: expected the end of the tag"},
        {"{{ 1 +", "t:1: expected the end of the tag"},
        {"{{ 1 + }}", "t:1: expected an expression"},
        {"{{ 'a' + 1 }}", "expected two numbers or two texts"},
        {"{{ 1 // 0 }}", "expected two numbers"},
        {"{% endif %}", "got endif"},
        {"{{ ? }}", "t:1: expected an expression, got ?"},
        {"{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "at most 100 loops"},
    };
    for (const Example& example : examples) {
        const std::string text = rendered(example.text);
        EXPECT_TRUE(text.starts_with("error ")) << example.text;
        EXPECT_NE(text.find(example.rendered), text.npos) << text;
    }
    EXPECT_NE(rendered("{{ " + std::string(100'000, '(')).find("error"), std::string::npos);
    EXPECT_NE(rendered("{{ " + std::string(100'000, '[') + " }}").find("less depth"),
              std::string::npos);
    std::string nested = "{% for i in '0123456789'.split('') %}";
    EXPECT_NE(rendered(nested).find("error"), std::string::npos);
    std::string loops = "{% set l = [1,2,3,4,5,6,7,8,9,10] %}";
    for (int i = 0; i < 8; ++i) loops += "{% for i in l %}";
    for (int i = 0; i < 8; ++i) loops += "{% endfor %}";
    EXPECT_NE(rendered(loops).find("at most 100000 steps"), std::string::npos);
}

}  // namespace
}  // namespace model
