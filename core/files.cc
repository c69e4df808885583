#include "core/files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <system_error>
#include <utility>

#include "core/error.h"
#include "core/format.h"

namespace core {

namespace {

class Descriptor {
public:
    Descriptor(const std::filesystem::path& path, int flags)
        : value_(::open(path.c_str(), O_RDONLY | O_CLOEXEC | flags)) {}
    ~Descriptor() {
        if (value_ >= 0) ::close(value_);
    }
    Descriptor(const Descriptor&) = delete;
    Descriptor& operator=(const Descriptor&) = delete;
    int value() const { return value_; }

private:
    int value_;
};

Error unreadable(const std::filesystem::path& path, int code) {
    return Error(printable(path.string()) + ": expected a readable file, got \"" +
                 std::generic_category().message(code) + "\"");
}

struct stat status_of(const std::filesystem::path& path, const Descriptor& file) {
    struct stat status {};
    if (file.value() < 0 || ::fstat(file.value(), &status) != 0) throw unreadable(path, errno);
    if (S_ISDIR(status.st_mode)) {
        throw Error::mismatch(printable(path.string()), "", "a file", "a folder");
    }
    return status;
}

/// Length of the UTF-8 character at the start of `text`; 0 when it is broken or a control.
std::size_t printable_length(std::string_view text) {
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead < 0x80) return lead >= 0x20 && lead != 0x7f ? 1 : 0;
    // U+0080..U+009F are controls too; 0xC2 leads them.
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((static_cast<unsigned char>(text[i]) & 0xc0) != 0x80) return 0;
    }
    return lead == 0xc2 && static_cast<unsigned char>(text[1]) < 0xa0 ? 0 : length;
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path) {
    const Descriptor file(path, O_NONBLOCK);
    const struct stat status = status_of(path, file);
    if (!S_ISREG(status.st_mode)) {
        throw Error::mismatch(printable(path.string()), "", "a regular file", "a pipe or device");
    }
    if (status.st_size == 0) {
        throw Error::mismatch(printable(path.string()), "", "a file with content", "0 bytes");
    }
    const auto size = static_cast<std::size_t>(status.st_size);
    void* const start = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.value(), 0);
    if (start == MAP_FAILED) throw unreadable(path, errno);
    bytes_ = {static_cast<const std::byte*>(start), size};
}

MappedFile::~MappedFile() {
    // munmap wants a mutable pointer although the pages are read-only.
    if (!bytes_.empty()) ::munmap(const_cast<std::byte*>(bytes_.data()), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    return *this;
}

namespace {

// Advice only: a kernel that refuses it changes nothing but speed and memory.
void advise(std::span<const std::byte> mapped, int advice) {
    if (mapped.empty()) return;
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto begin = reinterpret_cast<std::uintptr_t>(mapped.data());
    const std::uintptr_t first = begin / page * page;
    ::madvise(reinterpret_cast<void*>(first), begin - first + mapped.size(), advice);
}

}  // namespace

void prefetch(std::span<const std::byte> mapped) { advise(mapped, MADV_WILLNEED); }
void release(std::span<const std::byte> mapped) { advise(mapped, MADV_DONTNEED); }

std::string read_text(const std::filesystem::path& path, Bytes limit) {
    const Descriptor file(path, 0);
    const struct stat status = status_of(path, file);
    const auto too_long = [&](std::string_view found) {
        return Error::mismatch(printable(path.string()), "", "at most " + to_text(limit), found);
    };
    if (status.st_size > limit.value) throw too_long(to_text(Bytes{status.st_size}));

    std::string text;
    text.reserve(static_cast<std::size_t>(status.st_size));
    char chunk[64 * 1024];
    while (true) {
        const ssize_t count = ::read(file.value(), chunk, sizeof chunk);
        if (count < 0 && errno == EINTR) continue;
        if (count < 0) throw unreadable(path, errno);
        if (count == 0) return text;
        text.append(chunk, static_cast<std::size_t>(count));
        if (static_cast<std::int64_t>(text.size()) > limit.value) throw too_long("more");
    }
}

namespace {

// `shown` is the file people asked for.
void write_all(const std::filesystem::path& path, std::string_view text,
               const std::filesystem::path& shown) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file.write(text.data(), static_cast<std::streamsize>(text.size()));
    file.flush();
    if (!file) {
        const int reason = errno;
        throw Error(printable(shown.string()) +
                    ": cannot be written: " + std::generic_category().message(reason));
    }
}

}  // namespace

void write_text(const std::filesystem::path& path, std::string_view text) {
    std::error_code error;
    const auto status = std::filesystem::status(path, error);
    if (std::filesystem::exists(status) && !std::filesystem::is_regular_file(status)) {
        write_all(path, text, path);
        return;
    }
    std::filesystem::path beside = path;
    beside += ".part";
    try {
        write_all(beside, text, path);
    } catch (const Error&) {
        std::filesystem::remove(beside, error);
        throw;
    }
    std::filesystem::rename(beside, path, error);
    if (error) {
        const std::string reason = error.message();
        std::filesystem::remove(beside, error);
        throw Error(printable(path.string()) + ": cannot be written: " + reason);
    }
}

std::string printable(std::string_view text) {
    constexpr std::size_t kLongest = 160;
    constexpr char kDigits[] = "0123456789abcdef";
    std::string out;
    while (!text.empty()) {
        if (out.size() >= kLongest) return out + "...";
        const std::size_t length = printable_length(text);
        if (length == 0) {
            const auto byte = static_cast<unsigned char>(text[0]);
            out.append("\\x").append(1, kDigits[byte >> 4]).append(1, kDigits[byte & 15]);
        } else {
            out.append(text.substr(0, length));
        }
        text.remove_prefix(std::max<std::size_t>(length, 1));
    }
    return out;
}

}  // namespace core
