// What the tests of this room share: the catalog of the tree, and files written for one case.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <variant>

#include "core/error.h"
#include "fabric/mesh.h"

namespace fabric::testing {

inline Catalog catalog() { return {std::filesystem::path(TESSERA_SOURCE_DIR) / "topologies"}; }

inline std::string descriptor(std::string_view name) {
    return (std::filesystem::path(TESSERA_SOURCE_DIR) / "tests/data/descriptors" / name).string();
}

/// A file that is gone at the end of the case.
class TempFile {
public:
    TempFile(const std::string& name, const std::string& text) {
        const auto* info = ::testing::UnitTest::GetInstance()->current_test_info();
        const std::string folder = std::string(info->test_suite_name()) + "_" + info->name();
        folder_ = std::filesystem::path(::testing::TempDir()) / folder;
        std::filesystem::create_directories(folder_);
        path_ = (folder_ / name).string();
        std::ofstream(path_) << text;
    }
    ~TempFile() { std::filesystem::remove_all(folder_); }
    TempFile(const TempFile&) = delete;
    TempFile& operator=(const TempFile&) = delete;
    const std::string& path() const { return path_; }

private:
    std::filesystem::path folder_;
    std::string path_;
};

inline System system_of(const std::string& text) {
    const TempFile file("mine.yaml", text);
    return load_system(catalog(), file.path());
}

/// The text of the error that `text` raises as a system file, or "" when it loads.
inline std::string error_of(const std::string& text, const std::string& name = "mine.yaml") {
    const TempFile file(name, text);
    try {
        load_system(catalog(), file.path());
    } catch (const core::Error& error) {
        return error.what();
    }
    return "";
}

inline Mesh opened(std::string_view spec) {
    std::variant<Mesh, MeshFailure> result = open_mesh(catalog(), spec);
    if (const auto* no = std::get_if<MeshFailure>(&result)) {
        ADD_FAILURE() << spec << ": " << no->problems.front();
        return {};
    }
    return std::get<Mesh>(std::move(result));
}

inline std::vector<std::int32_t> numbers(const std::vector<ChipId>& chips) {
    std::vector<std::int32_t> result;
    for (const ChipId chip : chips) result.push_back(chip.value);
    return result;
}

inline bool contains(std::string_view text, std::string_view part) {
    return text.find(part) != std::string_view::npos;
}

}  // namespace fabric::testing
