// The rooms and their arrows, checked on the sources themselves.
// Invariant: a room includes and links only itself and the rooms its arrows lead to, directly or
// through others, and every source is listed by hand in a CMakeLists.txt. The rules are functions
// of plain text, so each is also shown to fail on a text that breaks it.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Names = std::set<std::string>;
using Complaints = std::vector<std::string>;

/// Room -> the rooms it may use, itself included. Requires: a room stands after its targets.
std::map<std::string, Names> reachable_rooms() {
    const std::vector<std::pair<std::string, Names>> arrows{
        {"core", {}},
        {"tensor", {"core"}},
        {"mesh", {"core"}},
        {"fabric", {"mesh"}},
        {"ccl", {"fabric"}},
        {"dispatch", {"ccl", "tensor"}},
        {"model", {"dispatch"}},
        {"serve", {"model"}},
        {"cli", {"serve"}},
    };
    std::map<std::string, Names> reachable;
    for (const auto& [room, targets] : arrows) {
        Names all{room};
        for (const std::string& target : targets) {
            all.insert(reachable.at(target).begin(), reachable.at(target).end());
        }
        reachable.emplace(room, std::move(all));
    }
    return reachable;
}

/// The text between `open` and `close` when the line is an #include of that kind, else empty.
std::string included(std::string_view line, char open, char close) {
    constexpr std::string_view kBlank = " \t";
    const auto skip_blank = [&] {
        line.remove_prefix(std::min(line.find_first_not_of(kBlank), line.size()));
    };
    skip_blank();
    if (!line.starts_with('#')) return {};
    line.remove_prefix(1);
    skip_blank();
    if (!line.starts_with("include")) return {};
    line.remove_prefix(std::string_view("include").size());
    skip_blank();
    if (!line.starts_with(open)) return {};
    return std::string(line.substr(1, line.find(close, 1) - 1));
}

/// What is wrong with the #include lines of a source of `room`.
Complaints wrong_includes(const std::string& room, const std::string& text) {
    const std::map<std::string, Names> reachable = reachable_rooms();
    const bool may_log = room == "cli" || room == "serve";
    Complaints complaints;
    std::istringstream lines(text);
    for (std::string line; std::getline(lines, line);) {
        const std::string ours = included(line, '"', '"');
        const std::string target = ours.substr(0, ours.find('/'));
        if (!ours.empty() && !reachable.contains(target)) {
            complaints.push_back(ours + " is not written from the project root");
        } else if (!ours.empty() && !reachable.at(room).contains(target)) {
            complaints.push_back(room + " must not include " + ours);
        }
        if (!may_log && included(line, '<', '>').starts_with("spdlog/")) {
            complaints.push_back(room + " must not log");
        }
    }
    return complaints;
}

/// The words of a CMake file, comments left out.
std::vector<std::string> cmake_words(const std::string& text) {
    std::string blanked;
    bool in_comment = false;
    for (const char c : text) {
        in_comment = c != '\n' && (in_comment || c == '#');
        const bool separates = c == '(' || c == ')' || c == '"';
        blanked.push_back(in_comment || separates ? ' ' : c);
    }
    std::istringstream words(blanked);
    return {std::istream_iterator<std::string>(words), {}};
}

/// What is wrong with a CMake file; `room` is empty for one that belongs to no room.
Complaints wrong_cmake(const std::string& room, const std::string& text) {
    const std::map<std::string, Names> reachable = reachable_rooms();
    constexpr std::string_view kPrefix = "tessera_";
    Complaints complaints;
    for (const std::string& word : cmake_words(text)) {
        if (word == "GLOB" || word == "GLOB_RECURSE" || word == "aux_source_directory") {
            complaints.push_back(word + " hides which sources are built");
        }
        if (room.empty() || !word.starts_with(kPrefix)) continue;
        const std::string target = word.substr(kPrefix.size());
        if (reachable.contains(target) && !reachable.at(room).contains(target)) {
            complaints.push_back(room + " must not link " + word);
        }
    }
    return complaints;
}

std::string read(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
}

fs::path root() { return TESSERA_SOURCE_DIR; }

/// All files below `folder` with one of the endings, in order of path.
std::set<fs::path> files_below(const fs::path& folder, const Names& endings) {
    std::set<fs::path> found;
    if (!fs::exists(folder)) return found;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(folder)) {
        if (entry.is_regular_file() && endings.contains(entry.path().extension().string())) {
            found.insert(entry.path());
        }
    }
    return found;
}

/// Whether a CMakeLists.txt beside the source, or above it below the root, names the source.
bool is_listed(const fs::path& source) {
    for (fs::path folder = source.parent_path(); folder != root(); folder = folder.parent_path()) {
        const std::string name = source.lexically_relative(folder).generic_string();
        const std::vector<std::string> words = cmake_words(read(folder / "CMakeLists.txt"));
        if (std::find(words.begin(), words.end(), name) != words.end()) return true;
    }
    return false;
}

std::string shown(const fs::path& path) { return path.lexically_relative(root()).string() + ": "; }

