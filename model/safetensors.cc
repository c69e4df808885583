#include "model/safetensors.h"

#include <algorithm>
#include <cstring>
#include <tuple>
#include <utility>

#include "core/error.h"
#include "core/json.h"
#include "model/meta_checkpoint.h"
#include "model/meta_config.h"
#include "model/torch_archive.h"

namespace model {

namespace {

using core::Error;
using core::JsonObject;

constexpr std::int64_t kLengthBytes = 8;
// Real headers stay under 10 MB; the official reader allows 100 MB.
constexpr core::Bytes kHeaderLimit{32 * 1024 * 1024};
constexpr std::int64_t kMaxRank = 16;

struct Extent {
    std::int64_t begin = 0;
    std::int64_t end = 0;
    std::string_view name;
};

StoredType read_dtype(const JsonObject& entry) {
    const std::string text = entry.text("dtype");
    const std::optional<StoredType> type = parse_stored_type(text);
    if (!type) throw entry.unexpected("dtype", "one of " + known_stored_types());
    return *type;
}

std::vector<std::int64_t> read_shape(const JsonObject& entry) {
    const nlohmann::json& list = entry.array("shape");
    if (list.size() > static_cast<std::size_t>(kMaxRank)) {
        throw entry.unexpected("shape", "at most " + std::to_string(kMaxRank) + " axes");
    }
    std::vector<std::int64_t> shape;
    for (const nlohmann::json& axis : list) {
        if (!axis.is_number_unsigned() ||
            axis.get<std::uint64_t>() > static_cast<std::uint64_t>(JsonObject::kMaxInteger)) {
            throw Error::mismatch(entry.where(), entry.path_of("shape"), "axes of 0 or more",
                                  core::describe(axis));
        }
        shape.push_back(axis.get<std::int64_t>());
    }
    return shape;
}

std::int64_t checked_bytes(const JsonObject& entry, const TensorView& view) {
    const std::optional<core::Bytes> bytes = shape_bytes(view);
    if (!bytes) {
        throw Error::mismatch(entry.where(), entry.path_of("shape"), "a size below 2^63 bytes",
                              view.text());
    }
    return bytes->value;
}

Extent read_offsets(const JsonObject& entry, std::int64_t data_bytes) {
    const nlohmann::json& list = entry.array("data_offsets");
    const std::string expected =
        "[begin, end] with 0 <= begin <= end <= " + std::to_string(data_bytes);
    const auto limit = static_cast<std::uint64_t>(data_bytes);
    const bool is_pair =
        list.size() == 2 && list[0].is_number_unsigned() && list[1].is_number_unsigned();
    if (!is_pair || list[1].get<std::uint64_t>() > limit ||
        list[0].get<std::uint64_t>() > list[1].get<std::uint64_t>()) {
        throw Error::mismatch(entry.where(), entry.path_of("data_offsets"), expected,
                              core::printable(list.dump()));
    }
    return {list[0].get<std::int64_t>(), list[1].get<std::int64_t>(), {}};
}

void check_metadata(const JsonObject& metadata) {
    for (const auto& [key, value] : metadata.value().items()) {
        if (!value.is_string()) throw metadata.unexpected(key, "a text");
    }
}

/// Tensors must follow each other from the start of the data without overlap or hole.
void check_layout(std::vector<Extent> extents, std::string_view where) {
    std::sort(extents.begin(), extents.end(), [](const Extent& a, const Extent& b) {
        return std::tie(a.begin, a.end, a.name) < std::tie(b.begin, b.end, b.name);
    });
    std::int64_t reached = 0;
    std::string before = "the start of the data";
    for (const Extent& extent : extents) {
        if (extent.begin != reached) {
            const std::string name = core::printable(extent.name);
            throw Error::mismatch(
                where, name + ".data_offsets", "begin " + std::to_string(reached) + ", " + before,
                std::to_string(extent.begin) +
                    (extent.begin < reached ? " (tensors overlap)" : " (a hole)"));
        }
        reached = extent.end;
        before = "the end of \"" + core::printable(extent.name) + "\"";
    }
}

/// The header's text, its length checked against the file.
std::string_view header_text(std::span<const std::byte> file, std::string_view where) {
    const auto size = static_cast<std::int64_t>(file.size());
    if (size < kLengthBytes) {
        throw Error::mismatch(where, "header", "8 bytes of header length",
                              std::to_string(size) + " bytes in all");
    }
    std::uint64_t length = 0;
    std::memcpy(&length, file.data(), sizeof length);
    const std::int64_t rest = size - kLengthBytes;
    if (length > static_cast<std::uint64_t>(std::min(rest, kHeaderLimit.value))) {
        throw Error::mismatch(where, "header length",
                              "at most " + std::to_string(std::min(rest, kHeaderLimit.value)),
                              std::to_string(length))
            .hint("the file is truncated or is not a safetensors file");
    }
    const std::span<const std::byte> header =
        file.subspan(static_cast<std::size_t>(kLengthBytes), static_cast<std::size_t>(length));
    return {reinterpret_cast<const char*>(header.data()), header.size()};
}

/// A shard's file name must stay in the checkpoint's folder.
void check_shard_name(const JsonObject& map, std::string_view tensor, std::string_view file) {
    const bool is_plain = file.ends_with(".safetensors") && file.front() != '.' &&
                          file.find_first_of(std::string_view("/\\\0", 3)) == file.npos;
    if (!is_plain) throw map.unexpected(tensor, "a .safetensors file name without folders");
}

}  // namespace

TensorTable parse_safetensors(std::span<const std::byte> file, std::string_view where) {
    const std::string_view text = header_text(file, where);
    const std::string source = std::string(where) + ": header";
    const nlohmann::json header = core::parse_json(text, source, {kHeaderLimit, 4});
    const JsonObject root(header, source);
    const std::span<const std::byte> data =
        file.subspan(static_cast<std::size_t>(kLengthBytes) + text.size());

    TensorTable tensors;
    std::vector<Extent> extents;
    for (const auto& member : header.get_ref<const nlohmann::json::object_t&>()) {
        const JsonObject entry = root.object(member.first);
        if (member.first == "__metadata__") {
            check_metadata(entry);
            continue;
        }
        TensorView view{read_dtype(entry), read_shape(entry), {}};
        const Extent extent = read_offsets(entry, static_cast<std::int64_t>(data.size()));
        const std::int64_t bytes = checked_bytes(entry, view);
        if (bytes != extent.end - extent.begin) {
            throw Error::mismatch(source, core::printable(member.first),
                                  std::to_string(bytes) + " bytes for " + view.text(),
                                  std::to_string(extent.end - extent.begin));
        }
        view.bytes =
            data.subspan(static_cast<std::size_t>(extent.begin), static_cast<std::size_t>(bytes));
        const auto placed = tensors.emplace(member.first, std::move(view)).first;
        extents.push_back({extent.begin, extent.end, placed->first});
    }
    check_layout(std::move(extents), source);
    return tensors;
}

Checkpoint Checkpoint::open(const std::filesystem::path& path) {
    Checkpoint checkpoint(core::printable(path.string()));
    std::error_code ignored;
    const bool is_folder = std::filesystem::is_directory(path, ignored);
    checkpoint.folder_ = is_folder ? path : path.parent_path();
    if (!is_folder) {
        checkpoint.tensors_ = checkpoint.tensors_of(path);
    } else if (std::filesystem::exists(path / "model.safetensors", ignored)) {
        checkpoint.tensors_ = checkpoint.tensors_of(path / "model.safetensors");
    } else if (std::filesystem::exists(path / "model.safetensors.index.json", ignored)) {
        checkpoint.add_shards(path);
    } else if (!meta_files(path).empty()) {
        checkpoint.add_meta(path, meta_head_dim(path));
    } else {
        throw Error::mismatch(checkpoint.where_, "",
                              "weights: model.safetensors, model.safetensors.index.json, "
                              "consolidated.safetensors or consolidated.00.pth",
                              "none of them")
            .hint("check and sim need config.json alone; convert other formats first");
    }
    return checkpoint;
}

std::optional<std::int64_t> Checkpoint::meta_vocab(const std::filesystem::path& folder) {
    if (meta_files(folder).empty()) return std::nullopt;
    Checkpoint checkpoint(core::printable(folder.string()));
    checkpoint.add_meta(folder, meta_head_dim(folder));
    return checkpoint.at("lm_head.weight").shape.at(0);
}

std::span<const std::byte> Checkpoint::map(const std::filesystem::path& path) {
    files_.emplace_back(path);
    const std::span<const std::byte> bytes = files_.back().bytes();
    std::error_code ignored;
    const auto changed = std::filesystem::last_write_time(path, ignored).time_since_epoch();
    files_digest_.add(path.filename().string());
    files_digest_.add(static_cast<std::int64_t>(bytes.size()));
    files_digest_.add(static_cast<std::int64_t>(changed.count()));
    return bytes;
}

TensorTable Checkpoint::tensors_of(const std::filesystem::path& path) {
    const std::span<const std::byte> bytes = map(path);
    const std::string where = core::printable(path.string());
    return is_torch_file(bytes) ? parse_torch_archive(bytes, where)
                                : parse_safetensors(bytes, where);
}

void Checkpoint::add_meta(const std::filesystem::path& folder, std::int64_t head_dim) {
    const std::vector<std::filesystem::path> files = meta_files(folder);
    std::vector<TensorTable> shards;
    for (const std::filesystem::path& file : files) shards.push_back(tensors_of(file));
    if (are_whole_tensors(shards)) shards = {joined(std::move(shards), where_)};
    tensors_ = meta_tensors(shards, head_dim, where_);
}

void Checkpoint::add_shards(const std::filesystem::path& folder) {
    const std::filesystem::path index_path = folder / "model.safetensors.index.json";
    const nlohmann::json index = core::read_json(index_path);
    const JsonObject root(index, core::printable(index_path.string()));
    const JsonObject map = root.object("weight_map");

    // File -> its tensors, in the order of the names.
    std::map<std::string, std::vector<std::string>> shards;
    for (const auto& member : map.value().get_ref<const nlohmann::json::object_t&>()) {
        const std::string file = map.text(member.first);
        if (file.empty()) throw map.unexpected(member.first, "a file name");
        check_shard_name(map, member.first, file);
        shards[file].push_back(member.first);
    }
    if (shards.empty()) throw root.unexpected("weight_map", "at least one tensor");

    for (const auto& [file, wanted] : shards) {
        TensorTable found =
            parse_safetensors(this->map(folder / file), core::printable((folder / file).string()));
        for (const std::string& tensor : wanted) {
            auto node = found.extract(tensor);
            if (node.empty()) {
                throw Error::mismatch(map.where(), map.path_of(tensor),
                                      "a tensor of this name in " + core::printable(file), "none");
            }
            tensors_.insert(std::move(node));
        }
        // A tensor the index does not list would silently stay unused.
        if (!found.empty()) {
            throw Error::mismatch(map.where(), map.path_of(found.begin()->first),
                                  "an entry, as " + core::printable(file) + " holds it", "nothing");
        }
    }
}

std::uint64_t Checkpoint::identity() const {
    constexpr std::size_t kSample = 64;
    core::Digest digest = files_digest_;
    for (const char* name : {"config.json", "params.json"}) {
        const std::filesystem::path file = folder_ / name;
        std::error_code ignored;
        if (!std::filesystem::is_regular_file(file, ignored)) continue;
        digest.add(name).add(core::read_text(file));
    }
    for (const auto& [name, view] : tensors_) {
        digest.add(name).add(view.text());
        const std::int64_t elements = view.elements();
        if (elements == 0) continue;
        for (const std::int64_t element : {std::int64_t{0}, elements / 2, elements - 1}) {
            const std::span<const std::byte> run = view.run(element);
            digest.add(run.first(std::min(run.size(), kSample)));
        }
    }
    return digest.value();
}

std::vector<std::string> Checkpoint::names() const {
    std::vector<std::string> names;
    names.reserve(tensors_.size());
    for (const auto& entry : tensors_) names.push_back(entry.first);
    return names;
}

const TensorView* Checkpoint::find(std::string_view name) const {
    const auto entry = tensors_.find(name);
    return entry == tensors_.end() ? nullptr : &entry->second;
}

const TensorView& Checkpoint::at(std::string_view name) const {
    const TensorView* view = find(name);
    if (view == nullptr) {
        throw Error::mismatch(where_, core::printable(name), "a tensor", "nothing")
            .hint("the weights do not belong to this config.json, or a shard is missing");
    }
    return *view;
}

const TensorView& Checkpoint::at(std::string_view name, std::span<const std::int64_t> shape) const {
    const TensorView& view = at(name);
    if (!std::equal(shape.begin(), shape.end(), view.shape.begin(), view.shape.end())) {
        TensorView wanted{view.dtype, {shape.begin(), shape.end()}, {}};
        throw Error::mismatch(where_, core::printable(name), wanted.text(), view.text())
            .hint("the weights do not belong to this config.json");
    }
    return view;
}

}  // namespace model
