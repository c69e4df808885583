#include "model/weights.h"

#include <cmath>
#include <cstring>
#include <functional>

#include "model/head_padding.h"
#include "tensor/formats.h"
#include "tests/core/temp_folder.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

/// One layer, four heads and two KV heads of 32, 96 tokens: every number's place can be written
/// down.
Config small_config() {
    Config config;
    config.hidden_size = 64;
    config.intermediate_size = 128;
    config.num_hidden_layers = 1;
    config.num_attention_heads = 4;
    config.num_key_value_heads = 2;
    config.head_dim = 32;
    config.vocab_size = 96;
    config.max_position_embeddings = 64;
    config.rms_norm_eps = 1e-5;
    config.rope_theta = 10000;
    return config;
}

struct Tensor {
    std::string name;
    std::vector<std::int64_t> shape;
    int marker = 0;  // value of row r, column c: marker * 2^16 + r * 2^8 + c, exact in float32
    std::string dtype = "F32";
};

float value_of(int marker, std::int64_t row, std::int64_t column) {
    return static_cast<float>(marker * 65536 + row * 256 + column);
}

enum Marker { kEmbed = 1, kQ, kK, kV, kO, kGate, kUp, kDown, kHead, kNorm };

std::vector<Tensor> small_tensors() {
    const std::string layer = "model.layers.0.";
    return {{"lm_head.weight", {96, 64}, kHead},
            {"model.embed_tokens.weight", {96, 64}, kEmbed},
            {layer + "input_layernorm.weight", {64}, kNorm},
            {layer + "mlp.down_proj.weight", {64, 128}, kDown},
            {layer + "mlp.gate_proj.weight", {128, 64}, kGate},
            {layer + "mlp.up_proj.weight", {128, 64}, kUp},
            {layer + "post_attention_layernorm.weight", {64}, kNorm},
            {layer + "self_attn.k_proj.weight", {64, 64}, kK},
            {layer + "self_attn.o_proj.weight", {64, 128}, kO},
            {layer + "self_attn.q_proj.weight", {128, 64}, kQ},
            {layer + "self_attn.v_proj.weight", {64, 64}, kV},
            {"model.norm.weight", {64}, kNorm}};
}