TEST(Layering, includes_of_every_room_follow_the_arrows) {
    // A wrong arrow is cheap on the day it is drawn and dear a month later.
    std::size_t seen = 0;
    for (const auto& [room, targets] : reachable_rooms()) {
        for (const fs::path& source : files_below(root() / room, {".h", ".cc"})) {
            ++seen;
            for (const std::string& complaint : wrong_includes(room, read(source))) {
                ADD_FAILURE() << shown(source) << complaint;
            }
        }
    }
    EXPECT_GT(seen, 20u) << "the sources were not found below " << root();
}

TEST(Layering, headers_of_a_room_live_in_the_namespace_of_the_room) {
    // One folder, one namespace: a name says where its header is. A header of macros has none.
    for (const auto& [room, targets] : reachable_rooms()) {
        for (const fs::path& header : files_below(root() / room, {".h"})) {
            const std::string text = read(header);
            const bool has_names = text.find("\nnamespace ") != std::string::npos;
            const bool has_room = text.find("\nnamespace " + room) != std::string::npos;
            EXPECT_EQ(has_names, has_room) << shown(header) << "expected namespace " << room;
        }
    }
}

TEST(Layering, cmake_files_link_along_the_arrows_and_use_no_globs) {
    // A glob builds what happens to lie around; a wrong link hides a wrong include.
    for (const auto& [room, targets] : reachable_rooms()) {
        for (const fs::path& file : files_below(root() / room, {".txt"})) {
            if (file.filename() != "CMakeLists.txt") continue;
            for (const std::string& complaint : wrong_cmake(room, read(file))) {
                ADD_FAILURE() << shown(file) << complaint;
            }
        }
    }
    std::set<fs::path> others{root() / "CMakeLists.txt"};
    for (const char* folder : {"cmake", "tests", "bench"}) {
        others.merge(files_below(root() / folder, {".txt", ".cmake"}));
    }
    for (const fs::path& file : others) {
        for (const std::string& complaint : wrong_cmake("", read(file))) {
            ADD_FAILURE() << shown(file) << complaint;
        }
    }
}

TEST(Layering, every_source_is_listed_by_hand) {
    // A test file that no CMakeLists.txt names never runs and never fails.
    std::vector<std::string> folders{"tests", "bench"};
    for (const auto& [room, targets] : reachable_rooms()) folders.push_back(room);
    for (const std::string& folder : folders) {
        for (const fs::path& source : files_below(root() / folder, {".cc"})) {
            EXPECT_TRUE(is_listed(source)) << shown(source) << "no CMakeLists.txt names it";
        }
    }
}

TEST(Layering, arrows_reach_through_other_rooms_but_never_backwards) {
    // The picture of the style guide, as sets.
    const std::map<std::string, Names> reachable = reachable_rooms();
    EXPECT_EQ(reachable.at("core"), (Names{"core"}));
    EXPECT_EQ(reachable.at("tensor"), (Names{"core", "tensor"}));
    EXPECT_EQ(reachable.at("mesh"), (Names{"core", "mesh"}));
    EXPECT_EQ(reachable.at("ccl"), (Names{"ccl", "core", "fabric", "mesh"}));
    EXPECT_EQ(reachable.at("dispatch"),
              (Names{"ccl", "core", "dispatch", "fabric", "mesh", "tensor"}));
    EXPECT_EQ(reachable.at("cli").size(), reachable.size());
}

TEST(Layering, a_wrong_include_is_found_and_a_right_one_is_not) {
    // The check itself must be able to fail.
    EXPECT_EQ(wrong_includes("mesh", "#include \"tensor/shape.h\"\n"),
              (Complaints{"mesh must not include tensor/shape.h"}));
    EXPECT_EQ(wrong_includes("core", "  #  include \"cli/main.h\"  // why\n"),
              (Complaints{"core must not include cli/main.h"}));
    EXPECT_EQ(wrong_includes("mesh", "#include \"shape.h\"\n"),
              (Complaints{"shape.h is not written from the project root"}));
    EXPECT_EQ(wrong_includes("model", "#include <spdlog/spdlog.h>\n"),
              (Complaints{"model must not log"}));
    EXPECT_EQ(wrong_includes("cli", "#include <spdlog/spdlog.h>\n#include \"core/units.h\"\n"),
              Complaints{});
    EXPECT_EQ(wrong_includes("dispatch", "#include \"tensor/op.h\"\n// #include \"cli/x.h\"\n"),
              Complaints{});
}

TEST(Layering, a_glob_and_a_wrong_link_are_found_and_a_comment_is_not) {
    // The check itself must be able to fail.
    EXPECT_EQ(wrong_cmake("", "file(GLOB sources *.cc)\n"),
              (Complaints{"GLOB hides which sources are built"}));
    EXPECT_EQ(wrong_cmake("ccl", "target_link_libraries(tessera_ccl PUBLIC tessera_dispatch)\n"),
              (Complaints{"ccl must not link tessera_dispatch"}));
    EXPECT_EQ(wrong_cmake("ccl", "# no GLOB, no tessera_cli\nx(tessera_ccl tessera_fabric)\n"),
              Complaints{});
}

}  // namespace
