// The binary: hands the world (topology folder, environment) to the command line.
#include <cstdlib>

#include "cli/options.h"

int main(int argc, char** argv) {
    const char* topologies = std::getenv("TESSERA_TOPOLOGIES");
    const char* mesh = std::getenv("MESH_DEVICE");
    const char* cores = std::getenv("PAD_MLP_CORES");
    const char* cache = std::getenv("TT_CACHE_PATH");
    const cli::World world{{topologies != nullptr ? topologies : cli::default_topologies(),
                            std::make_shared<fabric::Loaded>()},
                           mesh != nullptr ? mesh : "",
                           cores != nullptr ? cores : "",
                           cache != nullptr ? cache : ""};
    return cli::run_command_line(argc, argv, world);
}
