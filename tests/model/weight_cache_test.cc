// Weights kept as the chips store them: the same run with and without, only where everything
// agrees, and nothing half-written whatever happens.
#include "model/weight_cache.h"

#include <signal.h>
#include <sys/resource.h>
#include <tbb/global_control.h>

#include <chrono>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <optional>
#include <set>
#include <thread>

#include "model/replica.h"
#include "tests/core/temp_folder.h"
#include "tests/model/made_checkpoint.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

namespace fs = std::filesystem;

/// A start of the demo model, with a cache below `root` unless it is empty.
struct Start {
    struct Options {
        std::string_view mesh = "n300";
        std::string_view precision = "performance";
        std::int64_t context = 128;
        Replica::Trace trace = Replica::Trace::Off;
    };

    explicit Start(const fs::path& root) : Start(root, Options{}) {}
    Start(const fs::path& root, const Options& options)
        : deployment(demo_on(mesh_named(options.mesh), options.precision,
                             demo_options(1, options.context))) {
        if (!root.empty()) {
            const CacheKey key = cache_key(*deployment, demo_checkpoint());
            cache = std::make_unique<WeightCache>(
                key.folder(root, "demo"), key,
                [this](const std::string& trouble) { warnings.push_back(trouble); });
        }
        replica =
            std::make_unique<Replica>(*deployment, demo_checkpoint(), options.trace, cache.get());
    }

    /// The digest of a prompt and two steps: of every logit and every time.
    std::uint64_t run() const {
        replica->prefill(0, made_prompt(40));
        std::vector<std::int32_t> positions(static_cast<std::size_t>(deployment->slots()), -1);
        std::vector<std::int32_t> tokens(positions.size(), 7);
        for (positions[0] = 40; positions[0] < 42; ++positions[0]) {
            replica->decode(tokens, positions);
        }
        return replica->digest().value();
    }
    LoadedWeights weights() const { return replica->weights(); }

    std::vector<std::string> warnings;
    std::unique_ptr<Deployment> deployment;
    std::unique_ptr<WeightCache> cache;
    std::unique_ptr<Replica> replica;
};

std::vector<fs::path> files_below(const fs::path& root, const std::string& extension) {
    std::set<fs::path> found;
    for (const auto& entry : fs::recursive_directory_iterator(root)) {
        if (entry.is_regular_file() && entry.path().extension() == extension) {
            found.insert(entry.path());
        }
    }
    return {found.begin(), found.end()};
}

fs::path file_with(const fs::path& root, const std::string& part) {
    for (const fs::path& path : files_below(root, ".bin")) {
        if (contains(path.filename().string(), part)) return path;
    }
    ADD_FAILURE() << "no file " << part;
    return {};
}

void flip_byte(const fs::path& path, std::int64_t offset) {
    std::fstream file(path, std::ios::binary | std::ios::in | std::ios::out);
    file.seekg(offset);
    const int byte = file.get();
    file.seekp(offset);
    file.put(static_cast<char>(byte ^ 1));
}

class WeightCacheOnMesh : public ::testing::TestWithParam<const char*> {};

TEST_P(WeightCacheOnMesh, second_start_converts_nothing_and_runs_the_same) {
    // Whatever the source of the weights and the number of threads: the same bytes.
    const TempFolder folder;
    for (const char* precision : {"performance", "fp32"}) {
        const Start::Options options{GetParam(), precision, 128, Replica::Trace::On};
        const std::uint64_t without = Start({}, options).run();
        const Start first(folder.path(), options);
        EXPECT_GT(first.weights().converted, 30);
        EXPECT_EQ(first.weights().cached, 0);
        EXPECT_EQ(first.run(), without);
        for (const std::size_t threads : {std::size_t{1}, std::size_t{2}}) {
            const tbb::global_control limit(tbb::global_control::max_allowed_parallelism, threads);
            const Start second(folder.path(), options);
            EXPECT_EQ(second.run(), without);
            EXPECT_EQ(second.weights().converted, 0);
            EXPECT_EQ(second.weights().cached, first.weights().converted);
            EXPECT_EQ(second.warnings, std::vector<std::string>{});
        }
    }
    EXPECT_EQ(files_below(folder.path(), ".part").size(), 0u);
}

INSTANTIATE_TEST_SUITE_P(All, WeightCacheOnMesh, ::testing::Values("n150", "t3k", "t3k:2x4"),
                         mesh_text);

TEST(WeightCache, names_files_as_tt_transformers_does) {
    const TempFolder folder;
    const Start start(folder.path());
    const std::string folder_text = start.cache->folder().string();
    EXPECT_PRED2(contains, folder_text, "/demo/N300/tensor_cache_performance_");
    const fs::path file = file_with(folder.path(), "layers.0.attention.wqkv");
    EXPECT_EQ(file.filename(), "layers.0.attention.wqkv_256x512_dtype_BFLOAT8_B_layout_TILE.bin");
}

