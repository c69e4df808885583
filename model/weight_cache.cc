#include "model/weight_cache.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cerrno>
#include <span>
#include <system_error>
#include <utility>

#include "core/checksum.h"
#include "core/digest.h"
#include "core/files.h"
#include "model/device_name.h"
#include "model/rope.h"
#include "tensor/dtype.h"

namespace model {

namespace {

// Counts up when the layout of the files or what the packers write changes.
constexpr int kFormat = 1;
constexpr std::string_view kUnfinished = ".part";

constexpr std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

std::string reason_of(int code) { return std::generic_category().message(code); }

// A part of a path: anything but letters, digits, '.', '-' and '_' becomes '_'.
std::string as_file_name(std::string text) {
    for (char& c : text) {
        const bool plain =
            std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '.' || c == '-' || c == '_';
        if (!plain) c = '_';
    }
    constexpr std::size_t kLongest = 64;
    if (text.size() > kLongest) text.resize(kLongest);
    return text.empty() || text.front() == '.' ? "_" + text : text;
}

class File {
public:
    File(const std::filesystem::path& path, int flags)
        : descriptor_(::open(path.c_str(), flags | O_CLOEXEC, 0644)) {}
    ~File() {
        if (descriptor_ >= 0) ::close(descriptor_);
    }
    File(const File&) = delete;
    File& operator=(const File&) = delete;

    bool is_open() const { return descriptor_ >= 0; }
    int descriptor() const { return descriptor_; }
    std::int64_t size() const {
        struct stat status {};
        return ::fstat(descriptor_, &status) == 0 ? status.st_size : -1;
    }
    // 0, or the error.
    int write(std::span<const std::byte> bytes, std::int64_t offset) const {
        while (!bytes.empty()) {
            const ssize_t count = ::pwrite(descriptor_, bytes.data(), bytes.size(), offset);
            if (count < 0 && errno == EINTR) continue;
            if (count <= 0) return count < 0 ? errno : EIO;
            bytes = bytes.subspan(static_cast<std::size_t>(count));
            offset += count;
        }
        return 0;
    }

private:
    int descriptor_;
};

// A file's bytes while they are checked.
class Mapping {
public:
    explicit Mapping(const File& file) {
        const std::int64_t size = file.size();
        if (size <= 0) return;
        void* start = ::mmap(nullptr, at(size), PROT_READ, MAP_PRIVATE, file.descriptor(), 0);
        if (start != MAP_FAILED) bytes_ = {static_cast<const std::byte*>(start), at(size)};
    }
    ~Mapping() {
        if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
    }
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;

    std::span<const std::byte> bytes() const { return bytes_; }

private:
    std::span<const std::byte> bytes_;
};

// Where things lie in a file: a header, then the parts, each on the place in its page that it has
// in the chip's memory, so that it can be mapped.
struct Plan {
    std::int64_t header = 0;  // bytes
    std::int64_t first = 0;   // offset of the first part
    std::int64_t stride = 0;
    std::int64_t part = 0;
    std::int64_t parts = 0;

