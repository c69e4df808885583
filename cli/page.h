// One self-contained HTML page: bars that show who owns a chip's memory, and the table of models
// and systems. No script, no font, nothing fetched; every text is escaped. The page of a simulation
// (export_sim_page.h) uses the same frame.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/units.h"

namespace cli {

/// The memory of one chip as a bar of parts; what the parts leave of `capacity` is free.
struct MemoryBar {
    std::string label;  // "chip 3"
    core::Bytes capacity;
    std::vector<std::pair<std::string, core::Bytes>> parts;  // owner, bytes; in drawing order
};

struct PageSection {
    std::string anchor;  // id for links; letters, digits and '-'
    std::string title;
    std::vector<std::string> lines;  // verdict, reasons, suggestions
    std::vector<MemoryBar> bars;
};

struct PageCell {
    enum class Kind { Yes, No, NotAsked } kind = Kind::NotAsked;
    std::string text;    // "128k", "no: 14 heads over 8"
    std::string detail;  // shown on hover
    std::string anchor;  // section it links to; empty: none
};

struct PageTable {
    std::vector<std::string> columns;  // after the first, which holds the row's name
    std::vector<std::pair<std::string, std::vector<PageCell>>> rows;
};

struct Page {
    std::string title;
    std::string intro;
    PageTable table;  // without rows: none is drawn
    std::vector<PageSection> sections;
};

std::string to_html(const Page& page);

/// What other pages are made of: text for HTML, one of twelve colours, and the frame around a body.
std::string escaped(std::string_view text);
const char* page_colour(std::size_t index);
std::string html_document(std::string_view title, std::string_view intro, std::string_view body);

}  // namespace cli
