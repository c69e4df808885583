#include "cli/page.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/format.h"

namespace cli {
namespace {

constexpr const char* kStyle = R"(
:root { color-scheme: light dark; --line: #8884; --free: #8882; }
body { font: 14px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 1500px; padding: 0 1rem; }
h1 { font-size: 1.5rem; margin: 0 0 .3rem; } h2 { font-size: 1.05rem; margin: 1.6rem 0 .3rem; }
p { margin: .2rem 0; } .wide { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-size: 13px; }
th, td { border: 1px solid var(--line); padding: .25rem .5rem; text-align: left; white-space: nowrap; }
thead th { position: sticky; top: 0; background: Canvas; } tbody th { font-weight: 500; }
td.yes { background: #2a9d5c33; } td.no { background: #d6453d2b; } td a { color: inherit; }
.bar { display: flex; align-items: center; gap: .6rem; margin: .15rem 0; }
.bar .name { width: 5.5rem; text-align: right; font-size: 12px; }
.bar .room { display: flex; flex: 1; height: 18px; background: var(--free); border-radius: 3px;
  overflow: hidden; }
.bar .room span { display: block; height: 100%; } .bar .free { width: 9rem; font-size: 12px; }
.key { display: flex; flex-wrap: wrap; gap: .3rem 1.1rem; margin: .5rem 0; font-size: 12px; }
.key i { display: inline-block; width: 11px; height: 11px; border-radius: 2px; margin-right: .35rem; }
)";

// Twelve hues that stay apart, also for colour-blind readers; owners take them in order of
// appearance.
constexpr std::array<const char*, 12> kColours{"#3b6fb6", "#e08a1e", "#4f9d69", "#c4513f",
                                               "#8767b5", "#7d5a4c", "#d174b0", "#6f7780",
                                               "#a9a23a", "#3aa6b5", "#20456e", "#b8860b"};

class Colours {
public:
    const char* of(const std::string& owner) {
        const auto found = std::find(owners_.begin(), owners_.end(), owner);
        const auto index = static_cast<std::size_t>(found - owners_.begin());
        if (found == owners_.end()) owners_.push_back(owner);
        return page_colour(index);
    }
    const std::vector<std::string>& owners() const { return owners_; }

private:
    std::vector<std::string> owners_;
};

std::string bar_html(const MemoryBar& bar, Colours& colours) {
    core::Bytes used;
    for (const auto& [owner, bytes] : bar.parts) used += bytes;
    // A plan that does not fit is drawn whole: the bar stands for what was asked then.
    const double whole = static_cast<double>(std::max(bar.capacity, used).value);
    std::string out = fmt::format(
        "<div class=\"bar\"><div class=\"name\">{}</div>"
        "<div class=\"room\">",
        escaped(bar.label));
    for (const auto& [owner, bytes] : bar.parts) {
        out += fmt::format("<span style=\"width:{:.3f}%;background:{}\" title=\"{}: {}\"></span>",
                           whole > 0 ? 100.0 * static_cast<double>(bytes.value) / whole : 0.0,
                           colours.of(owner), escaped(owner), escaped(core::to_text(bytes)));
    }
    const bool fits = used <= bar.capacity;
    const std::string rest = core::to_text(fits ? bar.capacity - used : used - bar.capacity);
    // Only the short form beside the bar; the exact count is in the title.
    out += fmt::format("</div><div class=\"free\" title=\"{}\">{} {}</div></div>\n", escaped(rest),
                       escaped(rest.substr(0, rest.find(" ("))), fits ? "free" : "too much");
    return out;
}

std::string section_html(const PageSection& section, Colours& colours) {
    std::string out =
        fmt::format("<h2 id=\"{}\">{}</h2>\n", escaped(section.anchor), escaped(section.title));
    for (const std::string& line : section.lines) out += "<p>" + escaped(line) + "</p>\n";
    for (const MemoryBar& bar : section.bars) out += bar_html(bar, colours);
    return out;
}

std::string cell_html(const PageCell& cell) {
    const char* kind = cell.kind == PageCell::Kind::Yes  ? "yes"
                       : cell.kind == PageCell::Kind::No ? "no"
                                                         : "open";
    const std::string text =
        cell.anchor.empty()
            ? escaped(cell.text)
            : fmt::format("<a href=\"#{}\">{}</a>", escaped(cell.anchor), escaped(cell.text));
    return fmt::format("<td class=\"{}\" title=\"{}\">{}</td>", kind, escaped(cell.detail), text);
}

std::string table_html(const PageTable& table) {
    std::string out = "<div class=\"wide\"><table><thead><tr><th></th>";
    for (const std::string& column : table.columns) out += "<th>" + escaped(column) + "</th>";
    out += "</tr></thead><tbody>\n";
    for (const auto& [name, cells] : table.rows) {
        out += "<tr><th>" + escaped(name) + "</th>";
        for (const PageCell& cell : cells) out += cell_html(cell);
        out += "</tr>\n";
    }
    return out + "</tbody></table></div>\n";
}

std::string key_html(const Colours& colours) {
    std::string out = "<div class=\"key\">";
    for (std::size_t i = 0; i < colours.owners().size(); ++i) {
        out += fmt::format("<span><i style=\"background:{}\"></i>{}</span>", page_colour(i),
                           escaped(colours.owners()[i]));
    }
    return out + "<span><i style=\"background:var(--free)\"></i>free</span></div>\n";
}

}  // namespace

std::string escaped(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '&':
                out += "&amp;";
                break;
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '"':
                out += "&quot;";
                break;
            default:
                out += c;
        }
    }
    return out;
}

const char* page_colour(std::size_t index) { return kColours[index % kColours.size()]; }

std::string html_document(std::string_view title, std::string_view intro, std::string_view body) {
    return fmt::format(
        "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width\">"
        "<title>{0}</title><style>{1}</style></head><body>\n<h1>{0}</h1>\n<p>{2}</p>\n{3}"
        "</body></html>\n",
        escaped(title), kStyle, escaped(intro), body);
}

std::string to_html(const Page& page) {
    Colours colours;
    std::string sections;
    for (const PageSection& section : page.sections) sections += section_html(section, colours);
    std::string body;
    if (!page.table.rows.empty()) body += table_html(page.table);
    if (!page.sections.empty()) body += key_html(colours);
    return html_document(page.title, page.intro, body + sections);
}

}  // namespace cli
