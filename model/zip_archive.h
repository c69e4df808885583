// The entries of a zip archive where they lie in the file: what torch.save writes, which is stored
// (not compressed) entries, with or without zip64 records. Anything else is refused.
// Invariant: entries lie inside the file and do not overlap. Check sums: entries of up to
// kCheckedEntry are checked; larger ones are weights, which are read when they are needed.
// Format: PKWARE APPNOTE 6.3; what is written: pytorch/pytorch:
// caffe2/serialize/inline_container.cc.
#pragma once

#include <cstddef>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>

#include "core/units.h"

namespace model {

inline constexpr core::Bytes kCheckedEntry{1024 * 1024};

using ZipEntries = std::map<std::string, std::span<const std::byte>, std::less<>>;

/// Whether the bytes begin as a zip archive does.
bool is_zip(std::span<const std::byte> file);

/// The entries of the archive `file`; `where` names it in messages. Throws core::Error.
ZipEntries zip_entries(std::span<const std::byte> file, std::string_view where);

}  // namespace model
