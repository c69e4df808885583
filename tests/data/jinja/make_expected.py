#!/usr/bin/env python3
"""Writes expected.json: templates and what jinja2 makes of them, set up as transformers does it.

    tests/data/jinja/make_expected.py > tests/data/jinja/expected.json
Needs python3-jinja2 (3.1). Environment, tojson, strftime_now and the generation tag follow
huggingface/transformers: src/transformers/utils/chat_template_utils.py. The longer templates use
what published ones of Llama 3, Qwen, Mistral, Phi and DeepSeek-R1 use, in their order.
"""
import datetime
import json

import jinja2
import jinja2.ext
from jinja2.sandbox import ImmutableSandboxedEnvironment

DAY = "2025-03-09"
VARIABLES = {
    "messages": [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": " Who\u00a0is \u00c4nne? "},
        {"role": "assistant", "content": "<think>\nhm\n</think>\n\nShe.", "tool_calls": [
            {"id": "abc123def", "type": "function",
             "function": {"name": "find", "arguments": {"who": "\u00c4nne", "n": 2}}}]},
        {"role": "tool", "content": "{\"a\": 1}", "tool_call_id": "abc123def"},
        {"role": "user", "content": [{"type": "text", "text": "And?"}, {"type": "image"}]},
    ],
    "tools": [{"type": "function", "function": {
        "name": "find", "description": "Finds \"it\".",
        "parameters": {"type": "object", "required": ["who"], "z": [], "b": {}, "a": 1.5}}}],
    "bos_token": "<s>", "eos_token": "</s>", "add_generation_prompt": True,
    "pairs": {"b": 1, "a": "x"}, "list": [3, 1, 2, 3], "words": ["b", "A", "c", "a"],
    "none_value": None, "yes": True,
}

