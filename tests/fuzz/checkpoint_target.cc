#include "tests/fuzz/checkpoint_target.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "core/error.h"
#include "model/meta_checkpoint.h"
#include "model/safetensors.h"
#include "model/tokenizer.h"
#include "model/torch_archive.h"
#include "tests/model/torch_file.h"

namespace fuzz {
namespace {

bool has_floats(model::StoredType type) {
    return type == model::StoredType::F32 || type == model::StoredType::F16 ||
           type == model::StoredType::BF16;
}

// The first and the last elements, through the same door as the loader of weights.
void read_ends(const model::TensorTable& tensors) {
    for (const auto& [name, view] : tensors) {
        const std::int64_t count = std::min<std::int64_t>(view.elements(), 64);
        if (!has_floats(view.dtype)) continue;
        std::vector<float> values(static_cast<std::size_t>(count));
        model::to_floats(view, 0, count, values.data());
        model::to_floats(view, view.elements() - count, count, values.data());
    }
}

void read_as_shards(const model::TensorTable& tensors) {
    const std::array<model::TensorTable, 2> shards{tensors, tensors};
    try {
        read_ends(model::meta_tensors(shards, 2, "file"));
    } catch (const core::Error&) {
        // Other names than Meta's.
    }
}

template <class Read>
Reading judged(Read read) {
    try {
        read();
        return Reading::Read;
    } catch (const core::Error&) {
        return Reading::Refused;
    }
}

}  // namespace

Reading judge_safetensors(std::span<const std::byte> file) {
    return judged([&] { read_ends(model::parse_safetensors(file, "file")); });
}

Reading judge_torch(std::span<const std::byte> file) {
    constexpr std::byte kZip{'P'};
    std::string archive(reinterpret_cast<const char*>(file.data()), file.size());
    if (file.empty() || file.front() != kZip) {
        archive = testing_files::zip_file({{"a/data.pkl", archive},
                                           {"a/data/0", std::string(64, 'x')},
                                           {"a/data/1", "12345678"}});
    }
    return judged([&] {
        const auto tensors = model::parse_torch_archive(
            std::as_bytes(std::span(archive.data(), archive.size())), "file");
        read_ends(tensors);
        read_as_shards(tensors);
    });
}

Reading judge_tokenizer(std::string_view text) {
    return judged([&] {
        const model::Tokenizer tokenizer = model::Tokenizer::parse(text, "file");
        const auto ids = tokenizer.encode("To be, or not 2 be: \xc3\xa9\n", model::AddSpecial::Yes);
        (void)tokenizer.decode(ids);
    });
}

}  // namespace fuzz
