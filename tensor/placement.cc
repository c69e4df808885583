// The words for a placement, as reports and tests print them.
#include "tensor/placement.h"

namespace tensor {

std::string Placement::text() const {
    switch (kind_) {
        case Kind::Replicated:
            return "Replicated";
        case Kind::Sharded:
            return "Sharded(" + std::to_string(dim_) + ")";
        case Kind::Partial:
            return "Partial";
    }
    return {};
}

}  // namespace tensor
