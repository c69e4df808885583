// The shape of every verb's --json: keys and kinds of values, held against tests/data/cli.
// Numbers and texts are masked; arrays show each kind of element once. A change here is a change
// of the contract: raise schema_version when a key goes or changes its kind.
#include <gtest/gtest.h>

#include <algorithm>

#include "tests/cli/command.h"
#include "tests/core/temp_folder.h"

namespace {

Json shape_of(const Json& value) {
    if (value.is_object()) {
        Json shape = Json::object();
        for (const auto& [key, member] : value.items()) shape[key] = shape_of(member);
        return shape;
    }
    if (value.is_array()) {
        Json kinds = Json::array();
        for (const Json& element : value) {
            Json kind = shape_of(element);
            if (std::find(kinds.begin(), kinds.end(), kind) == kinds.end()) kinds.push_back(kind);
        }
        return kinds;
    }
    if (value.is_number_integer()) return "integer";
    if (value.is_number()) return "number";
    if (value.is_string()) return "text";
    return value.is_boolean() ? Json("boolean") : Json(nullptr);
}

void expect_shape(const Json& json, const std::string& golden) {
    const std::string found = shape_of(json).dump(1) + "\n";
    const std::filesystem::path file =
        std::filesystem::path(TESSERA_SOURCE_DIR "/tests/data/cli") / golden;
    ASSERT_TRUE(std::filesystem::exists(file)) << golden << " should be:\n" << found;
    EXPECT_EQ(found, read_file(file)) << golden;
    EXPECT_EQ(json.at("schema_version"), 1);
    EXPECT_EQ(json.at("constants").get<std::string>().size(), 16u);
}

TEST(JsonShape, run) {
    // The document most scripts read.
    const Json json =
        document(run_demo("n300", "performance", 4, {"--prompt", "A", "--batch", "2"}));
    EXPECT_EQ(json.at("verb"), "run");
    expect_shape(json, "run.json");
}

TEST(JsonShape, eval) {
    // With hidden states, so that every key is there.
    const Json json = document({"eval", kDemo, "--mesh", "n150", "--reference", kLayersReference,
                                "--prefill", "120", "--precision", "bf16"});
    EXPECT_EQ(json.at("verb"), "eval");
    expect_shape(json, "eval.json");
}

TEST(JsonShape, demo) {
    // Two batches and a reference, so that every key is there.
    const Json json = document({"demo", kDemo, "--mesh", "n300", "--repeat_batches", "2",
                                "--max_generated_tokens", "2", "--token_accuracy", "--reference",
                                kLayersReference});
    EXPECT_EQ(json.at("verb"), "demo");
    expect_shape(json, "demo.json");
}

TEST(JsonShape, check_that_fits) {
    // The yes.
    const Json json = document({"check", kDemo, "--mesh", "n300"});
    EXPECT_EQ(json.at("verb"), "check");
    expect_shape(json, "check.json");
}

TEST(JsonShape, check_that_does_not_split) {
    // The no: memory is not planned, reasons and options are there.
    const Json json = document({"check", kDemo, "--mesh", "galaxy:1x32"}, 1);
    expect_shape(json, "check_no.json");
}

TEST(JsonShape, sim) {
    // The keys of breakdown_ms are the names of the ops as the profiler prints them.
    const Json json = document({"sim", kDemo, "--mesh", "n300"});
    EXPECT_EQ(json.at("verb"), "sim");
    expect_shape(json, "sim.json");
}

TEST(JsonShape, ccl) {
    // A time that was measured nearby, so that its error is an object.
    const Json json = document({"ccl", "all_gather", "--mesh", "t3k", "--bytes", "1048576"});
    EXPECT_EQ(json.at("verb"), "ccl");
    expect_shape(json, "ccl.json");
}

TEST(JsonShape, topo) {
    // A system without problems.
    const Json json = document({"topo", "show", "t3k"});
    EXPECT_EQ(json.at("verb"), "topo");
    expect_shape(json, "topo.json");
}

TEST(JsonShape, topo_of_a_mesh_that_falls_apart) {
    // The no carries the problems and nothing that would need a mesh.
    const TempFolder folder;
    const std::string file =
        folder.write("apart.yaml", "base: n300\ntitle: a lost chip\ncut: [[0, 1]]\n").string();
    expect_shape(document({"topo", "check", file}, 1), "topo_no.json");
}

TEST(JsonShape, validate_of_yes_and_no) {
    // With rows, so that every key is there; a table of yes and no has no errors in percent.
    const TempFolder folder;
    const std::string table =
        folder
            .write("t.csv",
                   "model,device,max_context_tokens,fits\nLlama-3.1-8B,N150,1024,yes\n"
                   "Llama-3.1-70B,N150,1024,no\nNobody-1B,N150,1024,yes\n")
            .string();
    expect_shape(document({"validate", table, "--rows"}), "validate.json");
}

TEST(JsonShape, validate_of_sizes) {
    // A table of sizes has no shares of yes and no.
    const TempFolder folder;
    const std::string table =
        folder.write("t.csv", "model,device,max_prefill_chunk_k_tokens\nLlama-3.1-8B,N150,4\n")
            .string();
    expect_shape(document({"validate", table}), "validate_sizes.json");
}

TEST(JsonShape, validate_of_times) {
    // Errors of ours and of the closed form; a skipped row has neither.
    const TempFolder folder;
    const std::string table =
        folder
            .write("t.csv",
                   "system,op,topology,n_devices,num_links_per_direction,size_bytes,time_us\n"
                   "T3K,all_gather,ring,8,1,1048576,69.56\nT3K,gossip,ring,8,1,1048576,69.56\n")
            .string();
    expect_shape(document({"validate", table, "--rows", "--null"}), "validate_times.json");
}

}  // namespace
