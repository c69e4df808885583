// Runs the command line inside the test's own process, as a person would: words in, exit code and
// both streams out. In process, so that the sanitizers see it.
// Every case starts from the same world: the topologies of this tree and no MESH_DEVICE.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "cli/options.h"

using Json = nlohmann::ordered_json;

/// A stream of this process, kept in a temporary file until finish().
class Captured {
public:
    explicit Captured(int stream) : stream_(stream), before_(::dup(stream)), file_(std::tmpfile()) {
        flush();
        if (file_ != nullptr) ::dup2(::fileno(file_), stream_);
    }
    ~Captured() { restore(); }
    Captured(const Captured&) = delete;
    Captured& operator=(const Captured&) = delete;

    std::string finish() {
        restore();
        std::string text;
        if (file_ == nullptr) return text;
        std::rewind(file_);
        char buffer[4096];
        for (std::size_t n = 0; (n = std::fread(buffer, 1, sizeof buffer, file_)) > 0;) {
            text.append(buffer, n);
        }
        std::fclose(std::exchange(file_, nullptr));
        return text;
    }

private:
    static void flush() {
        std::cout.flush();
        std::fflush(stdout);
        std::fflush(stderr);
    }
    void restore() {
        if (before_ < 0) return;
        flush();
        ::dup2(before_, stream_);
        ::close(std::exchange(before_, -1));
    }

    int stream_;
    int before_;
    std::FILE* file_;
};

struct Outcome {
    int exit_code = -1;
    std::string out;
    std::string err;
};

/// `words` follow the program's name. `default_mesh` is what MESH_DEVICE would say.
inline Outcome tessera(const std::vector<std::string>& words, std::string default_mesh = {}) {
    std::vector<const char*> arguments{"tessera"};
    for (const std::string& word : words) arguments.push_back(word.c_str());
    const cli::World world{{TESSERA_SOURCE_DIR "/topologies", std::make_shared<fabric::Loaded>()},
                           std::move(default_mesh)};
    Captured out(STDOUT_FILENO);
    Captured err(STDERR_FILENO);
    Outcome outcome;
    outcome.exit_code =
        cli::run_command_line(static_cast<int>(arguments.size()), arguments.data(), world);
    outcome.err = err.finish();
    outcome.out = out.finish();
    return outcome;
}

/// The one JSON document a verb prints with --json; fails the test when there is anything else.
inline Json document(const std::vector<std::string>& words, int exit_code = 0) {
    std::vector<std::string> all = words;
    all.emplace_back("--json");
    const Outcome outcome = tessera(all);
    EXPECT_EQ(outcome.exit_code, exit_code) << outcome.err;
    Json parsed = Json::parse(outcome.out, nullptr, false);
    EXPECT_FALSE(parsed.is_discarded()) << "not one JSON document:\n" << outcome.out;
    return parsed;
}

inline std::string read_file(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    EXPECT_TRUE(file.good()) << path;
    std::ostringstream text;
    text << file.rdbuf();
    return text.str();
}

inline const std::string kDemo = TESSERA_SOURCE_DIR "/models/tiny-shakespeare";
inline const std::string kReference = kDemo + "/reference.safetensors";
inline const std::string kLayersReference = kDemo + "/reference_layers.safetensors";

/// What the float32 PyTorch reference generated, greedily, 64 tokens per prompt.
struct ReferenceCase {
    std::string prompt;
    std::vector<std::int32_t> prompt_token_ids;
    std::vector<std::int32_t> token_ids;
    std::string text;
};

inline std::vector<ReferenceCase> reference_cases() {
    std::vector<ReferenceCase> cases;
    const Json file = Json::parse(read_file(kDemo + "/reference.json"));
    for (const Json& entry : file.at("cases")) {
        cases.push_back({entry.at("prompt"), entry.at("prompt_token_ids"), entry.at("token_ids"),
                         entry.at("text")});
    }
    EXPECT_EQ(cases.size(), 5u);
    return cases;
}

/// `tessera run` of the demo model; further words override nothing, they are added.
inline std::vector<std::string> run_demo(const std::string& mesh, const std::string& precision,
                                         int tokens, std::vector<std::string> more = {}) {
    std::vector<std::string> words{"run",
                                   kDemo,
                                   "--mesh",
                                   mesh,
                                   "--precision",
                                   precision,
                                   "--temperature",
                                   "0",
                                   "--max-new-tokens",
                                   std::to_string(tokens)};
    words.insert(words.end(), more.begin(), more.end());
    return words;
}

inline bool says(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}
