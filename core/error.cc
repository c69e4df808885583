#include "core/error.h"

namespace core {

Error::Error(std::string message) : std::runtime_error(message), message_(std::move(message)) {
    rebuild();
}

Error Error::mismatch(std::string_view where, std::string_view key, std::string_view expected,
                      std::string_view found) {
    std::string text(where);
    if (!key.empty()) text.append(": ").append(key);
    text.append(": expected ").append(expected).append(", got ").append(found);
    return Error(std::move(text));
}

Error& Error::within(std::string_view context) {
    context_.emplace_back(context);
    rebuild();
    return *this;
}

Error& Error::hint(std::string_view text) {
    hint_ = text;
    rebuild();
    return *this;
}

void Error::rebuild() {
    full_ = message_;
    for (const std::string& line : context_) full_.append("\n  ").append(line);
    if (!hint_.empty()) full_.append("\nhint: ").append(hint_);
}

void require(bool condition, const char* rule) {
    if (!condition) throw std::logic_error(std::string("broken rule: ") + rule);
}

}  // namespace core
