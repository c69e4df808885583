// Expressions of Jinja: what they are made of and what they give. For jinja*.cc only.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"
#include "model/jinja_lexer.h"

namespace model::jinja {

using Value = nlohmann::ordered_json;  // a dict keeps the order of its keys
/// What a name that was never set stands for.
inline Value undefined() { return Value(Value::value_t::discarded); }

struct Given;

/// Names by scope, the innermost last, and the macros.
struct Environment {
    using Macro = std::function<Value(Environment&, const Given&)>;
    /// What a loop does next: go on, or what {% break %} and {% continue %} say.
    enum class Flow { Run, Break, Continue };
    std::vector<std::map<std::string, Value>> scopes{1};
    std::map<std::string, Macro> macros;
    std::string where;
    std::string day;  // what strftime_now tells
    Flow flow = Flow::Run;
    std::int64_t steps = 0;

    const Value* find(const std::string& name) const;
    /// Throws core::Error when a template takes more steps than any chat needs.
    void step();
};

/// The name of the text that a block's filters are for; no template can spell it.
inline constexpr std::string_view kFilteredName = "(text)";

using Expression = std::function<Value(Environment&)>;

bool is_true(const Value& value);
/// As it is printed.
std::string text_of(const Value& value);

/// Reads the tokens of one tag from the front.
class ExpressionParser {
public:
    ExpressionParser(const Part& part, std::string where);

    Expression expression();
    /// An expression, or several with commas: a tuple, which is a list here.
    Expression tuple();
    /// What a loop runs over: its own "if" comes after it.
    Expression alternative();
    /// The filters of a {% filter %} or of a block that is set: of the value kFilteredName.
    Expression filters();
    Expression first_filter();
    bool take(Token::Kind kind, std::string_view text);
    bool take_operator(std::string_view text) { return take(Token::Kind::Operator, text); }
    bool take_name(std::string_view text) { return take(Token::Kind::Name, text); }
    void expect_operator(std::string_view text);
    std::string name();
    /// Requires that nothing is left.
    void end();
    core::Error error(std::string_view expected) const;

private:
    struct Arguments {
        std::vector<Expression> values;
        std::map<std::string, Expression> named;
    };
    const Token& next() const { return tokens_[at_]; }
    Expression conjunction();
    Expression negation();
    Expression comparison();
    Expression sum();
    Expression concatenation();
    Expression product();
    Expression power();
    Expression unary();
    Expression signed_operand();
    Expression filtered(Expression value);
    Expression one_filter(Expression value);
    Expression postfix();
    Expression primary();
    Expression list(std::string_view closing);
    Expression parenthesis();
    bool begins_operand() const;
    Expression dictionary();
    Expression subscript(Expression value);
    Expression test(Expression value);
    Expression method(Expression value, const std::string& name);
    Expression call(const std::string& name);
    Arguments arguments();
    static Given given(const Arguments& arguments, Environment& env);

    const std::vector<Token>& tokens_;
    std::string where_;
    std::size_t at_ = 0;
    int depth_ = 0;
};

}  // namespace model::jinja
