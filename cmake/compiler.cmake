# Flags of every target of the project. Instruction sets above the x86-64 baseline are chosen at
# run time by Highway, so there is no -march=native and a binary runs on any machine.
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)

set(CMAKE_CXX_FLAGS_RELEASE "-O2 -g0 -DNDEBUG")
set(CMAKE_CXX_FLAGS_RELWITHDEBINFO "-O1 -g1")

# A product and a sum fuse only where the source says so: the same bits on every instruction set.
add_compile_options(-ffp-contract=off)

if(TESSERA_SANITIZE)
    # The release build judges the same sources for warnings; instrumented code adds false ones.
    list(JOIN TESSERA_SANITIZE "," sanitizers)
    add_compile_options(-fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
    add_link_options(-fsanitize=${sanitizers})
else()
    add_compile_options(-Wall -Wextra -Wconversion -Wshadow -Werror)
    # g++ 12 sees overlaps in std::string that are not there (GCC bug 105651).
    add_compile_options(-Wno-restrict)
endif()

find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
    set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()
