// A run that never ends because something of the fabric never comes. It is an answer ("no"), not
// bad input; whoever talks to people tells the two apart by the type.
#pragma once

#include <string>
#include <vector>

#include "core/error.h"

namespace fabric {

/// The text of the real stack when the host gives up waiting for a completion (tenstorrent/
/// tt-metal: tt_metal/impl/dispatch).
inline constexpr const char* kHangText =
    "TIMEOUT: device timeout, potential hang detected, the device is unrecoverable";

class Hang : public core::Error {
public:
    /// `waits`: who waits for what, one sentence each; `hint`: what to do instead.
    Hang(std::vector<std::string> waits, const std::string& hint);

    /// kHangText, then the sentences.
    const std::vector<std::string>& reasons() const { return reasons_; }

private:
    std::vector<std::string> reasons_;
};

}  // namespace fabric
