// Reading the golden vectors of the number formats: hexadecimal words in JSON files.
#pragma once

#include <bit>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "tensor/dtype.h"

namespace golden {

inline nlohmann::json load(const std::string& name) {
    const std::string path = std::string(TESSERA_SOURCE_DIR "/tests/data/numerics/") + name;
    std::ifstream file(path);
    if (!file) throw std::runtime_error("cannot open " + path);
    return nlohmann::json::parse(file);
}

inline std::uint32_t word(const nlohmann::json& hex) {
    return static_cast<std::uint32_t>(std::stoul(hex.get<std::string>(), nullptr, 16));
}

inline float fp32(const nlohmann::json& hex) { return std::bit_cast<float>(word(hex)); }

inline constexpr tensor::DType kBlockFloats[] = {tensor::DType::BFloat8_b, tensor::DType::BFloat4_b,
                                                 tensor::DType::BFloat2_b};

inline tensor::DType block_float(const std::string& name) {
    const auto dtype = tensor::parse_dtype(name);
    if (!dtype) throw std::runtime_error("unknown format " + name);
    return *dtype;
}

/// "bfp8_b", as the files name the formats.
inline std::string key(tensor::DType dtype) { return std::string(tensor::name(dtype)) + "_b"; }

}  // namespace golden