TEST(WeightCache, what_all_chips_hold_is_stored_once) {
    // Eight chips have the same rotary table: 128 positions of 32 channels in bf16, and a page.
    const TempFolder folder;
    const Start start(folder.path(), {"t3k"});
    const auto stored =
        static_cast<std::int64_t>(fs::file_size(file_with(folder.path(), "rope.cos")));
    EXPECT_GT(stored, 128 * 32 * 2);
    EXPECT_LE(stored, 128 * 32 * 2 + 2 * dispatch::page_size());
}

TEST(WeightCache, another_precision_mesh_or_context_has_tensors_of_its_own) {
    // Rotary tables are as long as the context; nothing else depends on it.
    const TempFolder folder;
    const std::int64_t all = Start(folder.path()).weights().converted;
    EXPECT_EQ(Start(folder.path(), {"n300", "bf16"}).weights().converted, all);
    EXPECT_EQ(Start(folder.path(), {"n150", "performance"}).weights().cached, 0);
    const Start longer(folder.path(), {"n300", "performance", 256});
    EXPECT_EQ(longer.weights().converted, 2);
    EXPECT_EQ(longer.weights().cached, all - 2);
    EXPECT_EQ(Start(folder.path()).weights().cached, all);
}

TEST(WeightCache, files_of_another_key_are_not_used) {
    // Somebody copied the folder over: the header says of what the tensors are.
    const TempFolder folder;
    const auto deployment = demo_on(mesh_named("n150"), "performance", demo_options(1, 128));
    CacheKey key = cache_key(*deployment, demo_checkpoint());
    std::vector<std::string> warnings;
    const auto start = [&](const CacheKey& wanted) {
        WeightCache cache(folder.path(), wanted,
                          [&](const std::string& trouble) { warnings.push_back(trouble); });
        const Replica replica(*deployment, demo_checkpoint(), Replica::Trace::Off, &cache);
        return replica.weights().cached;
    };
    EXPECT_EQ(start(key), 0);
    EXPECT_GT(start(key), 30);
    EXPECT_TRUE(warnings.empty());
    key.model ^= 1;
    EXPECT_EQ(start(key), 0);
    ASSERT_EQ(warnings.size(), 1u);
    EXPECT_PRED2(contains, warnings.front(), "of other weights");
    EXPECT_GT(start(key), 30);
}

TEST(WeightCache, damaged_files_are_noticed_and_made_again) {
    // Cut off, a bit flipped in the header or in the last tile.
    const TempFolder folder;
    const std::uint64_t digest = Start(folder.path()).run();
    const fs::path file = file_with(folder.path(), "layers.2.feed_forward.w2");
    const auto size = static_cast<std::int64_t>(fs::file_size(file));
    const std::vector<std::function<void()>> damages{
        [&] { fs::resize_file(file, static_cast<std::uintmax_t>(size / 2)); },
        [&] { fs::resize_file(file, 10); },
        [&] { fs::resize_file(file, 0); },
        [&] { flip_byte(file, 40); },
        [&] { flip_byte(file, size - 1); },
    };
    for (const auto& damage : damages) {
        damage();
        const Start start(folder.path());
        EXPECT_EQ(start.weights().converted, 1);
        ASSERT_EQ(start.warnings.size(), 1u);
        EXPECT_PRED2(contains, start.warnings.front(), file.filename().string());
        EXPECT_EQ(start.run(), digest);
    }
    EXPECT_EQ(Start(folder.path()).weights().converted, 0);
}

TEST(WeightCache, remains_of_a_killed_run_are_removed) {
    const TempFolder folder;
    const fs::path file = [&] {
        const Start start(folder.path());
        return file_with(folder.path(), "layers.1.attention.wo");
    }();
    fs::path half = file;
    half += ".part";
    fs::rename(file, half);
    fs::resize_file(half, 5000);
    const Start start(folder.path());
    EXPECT_EQ(start.weights().converted, 1);
    EXPECT_EQ(start.warnings, std::vector<std::string>{});
    EXPECT_FALSE(fs::exists(half));
    EXPECT_TRUE(fs::exists(file));
}

/// Kills this process in the midst of writing the cache below `root`.
void start_and_be_killed(const fs::path& root) {
    const std::jthread killer([&root] {
        fs::create_directories(root);
        while (files_below(root, ".bin").empty()) std::this_thread::yield();
        ::kill(::getpid(), SIGKILL);
    });
    for (int context = 32;; context += 32) {
        const Start start(root, {"t3k", "fp32", context});
        if (context == 256) std::this_thread::sleep_for(std::chrono::hours(1));
    }
}

