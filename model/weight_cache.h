// Weights as the chips of one mesh store them, in files: the first start writes them, later ones
// map them. One folder per model, precision, mesh and software, one file per tensor, in which a
// part that several chips hold lies once.
// Invariant: a file is complete under its name (written beside it, synced, renamed), and is used
// only when its header says what is wanted and its bytes have the checksums of the header.
// Modelled on tenstorrent/tt-metal: models/tt_transformers/tt/model_config.py (weight_cache_path).
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "dispatch/executor.h"
#include "dispatch/program.h"
#include "model/deployment.h"
#include "model/safetensors.h"

namespace model {

/// What all files of a cache have in common.
struct CacheKey {
    std::uint64_t model = 0;  // Checkpoint::identity()
    std::string precision;
    std::string device;  // "T3K"
    std::string mesh;    // "1x8"
    std::string software;

    std::string text() const;
    /// root/<model_name>/<device>/tensor_cache_<precision>_<digest of text()>.
    std::filesystem::path folder(const std::filesystem::path& root,
                                 const std::string& model_name) const;
};

CacheKey cache_key(const Deployment& deployment, const Checkpoint& checkpoint);

/// A persistent buffer of one layer, placed on every chip.
struct CachedTensor {
    std::string name;  // "layers.3.attention.wqkv"
    dispatch::Operand operand;
    std::uint64_t recipe = 0;  // digest of all that makes its bytes of the checkpoint's
    std::vector<std::vector<std::int32_t>> holders;  // of each different part: the chips with it
};

/// The digest for CachedTensor::recipe.
std::uint64_t recipe_of(const dispatch::Buffer& buffer, std::int32_t layer, mesh::Shape shape,
                        const Config& config);

class WeightCache {
public:
    /// Told what went wrong, at most once for each kind of trouble, from any thread.
    using Warn = std::function<void(const std::string&)>;

    /// Makes the folder and removes what a killed run left half-written. Of several processes the
    /// first writes. A folder that cannot be made or written is no error: files are not written
    /// then, and `warn` is told once.
    WeightCache(std::filesystem::path folder, const CacheKey& key, Warn warn);
    ~WeightCache();
    WeightCache(const WeightCache&) = delete;
    WeightCache& operator=(const WeightCache&) = delete;

    /// Fills the tensor on all chips. False when it has no file, or (after a warning) a damaged
    /// one: the content is not defined then. Callable from several threads.
    bool load(const CachedTensor& tensor, const dispatch::Executor& executor);
    /// Writes the tensor's file from what the chips hold, who then share the file's pages. When it
    /// cannot be written what this run wrote is removed and nothing more is written.
    void store(const CachedTensor& tensor, const dispatch::Executor& executor);

    const std::filesystem::path& folder() const { return folder_; }
    std::filesystem::path file_of(const CachedTensor& tensor) const;

private:
    bool may_write();
    void give_up(const std::string& reason);
    void remove_remains() const;
    std::string header_of(const CachedTensor& tensor) const;

    std::filesystem::path folder_;
    std::string key_;
    Warn warn_;
    std::mutex mutex_;
    int lock_ = -1;
    std::string unwritable_;  // why; empty: files are written
    bool warned_damage_ = false;
    bool warned_writing_ = false;
    std::vector<std::filesystem::path> written_;
};

}  // namespace model
