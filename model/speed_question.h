// A whole model's speed as tables ask for it: one network on one data-parallel group of a device.
// The only place where tables of speeds meet model::estimate.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "model/estimate.h"
#include "model/validate.h"
#include "model/validate_models.h"

namespace model {

struct Prompts {
    std::int64_t tokens = 0;
    std::int64_t users = 0;
};

struct SpeedQuestion {
    KnownModel model;
    std::string device;  // as the table spells it
    fabric::Mesh mesh;   // of one data-parallel group
    std::string software = "tt-transformers";
    std::string precision = "performance";  // a preset, or the text of --optimizations
    std::int64_t batch = 1;                 // of a group
    std::vector<Prompts> prompts{};         // of all users, where they differ
    dispatch::Release release = dispatch::Release::R2025;
    core::Bytes trace_region;
    EstimateOptions run;

    /// "Llama-3.1-8B (Llama-3.1-8B-Instruct) on N150, 1 user, performance, 128 + 200 tokens".
    std::string text() const;
};

enum class SpeedOf { Decode, FirstToken };

/// The config a text run uses: cross-attention layers are for images and are left out.
Config text_config(const SpeedQuestion& question);
/// Tokens per second of a user, or the time to the first token in ms times `users_before`. Throws
/// core::Error.
Answer speed_answer(const SpeedQuestion& question, SpeedOf value, std::int64_t users_before = 1);

}  // namespace model