TEST(WeightCacheDeathTest, a_start_after_a_kill_succeeds) {
    // The child runs this case anew, with a process id of its own: it is told the folder.
    ::testing::GTEST_FLAG(death_test_style) = "threadsafe";
    std::optional<TempFolder> folder;
    if (::getenv("TESSERA_TEST_KILLED") == nullptr) {
        folder.emplace();
        ::setenv("TESSERA_TEST_KILLED", (folder->path() / "cache").c_str(), 1);
    }
    const fs::path root = ::getenv("TESSERA_TEST_KILLED");
    EXPECT_EXIT(start_and_be_killed(root), ::testing::KilledBySignal(SIGKILL), "");
    ::unsetenv("TESSERA_TEST_KILLED");
    const Start::Options options{"t3k", "fp32"};
    const Start start(root, options);
    EXPECT_GT(start.weights().converted, 0);
    EXPECT_EQ(start.warnings, std::vector<std::string>{});
    EXPECT_EQ(start.run(), Start({}, options).run());
    EXPECT_TRUE(files_below(root, ".part").empty());
    EXPECT_EQ(Start(root, options).weights().converted, 0);
}

/// Files may grow to so many bytes while it lives.
class FileLimit {
public:
    explicit FileLimit(rlim_t bytes) {
        ::getrlimit(RLIMIT_FSIZE, &before_);
        const struct rlimit less { bytes, before_.rlim_max };
        ::setrlimit(RLIMIT_FSIZE, &less);
    }
    ~FileLimit() { ::setrlimit(RLIMIT_FSIZE, &before_); }
    FileLimit(const FileLimit&) = delete;
    FileLimit& operator=(const FileLimit&) = delete;

private:
    struct rlimit before_ {};
};

TEST(WeightCache, a_failed_write_is_told_once_and_leaves_nothing) {
    // Small tensors are below the limit and were written: they go, too.
    const TempFolder folder;
    const std::uint64_t without = Start({}).run();
    {
        const FileLimit limit(64 * 1024);
        const Start start(folder.path());
        EXPECT_EQ(start.weights().cached, 0);
        EXPECT_EQ(start.run(), without);
        ASSERT_EQ(start.warnings.size(), 1u);
        EXPECT_PRED2(contains, start.warnings.front(), "cannot be written: File too large");
        EXPECT_PRED2(contains, start.warnings.front(), folder.path().string());
        EXPECT_TRUE(files_below(folder.path(), ".bin").empty());
        EXPECT_TRUE(files_below(folder.path(), ".part").empty());
    }
    EXPECT_TRUE(Start(folder.path()).warnings.empty());
    EXPECT_EQ(Start(folder.path()).weights().converted, 0);
}

TEST(WeightCache, a_folder_that_cannot_be_made_is_told_once) {
    const TempFolder folder;
    const Start start(folder.write("file", "in the way"));
    EXPECT_EQ(start.weights().cached, 0);
    ASSERT_EQ(start.warnings.size(), 1u);
    EXPECT_PRED2(contains, start.warnings.front(), "cannot be written");
    EXPECT_EQ(start.run(), Start({}).run());
}

TEST(WeightCache, of_two_runs_at_once_the_first_writes) {
    // The second reads what is there and says nothing.
    const TempFolder folder;
    const auto deployment = demo_on(mesh_named("n150"), "bf16", demo_options(1, 128));
    const CacheKey key = cache_key(*deployment, demo_checkpoint());
    const auto quiet = [](const std::string& trouble) { ADD_FAILURE() << trouble; };
    WeightCache first(folder.path(), key, quiet);
    WeightCache second(folder.path(), key, quiet);
    const auto load = [&](WeightCache& cache) {
        return Replica(*deployment, demo_checkpoint(), Replica::Trace::Off, &cache).weights();
    };
    EXPECT_EQ(load(second).cached, 0);
    EXPECT_TRUE(files_below(folder.path(), ".bin").empty());
    const std::int64_t all = load(first).converted;
    EXPECT_EQ(load(second).cached, all);
}

TEST(CheckpointIdentity, changes_with_any_file_of_the_model) {
    const MadeCheckpoint made({.experts = 0});
    const fs::path weights = made.open().where() + "/model.safetensors";
    const fs::path config = made.open().where() + "/config.json";
    const auto identity = [&] { return made.open().identity(); };
    const std::uint64_t before = identity();
    EXPECT_EQ(identity(), before);

    // Other values of the same size and time, as in a folder unpacked with fixed times.
    const auto time = fs::last_write_time(weights);
    flip_byte(weights, static_cast<std::int64_t>(fs::file_size(weights)) - 1);
    fs::last_write_time(weights, time);
    EXPECT_NE(identity(), before);
    flip_byte(weights, static_cast<std::int64_t>(fs::file_size(weights)) - 1);
    fs::last_write_time(weights, time);
    EXPECT_EQ(identity(), before);

    fs::last_write_time(weights, time + std::chrono::seconds(1));
    EXPECT_NE(identity(), before);
    fs::last_write_time(weights, time);
    std::ofstream(config, std::ios::app) << " ";
    EXPECT_NE(identity(), before);
}

}  // namespace
}  // namespace model::testing
