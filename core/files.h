// Files as bytes: a read-only memory map for weights, a bounded read for everything else.
// Invariant: nothing is read or allocated before its size has been checked against a limit.
// A file that shrinks while it is mapped faults (SIGBUS), as with every memory map.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

#include "core/units.h"

namespace core {

/// A regular file mapped read-only; pages are read when touched. Move-only.
class MappedFile {
public:
    /// Throws Error when `path` is missing, unreadable, not a regular file or empty.
    explicit MappedFile(const std::filesystem::path& path);
    ~MappedFile();
    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;

    std::span<const std::byte> bytes() const { return bytes_; }

private:
    std::span<const std::byte> bytes_;
};

/// Asks the kernel to read the pages of mapped bytes ahead of their use.
void prefetch(std::span<const std::byte> mapped);
/// Gives back the memory of mapped bytes; their next use reads the file again. Requires: they lie
/// in a MappedFile.
void release(std::span<const std::byte> mapped);

inline constexpr Bytes kTextLimit{64 * 1024 * 1024};

/// The whole file (or pipe). Throws Error when it cannot be read or is larger than `limit`.
std::string read_text(const std::filesystem::path& path, Bytes limit = kTextLimit);

/// Writes the whole of `text`, or nothing: beside the file first, then renamed over it. A device or
/// pipe ("/dev/stdout") is written directly. Throws Error naming the path and why.
void write_text(const std::filesystem::path& path, std::string_view text);

/// `text` for a message: control characters and broken bytes as "\xNN", long text cut with "...".
std::string printable(std::string_view text);

}  // namespace core
