// Weights of other float types than bfloat16: what a run makes of them depends on their values
// only.
#include <cmath>
#include <cstring>
#include <fstream>

#include "model/reference.h"
#include "tests/core/temp_folder.h"
#include "tests/model/model_fixture.h"

namespace model::testing {
namespace {

/// IEEE half of a value that has one, rounded towards zero otherwise.
std::uint16_t to_half(float value) {
    if (value == 0) return 0;
    int exponent = 0;
    const float magnitude = std::frexp(std::abs(value), &exponent);  // [0.5, 1)
    const std::uint16_t sign = value < 0 ? 0x8000 : 0;
    if (exponent < -13) {  // subnormal: units of 2^-24
        return static_cast<std::uint16_t>(
            sign | static_cast<std::uint16_t>(std::ldexp(std::abs(value), 24)));
    }
    const auto mantissa = static_cast<std::uint16_t>(std::ldexp(magnitude, 11)) & 0x3ffU;
    return static_cast<std::uint16_t>(sign | (static_cast<unsigned>(exponent + 14) << 10) |
                                      mantissa);
}

/// The fixture with its values as halves, stored in `type`.
void write_as(StoredType type, const std::filesystem::path& folder) {
    const std::filesystem::path fixture = project_file("tests/data/fixtures/llama3-scaled-rope");
    const Checkpoint from = Checkpoint::open(fixture);
    std::string header;
    std::string data;
    for (const std::string& tensor : from.names()) {
        const TensorView& view = from.at(tensor);
        std::vector<float> values(static_cast<std::size_t>(view.elements()));
        to_floats(view, 0, view.elements(), values.data());
        const std::size_t begin = data.size();
        for (const float value : values) {
            const std::uint16_t half = to_half(value);
            const float wide = f16_to_float(half);
            if (type == StoredType::F16) {
                data.append(reinterpret_cast<const char*>(&half), sizeof half);
            } else {
                data.append(reinterpret_cast<const char*>(&wide), sizeof wide);
            }
        }
        std::string shape;
        for (const std::int64_t axis : view.shape) {
            shape += (shape.empty() ? "" : ",") + std::to_string(axis);
        }
        header += (header.empty() ? "{\"" : ",\"") + tensor + "\":{\"dtype\":\"" +
                  std::string(name(type)) + "\",\"shape\":[" + shape + "],\"data_offsets\":[" +
                  std::to_string(begin) + "," + std::to_string(data.size()) + "]}";
    }
    header += "}";
    std::string length(8, '\0');
    const std::uint64_t bytes = header.size();
    std::memcpy(length.data(), &bytes, sizeof bytes);
    std::ofstream(folder / "model.safetensors", std::ios::binary) << length << header << data;
    std::filesystem::copy_file(fixture / "config.json", folder / "config.json",
                               std::filesystem::copy_options::overwrite_existing);
}

Logits logits_of(const std::filesystem::path& folder) {
    const Config config = load_config(folder);
    DeploymentOptions options;
    options.context = 64;
    Deployment deployment(config, precision_preset("fp32", "", 2), mesh_named("n300"), options);
    const Checkpoint checkpoint = Checkpoint::open(folder);
    Replica replica(deployment, checkpoint, Replica::Trace::Off);
    const std::vector<std::int32_t> prompt{1, 20, 33, 4, 57};
    return replica.prefill(0, prompt);
}

TEST(StoredWeights, halves_and_the_same_numbers_in_fp32_give_the_same_logits) {
    const TempFolder folder;
    write_as(StoredType::F16, folder.path());
    const Logits halves = logits_of(folder.path());
    write_as(StoredType::F32, folder.path());
    ASSERT_EQ(halves.size(), 256u);
    EXPECT_EQ(halves, logits_of(folder.path()));
    // Nearly those of the bfloat16 fixture, whose values mostly are halves as well: rounding moves
    // them by less than 2^-10 of each weight.
    const Logits original = logits_of(project_file("tests/data/fixtures/llama3-scaled-rope"));
    EXPECT_GT(pcc(halves, original), 0.9999);
}

}  // namespace
}  // namespace model::testing
