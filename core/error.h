// Errors are for people: where, which key, what was expected, what was found, what to do.
// `Error` is thrown for bad files, flags and shapes; "it does not fit" is an answer, not an
// Error. `require` guards our own rules and is active in every build.
#pragma once

#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace core {

class Error : public std::runtime_error {
public:
    /// `message` says where and what: "model.safetensors: q_proj: expected ..., got ...".
    explicit Error(std::string message);

    /// "where: key: expected X, got Y".
    static Error mismatch(std::string_view where, std::string_view key, std::string_view expected,
                          std::string_view found);

    /// Adds one line of context ("while loading ..."); innermost first.
    Error& within(std::string_view context);
    /// Says what to do instead; printed last.
    Error& hint(std::string_view text);

    const std::string& message() const { return message_; }
    const std::string& hint_text() const { return hint_; }
    /// Message, context lines and hint, as printed to a person.
    const char* what() const noexcept override { return full_.c_str(); }

private:
    void rebuild();

    std::string message_;
    std::vector<std::string> context_;
    std::string hint_;
    std::string full_;
};

/// Throws std::logic_error when we broke our own rule. Cheap; never compiled out.
void require(bool condition, const char* rule);

}  // namespace core
