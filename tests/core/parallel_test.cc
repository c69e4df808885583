// Every task runs once, and the error is that of the first task in order on any schedule.
#include "core/parallel.h"

#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <vector>

#include "core/error.h"

TEST(ParallelFor, runs_every_task_once) {
    std::vector<std::atomic<int>> runs(1000);
    core::parallel_for(runs.size(), [&](std::size_t i) { ++runs[i]; });
    for (const std::atomic<int>& count : runs) EXPECT_EQ(count, 1);
    core::parallel_for(0, [](std::size_t) { FAIL(); });
}

TEST(ParallelFor, throws_the_error_of_the_first_task_that_fails) {
    for (int repeat = 0; repeat < 50; ++repeat) {
        std::vector<std::atomic<int>> runs(1000);
        std::string caught;
        try {
            core::parallel_for(runs.size(), [&](std::size_t i) {
                ++runs[i];
                if (i % 100 == 37) throw core::Error("task " + std::to_string(i));
            });
        } catch (const core::Error& error) {
            caught = error.what();
        }
        EXPECT_EQ(caught, "task 37");
        for (std::size_t i = 0; i <= 37; ++i) EXPECT_EQ(runs[i], 1) << i;
    }
}
