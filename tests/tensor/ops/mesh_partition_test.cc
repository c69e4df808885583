#include "tensor/ops/mesh_partition.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

TEST(MeshPartition, takes_the_chips_part_of_any_axis) {
    // The parts of all chips, put together, are the value.
    const Held x = random_held(tiled({3, 6, 9}), 1);
    for (const int dim : {0, 1, 2}) {
        std::vector<Held> parts;
        for (std::int32_t chip = 0; chip < 3; ++chip) {
            Bindings bindings;
            bindings.coord = {0, chip};
            parts.push_back(run_counted(MeshPartition{1, dim, 3}, {x}, bindings)[0]);
            EXPECT_EQ(parts.back().values(), shard(x, along(dim), chip, 3).values()) << dim;
        }
        EXPECT_EQ(combine(parts, along(dim)), x.values());
    }
}

TEST(MeshPartition, parts_that_are_not_equal_are_reported) {
    // 5 users do not go on 3 chips.
    EXPECT_EQ(infer_error(MeshPartition{0, 0, 3}, {tiled({5, 9})}),
              "MeshPartition: x: expected axis 0 in 3 equal parts, got [5, 9]");
}

TEST(MeshPartition, passes_whole_values_and_columns_through) {
    // Along the other mesh axis the width may be sharded.
    expect_split(MeshPartition{0, 0, 3}, {tiled({6, 9})}, {along(1)}, {along(1)}, {along(1)});
    expect_split(MeshPartition{0, 0, 3}, {tiled({6, 9})}, {kPart}, {kWhole}, {kWhole});
}

}  // namespace
}  // namespace tensor::testing
