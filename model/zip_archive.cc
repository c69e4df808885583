#include "model/zip_archive.h"

#include <algorithm>
#include <boost/crc.hpp>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/files.h"
#include "model/byte_reader.h"

namespace model {

namespace {

using core::Error;

constexpr std::uint32_t kLocalHeader = 0x04034b50;
constexpr std::uint32_t kCentralHeader = 0x02014b50;
constexpr std::uint32_t kEnd = 0x06054b50;
constexpr std::uint32_t kEnd64 = 0x06064b50;
constexpr std::uint32_t kEnd64Locator = 0x07064b50;
constexpr std::size_t kEndBytes = 22;
constexpr std::size_t kLocatorBytes = 20;
constexpr std::size_t kMaxComment = 0xffff;
constexpr std::uint32_t kIn64 = 0xffffffff;  // the number stands in the zip64 field
constexpr std::uint16_t kField64 = 1;
constexpr std::uint16_t kEncrypted = 1;

/// Where the central directory is, and how many entries it has.
struct Directory {
    std::uint64_t entries = 0;
    std::uint64_t bytes = 0;
    std::uint64_t offset = 0;
    std::size_t limit = 0;  // of the file: the records of the end begin here
};

struct Entry {
    std::string name;
    std::uint16_t flags = 0;
    std::uint16_t method = 0;
    std::uint32_t checksum = 0;
    std::uint64_t packed = 0;
    std::uint64_t size = 0;
    std::uint64_t header = 0;  // offset of the local header
};

struct Held {
    Entry entry;
    std::size_t begin = 0;  // of its header
    std::span<const std::byte> data;
    std::size_t end = 0;  // of its data
};

std::optional<std::size_t> find_end(std::span<const std::byte> file, std::string_view where) {
    if (file.size() < kEndBytes) return std::nullopt;
    const std::size_t last = file.size() - kEndBytes;
    const std::size_t first = last > kMaxComment ? last - kMaxComment : 0;
    for (std::size_t at = last + 1; at-- > first;) {
        ByteReader reader(file, where, at);
        if (reader.number<std::uint32_t>() != kEnd) continue;
        reader.take(16);
        if (reader.number<std::uint16_t>() == reader.left()) return at;
    }
    return std::nullopt;
}

Directory read_end64(std::span<const std::byte> file, std::string_view where, std::size_t locator) {
    ByteReader reader(file, where, locator + 8);
    const auto offset = reader.number<std::uint64_t>();
    if (offset > locator) {
        throw Error::mismatch(where, "zip64 record",
                              "an offset of at most " + std::to_string(locator),
                              std::to_string(offset));
    }
    ByteReader record(file, where, static_cast<std::size_t>(offset));
    if (record.number<std::uint32_t>() != kEnd64) {
        throw Error::mismatch(where, "zip64 record", "its signature", "other bytes");
    }
    record.take(28);
    Directory found;
    found.entries = record.number<std::uint64_t>();
    found.bytes = record.number<std::uint64_t>();
    found.offset = record.number<std::uint64_t>();
    found.limit = static_cast<std::size_t>(offset);
    return found;
}

Directory find_directory(std::span<const std::byte> file, std::string_view where) {
    const std::optional<std::size_t> end = find_end(file, where);
    if (!end) {
        throw Error::mismatch(where, "", "the directory of a zip archive at the end", "none")
            .hint("the file is truncated or is not a PyTorch file");
    }
    Directory found;
    if (*end >= kLocatorBytes &&
        ByteReader(file, where, *end - kLocatorBytes).number<std::uint32_t>() == kEnd64Locator) {
        found = read_end64(file, where, *end - kLocatorBytes);
    } else {
        ByteReader reader(file, where, *end + 10);
        found.entries = reader.number<std::uint16_t>();
        found.bytes = reader.number<std::uint32_t>();
        found.offset = reader.number<std::uint32_t>();
        found.limit = *end;
    }
    if (found.bytes > found.limit || found.offset > found.limit - found.bytes) {
        throw Error::mismatch(
            where, "zip directory", "a range that ends before byte " + std::to_string(found.limit),
            std::to_string(found.bytes) + " bytes from " + std::to_string(found.offset));
    }
    return found;
}

/// Numbers too large for their 32 bits, in this order.
void read_field64(std::span<const std::byte> extra, std::string_view where, Entry& entry) {
    ByteReader fields(extra, where);
    while (fields.left() >= 4) {
        const auto id = fields.number<std::uint16_t>();
        const auto bytes = fields.number<std::uint16_t>();
        ByteReader field(fields.take(bytes), where);
        if (id != kField64) continue;
        for (std::uint64_t* number : {&entry.size, &entry.packed, &entry.header}) {
            if (*number == kIn64) *number = field.number<std::uint64_t>();
        }
        return;
    }
}

Entry read_entry(ByteReader& reader) {
    if (reader.number<std::uint32_t>() != kCentralHeader) {
        throw Error::mismatch(reader.where(), "zip directory", "an entry at each place",
                              "other bytes");
    }
    Entry entry;
    reader.take(4);  // versions
    entry.flags = reader.number<std::uint16_t>();
    entry.method = reader.number<std::uint16_t>();
    reader.take(4);  // time
    entry.checksum = reader.number<std::uint32_t>();
    entry.packed = reader.number<std::uint32_t>();
    entry.size = reader.number<std::uint32_t>();
    const auto name_bytes = reader.number<std::uint16_t>();
    const auto extra_bytes = reader.number<std::uint16_t>();
    const auto comment_bytes = reader.number<std::uint16_t>();
    reader.take(8);  // disk, attributes
    entry.header = reader.number<std::uint32_t>();
    entry.name = reader.text(name_bytes);
    read_field64(reader.take(extra_bytes), reader.where(), entry);
    reader.take(comment_bytes);
    return entry;
}

void check_entry(const Entry& entry, const Directory& directory, std::string_view where) {
    const auto refuse = [&](std::string_view expected, const std::string& found) {
        return Error::mismatch(where, core::printable(entry.name), expected, found);
    };
    if ((entry.flags & kEncrypted) != 0) throw refuse("a plain entry", "an encrypted one");
    if (entry.method != 0 || entry.packed != entry.size) {
        throw refuse("an entry that is stored, as torch.save writes it",
                     "compression method " + std::to_string(entry.method))
            .hint("a zip archive made by another program is not a PyTorch file");
    }
    if (entry.header > directory.offset || entry.size > directory.offset - entry.header) {
        throw refuse("at most " + std::to_string(directory.offset) + " bytes in all",
                     std::to_string(entry.size) + " bytes from " + std::to_string(entry.header));
    }
}

/// Where the data of an entry begins; the local header has a name and a field of its own length.
Held held(Entry entry, const Directory& directory, std::span<const std::byte> file,
          std::string_view where) {
    ByteReader local(file.first(static_cast<std::size_t>(directory.offset)), where,
                     static_cast<std::size_t>(entry.header));
    if (local.number<std::uint32_t>() != kLocalHeader) {
        throw Error::mismatch(where, core::printable(entry.name),
                              "a header at byte " + std::to_string(entry.header), "other bytes");
    }
    local.take(22);
    const auto name_bytes = local.number<std::uint16_t>();
    const auto extra_bytes = local.number<std::uint16_t>();
    if (local.text(name_bytes) != entry.name) {
        throw Error::mismatch(where, core::printable(entry.name), "the same name in its header",
                              "another");
    }
    local.take(extra_bytes);
    const std::span<const std::byte> data = local.take(entry.size);
    const auto begin = static_cast<std::size_t>(entry.header);
    return {std::move(entry), begin, data, local.at()};
}

void check_sum(const Held& held, std::string_view where) {
    if (held.data.size() > static_cast<std::size_t>(kCheckedEntry.value)) return;
    boost::crc_32_type sum;
    sum.process_bytes(held.data.data(), held.data.size());
    if (sum.checksum() == held.entry.checksum) return;
    throw Error::mismatch(where, core::printable(held.entry.name),
                          "bytes with check sum " + std::to_string(held.entry.checksum),
                          std::to_string(sum.checksum()))
        .hint("the file is damaged");
}

/// Sorts by place in the file.
void check_overlaps(std::vector<Held>& entries, std::string_view where) {
    std::sort(entries.begin(), entries.end(),
              [](const Held& a, const Held& b) { return a.begin < b.begin; });
    for (std::size_t i = 1; i < entries.size(); ++i) {
        if (entries[i - 1].end <= entries[i].begin) continue;
        throw Error::mismatch(where, core::printable(entries[i].entry.name), "bytes of its own",
                              "those of \"" + core::printable(entries[i - 1].entry.name) + "\"");
    }
}

}  // namespace

bool is_zip(std::span<const std::byte> file) {
    return file.size() >= 4 && ByteReader(file, "").number<std::uint32_t>() == kLocalHeader;
}

ZipEntries zip_entries(std::span<const std::byte> file, std::string_view where) {
    const Directory directory = find_directory(file, where);
    ByteReader reader(file.subspan(static_cast<std::size_t>(directory.offset),
                                   static_cast<std::size_t>(directory.bytes)),
                      where);
    std::vector<Held> found;
    for (std::uint64_t i = 0; i < directory.entries; ++i) {
        Entry entry = read_entry(reader);
        check_entry(entry, directory, where);
        found.push_back(held(std::move(entry), directory, file, where));
    }
    if (reader.left() > 0) {
        throw Error::mismatch(where, "zip directory",
                              std::to_string(directory.entries) + " entries", "more bytes");
    }
    // Before the check sums: bytes that many entries share would be summed as often.
    check_overlaps(found, where);
    ZipEntries entries;
    for (const Held& one : found) {
        check_sum(one, where);
        if (entries.emplace(one.entry.name, one.data).second) continue;
        throw Error::mismatch(where, core::printable(one.entry.name), "one entry of this name",
                              "two");
    }
    return entries;
}

}  // namespace model