/// A checkpoint file of these tensors.
Checkpoint checkpoint_of(const TempFolder& folder, const std::vector<Tensor>& tensors) {
    std::string header = "{";
    std::string data;
    for (const Tensor& tensor : tensors) {
        const std::size_t begin = data.size();
        const std::int64_t cols = tensor.shape.back();
        const std::int64_t rows = tensor.shape.size() > 1 ? tensor.shape.front() : 1;
        for (std::int64_t i = 0; i < rows * cols; ++i) {
            const float value = value_of(tensor.marker, i / cols, i % cols);
            data.append(reinterpret_cast<const char*>(&value), sizeof value);
        }
        std::string shape;
        for (const std::int64_t extent : tensor.shape) {
            shape += (shape.empty() ? "" : ",") + std::to_string(extent);
        }
        header += (header.size() > 1 ? ",\"" : "\"") + tensor.name + R"(":{"dtype":")" +
                  tensor.dtype + R"(","shape":[)" + shape + R"(],"data_offsets":[)" +
                  std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
    }
    header += "}";
    std::string file(8, '\0');
    const std::uint64_t length = header.size();
    std::memcpy(file.data(), &length, 8);
    return Checkpoint::open(folder.write("model.safetensors", file + header + data));
}

/// A decode program of the small model, placed and loaded in float32 on a mesh.
struct Loaded {
    Loaded(std::string_view mesh_name, const std::vector<Tensor>& tensors,
           const Config& config = small_config())
        : checkpoint(checkpoint_of(folder, tensors)),
          deployment(config, precision_preset("fp32", "", 1), mesh_named(mesh_name),
                     demo_options(1, 64)),
          device(0, deployment.mesh(), deployment.options().device),
          executor(deployment.mesh(), dispatch::device_memory(deployment.mesh().system.chip,
                                                              deployment.options().device)),
          session(device) {
        core::require(!session.place(deployment.decode()), "a small model fits");
        load_weights(*deployment.decode(), session, executor, checkpoint, config, loaded);
    }

    const dispatch::Buffer& buffer(std::string_view name) const {
        for (const dispatch::Buffer& one : deployment.decode()->buffers) {
            if (one.name == name || one.name.ends_with("." + std::string(name))) return one;
        }
        throw core::Error("no buffer " + std::string(name));
    }
    /// Row-major values of one chip's part.
    std::vector<float> values(std::string_view name, std::int32_t chip) const {
        const dispatch::Buffer& one = buffer(name);
        std::vector<float> all(static_cast<std::size_t>(one.spec.shape.elements()));
        tensor::read_rows(one.spec, executor.data(session.persistent(one.name, 0).operand, chip), 0,
                          one.spec.shape.rows(), all.data());
        return all;
    }
    /// Expects element [k, n] of chip `chip` to be `expected(k, n)` for all k and n.
    void expect(std::string_view name, std::int32_t chip,
                const std::function<float(std::int64_t, std::int64_t)>& expected) const {
        const std::vector<float> all = values(name, chip);
        const std::int64_t cols = buffer(name).spec.shape.cols();
        for (std::size_t i = 0; i < all.size(); ++i) {
            const auto at = static_cast<std::int64_t>(i);
            ASSERT_EQ(all[i], expected(at / cols, at % cols))
                << name << " of chip " << chip << " at [" << at / cols << ", " << at % cols << "]";
        }
    }

    TempFolder folder;
    Checkpoint checkpoint;
    Deployment deployment;
    dispatch::MeshDevice device;
    dispatch::Executor executor;
    dispatch::Session session;
    std::set<std::string> loaded;
};

/// Hugging Face row of column n of Meta's interleaved layout, heads of 32: 0, 16, 1, 17, ...
std::int64_t meta_row(std::int64_t n) { return n / 32 * 32 + n % 32 / 2 + n % 2 * 16; }

TEST(LoadWeights, heads_are_permuted_from_hugging_face_to_meta_order) {
    // Rotary pairs are neighbours on the device: (0, 16), (1, 17) ... of each head, q and k only.
    const Loaded model("n150", small_tensors());
    EXPECT_EQ(meta_row(0), 0);
    EXPECT_EQ(meta_row(1), 16);
    EXPECT_EQ(meta_row(2), 1);
    EXPECT_EQ(meta_row(33), 48);
    model.expect("attention.wqkv", 0, [](std::int64_t k, std::int64_t n) {
        if (n < 128) return value_of(kQ, meta_row(n), k);
        if (n < 192) return value_of(kK, meta_row(n - 128), k);
        return value_of(kV, n - 192, k);
    });
}

TEST(LoadWeights, a_shard_of_wqkv_is_its_own_q_k_and_v) {
    // Chip i of 2 holds [q_i | k_i | v_i]: 2 query heads, 1 KV head, 32 columns of v.
    const Loaded model("n300", small_tensors());
    EXPECT_EQ(model.buffer("attention.wqkv").spec.shape.text(), "[64, 128]");
    for (const std::int32_t chip : {0, 1}) {
        model.expect("attention.wqkv", chip, [chip](std::int64_t k, std::int64_t n) {
            if (n < 64) return value_of(kQ, meta_row(chip * 64 + n), k);
            if (n < 96) return value_of(kK, meta_row(chip * 32 + n - 64), k);
            return value_of(kV, chip * 32 + n - 96, k);
        });
    }
}

TEST(LoadWeights, matrices_are_transposed_and_cut_where_they_are_sharded) {
    // [N, K] in the file, [K, N] on the chip: w1 by columns, wo and w2 by rows.
    const Loaded model("n300", small_tensors());
    for (const std::int32_t chip : {0, 1}) {
        model.expect("feed_forward.w1", chip, [chip](std::int64_t k, std::int64_t n) {
            return value_of(kGate, chip * 64 + n, k);
        });
        model.expect("feed_forward.w3", chip, [chip](std::int64_t k, std::int64_t n) {
            return value_of(kUp, chip * 64 + n, k);
        });
        model.expect("feed_forward.w2", chip, [chip](std::int64_t k, std::int64_t n) {
            return value_of(kDown, n, chip * 64 + k);
        });
        model.expect("attention.wo", chip, [chip](std::int64_t k, std::int64_t n) {
            return value_of(kO, n, chip * 64 + k);
        });
    }
}

TEST(LoadWeights, two_axes_cut_both_ways) {
    // 2x4 chips: columns over the rows of the mesh, rows over its columns.
    Config config = small_config();
    config.hidden_size = 128;
    std::vector<Tensor> tensors = small_tensors();
    const std::string layer = "model.layers.0.";
    const auto set = [&tensors](const std::string& name, std::vector<std::int64_t> shape) {
        for (Tensor& tensor : tensors) {
            if (tensor.name == name) tensor.shape = std::move(shape);
        }
    };
    for (const char* name : {"lm_head.weight", "model.embed_tokens.weight"}) set(name, {96, 128});
    for (const char* name : {"input_layernorm.weight", "post_attention_layernorm.weight"}) {
        set(layer + name, {128});
    }
    set("model.norm.weight", {128});
    set(layer + "mlp.down_proj.weight", {128, 128});
    set(layer + "mlp.gate_proj.weight", {128, 128});
    set(layer + "mlp.up_proj.weight", {128, 128});
    set(layer + "self_attn.k_proj.weight", {64, 128});
    set(layer + "self_attn.v_proj.weight", {64, 128});
    set(layer + "self_attn.q_proj.weight", {128, 128});
    set(layer + "self_attn.o_proj.weight", {128, 128});
    const Loaded model("t3k:2x4", tensors, config);
    for (std::int32_t chip = 0; chip < 8; ++chip) {
        const std::int64_t row = chip / 4;
        const std::int64_t col = chip % 4;
        model.expect("feed_forward.w1", chip, [&](std::int64_t k, std::int64_t n) {
            return value_of(kGate, row * 64 + n, col * 32 + k);
        });
        model.expect("feed_forward.w2", chip, [&](std::int64_t k, std::int64_t n) {
            return value_of(kDown, col * 32 + n, row * 64 + k);
        });
        model.expect("attention.wqkv", chip, [&](std::int64_t k, std::int64_t n) {
            if (n < 64) return value_of(kQ, meta_row(row * 64 + n), col * 32 + k);
            if (n < 96) return value_of(kK, meta_row(row * 32 + n - 64), col * 32 + k);
            return value_of(kV, row * 32 + n - 96, col * 32 + k);
        });
        model.expect("attention_norm.sharded", chip, [&](std::int64_t, std::int64_t n) {
            return value_of(kNorm, 0, col * 32 + n);
        });
        model.expect("tok_embeddings", chip, [&](std::int64_t token, std::int64_t n) {
            return value_of(kEmbed, token, col * 32 + n);
        });
    }
}

TEST(LoadWeights, padded_heads_come_from_their_sources_or_are_zeros) {
    // 3 heads over one KV head on two chips are 4 over 2: chip 0 has queries 0 and 1, chip 1 has
    // query 2 and a head of zeros, both have the KV head; rows of wo go with the queries.
    Config config = small_config();
    config.num_attention_heads = 3;
    config.num_key_value_heads = 1;
    std::vector<Tensor> tensors = small_tensors();
    for (Tensor& tensor : tensors) {
        if (tensor.marker == kQ) tensor.shape = {96, 64};
        if (tensor.marker == kK || tensor.marker == kV) tensor.shape = {32, 64};
        if (tensor.marker == kO) tensor.shape = {64, 96};
    }
    const Loaded model("n300", tensors, pad_heads(config, 2));
    EXPECT_EQ(model.buffer("attention.wqkv").global.shape.text(), "[64, 256]");
    for (const std::int32_t chip : {0, 1}) {
        model.expect("attention.wqkv", chip, [chip](std::int64_t k, std::int64_t n) {
            const bool zeros = chip == 1 && n >= 32 && n < 64;
            if (n < 64) return zeros ? 0.0F : value_of(kQ, meta_row(chip * 64 + n), k);
            if (n < 96) return value_of(kK, meta_row(n - 64), k);
            return value_of(kV, n - 96, k);
        });
        model.expect("attention.wo", chip, [chip](std::int64_t k, std::int64_t n) {
            return chip == 1 && k >= 32 ? 0.0F : value_of(kO, n, chip * 64 + k);
        });
    }
}

TEST(LoadWeights, padded_channels_of_a_feed_forward_are_zeros) {
    // 128 channels stored as 192: columns of w1 and w3 and rows of w2 from 128 on.
    const Config padded = pad_feed_forward(small_config(), "", 2, 3);
    EXPECT_EQ(padded.intermediate_size, 192);
    const Loaded model("n300", small_tensors(), padded);
    for (const std::int32_t chip : {0, 1}) {
        model.expect("feed_forward.w1", chip, [chip](std::int64_t k, std::int64_t n) {
            const std::int64_t channel = chip * 96 + n;
            return channel < 128 ? value_of(kGate, channel, k) : 0.0F;
        });
        model.expect("feed_forward.w2", chip, [chip](std::int64_t k, std::int64_t n) {
            const std::int64_t channel = chip * 96 + k;
            return channel < 128 ? value_of(kDown, n, channel) : 0.0F;
        });
    }
}

TEST(LoadWeights, the_padded_columns_of_the_head_are_zero) {
    // 96 tokens on 2 chips are 128 columns: the second chip has 32 of them and 32 zeros.
    const Loaded model("n300", small_tensors());
    EXPECT_EQ(model.buffer("output.lm_head").spec.shape.text(), "[64, 64]");
    for (const std::int32_t chip : {0, 1}) {
        model.expect("output.lm_head", chip, [chip](std::int64_t k, std::int64_t n) {
            const std::int64_t token = chip * 64 + n;
            return token < 96 ? value_of(kHead, token, k) : 0.0F;
        });
    }
}

TEST(LoadWeights, tied_models_use_the_embedding_as_their_head) {
    // No lm_head.weight in the file, and none is asked for.
    Config config = small_config();
    config.tie_word_embeddings = true;
    std::vector<Tensor> tensors = small_tensors();
    tensors.erase(tensors.begin());
    const Loaded model("n150", tensors, config);
    model.expect("output.lm_head", 0, [](std::int64_t k, std::int64_t n) {
        return n < 96 ? value_of(kEmbed, n, k) : 0.0F;
    });
}

TEST(LoadWeights, loads_every_weight_once) {
    // Prefill shares decode's buffers: nothing is read again, and what was changed stays.
    Loaded model("n150", small_tensors());
    const std::size_t count = model.loaded.size();
    EXPECT_EQ(count, 12u);  // 5 matrices, 3 norms, embedding, head, cos and sin
    const dispatch::Operand& w2 =
        model.session.persistent(model.buffer("feed_forward.w2").name, 0).operand;
    std::memset(model.executor.data(w2, 0), 0, 4);
    load_weights(*model.deployment.decode(), model.session, model.executor, model.checkpoint,
                 small_config(), model.loaded);
    EXPECT_EQ(model.loaded.size(), count);
    EXPECT_EQ(model.values("feed_forward.w2", 0)[0], 0.0F);
}

/// The error of loading the small model with one tensor changed.
std::string error_with(const std::string& name, const std::function<void(Tensor&)>& change) {
    std::vector<Tensor> tensors = small_tensors();
    for (Tensor& tensor : tensors) {
        if (tensor.name == name) change(tensor);
    }
    return error_text([&] { Loaded("n300", tensors); });
}

TEST(LoadWeights, a_tensor_of_another_shape_or_type_is_named) {
    // A checkpoint of another model must not be run with what happens to be there.
    const std::string gate = "model.layers.0.mlp.gate_proj.weight";
    const std::string shape = error_with(gate, [](Tensor& tensor) { tensor.shape = {96, 64}; });
    EXPECT_NE(shape.find(gate), shape.npos) << shape;
    EXPECT_NE(shape.find("model.safetensors"), shape.npos) << shape;
    EXPECT_NE(shape.find("[128, 64]"), shape.npos) << shape;
    EXPECT_NE(shape.find("[96, 64]"), shape.npos) << shape;

    const std::string type = error_with(gate, [](Tensor& tensor) { tensor.dtype = "I32"; });
    EXPECT_NE(type.find(gate), type.npos) << type;
    EXPECT_NE(type.find("I32"), type.npos) << type;

    const std::string missing = error_with(gate, [](Tensor& tensor) { tensor.name = "other"; });
    EXPECT_NE(missing.find(gate), missing.npos) << missing;
}

TEST(LoadWeights, rotary_tables_are_cosines_and_sines_of_neighbouring_pairs) {
    // Columns 2i and 2i + 1 turn together: angle = position / theta^(2i / head_dim).
    const Loaded model("n150", small_tensors());
    const std::vector<float> cosine = model.values("rope.cos", 0);
    const std::vector<float> sine = model.values("rope.sin", 0);
    ASSERT_EQ(cosine.size(), 64u * 32u);
    for (std::size_t position = 0; position < 64; ++position) {
        for (std::size_t column = 0; column < 32; ++column) {
            const double angle = static_cast<double>(position) *
                                 std::pow(10000.0, -static_cast<double>(column / 2 * 2) / 32.0);
            // Angles are float32, as Hugging Face makes them: 63 x 2^-24 = 4e-6.
            EXPECT_NEAR(cosine[position * 32 + column], std::cos(angle), 5e-6);
            EXPECT_NEAR(sine[position * 32 + column], std::sin(angle), 5e-6);
        }
    }
}

// --- assemble ---

TEST(Assemble, puts_the_parts_of_every_chip_together) {
    // Rows over the columns of a 2x2 mesh, columns over its rows; and a replicated axis once.
    using tensor::Placement;
    dispatch::Buffer buffer;
    buffer.global = {{4, 64}, tensor::DType::Float32, tensor::Layout::Tile};
    const auto pack = [&buffer](int marker) {
        std::vector<std::byte> bytes(static_cast<std::size_t>(buffer.spec.bytes().value));
        std::vector<float> values(static_cast<std::size_t>(buffer.spec.shape.elements()),
                                  static_cast<float>(marker));
        tensor::write_rows(buffer.spec, bytes.data(), 0, buffer.spec.shape.rows(), values.data(),
                           tensor::Packer::Host);
        return bytes;
    };
    const auto corners = [](const std::vector<float>& all) {
        return std::vector<float>{all[0], all[63], all[3 * 64], all[3 * 64 + 63]};
    };
    buffer.placement = {Placement::sharded(1), Placement::sharded(0)};
    buffer.spec = {{2, 32}, tensor::DType::Float32, tensor::Layout::Tile};
    EXPECT_EQ(corners(assemble(buffer, {2, 2}, {pack(1), pack(2), pack(3), pack(4)})),
              (std::vector<float>{1, 3, 2, 4}));

    buffer.placement = {Placement::replicated(), Placement::sharded(1)};
    buffer.spec = {{4, 32}, tensor::DType::Float32, tensor::Layout::Tile};
    EXPECT_EQ(corners(assemble(buffer, {2, 2}, {pack(1), pack(2), {}, {}})),
              (std::vector<float>{1, 2, 1, 2}));
}

}  // namespace
}  // namespace model::testing
