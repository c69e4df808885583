// Files as torch.save writes them, made by hand: a zip archive of stored entries with a pickle of
// protocol 2 and one entry per storage. Header sizes stand in the directory only and the end has
// zip64 records, as in files of PyTorch 2.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace testing_files {

template <class Number>
std::string raw(Number number) {
    std::string bytes;
    for (std::size_t i = 0; i < sizeof number; ++i) {
        bytes.push_back(static_cast<char>(static_cast<std::uint64_t>(number) >> (8 * i)));
    }
    return bytes;
}

inline std::uint32_t crc32(std::string_view bytes) {
    std::uint32_t sum = ~0U;
    for (const char c : bytes) {
        sum ^= static_cast<unsigned char>(c);
        for (int bit = 0; bit < 8; ++bit) sum = (sum >> 1) ^ ((sum & 1U) != 0 ? 0xedb88320U : 0U);
    }
    return ~sum;
}

using ZipContent = std::vector<std::pair<std::string, std::string>>;

/// A zip archive of stored entries. `method` is what the directory claims of each.
inline std::string zip_file(const ZipContent& entries, std::uint16_t method = 0) {
    constexpr std::uint16_t kFlags = 0x0808;  // sizes stand behind the data; names are UTF-8
    std::string file;
    std::string directory;
    for (const auto& [name, data] : entries) {
        const auto offset = static_cast<std::uint32_t>(file.size());
        const auto size = static_cast<std::uint32_t>(data.size());
        // Past this size nobody checks the sum.
        const std::uint32_t sum = data.size() > 1024 * 1024 ? 0 : crc32(data);
        const auto name_bytes = static_cast<std::uint16_t>(name.size());
        file += raw(0x04034b50U) + raw(std::uint16_t{0}) + raw(kFlags) + raw(method) +
                std::string(16, '\0') + raw(name_bytes) + raw(std::uint16_t{0}) + name + data;
        file += raw(0x08074b50U) + raw(sum) + raw(size) + raw(size);
        directory += raw(0x02014b50U) + raw(std::uint32_t{0}) + raw(kFlags) + raw(method) +
                     raw(std::uint32_t{0}) + raw(sum) + raw(size) + raw(size) + raw(name_bytes) +
                     std::string(12, '\0') + raw(offset) + name;
    }
    const auto count = static_cast<std::uint64_t>(entries.size());
    const auto start = static_cast<std::uint64_t>(file.size());
    const auto end = start + directory.size();
    file += directory;
    file += raw(0x06064b50U) + raw(std::uint64_t{44}) + raw(0x002d031eU) + std::string(8, '\0') +
            raw(count) + raw(count) + raw(static_cast<std::uint64_t>(directory.size())) +
            raw(start);
    file += raw(0x07064b50U) + raw(std::uint32_t{0}) + raw(end) + raw(std::uint32_t{1});
    file += raw(0x06054b50U) + raw(std::uint32_t{0}) + raw(static_cast<std::uint16_t>(count)) +
            raw(static_cast<std::uint16_t>(count)) +
            raw(static_cast<std::uint32_t>(directory.size())) +
            raw(static_cast<std::uint32_t>(start)) + raw(std::uint16_t{0});
    return file;
}

struct TorchTensor {
    std::string name;
    std::string storage = "BFloat16Storage";
    std::vector<std::int64_t> shape;
    std::string bytes;
    std::int64_t element_bytes = 2;
    std::int64_t offset = 0;
    std::vector<std::int64_t> strides = {};  // empty: contiguous
};

// Pieces of a pickle.
inline std::string text(std::string_view value) {
    return "X" + raw(static_cast<std::uint32_t>(value.size())) + std::string(value);
}
inline std::string integer(std::int64_t value) {
    if (value >= 0 && value < 256) return "K" + raw(static_cast<std::uint8_t>(value));
    if (value >= -(std::int64_t{1} << 31) && value < (std::int64_t{1} << 31)) {
        return "J" + raw(static_cast<std::int32_t>(value));
    }
    return "\x8a\x08" + raw(value);
}
inline std::string tuple(const std::vector<std::int64_t>& values) {
    std::string items;
    for (const std::int64_t value : values) items += integer(value);
    return "(" + items + "t";
}
inline std::string global(std::string_view module, std::string_view name) {
    return "c" + std::string(module) + "\n" + std::string(name) + "\n";
}

/// The call that makes a tensor of storage `key` with `elements` elements.
inline std::string tensor_call(const TorchTensor& tensor, const std::string& key,
                               std::int64_t elements) {
    std::vector<std::int64_t> strides = tensor.strides;
    if (strides.empty()) {
        strides.assign(tensor.shape.size(), 1);
        for (std::size_t i = strides.size(); i-- > 1;) {
            strides[i - 1] = strides[i] * tensor.shape[i];
        }
    }
    return global("torch._utils", "_rebuild_tensor_v2") + "((" + text("storage") +
           global("torch", tensor.storage) + text(key) + text("cpu") + integer(elements) + "tQ" +
           integer(tensor.offset) + tuple(tensor.shape) + tuple(strides) + "\x89" +
           global("collections", "OrderedDict") + ")RtR";
}

/// A pickle of a dict with these members, each a call or a value.
inline std::string dict_pickle(const std::vector<std::pair<std::string, std::string>>& members) {
    std::string items;
    for (const auto& [name, value] : members) items += text(name) + value;
    return std::string("\x80\x02}q\0(", 6) + items + "u.";
}

/// The file of a dict of tensors, each with a storage of its own.
inline std::string torch_file(const std::vector<TorchTensor>& tensors) {
    std::vector<std::pair<std::string, std::string>> members;
    ZipContent entries{{"archive/data.pkl", ""}, {"archive/byteorder", "little"}};
    for (const TorchTensor& tensor : tensors) {
        const std::string key = std::to_string(members.size());
        const auto elements = static_cast<std::int64_t>(tensor.bytes.size()) / tensor.element_bytes;
        members.emplace_back(tensor.name, tensor_call(tensor, key, elements));
        entries.emplace_back("archive/data/" + key, tensor.bytes);
    }
    entries[0].second = dict_pickle(members);
    entries.emplace_back("archive/version", "3\n");
    return zip_file(entries);
}

}  // namespace testing_files
