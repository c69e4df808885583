# Debian 12 packages only; nothing is downloaded. scripts/deps.sh installs what is missing.
#
#   what                 target to link                       package
#   oneTBB               TBB::tbb                             libtbb-dev
#   fmt                  fmt::fmt                             libfmt-dev
#   spdlog               spdlog::spdlog (cli and serve only)  libspdlog-dev
#   hwloc                PkgConfig::HWLOC                     libhwloc-dev
#   Boost (headers)      Boost::headers                       libboost-dev
#   nlohmann-json        nlohmann_json::nlohmann_json         nlohmann-json3-dev
#   yaml-cpp             yaml-cpp                             libyaml-cpp-dev
#   protobuf             tessera_protobuf (below)             libprotobuf-dev protobuf-compiler
#   CLI11                CLI11::CLI11                         libcli11-dev
#   PCRE2                PkgConfig::PCRE2                     libpcre2-dev
#   Highway              PkgConfig::HWY                       libhwy-dev
#   ICU                  ICU::uc ICU::i18n                    libicu-dev
#   SentencePiece        PkgConfig::SENTENCEPIECE             libsentencepiece-dev
#   SQLite               SQLite::SQLite3                      libsqlite3-dev
#   GoogleTest           GTest::gtest GTest::gtest_main       libgtest-dev
#   Google Benchmark     benchmark::benchmark_main            libbenchmark-dev
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(TBB 2021 REQUIRED)
find_package(fmt 9 REQUIRED)
find_package(spdlog 1.10 REQUIRED)
find_package(Boost 1.74 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(yaml-cpp 0.7 REQUIRED)
find_package(Protobuf 3.21 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(SQLite3 3.40 REQUIRED)
find_package(ICU 72 QUIET REQUIRED COMPONENTS uc i18n)
pkg_check_modules(HWLOC REQUIRED IMPORTED_TARGET hwloc>=2.9)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8>=10.42)
pkg_check_modules(SENTENCEPIECE REQUIRED IMPORTED_TARGET sentencepiece>=0.1.97)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy>=1.0.3)
if(TESSERA_TESTS)
    find_package(GTest 1.12 REQUIRED)
endif()
if(TESSERA_BENCH)
    find_package(benchmark 1.7 REQUIRED)
endif()

# libsentencepiece.so holds a protobuf of its own (3.14): with libprotobuf.so in the same process one
# of the two would call into the other. Ours is linked statically, and no program exports it.
find_library(PROTOBUF_ARCHIVE NAMES libprotobuf.a REQUIRED)
add_library(tessera_protobuf INTERFACE)
target_include_directories(tessera_protobuf SYSTEM INTERFACE ${Protobuf_INCLUDE_DIRS})
target_link_libraries(tessera_protobuf INTERFACE ${PROTOBUF_ARCHIVE})
target_link_options(tessera_protobuf INTERFACE
    "LINKER:--version-script=${CMAKE_CURRENT_LIST_DIR}/hide_protobuf.map")
