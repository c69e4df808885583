#include "model/normalizer.h"

#include <unicode/bytestream.h>
#include <unicode/normalizer2.h>
#include <unicode/uchar.h>

#include "core/error.h"
#include "model/utf8.h"

namespace model {

namespace {

const icu::Normalizer2& instance(UnicodeForm form, UErrorCode& status) {
    const icu::Normalizer2* known = nullptr;
    switch (form) {
        case UnicodeForm::Nfc:
            known = icu::Normalizer2::getNFCInstance(status);
            break;
        case UnicodeForm::Nfd:
            known = icu::Normalizer2::getNFDInstance(status);
            break;
        case UnicodeForm::Nfkc:
            known = icu::Normalizer2::getNFKCInstance(status);
            break;
        case UnicodeForm::Nfkd:
            known = icu::Normalizer2::getNFKDInstance(status);
            break;
    }
    core::require(U_SUCCESS(status) && known != nullptr, "ICU has its normalization data");
    return *known;
}

std::string run_step(UnicodeForm form, std::string text) {
    if (text.size() > INT32_MAX) {
        throw core::Error::mismatch("text", "length", "under 2 GiB", std::to_string(text.size()));
    }
    UErrorCode status = U_ZERO_ERROR;
    const icu::Normalizer2& normalizer = instance(form, status);
    const icu::StringPiece piece(text.data(), static_cast<std::int32_t>(text.size()));
    if (normalizer.isNormalizedUTF8(piece, status) && U_SUCCESS(status)) return text;
    status = U_ZERO_ERROR;
    std::string out;
    icu::StringByteSink<std::string> sink(&out);
    normalizer.normalizeUTF8(0, piece, sink, nullptr, status);
    core::require(U_SUCCESS(status), "ICU normalizes UTF-8");
    return out;
}

std::string run_step(const LowercaseStep&, const std::string& text) {
    constexpr char32_t kDottedI = 0x130;  // the one character with two lowercase ones
    std::string out;
    std::string_view rest = text;
    while (!rest.empty()) {
        const char32_t character = code_point(rest);
        if (character == kDottedI) {
            out += "i\xcc\x87";
        } else {
            append_utf8(out, static_cast<char32_t>(u_tolower(static_cast<UChar32>(character))));
        }
        rest.remove_prefix(utf8_step(rest).length);
    }
    return out;
}

std::string run_step(const ReplaceStep& step, const std::string& text) {
    return step.pattern.replaced(text, step.content);
}

std::string run_step(const PrependStep& step, std::string text) {
    return text.empty() ? text : step.content + text;
}

std::string run_step(const StripStep& step, const std::string& text) {
    std::string_view rest = text;
    if (step.left) rest.remove_prefix(leading_space(rest));
    if (step.right) rest = without_trailing_space(rest);
    return std::string(rest);
}

}  // namespace

void Normalizer::add(Step&& step) { steps_.push_back(std::move(step)); }

std::string Normalizer::normalized(std::string_view text) const {
    std::string out(text);
    for (const Step& step : steps_) {
        out = std::visit([&](const auto& known) { return run_step(known, std::move(out)); }, step);
    }
    return out;
}

}  // namespace model
