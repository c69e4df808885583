#include "model/torch_archive.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>

#include "core/error.h"
#include "core/files.h"
#include "model/unpickler.h"
#include "model/zip_archive.h"

namespace model {

namespace {

using core::Error;

constexpr std::string_view kPickle = "/data.pkl";
// How files from before PyTorch 1.6 begin: a pickle (protocol 2) of a magic number of 10 bytes.
// The first byte alone may begin a safetensors file, too.
constexpr std::array kOldStart{std::byte{0x80}, std::byte{0x02}, std::byte{0x8a}, std::byte{0x0a}};

/// The archive's own folder, named after the file when it was saved: "consolidated".
std::string root_of(const ZipEntries& entries, std::string_view where) {
    for (const auto& [name, bytes] : entries) {
        const bool is_top = name.find('/') == name.size() - std::min(name.size(), kPickle.size());
        if (is_top && name.ends_with(kPickle)) {
            return name.substr(0, name.size() - kPickle.size());
        }
    }
    throw Error::mismatch(where, "", "an entry data.pkl, as torch.save writes it", "none")
        .hint("a zip archive made by another program is not a PyTorch file");
}

void check_byte_order(const ZipEntries& entries, const std::string& root, std::string_view where) {
    const auto entry = entries.find(root + "/byteorder");
    if (entry == entries.end()) return;
    const std::string_view order(reinterpret_cast<const char*>(entry->second.data()),
                                 entry->second.size());
    if (order != "little") {
        throw Error::mismatch(where, "byteorder", "little", core::printable(order));
    }
}

/// Whether elements lie as in a row-major array. An axis of one element may have any stride.
bool is_contiguous(const PickledTensor& tensor) {
    std::int64_t expected = 1;
    for (std::size_t i = tensor.shape.size(); i-- > 0;) {
        if (tensor.shape[i] != 1 && tensor.strides[i] != expected) return false;
        expected *= tensor.shape[i];
    }
    return true;
}

class Archive {
public:
    Archive(std::span<const std::byte> file, std::string_view where)
        : where_(where), entries_(zip_entries(file, where)), root_(root_of(entries_, where)) {
        check_byte_order(entries_, root_, where);
    }

    std::span<const std::byte> pickle() const {
        return entries_.find(root_ + std::string(kPickle))->second;
    }

    TensorView view(const std::string& name, const PickledTensor& tensor) const {
        TensorView view{tensor.dtype, tensor.shape, {}};
        const std::optional<core::Bytes> bytes = shape_bytes(view);
        if (!bytes) throw mismatch(name, "a size below 2^63 bytes", view.text());
        if (bytes->value == 0) return view;
        if (!is_contiguous(tensor)) {
            throw mismatch(name, "rows one after the other", "other strides")
                .hint("save it with .contiguous()");
        }
        const std::span<const std::byte> storage = storage_of(name, tensor);
        const std::int64_t each = element_bytes(tensor.dtype).value;
        const std::int64_t elements = bytes->value / each;
        if (elements > tensor.storage_elements ||
            tensor.offset > tensor.storage_elements - elements) {
            throw mismatch(
                name, "elements inside its storage of " + std::to_string(tensor.storage_elements),
                view.text() + " from element " + std::to_string(tensor.offset));
        }
        view.bytes = storage.subspan(static_cast<std::size_t>(tensor.offset * each),
                                     static_cast<std::size_t>(bytes->value));
        return view;
    }

private:
    Error mismatch(const std::string& name, std::string_view expected,
                   std::string_view found) const {
        return Error::mismatch(where_, core::printable(name), expected, found);
    }

    std::span<const std::byte> storage_of(const std::string& name,
                                          const PickledTensor& tensor) const {
        const std::string key = "data/" + std::string(tensor.storage);
        const auto entry = entries_.find(root_ + "/" + key);
        if (entry == entries_.end()) {
            throw mismatch(name, "an entry " + core::printable(key), "none");
        }
        const TensorView whole{tensor.dtype, {tensor.storage_elements}, {}};
        const std::optional<core::Bytes> bytes = shape_bytes(whole);
        if (!bytes || static_cast<std::uint64_t>(bytes->value) != entry->second.size()) {
            throw mismatch(name, whole.text() + " in " + core::printable(key),
                           std::to_string(entry->second.size()) + " bytes");
        }
        return entry->second;
    }

    std::string_view where_;
    ZipEntries entries_;
    std::string root_;
};

}  // namespace

bool is_torch_file(std::span<const std::byte> file) {
    const bool is_old = file.size() >= kOldStart.size() &&
                        std::equal(kOldStart.begin(), kOldStart.end(), file.begin());
    return is_zip(file) || is_old;
}

TensorTable parse_torch_archive(std::span<const std::byte> file, std::string_view where) {
    if (!is_zip(file)) {
        throw Error::mismatch(where, "", "a zip archive, as torch.save writes it since PyTorch 1.6",
                              "another format")
            .hint("load it with PyTorch and save it again");
    }
    const Archive archive(file, where);
    TensorTable tensors;
    for (const auto& [name, tensor] : unpickle_tensors(archive.pickle(), where)) {
        tensors.emplace(name, archive.view(name, tensor));
    }
    if (tensors.empty()) throw Error::mismatch(where, "data.pkl", "a dict of tensors", "none");
    return tensors;
}

}  // namespace model
