// Rows of tokens on their way to the chips of their experts and back, on real data: the two
// all-to-alls around experts that are shared out over the chips of an axis.
// Invariant: a row goes once to every chip that holds one of its experts, whatever else it holds.
// Semantics: tenstorrent/tt-metal ttnn/cpp/ttnn/operations/ccl, all_to_all_dispatch and
// all_to_all_combine (with its local reduction). Rows travel in bf16, or in float32.
#pragma once

#include <cstdint>
#include <span>

#include "dispatch/program.h"
#include "dispatch/transport.h"
#include "tensor/view.h"

namespace dispatch {

/// What a row of `columns` values of `dtype` takes on the wire.
core::Bytes exchanged_row(std::int64_t columns, tensor::DType dtype);

/// Carries out a command of Form::Dispatch or Form::Combine in one group: `chips[r]`, `in[r]`,
/// `out[r]` and `routing[r]` belong to rank r. Of all rows the first `valid` hold tokens. The
/// command's plan has the rows of balanced routing; here go those that were routed.
void exchange_rows(const CollectiveCommand& command, std::int64_t valid,
                   std::span<const std::int32_t> chips, std::span<const tensor::View> in,
                   std::span<const tensor::View> routing, std::span<const tensor::View> out,
                   Transport& transport);

}  // namespace dispatch
