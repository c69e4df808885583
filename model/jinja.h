// The part of Jinja that chat templates are written in: text with {{ expressions }}, {% if %},
// {% for %}, {% set %}, {% macro %}, {% filter %}, {% generation %} and {# comments #}; no include,
// import, extends or call. Tuples are lists.
// Blocks take the line break after them and the spaces before them, as transformers sets it
// (trim_blocks, lstrip_blocks). Values are JSON; a name that is not known is undefined.
// Semantics: pallets/jinja docs/templates.rst. Steps and output are bounded.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

namespace model {

/// The template `text` with `variables`, an object; `where` names it in messages. A variable
/// strftime_now is the day ("2024-07-26") which the function of this name tells; without it the
/// function is not defined, and tells that day to a template that calls it all the same. Throws
/// core::Error for what is not understood, and for raise_exception with its message.
std::string render_jinja(std::string_view text, const nlohmann::ordered_json& variables,
                         std::string_view where);

}  // namespace model
