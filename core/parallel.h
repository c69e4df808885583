// Independent tasks on all threads whose failure does not depend on how they were scheduled.
// Invariant: of the tasks that throw, the error of the first in order is the one that is thrown.
#pragma once

#include <cstddef>
#include <functional>

namespace core {

/// `task(i)` for every i below `count`, on the threads of the process. When tasks throw, those
/// before the first that does have all run, some behind it may not have, and its error is thrown.
void parallel_for(std::size_t count, const std::function<void(std::size_t)>& task);

}  // namespace core
