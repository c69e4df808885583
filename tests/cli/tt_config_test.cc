#include "cli/tt_config.h"

#include <gtest/gtest.h>

#include "core/error.h"

namespace {

std::string message_of(const std::string& text) {
    try {
        cli::parse_tt_config(text);
    } catch (const core::Error& error) {
        return error.what();
    }
    return "no error";
}

TEST(TtConfig, the_block_of_the_70b_galaxy_server_is_read) {
    // tenstorrent/tt-inference-server: release_model_spec.json, Llama-70B on Galaxy.
    const cli::TtConfig config = cli::parse_tt_config(
        R"({"dispatch_core_axis": "col", "sample_on_device_mode": "all",
            "fabric_config": "FABRIC_1D_RING", "worker_l1_size": 1344544,
            "trace_region_size": 184915840})");
    EXPECT_EQ(config.trace_region_size, 184915840);
    EXPECT_EQ(config.worker_l1_size, 1344544);
    EXPECT_EQ(config.dispatch_core_axis, mesh::DispatchAxis::Column);
    EXPECT_EQ(config.without_effect,
              (std::vector<std::string>{"fabric_config", "sample_on_device_mode"}));
    EXPECT_FALSE(config.l1_small_size.has_value());
}

TEST(TtConfig, wrong_values_are_named) {
    EXPECT_NE(message_of("[1]").find("--override-tt-config"), std::string::npos);
    EXPECT_NE(message_of("{").find("--override-tt-config"), std::string::npos);
    EXPECT_NE(message_of(R"({"trace_region_size": -1})").find("trace_region_size"),
              std::string::npos);
    EXPECT_NE(message_of(R"({"trace_region_size": "50MB"})").find("trace_region_size"),
              std::string::npos);
    EXPECT_NE(message_of(R"({"dispatch_core_axis": "up"})").find("\"row\" or \"col\""),
              std::string::npos);
    EXPECT_NE(message_of(R"({"num_command_queues": 3})").find("num_command_queues"),
              std::string::npos);
}

}  // namespace