SHORT = r"""
{{ (1, 2) | join('-') }}{{ (1,) | length }}{{ () | length }}{{ ('a' 'b') }}
{% for a, b in [(1, 2), [3, 4]] %}{{ a }}{{ b }};{% endfor %}
{% set a, b = 1, 'x' %}{{ a }}{{ b }}{% set t = 1, 2 %}{{ t[1] }}
{{ list[1:] }}{{ list[::2] }}{{ list[-2] }}{{ 'äbc'[0] }}{{ 'äbc'[::-1] }}{{ 'äbcd'[1:3] }}
{{ 5 is divisibleby 5 }}{{ 3 is odd }}{{ 3 is even }}{{ yes is boolean }}{{ yes is number }}
{{ 1 is integer }}{{ 1.5 is float }}{{ yes is integer }}{{ none_value is none }}{{ x is undefined }}
{{ 'a' is string and pairs is mapping and list is sequence and list is iterable }}
{{ list is not string }}{{ not list is string }}{{ 3 is in list }}{{ 'A' is upper }}{{ 'a' is lower }}
{{ 1 is eq 1 }}{{ 1 is ne 1 }}{{ 1 is lt 2 }}{{ 2 is ge 2 }}{{ yes is sameas true }}{{ yes is true }}
{{ list | sort | join }}{{ list | sort(reverse=true) | join }}{{ words | sort | join }}
{{ words | sort(case_sensitive=true) | join }}{{ list | unique | join }}{{ words | unique | join }}
{{ list | sum }}{{ list | min }}{{ list | max }}{{ list | reverse | list }}{{ 'abc' | reverse }}
{{ 'abc' | list }}{{ pairs | list }}{{ pairs | items | list | length }}{{ pairs | dictsort | list | first | join }}
{{ messages | map(attribute='role') | join(', ') }}{{ words | map('upper') | join }}
{{ messages | map(attribute='tool_call_id', default='-') | join }}
{{ messages | selectattr('tool_calls', 'defined') | list | length }}
{{ messages | rejectattr('role', 'in', ['user', 'tool']) | map(attribute='role') | list }}
{{ list | select('odd') | list }}{{ list | reject('equalto', 3) | list }}{{ list | select('>', 2) | list }}
{{ messages | map(attribute='content') | first }}{{ list | last }}{{ [] | first is defined }}
{{ '12' | int + 1 }}{{ 'x' | int(7) }}{{ 3.9 | int }}{{ '1.5' | float }}{{ 2.5 | round }}{{ 3.14159 | round(2) }}{{ -3 | abs }}
{{ 'hello wOrld' | title }}{{ 'hELLO' | capitalize }}{{ 'äö' | upper }}{{ 'ÄÖ' | lower }}
{{ 'a\nb\n\nc' | indent(2) }}{{ 'a\nb' | indent(width=1, first=true) }}
{{ 'a b  c' | wordcount }}{{ 'aXbX' | replace('X', '-') }}{{ 'aXbX' | replace('X', '-', 1) }}
{{ none_value | default('d') }}{{ none_value | default('d', true) }}{{ x | default('d') }}{{ x | d('e') }}{{ x | default }}
{{ '' | default('d', boolean=true) }}{{ pairs.c | default('no') }}{{ pairs.get('c', 'no') }}{{ pairs.get('c') }}
{{ pairs }}{{ [none, true, 1.0, "it's", 'q"'] }}{{ {'k': [1, {}]} }}
{{ pairs | tojson }}{{ tools | tojson }}{{ 'ä"\n</' | tojson }}{{ none_value | tojson }}{{ 1.0 | tojson }}
{{ tools | tojson(indent=4) }}
{{ tools[0] | tojson(indent=2) }}{{ 'ä' | tojson(ensure_ascii=true) }}
{{ pairs | tojson(separators=(',', ':')) }}{{ pairs | tojson(sort_keys=true) }}
{{ '  x '.strip() }}|{{ 'xxaxx'.strip('x') }}|{{ 'xxa'.lstrip('x') }}|{{ 'axx'.rstrip('x') }}|{{ '\u3000a\u00a0' | trim }}|
{{ 'a,b,c'.split(',') }}{{ 'a,b,c'.split(',', 1) }}{{ ' a  b '.split() }}{{ 'a,b,c'.rsplit(',', 1) }}{{ 'a b c'.split(none, 1) }}
{{ 'abc'.startswith('a') }}{{ 'abc'.endswith(('x', 'c')) }}{{ 'abcb'.find('b') }}{{ 'abcb'.rfind('b') }}{{ 'abcb'.count('b') }}{{ 'x'.find('y') }}
{{ '12'.isdigit() }}{{ 'ab'.isalpha() }}{{ ' '.isspace() }}{{ 'A'.isupper() }}{{ 'a\nb'.splitlines() }}{{ '-'.join(['a', 'b']) }}
{{ 'abc'.upper() }}{{ 'ABC'.lower() }}{{ 'abc'.capitalize() }}{{ 'ab cd'.title() }}{{ 'abab'.replace('a', 'x') }}{{ 'abab'.replace('a', 'x', 1) }}{{ 'ab'.replace('', '-') }}
{{ 'prefix-x'.removeprefix('prefix-') }}{{ 'x.txt'.removesuffix('.txt') }}
{% for k, v in pairs | items %}{{ k }}={{ v }};{% endfor %}{% for k in pairs %}{{ k }}{% endfor %}{% for k in pairs.keys() %}{{ k }}{% endfor %}{% for v in pairs.values() %}{{ v }}{% endfor %}
{% for x in list %}{{ loop.index }}{{ loop.index0 }}{{ loop.revindex }}{{ loop.revindex0 }}{{ loop.first }}{{ loop.last }}{{ loop.length }}{{ loop.previtem | default('^') }}{{ loop.nextitem is defined }}{{ loop.cycle('a', 'b') }} {% endfor %}
{% for x in list %}{% if x == 1 %}{% continue %}{% endif %}{% if loop.index > 3 %}{% break %}{% endif %}{{ x }}{% endfor %}
{% for x in 'äb' %}{{ x }}.{% endfor %}{% for x in nothing %}a{% else %}none{% endfor %}{% for i in range(3) %}{{ i }}{% endfor %}{{ range(1, 8, 3) | list }}
{% set ns = namespace(a=1, b='x') %}{% set ns.a = ns.a + 1 %}{% set ns.b %}<{{ ns.a }}>{% endset %}{{ ns.b }}
{% macro f(a, b='z', c=none) %}{{ a }}{{ b }}{{ c }}{% endmacro %}{{ f('q', c='w') }}{{ f(b=1, a=2) }}{{ f('x') | upper }}
{% macro g(n) %}{{ n }}{% if n > 0 %}{{ g(n - 1) }}{% endif %}{% endmacro %}{{ g(3) }}
{% filter upper %}a{{ 'b' }}{% endfilter %}{% set x | trim %}  y {% endset %}[{{ x }}]
{{ 2 ** 3 }}{{ 7 % 3 }}{{ 7 / 2 }}{{ '%s is %d' % ('x', 3) }}{{ 'ab' ~ 1 ~ none }}{{ 1 if x }}{{ 'a' if yes else 'b' }}
{{ 'a' in pairs }}{{ 'z' not in pairs }}{{ 'b' in 'abc' }}{{ 1 in list }}{{ not yes }}{{ yes and none }}{{ x or 'o' }}
{{ "\u00e4\x41\t|" }}{{ 'a\\d' }}{{ '\\n' }}{{ 'it\'s' }}
a {%- if true -%}   b   {%- endif %} c
{% if yes and (list | length > 2 or x) %}1{% elif x %}2{% else %}3{% endif %}
{% generation %}said{% endgeneration %}{{ messages[0]['content'][:2] + bos_token }}{{ messages[-1].content[0].text }}
{{ strftime_now('%d %b %Y') }}{{ strftime_now("%Y-%m-%d, %A") }}{{ strftime_now is defined }}
{{ [1, 2] + [3] }}{{ [1, 2] == [1, 2] }}{{ 1 < 2 < 3 }}{{ 'a' < 'b' }}{{ -2 + 3 * 2 }}{{ (1 + 2) * 3 }}{{ 1 != 2 }}
{% set loop_messages = messages[1:] if messages[0]['role'] == 'system' else messages %}{{ loop_messages | length }}
{% if messages[1].tool_calls is defined and messages[1].tool_calls is not none %}a{% else %}b{% endif %}{{ messages[2].tool_calls | length }}
"""

