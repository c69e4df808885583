#include "model/jinja_expression.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/files.h"
#include "model/jinja_builtins.h"
#include "model/jinja_operators.h"
#include "model/jinja_text.h"

namespace model::jinja {
namespace {

constexpr int kDeepest = 200;
constexpr std::int64_t kMostSteps = 100'000;

std::vector<Value> values_of(const std::vector<Expression>& expressions, Environment& env) {
    std::vector<Value> values;
    for (const Expression& one : expressions) values.push_back(one(env));
    return values;
}

using Binary = Value (*)(const Value&, const Value&);

Expression binary(Expression a, Expression b, Binary of) {
    return
        [a = std::move(a), b = std::move(b), of](Environment& env) { return of(a(env), b(env)); };
}

}  // namespace

const Value* Environment::find(const std::string& name) const {
    for (auto scope = scopes.rbegin(); scope != scopes.rend(); ++scope) {
        if (const auto found = scope->find(name); found != scope->end()) return &found->second;
    }
    return nullptr;
}

void Environment::step() {
    if (++steps <= kMostSteps) return;
    throw core::Error::mismatch(where, "", "at most 100000 steps", "more");
}

bool is_true(const Value& value) {
    if (value.is_discarded() || value.is_null()) return false;
    if (value.is_boolean()) return value.get<bool>();
    if (value.is_number()) return value.get<double>() != 0;
    if (value.is_string()) return !value.get_ref<const std::string&>().empty();
    return !value.empty();
}

std::string text_of(const Value& value) {
    if (value.is_string()) return value.get<std::string>();
    if (value.is_discarded()) return "";
    if (value.is_null()) return "None";
    if (value.is_boolean()) return value.get<bool>() ? "True" : "False";
    return value.is_structured() ? repr(value) : value.dump();
}

ExpressionParser::ExpressionParser(const Part& part, std::string where)
    : tokens_(part.tokens), where_(std::move(where) + ":" + std::to_string(part.line)) {}

core::Error ExpressionParser::error(std::string_view expected) const {
    return core::Error::mismatch(
        where_, "", expected,
        next().kind == Token::Kind::End ? "the end of the tag" : core::printable(next().text));
}

bool ExpressionParser::take(Token::Kind kind, std::string_view text) {
    if (!next().is(kind, text)) return false;
    ++at_;
    return true;
}

void ExpressionParser::expect_operator(std::string_view text) {
    if (!take_operator(text)) throw error(text);
}

std::string ExpressionParser::name() {
    if (next().kind != Token::Kind::Name) throw error("a name");
    return tokens_[at_++].text;
}

void ExpressionParser::end() {
    if (next().kind != Token::Kind::End) throw error("the end of the tag");
}

// a if condition else b
Expression ExpressionParser::expression() {
    if (++depth_ > kDeepest) throw error("an expression of less depth");
    Expression value = alternative();
    while (take_name("if")) {
        Expression condition = alternative();
        Expression otherwise = [](Environment&) { return undefined(); };
        if (take_name("else")) otherwise = expression();
        value = [value, condition, otherwise](Environment& env) {
            return is_true(condition(env)) ? value(env) : otherwise(env);
        };
    }
    --depth_;
    return value;
}

Expression ExpressionParser::tuple() {
    std::vector<Expression> items{expression()};
    if (!next().is(Token::Kind::Operator, ",")) return items.front();
    while (take_operator(",") && begins_operand()) items.push_back(expression());
    return [items](Environment& env) { return Value(values_of(items, env)); };
}

Expression ExpressionParser::alternative() {
    Expression value = conjunction();
    while (take_name("or")) {
        value = [a = value, b = conjunction()](Environment& env) {
            const Value first = a(env);
            return is_true(first) ? first : b(env);
        };
    }
    return value;
}

Expression ExpressionParser::conjunction() {
    Expression value = negation();
    while (take_name("and")) {
        value = [a = value, b = negation()](Environment& env) {
            const Value first = a(env);
            return is_true(first) ? b(env) : first;
        };
    }
    return value;
}

Expression ExpressionParser::negation() {
    if (!take_name("not")) return comparison();
    if (++depth_ > kDeepest) throw error("an expression of less depth");
    Expression value = negation();
    --depth_;
    return [value](Environment& env) { return Value(!is_true(value(env))); };
}

// Each comparison of a chain a < b < c holds; the middle is one value.
Expression ExpressionParser::comparison() {
    std::vector<Expression> terms{sum()};
    std::vector<std::pair<std::string, bool>> ops;
    while (true) {
        const bool denies =
            next().is(Token::Kind::Name, "not") && tokens_[at_ + 1].is(Token::Kind::Name, "in");
        if (denies) ++at_;
        const Token& op = next();
        const bool in = op.is(Token::Kind::Name, "in");
        constexpr std::string_view kOps = " == != < > <= >= ";
        const bool is_op =
            op.kind == Token::Kind::Operator && kOps.find(" " + op.text + " ") != kOps.npos;
        if (!in && !is_op) break;
        ++at_;
        ops.emplace_back(op.text, denies);
        terms.push_back(sum());
    }
    if (ops.empty()) return terms.front();
    return [terms, ops](Environment& env) {
        Value left = terms.front()(env);
        for (std::size_t i = 0; i < ops.size(); ++i) {
            Value right = terms[i + 1](env);
            if (compared(ops[i].first, left, right) == ops[i].second) return Value(false);
            left = std::move(right);
        }
        return Value(true);
    };
}

Expression ExpressionParser::sum() {
    Expression value = concatenation();
    while (true) {
        if (take_operator("+")) {
            value = binary(std::move(value), concatenation(), add);
        } else if (take_operator("-")) {
            value = binary(std::move(value), concatenation(), subtract);
        } else {
            return value;
        }
    }
}

Expression ExpressionParser::concatenation() {
    Expression value = product();
    while (take_operator("~")) {
        value = binary(std::move(value), product(), [](const Value& a, const Value& b) {
            return Value(text_of(a) + text_of(b));
        });
    }
    return value;
}

Expression ExpressionParser::product() {
    const std::pair<std::string_view, Binary> kOps[] = {
        {"*", multiply},
        {"//", [](const Value& a, const Value& b) { return Value(floored(a, b).quotient); }},
        {"/", divide},
        {"%",
         [](const Value& a, const Value& b) {
             return a.is_string() ? formatted(a, b) : Value(floored(a, b).rest);
         }},
    };
    Expression value = power();
    while (true) {
        const auto op =
            std::ranges::find_if(kOps, [&](const auto& row) { return take_operator(row.first); });
        if (op == std::end(kOps)) return value;
        value = binary(std::move(value), power(), op->second);
    }
}

Expression ExpressionParser::power() {
    Expression value = unary();
    while (take_operator("**")) value = binary(std::move(value), unary(), jinja::power);
    return value;
}

// A sign binds more than a filter: -3 | abs is 3.
Expression ExpressionParser::unary() { return filtered(signed_operand()); }

Expression ExpressionParser::signed_operand() {
    const bool is_negative = take_operator("-");
    if (!is_negative && !take_operator("+")) return postfix();
    if (++depth_ > kDeepest) throw error("an expression of less depth");
    Expression value = signed_operand();
    --depth_;
    return [value, is_negative](Environment& env) {
        return is_negative ? subtract(0, value(env)) : add(0, value(env));
    };
}

Expression ExpressionParser::filtered(Expression value) {
    while (true) {
        if (take_name("is")) {
            value = test(std::move(value));
        } else if (take_operator("|")) {
            value = one_filter(std::move(value));
        } else {
            return value;
        }
    }
}

Expression ExpressionParser::one_filter(Expression value) {
    const std::string filter = name();
    Arguments given;
    if (take_operator("(")) given = arguments();
    return [value, filter, given, where = where_](Environment& env) {
        env.step();
        if (auto made = jinja::filtered(filter, value(env), ExpressionParser::given(given, env))) {
            return *made;
        }
        throw core::Error::mismatch(where, "", "a known filter", core::printable(filter));
    };
}

Expression ExpressionParser::filters() {
    return filtered([](Environment& env) { return *env.find(std::string(kFilteredName)); });
}

Expression ExpressionParser::first_filter() {
    return filtered(
        one_filter([](Environment& env) { return *env.find(std::string(kFilteredName)); }));
}

Expression ExpressionParser::test(Expression value) {
    const bool denies = take_name("not");
    const std::string test = name();
    Arguments given;
    if (take_operator("(")) {
        given = arguments();
    } else if (begins_operand()) {  // "is divisibleby 2"
        if (++depth_ > kDeepest) throw error("an expression of less depth");
        given.values.push_back(postfix());
        --depth_;
    }
    return [value, test, given, denies, where = where_](Environment& env) {
        const auto holds = tested(test, value(env), ExpressionParser::given(given, env));
        if (holds) return Value(*holds != denies);
        throw core::Error::mismatch(where, "", "a known test", core::printable(test));
    };
}

bool ExpressionParser::begins_operand() const {
    const Token& token = next();
    if (token.kind == Token::Kind::Operator) {
        return token.text == "(" || token.text == "[" || token.text == "{";
    }
    constexpr std::string_view kWords = " if else and or not is in ";
    return token.kind == Token::Kind::String || token.kind == Token::Kind::Number ||
           (token.kind == Token::Kind::Name && kWords.find(" " + token.text + " ") == kWords.npos);
}

Expression ExpressionParser::postfix() {
    Expression value = primary();
    while (true) {
        if (take_operator("[")) {
            value = subscript(std::move(value));
        } else if (take_operator(".")) {
            const std::string key = name();
            if (take_operator("(")) {
                value = method(std::move(value), key);
                continue;
            }
            value = [value, key](Environment& env) { return item_of(value(env), key); };
        } else {
            return value;
        }
    }
}

Expression ExpressionParser::subscript(Expression value) {
    std::array<Expression, 3> parts;
    int colons = 0;
    while (!take_operator("]")) {
        if (take_operator(":")) {
            if (++colons > 2) throw error("]");
            continue;
        }
        parts[static_cast<std::size_t>(colons)] = expression();
    }
    if (colons == 0 && !parts[0]) throw error("an index");
    if (colons == 0) {
        return [value, key = parts[0]](Environment& env) { return item_of(value(env), key(env)); };
    }
    return [value, parts](Environment& env) {
        std::array<Value, 3> range;
        for (std::size_t i = 0; i < 3; ++i) {
            if (parts[i]) range[i] = parts[i](env);
        }
        return slice_of(value(env), range);
    };
}

Expression ExpressionParser::method(Expression value, const std::string& name) {
    const Arguments given = arguments();
    return [value, name, given, where = where_](Environment& env) {
        env.step();
        const Value of = value(env);
        if (auto result = called(name, of, ExpressionParser::given(given, env))) return *result;
        throw core::Error::mismatch(where, name, "a method of " + std::string(of.type_name()),
                                    "none of this name");
    };
}

ExpressionParser::Arguments ExpressionParser::arguments() {
    Arguments given;
    while (!take_operator(")")) {
        const bool named =
            next().kind == Token::Kind::Name && tokens_[at_ + 1].is(Token::Kind::Operator, "=");
        if (named) {
            const std::string key = name();
            expect_operator("=");
            given.named[key] = expression();
        } else {
            given.values.push_back(expression());
        }
        if (!take_operator(",") && !next().is(Token::Kind::Operator, ")")) throw error(", or )");
    }
    return given;
}

Given ExpressionParser::given(const Arguments& arguments, Environment& env) {
    Given given;
    given.values = values_of(arguments.values, env);
    for (const auto& [key, value] : arguments.named) given.named[key] = value(env);
    return given;
}

Expression ExpressionParser::parenthesis() {
    if (take_operator(")")) return [](Environment&) { return Value(Value::array()); };
    Expression value = tuple();
    expect_operator(")");
    return value;
}

Expression ExpressionParser::list(std::string_view closing) {
    std::vector<Expression> items;
    while (!take_operator(closing)) {
        items.push_back(expression());
        if (!take_operator(",") && !next().is(Token::Kind::Operator, closing)) throw error(closing);
    }
    return [items](Environment& env) { return Value(values_of(items, env)); };
}

Expression ExpressionParser::dictionary() {
    std::vector<std::pair<Expression, Expression>> items;
    while (!take_operator("}")) {
        Expression key = expression();
        expect_operator(":");
        items.emplace_back(std::move(key), expression());
        if (!take_operator(",") && !next().is(Token::Kind::Operator, "}")) throw error("}");
    }
    return [items](Environment& env) {
        Value object = Value::object();
        for (const auto& [key, value] : items) object[text_of(key(env))] = value(env);
        return object;
    };
}

Expression ExpressionParser::primary() {
    const Token token = next();
    if (token.kind == Token::Kind::End) throw error("an expression");
    ++at_;
    const auto constant = [](Value value) {
        return Expression([value = std::move(value)](Environment&) { return value; });
    };
    if (token.kind == Token::Kind::String) {
        std::string text = token.text;  // neighbours are one text
        while (next().kind == Token::Kind::String) text += tokens_[at_++].text;
        return constant(text);
    }
    if (token.kind == Token::Kind::Number) {
        const Value number = Value::parse(token.text, nullptr, false);
        if (!number.is_number()) throw error("a number, not " + token.text);
        return constant(number);
    }
    if (token.is(Token::Kind::Operator, "(")) return parenthesis();
    if (token.is(Token::Kind::Operator, "[")) return list("]");
    if (token.is(Token::Kind::Operator, "{")) return dictionary();
    if (token.kind == Token::Kind::Operator) throw error("an expression, not " + token.text);
    if (token.text == "true" || token.text == "True") return constant(true);
    if (token.text == "false" || token.text == "False") return constant(false);
    if (token.text == "none" || token.text == "None") return constant(Value());
    if (take_operator("(")) return call(token.text);
    return [name = token.text](Environment& env) {
        const Value* found = env.find(name);
        return found == nullptr ? undefined() : *found;
    };
}

// A macro, raise_exception(text) or a function of Jinja's.
Expression ExpressionParser::call(const std::string& name) {
    const Arguments arguments = this->arguments();
    return [name, arguments, where = where_](Environment& env) -> Value {
        env.step();
        const Given given = ExpressionParser::given(arguments, env);
        if (name == "raise_exception") {
            throw core::Error::mismatch(where, "", "a conversation it takes",
                                        core::printable(text_of(given.at(0, "message"))));
        }
        const auto macro = env.macros.find(name);
        if (macro != env.macros.end()) return macro->second(env, given);
        if (auto made = function(name, given, env.day)) return *made;
        throw core::Error::mismatch(where, "", "a known function", core::printable(name));
    };
}

}  // namespace model::jinja
