#include "core/digest.h"

namespace core {

std::string Digest::hex() const {
    static constexpr char kDigits[] = "0123456789abcdef";
    std::string text(16, '0');
    for (std::size_t i = 0; i < 16; ++i) text[i] = kDigits[(state_ >> (60 - 4 * i)) & 15];
    return text;
}

}  // namespace core
