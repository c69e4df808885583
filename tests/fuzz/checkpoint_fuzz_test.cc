// A sample of what the fuzz programs of weights and tokens try, in every build: the seeds, cut off
// and spoiled from fixed random numbers.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "core/files.h"
#include "tests/fuzz/checkpoint_target.h"
#include "tests/fuzz/json_mutator.h"

namespace fuzz {
namespace {

std::vector<std::string> files_in(const std::string& folder) {
    std::vector<std::filesystem::path> paths;
    for (const auto& entry :
         std::filesystem::directory_iterator(std::string(TESSERA_SOURCE_DIR) + "/" + folder)) {
        paths.push_back(entry.path());
    }
    std::sort(paths.begin(), paths.end());
    std::vector<std::string> files;
    for (const auto& path : paths) files.push_back(core::read_text(path));
    return files;
}

Reading safetensors(const std::string& file) {
    return judge_safetensors(std::as_bytes(std::span(file.data(), file.size())));
}
Reading torch(const std::string& file) {
    return judge_torch(std::as_bytes(std::span(file.data(), file.size())));
}

std::string spoiled(std::string file, std::mt19937& random) {
    for (std::size_t changes = 1 + random() % 4; changes > 0 && !file.empty(); --changes) {
        const std::size_t at = random() % file.size();
        switch (random() % 4) {
            case 0:
                file.resize(at);
                break;
            case 1:
                file[at] = static_cast<char>(random() % 2 == 0 ? 0 : 255);
                break;
            case 2:
                file.insert(at, file.substr(random() % file.size(), 1 + random() % 16));
                break;
            default:
                file[at] ^= static_cast<char>(1U << (random() % 8));
                break;
        }
    }
    return file;
}

/// How many of `rounds` spoiled files per seed were read and refused.
std::map<Reading, int> sample(const std::vector<std::string>& seeds, int rounds,
                              const std::function<Reading(const std::string&)>& judge) {
    std::map<Reading, int> readings;
    std::mt19937 random(1);
    for (const std::string& seed : seeds) {
        EXPECT_EQ(judge(seed), Reading::Read);
        for (int i = 0; i < rounds; ++i) ++readings[judge(spoiled(seed, random))];
    }
    return readings;
}

TEST(CheckpointFuzz, spoiled_safetensors_are_read_or_refused) {
    // A broken rule, a bad_alloc or a sanitizer finding would end these tests.
    auto readings = sample(files_in("tests/data/fuzz/safetensors"), 2000, safetensors);
    EXPECT_GE(readings[Reading::Refused], 100);
    EXPECT_GE(readings[Reading::Read], 20);
}

TEST(CheckpointFuzz, spoiled_torch_files_are_read_or_refused) {
    auto readings = sample(files_in("tests/data/fuzz/torch"), 2000, torch);
    EXPECT_GE(readings[Reading::Refused], 100);
    EXPECT_GE(readings[Reading::Read], 20);
}

TEST(CheckpointFuzz, spoiled_tokenizers_are_read_or_refused) {
    std::map<Reading, int> readings;
    std::mt19937 random(2);
    for (const std::string& seed : files_in("tests/data/fuzz/tokenizer")) {
        EXPECT_EQ(judge_tokenizer(seed), Reading::Read);
        for (int i = 0; i < 300; ++i) ++readings[judge_tokenizer(mutated(seed, random))];
    }
    EXPECT_GE(readings[Reading::Refused], 50);
    EXPECT_GE(readings[Reading::Read], 10);
}

TEST(CheckpointFuzz, bytes_that_are_no_checkpoint_are_refused) {
    for (const std::string text : {"", "P", "PK", "PK\x03\x04", "{}", "\x80", "\xff\xff\xff\xff"}) {
        EXPECT_EQ(safetensors(text), Reading::Refused) << text;
        EXPECT_EQ(torch(text), Reading::Refused) << text;
        EXPECT_EQ(judge_tokenizer(text), Reading::Refused) << text;
    }
}

}  // namespace
}  // namespace fuzz
