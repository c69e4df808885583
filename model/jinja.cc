#include "model/jinja.h"

#include <algorithm>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "model/jinja_builtins.h"
#include "model/jinja_expression.h"
#include "model/jinja_lexer.h"
#include "model/utf8.h"

namespace model {
namespace {

using namespace jinja;

constexpr std::size_t kMostOutput = std::size_t{1} << 24;
constexpr int kDeepest = 50;
// What Llama 3's templates say where there is no strftime_now.
constexpr const char* kDefaultDay = "2024-07-26";

using Action = std::function<void(Environment&, std::string&)>;
using Block = std::vector<Action>;

void run(const Block& block, Environment& env, std::string& out) {
    for (const Action& action : block) {
        env.step();
        action(env, out);
        if (env.flow != Environment::Flow::Run) break;
    }
    if (out.size() > kMostOutput) {
        throw core::Error::mismatch(env.where, "", "at most 16 MiB of text", "more");
    }
}

// A scope that ends with the block it was opened for.
class Scope {
public:
    explicit Scope(Environment& env) : env_(env) {
        if (env_.scopes.size() > 100) {
            throw core::Error::mismatch(env_.where, "", "at most 100 loops within loops", "more");
        }
        env_.scopes.emplace_back();
    }
    ~Scope() { env_.scopes.pop_back(); }
    Scope(const Scope&) = delete;
    Scope& operator=(const Scope&) = delete;
    void set(const std::string& name, Value value) { env_.scopes.back()[name] = std::move(value); }

private:
    Environment& env_;
};

/// Where a name is set now.
struct Innermost {
    Environment& env;
    void set(const std::string& name, Value value) { env.scopes.back()[name] = std::move(value); }
};

/// One name takes the value; several take its entries.
template <class Names>
void unpack(Names& scope, const std::vector<std::string>& names, const Value& value) {
    if (names.size() == 1) return scope.set(names[0], value);
    if (!value.is_array() || value.size() != names.size()) {
        throw core::Error::mismatch("a template", names[0],
                                    std::to_string(names.size()) + " values to unpack",
                                    text_of(value).substr(0, 40));
    }
    for (std::size_t i = 0; i < names.size(); ++i) scope.set(names[i], value[i]);
}

struct Loop {
    std::vector<std::string> names;
    Expression list;
    Expression condition;  // of an entry; empty: all
    Block body;
    Block otherwise;

    void bind(Scope& scope, const Value& item) const { unpack(scope, names, item); }

    std::vector<Value> items(Environment& env) const {
        const Value all = list(env);
        std::vector<Value> kept;
        for (const Value& value : entries_of(all)) {
            Scope scope(env);
            bind(scope, value);
            env.step();
            if (!condition || is_true(condition(env))) kept.push_back(value);
        }
        return kept;
    }

    void operator()(Environment& env, std::string& out) const {
        const std::vector<Value> kept = items(env);
        if (kept.empty()) return run(otherwise, env, out);
        for (std::size_t i = 0; i < kept.size(); ++i) {
            Scope scope(env);
            Value loop = {{"index", i + 1},
                          {"index0", i},
                          {"first", i == 0},
                          {"last", i + 1 == kept.size()},
                          {"length", kept.size()},
                          {"revindex", kept.size() - i},
                          {"revindex0", kept.size() - i - 1},
                          {"depth", 1},
                          {"depth0", 0}};
            if (i > 0) loop["previtem"] = kept[i - 1];
            if (i + 1 < kept.size()) loop["nextitem"] = kept[i + 1];
            scope.set("loop", std::move(loop));
            bind(scope, kept[i]);
            run(body, env, out);
            const bool ends = env.flow == Environment::Flow::Break;
            env.flow = Environment::Flow::Run;
            if (ends) break;
        }
    }
};

class TemplateParser {
public:
    TemplateParser(std::string_view text, std::string where)
        : where_(std::move(where)), parts_(parts_of(text, where_)) {}

