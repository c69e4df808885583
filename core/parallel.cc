// A task is left out only when one before it has failed, so the first that fails always runs.
#include "core/parallel.h"

#include <tbb/parallel_for.h>

#include <exception>
#include <mutex>

namespace core {

namespace {

/// The failure of the lowest index so far.
class FirstFailure {
public:
    explicit FirstFailure(std::size_t count) : index_(count) {}

    bool is_before(std::size_t index) {
        const std::scoped_lock lock(mutex_);
        return index_ < index;
    }

    void note(std::size_t index) {
        const std::scoped_lock lock(mutex_);
        if (index >= index_) return;
        index_ = index;
        error_ = std::current_exception();
    }

    void rethrow() const {
        if (error_ != nullptr) std::rethrow_exception(error_);
    }

private:
    std::mutex mutex_;
    std::size_t index_;
    std::exception_ptr error_;
};

}  // namespace

void parallel_for(std::size_t count, const std::function<void(std::size_t)>& task) {
    FirstFailure failure(count);
    tbb::parallel_for(std::size_t{0}, count, [&](std::size_t i) {
        if (failure.is_before(i)) return;
        try {
            task(i);
        } catch (...) {
            failure.note(i);
        }
    });
    failure.rethrow();
}

}  // namespace core
