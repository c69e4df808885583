#include "tensor/ops/embedding.h"

#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

const Spec kTable{Shape{7, 99}, DType::BFloat16, Layout::RowMajor};

TEST(Embedding, takes_a_row_per_id) {
    // Ids repeat and come in any order.
    const std::vector<std::uint32_t> ids{6, 0, 3, 3, 1};
    for (const DType dtype : {DType::Float32, DType::BFloat16, DType::BFloat8_b}) {
        check_numbers(Embedding{dtype}, {ids_held(ids), random_held(kTable, 1)}, {},
                      [&](const auto& in) {
                          Doubles y;
                          for (const std::uint32_t id : ids) {
                              const auto row = in[1].begin() + id * 99;
                              y.insert(y.end(), row, row + 99);
                          }
                          return std::vector<Doubles>{y};
                      });
    }
}

TEST(Embedding, a_shard_of_the_width_gives_a_shard_of_the_width) {
    // The residual stream starts out sharded.
    const std::vector<Held> in{ids_held({6, 0, 3}), random_held(kTable, 1)};
    check_sharded(Embedding{DType::BFloat16}, in, {}, {{kWhole, along(1)}, {along(1)}});
    check_sharded(Embedding{DType::BFloat16}, in, {}, {{kWhole, kWhole}, {kWhole}});
    expect_split(Embedding{}, specs_of(in), {along(0), kWhole}, {kWhole, kWhole}, {kWhole});
    EXPECT_NE(split_error(Embedding{}, specs_of(in), {kWhole, along(0)}), "");
}

TEST(Embedding, an_id_outside_the_table_is_reported) {
    // A tokenizer of another model must not read past the table.
    EXPECT_EQ(error_of([] {
                  run_counted(Embedding{}, {ids_held({1, 7}), random_held(kTable, 1)}, {});
              }),
              "Embedding: ids[1]: expected an id below 7, got 7");
    EXPECT_EQ(infer_error(Embedding{}, {tiled({3}), kTable}),
              "Embedding: ids: expected row-major uint32, got fp32");
    EXPECT_EQ(infer_error(Embedding{}, {ids_held({1}).spec, tiled({7, 99})}),
              "Embedding: table: expected a row-major table, got tile layout");
}

TEST(Embedding, reads_one_row_per_id) {
    // Not the table.
    const std::vector<Spec> specs{ids_held({1, 2, 3, 4, 5}).spec, kTable};
    const Work counted = work(Embedding{}, specs, {});
    EXPECT_EQ(counted.reads[0].value, 5 * 4);
    EXPECT_EQ(counted.reads[1].value, 5 * 99 * 2);
    EXPECT_EQ(counted.writes[0].value, 4 * 2048);
}

}  // namespace
}  // namespace tensor::testing