    Block whole() {
        Block block = until({});
        if (at_ < parts_.size()) throw misplaced(keyword());
        return block;
    }

private:
    core::Error misplaced(const std::string& found) const {
        const std::size_t at = std::min(at_, parts_.size() - 1);
        return core::Error::mismatch(where_ + ":" + std::to_string(parts_[at].line), "",
                                     "if, for, set or macro in its place", core::printable(found));
    }

    std::string keyword() const {
        const Part& part = parts_[at_];
        return part.kind == Part::Kind::Statement ? part.tokens.front().text : "";
    }

    // Up to a statement with one of these keywords, which is left.
    Block until(const std::vector<std::string>& ends) {
        if (++depth_ > kDeepest) throw misplaced("deeper blocks");
        Block block;
        for (; at_ < parts_.size(); ++at_) {
            const Part& part = parts_[at_];
            if (part.kind == Part::Kind::Text) {
                block.push_back(
                    [text = part.text](Environment&, std::string& out) { out += text; });
            } else if (part.kind == Part::Kind::Output) {
                block.push_back(output(part));
            } else {
                if (std::find(ends.begin(), ends.end(), keyword()) != ends.end()) break;
                if (keyword().starts_with("e") && ends.empty()) break;
                block.push_back(statement(part));
            }
        }
        if (!ends.empty() && at_ == parts_.size()) throw misplaced("the end of the template");
        --depth_;
        return block;
    }

    Action output(const Part& part) const {
        ExpressionParser parser(part, where_);
        const Expression value = parser.tuple();
        parser.end();
        return [value](Environment& env, std::string& out) { out += text_of(value(env)); };
    }

    // Leaves at_ on the statement's last part.
    Action statement(const Part& part) {
        ExpressionParser parser(part, where_);
        const std::string word = parser.name();
        if (word == "if") return branch(parser);
        if (word == "for") return loop(parser);
        if (word == "set") return assignment(parser);
        if (word == "macro") return macro(parser);
        if (word == "filter") return filter(parser);
        if (word == "break" || word == "continue") {
            const auto flow =
                word == "break" ? Environment::Flow::Break : Environment::Flow::Continue;
            if (loops_ == 0) throw misplaced(word);
            parser.end();
            return [flow](Environment& env, std::string&) { env.flow = flow; };
        }
        if (word == "generation") return generation(parser);
        throw misplaced(word);
    }

    // What the assistant says, marked for training: the text alone.
    Action generation(ExpressionParser& parser) {
        parser.end();
        ++at_;
        const Block body = until({"endgeneration"});
        return [body](Environment& env, std::string& out) { run(body, env, out); };
    }

    Action branch(ExpressionParser& parser) {
        std::vector<std::pair<Expression, Block>> cases;
        Expression condition = parser.expression();
        parser.end();
        Block otherwise;
        while (true) {
            ++at_;
            Block block = until({"elif", "else", "endif"});
            if (condition) {
                cases.emplace_back(condition, std::move(block));
            } else {
                otherwise = std::move(block);
            }
            if (keyword() == "endif") break;
            ExpressionParser next(parts_[at_], where_);
            if (!condition) throw misplaced(keyword());
            condition = next.name() == "elif" ? next.expression() : Expression();
            next.end();
        }
        return [cases, otherwise](Environment& env, std::string& out) {
            for (const auto& [holds, block] : cases) {
                if (is_true(holds(env))) return run(block, env, out);
            }
            run(otherwise, env, out);
        };
    }

    Action loop(ExpressionParser& parser) {
        Loop loop;
        loop.names = names(parser, parser.name());
        if (!parser.take_name("in")) throw parser.error("in");
        loop.list = parser.alternative();
        if (parser.take_name("if")) loop.condition = parser.alternative();
        parser.end();
        ++at_;
        ++loops_;
        loop.body = until({"else", "endfor"});
        --loops_;
        if (keyword() == "else") {
            ++at_;
            loop.otherwise = until({"endfor"});
        }
        return loop;
    }

    // a, b up to "=" or "in"; `first` is taken already.
    std::vector<std::string> names(ExpressionParser& parser, const std::string& first) const {
        std::vector<std::string> all{first};
        while (parser.take_operator(",")) all.push_back(parser.name());
        return all;
    }