    std::int64_t offset(std::int64_t i) const { return first + i * stride; }
    std::int64_t length() const { return offset(parts - 1) + part; }
};

// Of a tensor that lies `within` bytes after the start of a page.
Plan plan_of(const CachedTensor& tensor, std::size_t fixed_header, std::int64_t within) {
    constexpr std::int64_t kSum = 17;     // hexadecimal digits and a space
    constexpr std::int64_t kOther = 128;  // "first ...", "sums", "header ..."
    Plan plan;
    plan.parts = static_cast<std::int64_t>(tensor.holders.size());
    plan.part = tensor.operand.spec.bytes().value;
    const std::int64_t text = static_cast<std::int64_t>(fixed_header) + kOther + kSum * plan.parts;
    plan.header = core::round_up(text, dispatch::page_size());
    plan.first = plan.header + within;
    plan.stride = core::round_up(plan.part, dispatch::page_size());
    return plan;
}

std::int64_t place_in_page(const CachedTensor& tensor, const dispatch::Executor& executor) {
    const std::byte* data = executor.data(tensor.operand, 0);
    return reinterpret_cast<std::intptr_t>(data) % dispatch::page_size();
}

std::uint64_t sum_of(std::string_view text) {
    return core::checksum(std::as_bytes(std::span(text)));
}

enum class After { Keep, Release };

// The check sum of a part: of the check sums of its pieces, so that a part need not be in memory
// whole.
std::uint64_t sum_of_part(std::span<const std::byte> bytes, After after) {
    constexpr std::size_t kPiece = std::size_t{16} << 20;
    std::vector<std::uint64_t> sums;
    for (std::size_t begin = 0; begin < bytes.size(); begin += kPiece) {
        const auto piece = bytes.subspan(begin, std::min(kPiece, bytes.size() - begin));
        sums.push_back(core::checksum(piece));
        if (after == After::Release) core::release(piece);
    }
    return core::checksum(std::as_bytes(std::span(sums)));
}

// The header as it is written, filled up with zeros.
std::string whole_header(std::string fixed, const Plan& plan,
                         std::span<const std::uint64_t> checksums) {
    std::string text = std::move(fixed) + fmt::format("first {}\nsums", plan.first);
    for (const std::uint64_t checksum : checksums) text += fmt::format(" {:016x}", checksum);
    text += '\n';
    text += fmt::format("header {:016x}\n", sum_of(text));
    text.resize(at(plan.header), '\0');
    return text;
}

// The checksums that the header of a file has; empty when it is not one for `fixed`. `plan` gets
// the file's place in the page.
std::vector<std::uint64_t> read_header(std::span<const std::byte> file, const std::string& fixed,
                                       Plan& plan) {
    const std::string found(reinterpret_cast<const char*>(file.data()),
                            std::min(file.size(), at(plan.header)));
    if (!found.starts_with(fixed)) return {};
    constexpr std::string_view kFirst = "first ";
    constexpr std::string_view kSums = "\nsums";
    std::size_t place = found.find(kSums, fixed.size());
    if (place == found.npos || !std::string_view(found).substr(fixed.size()).starts_with(kFirst)) {
        return {};
    }
    plan.first = std::strtoll(found.c_str() + fixed.size() + kFirst.size(), nullptr, 10);
    if (plan.first < plan.header || plan.first >= plan.header + dispatch::page_size()) return {};
    place += kSums.size();
    std::vector<std::uint64_t> checksums;
    while (place < found.size() && found[place] == ' ') {
        checksums.push_back(std::strtoull(found.c_str() + place, nullptr, 16));
        place += 17;
    }
    const bool complete = static_cast<std::int64_t>(checksums.size()) == plan.parts &&
                          found == whole_header(fixed, plan, checksums);
    if (!complete) checksums.clear();
    return checksums;
}

std::span<const std::byte> part_of_chip(const CachedTensor& tensor,
                                        const dispatch::Executor& executor, std::int32_t chip) {
    return {executor.data(tensor.operand, chip), at(tensor.operand.spec.bytes().value)};
}

// A file longer than the limit (ulimit -f) would end the process with a signal.
int check_file_limit(std::int64_t length) {
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return 0;
    return static_cast<rlim_t>(length) > limit.rlim_cur ? EFBIG : 0;
}

// 0, or the error.
int write_parts(const File& file, const CachedTensor& tensor, const dispatch::Executor& executor,
                const std::string& fixed, const Plan& plan) {
    std::vector<std::uint64_t> checksums;
    for (std::int64_t i = 0; i < plan.parts; ++i) {
        const auto bytes = part_of_chip(tensor, executor, tensor.holders[at(i)].front());
        checksums.push_back(sum_of_part(bytes, After::Keep));
        if (const int error = file.write(bytes, plan.offset(i)); error != 0) return error;
    }
    const std::string header = whole_header(fixed, plan, checksums);
    if (const int error = file.write(std::as_bytes(std::span(header)), 0); error != 0) return error;
    return ::fsync(file.descriptor()) == 0 ? 0 : errno;
}

// True when the file is whole and for `fixed`; `plan` gets where its parts are.
bool check_file(std::span<const std::byte> file, const std::string& fixed, Plan& plan) {
    core::prefetch(file);
    const std::vector<std::uint64_t> checksums = read_header(file, fixed, plan);
    if (checksums.empty() || static_cast<std::int64_t>(file.size()) != plan.length()) return false;
    for (std::int64_t i = 0; i < plan.parts; ++i) {
        const auto part = file.subspan(at(plan.offset(i)), at(plan.part));
        if (sum_of_part(part, After::Release) != checksums[at(i)]) return false;
    }
    return true;
}

bool take_parts(const File& file, const CachedTensor& tensor, const dispatch::Executor& executor,
                const Plan& plan) {
    for (std::int64_t i = 0; i < plan.parts; ++i) {
        const dispatch::FilePart part{file.descriptor(), plan.offset(i)};
        if (!executor.take(tensor.operand, tensor.holders[at(i)], part)) return false;
    }
    return true;
}

void add_heads(core::Digest& digest, const tensor::StoredHeads& map) {
    digest.add(map.head_dim).add(static_cast<std::int64_t>(map.heads.size()));
    for (const std::int32_t head : map.heads) digest.add(std::int64_t{head});
}

void add_spec(core::Digest& digest, const tensor::Spec& spec) {
    digest.add(spec.shape.text()).add(tensor::name(spec.dtype));
    digest.add(static_cast<std::int64_t>(spec.layout));
}

}  // namespace

std::string CacheKey::text() const {
    return fmt::format("model {:016x}\nprecision {}\nmesh {} {}\nsoftware {}\n", model,
                       core::printable(precision), device, mesh, software);
}

std::filesystem::path CacheKey::folder(const std::filesystem::path& root,
                                       const std::string& model_name) const {
    const std::string digest = core::Digest().add(precision).add(text()).hex();
    return root / as_file_name(model_name) / as_file_name(device) /
           ("tensor_cache_" + as_file_name(precision) + "_" + digest);
}

CacheKey cache_key(const Deployment& deployment, const Checkpoint& checkpoint) {
    const fabric::Mesh& mesh = deployment.mesh();
    return {checkpoint.identity(), deployment.precision().name,
            device_name(mesh).value_or(mesh.system.name), mesh.shape.text(),
            deployment.options().software};
}

std::uint64_t recipe_of(const dispatch::Buffer& buffer, std::int32_t layer, mesh::Shape shape,
                        const Config& config) {
    core::Digest digest;
    add_spec(digest, buffer.spec);
    add_spec(digest, buffer.global);
    for (const tensor::Placement& placement : buffer.placement) digest.add(placement.text());
    digest.add(buffer.name).add(static_cast<std::int64_t>(buffer.owner));
    digest.add(std::int64_t{layer}).add(buffer.first_column).add(shape.text());
    for (const tensor::WeightSource& source : buffer.sources) {
        digest.add(source.tensor).add(source.columns).add(source.rope_head_dim);
        digest.add(source.rope_dims).add(source.first_row).add(source.rows).add(source.depth);
        add_heads(digest, source.column_heads);
        add_heads(digest, source.row_heads);
    }
    if (buffer.owner != dispatch::Owner::RopeTables) return digest.value();
    const RopeTable rope = rope_table(config, buffer.spec.shape[0]);
    digest.add(std::bit_cast<std::int64_t>(rope.scale));
    for (const double each : rope.frequencies) digest.add(std::bit_cast<std::int64_t>(each));
    return digest.value();
}

WeightCache::WeightCache(std::filesystem::path folder, const CacheKey& key, Warn warn)
    : folder_(std::move(folder)), key_(key.text()), warn_(std::move(warn)) {
    std::error_code error;
    std::filesystem::create_directories(folder_, error);
    if (error) {
        unwritable_ = error.message();
        return;
    }
    lock_ = ::open((folder_ / ".lock").c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0644);
    if (lock_ < 0) {
        unwritable_ = reason_of(errno);
    } else if (::flock(lock_, LOCK_EX | LOCK_NB) != 0) {
        unwritable_ = "another process is writing it";
        warned_writing_ = true;  // nothing is lost
    } else {
        remove_remains();
    }
}

WeightCache::~WeightCache() {
    if (lock_ >= 0) ::close(lock_);
}

// Requires: this process has the lock, so nobody is writing.
void WeightCache::remove_remains() const {
    std::error_code error;
    std::vector<std::filesystem::path> remains;
    for (const auto& entry : std::filesystem::directory_iterator(folder_, error)) {
        if (entry.path().extension() == kUnfinished) remains.push_back(entry.path());
    }
    for (const std::filesystem::path& path : remains) std::filesystem::remove(path, error);
}

std::filesystem::path WeightCache::file_of(const CachedTensor& tensor) const {
    const tensor::Spec& spec = tensor.operand.spec;
    std::string shape;
    for (const std::int64_t extent : spec.shape.extents()) {
        shape += (shape.empty() ? "" : "x") + std::to_string(extent);
    }
    return folder_ / fmt::format("{}_{}_dtype_{}_layout_{}.bin", as_file_name(tensor.name), shape,
                                 tensor::ttnn_name(spec.dtype),
                                 spec.layout == tensor::Layout::Tile ? "TILE" : "ROW_MAJOR");
}

std::string WeightCache::header_of(const CachedTensor& tensor) const {
    const tensor::Spec& spec = tensor.operand.spec;
    return fmt::format(
        "tessera weight cache {}\n{}tensor {}\nrecipe {:016x}\nparts {} of {} {}, {} bytes\n",
        kFormat, key_, tensor.name, tensor.recipe, tensor.holders.size(),
        tensor::ttnn_name(spec.dtype), spec.shape.text(), spec.bytes().value);
}

bool WeightCache::load(const CachedTensor& tensor, const dispatch::Executor& executor) {
    const std::filesystem::path path = file_of(tensor);
    const File file(path, O_RDONLY);
    if (!file.is_open()) return false;
    const std::string fixed = header_of(tensor);
    Plan plan = plan_of(tensor, fixed.size(), 0);
    if (check_file(Mapping(file).bytes(), fixed, plan) &&
        take_parts(file, tensor, executor, plan)) {
        return true;
    }
    const std::scoped_lock lock(mutex_);
    if (!std::exchange(warned_damage_, true)) {
        warn_("weight cache " + core::printable(folder_.string()) + ": " +
              core::printable(path.filename().string()) +
              ": damaged, or of other weights; it is made again from the checkpoint");
    }
    return false;
}

bool WeightCache::may_write() {
    const std::scoped_lock lock(mutex_);
    if (unwritable_.empty()) return true;
    if (!std::exchange(warned_writing_, true)) {
        warn_("weight cache " + core::printable(folder_.string()) +
              ": cannot be written: " + unwritable_ + "; going on without it");
    }
    return false;
}

void WeightCache::give_up(const std::string& reason) {
    {
        const std::scoped_lock lock(mutex_);
        if (unwritable_.empty()) unwritable_ = reason;
        std::error_code ignored;
        for (const std::filesystem::path& path : written_) std::filesystem::remove(path, ignored);
        written_.clear();
    }
    may_write();
}

void WeightCache::store(const CachedTensor& tensor, const dispatch::Executor& executor) {
    if (!may_write()) return;
    const std::filesystem::path path = file_of(tensor);
    std::filesystem::path unfinished = path;
    unfinished += kUnfinished;
    const std::string fixed = header_of(tensor);
    const Plan plan = plan_of(tensor, fixed.size(), place_in_page(tensor, executor));
    const File file(unfinished, O_CREAT | O_TRUNC | O_RDWR);
    int error = file.is_open() ? check_file_limit(plan.length()) : errno;
    if (error == 0) error = write_parts(file, tensor, executor, fixed, plan);
    if (error == 0 && ::rename(unfinished.c_str(), path.c_str()) != 0) error = errno;
    if (error != 0) {
        ::unlink(unfinished.c_str());
        return give_up(reason_of(error));
    }
    {
        const std::scoped_lock lock(mutex_);
        written_.push_back(path);
        // Another thread may have given up since: what it did not see goes, too.
        if (!unwritable_.empty()) ::unlink(path.c_str());
    }
    core::require(take_parts(file, tensor, executor, plan), "a file that was just written is read");
}

}  // namespace model
