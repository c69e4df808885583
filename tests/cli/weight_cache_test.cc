// `--weight-cache` as people meet it: the second start, a full disk, a clean tree.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include "tests/cli/command.h"
#include "tests/core/temp_folder.h"

namespace {

namespace fs = std::filesystem;

std::vector<std::string> run_with(const fs::path& cache, std::vector<std::string> more = {}) {
    more.insert(more.end(),
                {"--prompt", "ROMEO:", "--weight-cache", cache.string(), "--log-level", "info"});
    return run_demo("n300", "performance", 4, more);
}

/// Everything in a folder, with its size.
std::vector<std::pair<std::string, std::uintmax_t>> listing(const fs::path& folder) {
    std::vector<std::pair<std::string, std::uintmax_t>> files;
    for (const auto& entry : fs::recursive_directory_iterator(folder)) {
        files.emplace_back(entry.path().string(), entry.is_regular_file() ? entry.file_size() : 0);
    }
    std::sort(files.begin(), files.end());
    return files;
}

std::string generated(const Outcome& outcome) {
    return outcome.out.substr(0, outcome.out.find("\n\n"));
}

TEST(WeightCacheOption, the_second_start_converts_nothing_and_says_the_same) {
    // The model's own folder stays as it is: the cache is where one says.
    const TempFolder folder;
    const auto before = listing(kDemo);
    const Outcome plain = tessera(run_demo("n300", "performance", 4, {"--prompt", "ROMEO:"}));
    const Outcome first = tessera(run_with(folder.path()));
    EXPECT_TRUE(says(first.err, " 0 from the cache")) << first.err;
    const Outcome second = tessera(run_with(folder.path()));
    EXPECT_TRUE(says(second.err, " 0 weights converted")) << second.err;
    EXPECT_EQ(second.exit_code, 0);
    EXPECT_FALSE(generated(plain).empty());
    EXPECT_EQ(generated(first), generated(plain));
    EXPECT_EQ(generated(second), generated(plain));
    EXPECT_EQ(listing(kDemo), before);
}

TEST(WeightCacheOption, groups_and_other_verbs_use_the_same_files) {
    // Two groups of one chip: the second maps what the first has just written.
    const TempFolder folder;
    const Outcome groups = tessera(run_with(folder.path(), {"--dp", "2"}));
    EXPECT_EQ(groups.exit_code, 0) << groups.err;
    EXPECT_TRUE(says(groups.err, " 0 weights converted")) << groups.err;
    const std::vector<std::string> eval{
        "eval",        kDemo,         "--mesh",   "n150",           "--precision",
        "performance", "--reference", kReference, "--weight-cache", folder.path().string(),
        "--log-level", "info"};
    EXPECT_FALSE(says(tessera(eval).err, " 0 from the cache"));
}

TEST(WeightCacheOption, off_writes_nothing) {
    const TempFolder folder;
    const Outcome outcome = tessera(run_with("off"));
    EXPECT_EQ(outcome.exit_code, 0) << outcome.err;
    EXPECT_FALSE(fs::exists("off"));
}

TEST(WeightCacheOption, a_full_disk_is_a_warning_and_the_run_goes_on) {
    // 64 KiB per file, as if the disk ended there.
    const TempFolder folder;
    struct rlimit before {};
    ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
    const struct rlimit less { 64 * 1024, before.rlim_max };
    ::setrlimit(RLIMIT_FSIZE, &less);
    const Outcome outcome = tessera(run_with(folder.path()));
    ::setrlimit(RLIMIT_FSIZE, &before);
    EXPECT_EQ(outcome.exit_code, 0);
    EXPECT_TRUE(says(outcome.err, "cannot be written")) << outcome.err;
    EXPECT_TRUE(says(outcome.err, "going on without it")) << outcome.err;
    EXPECT_TRUE(says(outcome.out, "tokens per second"));
    for (const auto& [file, size] : listing(folder.path())) {
        EXPECT_EQ(size, 0u) << file;  // folders and the lock
    }
}

}  // namespace