    // set name = value; set a, b = value; set space.name = value; set name %}...{% endset
    Action assignment(ExpressionParser& parser) {
        const std::string name = parser.name();
        const std::string key = parser.take_operator(".") ? parser.name() : "";
        const std::vector<std::string> all = names(parser, name);
        if (!parser.take_operator("=")) return captured(name, key, parser);
        const Expression value = parser.tuple();
        parser.end();
        return [all, key, value](Environment& env, std::string&) {
            const Value made = value(env);
            if (!key.empty()) return assign(env, all[0], key, made);
            Innermost scope{env};
            unpack(scope, all, made);
        };
    }

    static void assign(Environment& env, const std::string& name, const std::string& key,
                       const Value& value) {
        if (key.empty()) {
            env.scopes.back()[name] = value;
            return;
        }
        auto* space = const_cast<Value*>(env.find(name));
        if (space == nullptr || !space->is_object()) {
            throw core::Error::mismatch(env.where, name, "a namespace", "none");
        }
        (*space)[key] = value;
    }

    Action captured(const std::string& name, const std::string& key, ExpressionParser& parser) {
        const Expression filters = parser.filters();
        parser.end();
        ++at_;
        const Block body = until({"endset"});
        return [name, key, body, filters](Environment& env, std::string&) {
            assign(env, name, key, filtered_text(body, filters, env));
        };
    }

    // filter name %}...{% endfilter
    Action filter(ExpressionParser& parser) {
        const Expression filters = parser.first_filter();
        parser.end();
        ++at_;
        const Block body = until({"endfilter"});
        return [body, filters](Environment& env, std::string& out) {
            out += text_of(filtered_text(body, filters, env));
        };
    }

    static Value filtered_text(const Block& body, const Expression& filters, Environment& env) {
        Scope scope(env);
        std::string text;
        run(body, env, text);
        scope.set(std::string(kFilteredName), text);
        return filters(env);
    }

    Action macro(ExpressionParser& parser) {
        const std::string name = parser.name();
        std::vector<std::pair<std::string, Expression>> parameters;
        parser.expect_operator("(");
        while (!parser.take_operator(")")) {
            parameters.emplace_back(parser.name(), Expression());
            if (parser.take_operator("=")) parameters.back().second = parser.expression();
            parser.take_operator(",");
        }
        parser.end();
        ++at_;
        const Block body = until({"endmacro"});
        return [name, parameters, body](Environment& env, std::string&) {
            env.macros[name] = [parameters, body](Environment& inner, const Given& given) {
                Scope scope(inner);
                for (std::size_t i = 0; i < parameters.size(); ++i) {
                    const auto& [parameter, otherwise] = parameters[i];
                    const Value value = given.at(i, parameter);
                    const bool defaults = value.is_discarded() && otherwise;
                    scope.set(parameter, defaults ? otherwise(inner) : value);
                }
                std::string text;
                run(body, inner, text);
                return Value(text);
            };
        };
    }

    std::string where_;
    std::vector<Part> parts_;
    std::size_t at_ = 0;
    int depth_ = 0;
    int loops_ = 0;  // around at_
};

}  // namespace

std::string render_jinja(std::string_view text, const nlohmann::ordered_json& variables,
                         std::string_view where) {
    core::require(variables.is_object(), "variables have names");
    if (const auto broken = first_broken_byte(text)) {
        throw core::Error::mismatch(where, "byte " + std::to_string(*broken), "UTF-8",
                                    "\"" + core::printable(text.substr(*broken, 4)) + "\"");
    }
    Environment env;
    env.where = std::string(where);
    for (const auto& [name, value] : variables.items()) env.scopes.front()[name] = value;
    const Value* day = env.find("strftime_now");
    env.day = day != nullptr ? text_of(*day) : kDefaultDay;
    std::string out;
    run(TemplateParser(text, env.where).whole(), env, out);
    return out;
}

}  // namespace model