LONG = ["   {%+ if true %} k {% endif +%}\nx\n{# c #}{% if true %}\nline\n{% endif %}\ny\n", r"""{{- bos_token }}
{%- if not date_string is defined %}
    {%- if strftime_now is defined %}
        {%- set date_string = strftime_now("%d %b %Y") %}
    {%- else %}
        {%- set date_string = "26 Jul 2024" %}
    {%- endif %}
{%- endif %}
{#- the first turn may be the system's #}
{%- if messages[0]['role'] == 'system' %}
    {%- set first = messages[0]['content']|trim %}
    {%- set messages = messages[1:] %}
{%- else %}
    {%- set first = "" %}
{%- endif %}
{{- "<|sys|>\n\n" }}
{%- if tools is not none and not hidden is defined %}
    {{- "Tools: " + (tools | map(attribute='function') | map(attribute='name') | reject('equalto', 'x') | list | join(", ")) + "\n\n"}}
{%- endif %}
{{- "Today: " + date_string + "\n\n" }}
{%- for t in tools %}
    {{- t | tojson(indent=4) }}
    {{- "\n\n" }}
{%- endfor %}
{{- first }}
{%- for message in messages %}
    {%- if not (message.role == 'ipython' or message.role == 'tool' or 'tool_calls' in message) and message.content is string %}
        {{- '<|' + message['role'] + '|>\n\n'+ message['content'] | trim + '<|end|>' }}
    {%- elif 'tool_calls' in message %}
        {%- if not message.tool_calls|length == 1 %}
            {{- raise_exception("one at a time") }}
        {%- endif %}
        {%- set tool_call = message.tool_calls[0].function %}
        {{- '{"name": "' + tool_call.name + '", ' }}
        {%- for arg_name, arg_val in tool_call.arguments | items %}
            {{- arg_name + '="' ~ arg_val ~ '"' }}
            {%- if not loop.last %}
                {{- ", " }}
            {%- endif %}
        {%- endfor %}
        {{- tool_call.arguments | tojson }}
        {{- "}" }}
    {%- elif message.content is mapping or message.content is iterable %}
        {{- message.content | tojson }}
    {%- endif %}
{%- endfor %}
{%- if add_generation_prompt %}
    {{- '<|assistant|>\n\n' }}
{%- endif %}
""", r"""{%- set ns = namespace(multi_step=true, last=messages|length - 1) %}
{%- for message in messages[::-1] %}
    {%- set index = (messages|length - 1) - loop.index0 %}
    {%- if ns.multi_step and message.role == "user" and message.content is string and not(message.content.startswith('<r>') and message.content.endswith('</r>')) %}
        {%- set ns.multi_step = false %}
        {%- set ns.last = index %}
    {%- endif %}
{%- endfor %}
{{- ns.last }}
{%- for message in messages %}
    {%- if message.content is string %}
        {%- set content = message.content %}
    {%- else %}
        {%- set content = '' %}
    {%- endif %}
    {%- if message.role == "assistant" %}
        {%- set thought = '' %}
        {%- if message.reasoning_content is string %}
            {%- set thought = message.reasoning_content %}
        {%- else %}
            {%- if '</think>' in content %}
                {%- set thought = content.split('</think>')[0].rstrip('\n').split('<think>')[-1].lstrip('\n') %}
                {%- set content = content.split('</think>')[-1].lstrip('\n') %}
            {%- endif %}
        {%- endif %}
        {%- if loop.index0 > ns.last and (loop.last or (not loop.last and thought)) %}
            {{- '<think>\n' + thought.strip('\n') + '\n</think>\n\n' + content.lstrip('\n') }}
        {%- endif %}
        {%- for tool_call in message.tool_calls %}
            {%- if (loop.first and content) or (not loop.first) %}
                {{- '\n' }}
            {%- endif %}
            {%- if tool_call.function %}
                {%- set tool_call = tool_call.function %}
            {%- endif %}
            {{- '{"name": "' }}{{- tool_call.name }}{{- '", "arguments": ' }}
            {%- if tool_call.arguments is string %}
                {{- tool_call.arguments }}
            {%- else %}
                {{- tool_call.arguments | tojson }}
            {%- endif %}
        {%- endfor %}
    {%- elif message.role == "tool" %}
        {%- if loop.first or (messages[loop.index0 - 1].role != "tool") %}
            {{- '<|im_start|>user' }}
        {%- endif %}
        {{- content }}
        {%- if loop.last or (messages[loop.index0 + 1].role != "tool") %}
            {{- '<|im_end|>\n' }}
        {%- endif %}
    {%- endif %}
{%- endfor %}
{%- if enable_thinking is defined and enable_thinking is false %}no{% endif %}
""", r"""{%- set today = strftime_now("%Y-%m-%d") %}
{%- set default_text = "The date is " + today + ".\n- " + 'x' %}
{{- bos_token }}
{%- if messages[0]["role"] == "system" %}
    {%- if messages[0]['content'] is string %}
        {%- set system = messages[0]['content'] %}
    {%- else %}
        {%- set system = messages[0]['content'][0]['text'] %}
    {%- endif %}
    {%- set loop_messages = messages[1:] %}
{%- else %}
    {%- set system = default_text %}
    {%- set loop_messages = messages %}
{%- endif %}
{%- if not tools is defined %}
    {%- set tools = none %}
{%- endif %}
{%- set user_messages = loop_messages | selectattr("role", "equalto", "user") | list %}
{%- set ns = namespace() %}
{%- set ns.index = 0 %}
{%- for message in loop_messages if not message.role in ["tool", "tool_results"] and not message.tool_calls %}
    {%- if (message["role"] == "user") != (ns.index % 2 == 0) %}
        {{- "[odd]" }}
    {%- endif %}
    {%- set ns.index = ns.index + 1 %}
{%- endfor %}
{%- for message in loop_messages %}
    {%- if message["role"] == "user" %}
        {%- if tools is not none and (message == user_messages[-1]) %}
            {{- "[AVAILABLE_TOOLS][" }}
            {%- for tool in tools %}
                {%- set tool = tool.function %}
                {{- '{"type": "function", "function": {' }}
                {%- for key, val in tool.items() if key != "return" %}
                    {%- if val is string %}
                        {{- '"' + key + '": "' + val + '"' }}
                    {%- else %}
                        {{- '"' + key + '": ' + val|tojson }}
                    {%- endif %}
                    {%- if not loop.last %}
                        {{- ", " }}
                    {%- endif %}
                {%- endfor %}
                {{- "}}" if loop.last else "}}, " }}
            {%- endfor %}
            {{- "][/AVAILABLE_TOOLS]" }}
        {%- endif %}
        {%- if message['content'] is string %}
            {{- "[INST] " + message["content"] + "[/INST]" }}
        {%- else %}
            {%- for block in message['content'] %}
                {%- if block['type'] == 'text' %}{{- block['text'] }}
                {%- elif block['type'] in ['image', 'image_url'] %}{{- '[IMG]' }}
                {%- else %}{{- raise_exception('text or images') }}
                {%- endif %}
            {%- endfor %}
        {%- endif %}
    {%- elif message.tool_calls is defined and message.tool_calls is not none %}
        {{- "[TOOL_CALLS][" }}
        {%- for tool_call in message.tool_calls %}
            {%- set out = tool_call.function|tojson %}
            {{- out[:-1] }}
            {%- if not tool_call.id is defined or tool_call.id|length != 9 %}
                {{- raise_exception("ids have 9 characters") }}
            {%- endif %}
            {{- ', "id": "' + tool_call.id + '"}' }}
        {%- endfor %}
        {{- "]" + eos_token }}
    {%- elif message["role"] == "tool_results" or message["role"] == "tool" %}
        {{- '[TOOL_RESULTS]{"content": ' + message.content|string + ", " }}
        {{- '"call_id": "' + message.tool_call_id + '"}' }}
    {%- endif %}
{%- endfor %}
""", r"""{% if not add_generation_prompt is defined %}{% set add_generation_prompt = false %}{% endif %}{% set ns = namespace(is_first=false, is_tool=false, system='') %}{%- for message in messages %}{%- if message['role'] == 'system' %}{% set ns.system = message['content'] %}{%- endif %}{%- endfor %}{{bos_token}}{{ns.system}}{%- for message in messages %}{%- if message['role'] == 'user' %}{%- set ns.is_tool = false -%}{{'<｜User｜>' ~ message['content']}}{%- endif %}{%- if message['role'] == 'assistant' and message['content'] is none %}{%- set ns.is_tool = false -%}{%- elif message['role'] == 'assistant' and message['content'] is not none %}{% set content = message['content'] %}{% if '</think>' in content %}{% set content = content.split('</think>')[-1] %}{% endif %}{{'<｜Assistant｜>' + content + '<｜end▁of▁sentence｜>'}}{%- endif %}{%- if message['role'] == 'tool' %}{%- set ns.is_tool = true -%}{{'\n' + message['content']}}{%- endif %}{%- endfor -%}{% if add_generation_prompt and not ns.is_tool %}{{'<｜Assistant｜><think>\n'}}{% endif %}
""", r"""{% for message in messages %}{% if message['role'] == 'system' and message['content'] %}{{'<|system|>
' + message['content'] + '<|end|>
'}}{% elif message['role'] == 'user' %}{{'<|user|>
' ~ message['content'] ~ '<|end|>
'}}{% elif message['role'] == 'assistant' %}{% generation %}{{ message['content'] + '<|end|>
'}}{% endgeneration %}{% endif %}{% endfor %}{% if add_generation_prompt %}{{ '<|assistant|>
' }}{% else %}{{ eos_token }}{% endif %}
""", r"""{% if messages[0]['role'] == 'system' %}{% set loop_messages = messages[1:] %}{% set system_message = messages[0]['content'] %}{% else %}{% set loop_messages = messages %}{% set system_message = false %}{% endif %}{% for message in loop_messages %}{% if loop.index0 == 0 and system_message != false %}{% set content = '<<SYS>>\n' + system_message + '\n<</SYS>>\n\n' + message['content'] %}{% else %}{% set content = message['content'] %}{% endif %}{% if message['role'] == 'user' and content is string %}{{ bos_token + '[INST] ' + content.strip() + ' [/INST]' }}{% elif message['role'] == 'assistant' %}{{ ' '  + content.strip() + ' ' + eos_token }}{% endif %}{% endfor %}
"""]


class Generation(jinja2.ext.Extension):
    """The tag that marks what the assistant says, for training: the text alone."""
    tags = {"generation"}

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def main():
    environment = ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    environment.filters["tojson"] = tojson

    def raise_exception(message):
        raise jinja2.exceptions.TemplateError(message)

    environment.globals["raise_exception"] = raise_exception
    environment.globals["strftime_now"] = datetime.date.fromisoformat(DAY).strftime
    cases = [line for line in SHORT.strip().split("\n")] + LONG
    expected = [[text, environment.from_string(text).render(**VARIABLES)] for text in cases]
    print(json.dumps({"day": DAY, "variables": VARIABLES, "cases": expected}, indent=1,
                     ensure_ascii=True))


main()
