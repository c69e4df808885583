// The prefetcher's op moves no value and counts nothing: its products do.
#include "tensor/ops/prefetch.h"

#include <gtest/gtest.h>

#include "tensor/op.h"
#include "tests/tensor/ops/op_case.h"

namespace tensor::testing {
namespace {

const Spec kWeight{{64, 96}, DType::BFloat8_b};

TEST(Prefetch, has_no_output_and_counts_nothing) {
    const std::vector<Spec> in{kWeight, kWeight};
    EXPECT_TRUE(infer(Op{Prefetch{10}}, in).empty());
    const Work work = tensor::work(Op{Prefetch{10}}, in, {});
    EXPECT_EQ(work.bytes_read().value, 0);
    EXPECT_EQ(work.bytes_written().value, 0);
    EXPECT_EQ(work.tile_products, 0);
    EXPECT_EQ(name(Op{Prefetch{10}}), "DramPrefetcher");
}

TEST(Prefetch, streams_the_part_of_each_chip) {
    const std::vector<Spec> in{kWeight};
    const std::vector<Placement> placed{Placement::sharded(1)};
    EXPECT_EQ(split(Op{Prefetch{1}}, in, placed).inputs, placed);
}

TEST(Prefetch, fewer_weights_than_a_layer_has_are_refused) {
    const std::vector<Spec> in{kWeight, kWeight};
    EXPECT_THROW(infer(Op{Prefetch{1}}, in), core::Error);
    EXPECT_THROW(infer(Op{Prefetch{1}}, {}), core::Error);
}

}  // namespace
}  // namespace tensor::testing
