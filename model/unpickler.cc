#include "model/unpickler.h"

#include <algorithm>
#include <array>
#include <optional>
#include <type_traits>
#include <utility>

#include "core/error.h"
#include "core/files.h"
#include "model/byte_reader.h"

namespace model {

namespace {

using core::Error;

/// What a global may be. All of it is data to this reader.
enum class Known { RebuildTensor, OrderedDict, Size, Storage, DType };

struct Global {
    std::string_view module;
    std::string_view name;
    Known known;
    StoredType dtype = StoredType::F32;  // of a Storage
};

// torch/storage.py (_LegacyStorage), torch/_utils.py; the dtypes are what a checkpoint may mention.
constexpr std::array kGlobals{
    Global{"torch._utils", "_rebuild_tensor_v2", Known::RebuildTensor},
    Global{"collections", "OrderedDict", Known::OrderedDict},
    Global{"torch", "Size", Known::Size},
    Global{"torch", "BFloat16Storage", Known::Storage, StoredType::BF16},
    Global{"torch", "HalfStorage", Known::Storage, StoredType::F16},
    Global{"torch", "FloatStorage", Known::Storage, StoredType::F32},
    Global{"torch", "DoubleStorage", Known::Storage, StoredType::F64},
    Global{"torch", "LongStorage", Known::Storage, StoredType::I64},
    Global{"torch", "IntStorage", Known::Storage, StoredType::I32},
    Global{"torch", "ShortStorage", Known::Storage, StoredType::I16},
    Global{"torch", "CharStorage", Known::Storage, StoredType::I8},
    Global{"torch", "ByteStorage", Known::Storage, StoredType::U8},
    Global{"torch", "BoolStorage", Known::Storage, StoredType::Bool},
    Global{"torch", "bfloat16", Known::DType},
    Global{"torch", "float16", Known::DType},
    Global{"torch", "float32", Known::DType},
    Global{"torch", "float64", Known::DType},
    Global{"torch", "int64", Known::DType},
    Global{"torch", "int32", Known::DType},
    Global{"torch", "int16", Known::DType},
    Global{"torch", "int8", Known::DType},
    Global{"torch", "uint8", Known::DType},
    Global{"torch", "bool", Known::DType},
};

constexpr std::size_t kMaxRank = 16;
constexpr std::uint8_t kNewestProtocol = 4;

using Ref = std::uint32_t;

struct Value {
    enum class Kind { Plain, Integer, Text, Tuple, List, Dict, Global, Storage, Tensor };
    Kind kind = Kind::Plain;         // Plain: None, a truth value, a fraction, bytes
    std::int64_t number = 0;         // Integer; Storage: elements; Tensor: its place
    std::string_view text;           // Text; Storage: key
    const Global* global = nullptr;  // Global; Storage: its class
    std::vector<Ref> items;          // Tuple, List; Dict: key, value, key, value ...
};
using Kind = Value::Kind;

std::string_view name(Kind kind) {
    constexpr std::array<std::string_view, 9> kNames{"a constant", "an integer", "a text",
                                                     "a tuple",    "a list",     "a dict",
                                                     "a global",   "a storage",  "a tensor"};
    return kNames.at(static_cast<std::size_t>(kind));
}

class Unpickler {
public:
    Unpickler(std::span<const std::byte> pickle, std::string_view where) : reader_(pickle, where) {}

    PickledTable run() {
        while (!done_) step();
        if (stack_.size() != 1 || !marks_.empty() || reader_.left() > 0) {
            throw unexpected("one value at the end of the pickle", "more");
        }
        const Value& root = value(stack_.back());
        if (root.kind != Kind::Dict) throw unexpected("a dict of tensors", name(root.kind));
        return table(root);
    }

private:
    struct Opcode {
        char code;
        void (Unpickler::*act)();
    };
    static const std::vector<Opcode>& opcodes();

    void step() {
        opcode_at_ = reader_.at();
        const auto code = reader_.number<char>();
        for (const Opcode& opcode : opcodes()) {
            if (opcode.code == code) return (this->*opcode.act)();
        }
        constexpr std::string_view kDigits = "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(code);
        throw unexpected("an opcode that torch.save writes",
                         std::string("0x") + kDigits[byte >> 4] + kDigits[byte & 15]);
    }

    Error unexpected(std::string_view expected, std::string_view found) const {
        return Error::mismatch(reader_.where(), "data.pkl: byte " + std::to_string(opcode_at_),
                               expected, found);
    }

    // The stack. Marks are places of it that pop() does not pass.
    const Value& value(Ref ref) const { return values_[ref]; }

    void push_ref(Ref ref) {
        if (++pushed_ > kMostValues) {
            throw unexpected("at most " + std::to_string(kMostValues) + " values", "more");
        }
        stack_.push_back(ref);
    }
    void push(Value value) {
        push_ref(static_cast<Ref>(values_.size()));
        values_.push_back(std::move(value));
    }
    void push_kind(Kind kind) {
        Value value;
        value.kind = kind;
        push(std::move(value));
    }
    Ref top() const {
        if (stack_.size() <= floor()) throw unexpected("a value on the stack", "none");
        return stack_.back();
    }
    Ref pop() {
        const Ref ref = top();
        stack_.pop_back();
        return ref;
    }
    Ref pop(Kind kind) {
        const Ref ref = pop();
        if (value(ref).kind != kind) throw unexpected(name(kind), name(value(ref).kind));
        return ref;
    }
    std::size_t floor() const { return marks_.empty() ? 0 : marks_.back(); }
    std::vector<Ref> pop_to_mark() {
        if (marks_.empty()) throw unexpected("a mark on the stack", "none");
        const auto first = stack_.begin() + static_cast<std::ptrdiff_t>(marks_.back());
        std::vector<Ref> items(first, stack_.end());
        stack_.erase(first, stack_.end());
        marks_.pop_back();
        return items;
    }

    // Opcodes, as pickletools.py of CPython describes them.
    void stop() { done_ = true; }
    void protocol() {
        const auto version = reader_.number<std::uint8_t>();
        if (version > kNewestProtocol) {
            throw unexpected("protocol 2 to 4", std::to_string(version));
        }
    }
    void frame() { reader_.take(sizeof(std::uint64_t)); }
    void mark() { marks_.push_back(stack_.size()); }
    void discard() { pop(); }
    void discard_to_mark() { pop_to_mark(); }
    void plain() { push_kind(Kind::Plain); }
    void fraction() {
        reader_.take(sizeof(double));
        plain();
    }
    template <class Number>
    void integer() {
        push_integer(static_cast<std::int64_t>(reader_.number<Number>()));
    }
    void push_integer(std::int64_t number) {
        Value value;
        value.kind = Kind::Integer;
        value.number = number;
        push(std::move(value));
    }
    void long_integer() {
        // Two's complement, little-endian, as many bytes as it takes.
        const auto length = reader_.number<std::uint8_t>();
        if (length > sizeof(std::int64_t))
            throw unexpected("an integer of 64 bits", "a longer one");
        std::uint64_t bits = 0;
        const std::span<const std::byte> bytes = reader_.take(length);
        for (std::size_t i = 0; i < bytes.size(); ++i) {
            bits |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
        }
        const unsigned unused = 64U - 8U * length;
        const auto wide = static_cast<std::int64_t>(length == 0 ? 0 : bits << unused);
        push_integer(length == 0 ? 0 : wide >> unused);
    }
    template <class Length>
    void text() {
        Value value;
        value.kind = Kind::Text;
        value.text = reader_.text(reader_.number<Length>());
        push(std::move(value));
    }
    template <class Length>
    void bytes() {
        reader_.take(reader_.number<Length>());
        plain();
    }

    template <std::size_t kCount>
    void tuple() {
        Value value;
        value.kind = Kind::Tuple;
        value.items.resize(kCount);
        for (std::size_t i = kCount; i-- > 0;) value.items[i] = pop();
        push(std::move(value));
    }
    void tuple_to_mark() {
        Value value;
        value.kind = Kind::Tuple;
        value.items = pop_to_mark();
        push(std::move(value));
    }
    void empty_list() { push_kind(Kind::List); }
    void empty_dict() { push_kind(Kind::Dict); }
    void append() { extend(Kind::List, {pop()}); }
    void appends() { extend(Kind::List, pop_to_mark()); }
    void set_item() {
        const Ref item = pop();
        const Ref key = pop();
        extend(Kind::Dict, {key, item});
    }
    void set_items() {
        const std::vector<Ref> items = pop_to_mark();
        if (items.size() % 2 != 0) throw unexpected("pairs of keys and values", "an odd number");
        extend(Kind::Dict, items);
    }
    void extend(Kind kind, const std::vector<Ref>& items) {
        const Ref ref = top();
        if (value(ref).kind != kind) throw unexpected(name(kind), name(value(ref).kind));
        std::vector<Ref>& held = values_[ref].items;
        held.insert(held.end(), items.begin(), items.end());
    }

    template <class Index>
    void put() {
        memo_[reader_.number<Index>()] = top();
    }
    void memoize() { memo_[static_cast<std::uint32_t>(memo_.size())] = top(); }
    template <class Index>
    void get() {
        const std::uint32_t index = reader_.number<Index>();
        const auto found = memo_.find(index);
        if (found == memo_.end()) {
            throw unexpected("a value in the memo at " + std::to_string(index), "none");
        }
        push_ref(found->second);
    }

    void global() {
        const std::string_view module = reader_.line();
        push_global(module, reader_.line());
    }
    void stack_global() {
        const std::string_view name = value(pop(Kind::Text)).text;
        push_global(value(pop(Kind::Text)).text, name);
    }
    void push_global(std::string_view module, std::string_view name) {
        for (const Global& row : kGlobals) {
            if (row.module != module || row.name != name) continue;
            Value value;
            value.kind = Kind::Global;
            value.global = &row;
            return push(std::move(value));
        }
        throw unexpected("tensors, storages and dicts only",
                         core::printable(std::string(module) + "." + std::string(name)))
            .hint(
                "a file may name any function to run; this reader runs none. Save a plain "
                "state dict");
    }
    void reduce();
    void build();
    void persistent();
    void rebuild_tensor(const std::vector<Ref>& arguments);
    std::int64_t integer_of(Ref ref) const;
    std::vector<std::int64_t> extents_of(Ref ref) const;
    PickledTable table(const Value& root) const;

    ByteReader reader_;
    std::size_t opcode_at_ = 0;
    bool done_ = false;
    std::size_t pushed_ = 0;
    std::vector<Value> values_;
    std::vector<Ref> stack_;
    std::vector<std::size_t> marks_;
    std::map<std::uint32_t, Ref> memo_;
    std::vector<PickledTensor> tensors_;
};

const std::vector<Unpickler::Opcode>& Unpickler::opcodes() {
    static const std::vector<Opcode> kOpcodes{
        {'\x80', &Unpickler::protocol},
        {'\x95', &Unpickler::frame},
        {'.', &Unpickler::stop},
        {'(', &Unpickler::mark},
        {'0', &Unpickler::discard},
        {'1', &Unpickler::discard_to_mark},
        {'N', &Unpickler::plain},
        {'\x88', &Unpickler::plain},  // True
        {'\x89', &Unpickler::plain},  // False
        {'G', &Unpickler::fraction},
        {'J', &Unpickler::integer<std::int32_t>},
        {'K', &Unpickler::integer<std::uint8_t>},
        {'M', &Unpickler::integer<std::uint16_t>},
        {'\x8a', &Unpickler::long_integer},
        {'X', &Unpickler::text<std::uint32_t>},
        {'\x8c', &Unpickler::text<std::uint8_t>},
        {'\x8d', &Unpickler::text<std::uint64_t>},
        {'B', &Unpickler::bytes<std::uint32_t>},
        {'C', &Unpickler::bytes<std::uint8_t>},
        {')', &Unpickler::tuple<0>},
        {'\x85', &Unpickler::tuple<1>},
        {'\x86', &Unpickler::tuple<2>},
        {'\x87', &Unpickler::tuple<3>},
        {'t', &Unpickler::tuple_to_mark},
        {']', &Unpickler::empty_list},
        {'a', &Unpickler::append},
        {'e', &Unpickler::appends},
        {'}', &Unpickler::empty_dict},
        {'s', &Unpickler::set_item},
        {'u', &Unpickler::set_items},
        {'q', &Unpickler::put<std::uint8_t>},
        {'r', &Unpickler::put<std::uint32_t>},
        {'\x94', &Unpickler::memoize},
        {'h', &Unpickler::get<std::uint8_t>},
        {'j', &Unpickler::get<std::uint32_t>},
        {'c', &Unpickler::global},
        {'\x93', &Unpickler::stack_global},
        {'R', &Unpickler::reduce},
        {'b', &Unpickler::build},
        {'Q', &Unpickler::persistent},
    };
    return kOpcodes;
}

std::int64_t Unpickler::integer_of(Ref ref) const {
    const Value& held = value(ref);
    if (held.kind != Kind::Integer || held.number < 0) {
        throw unexpected("an integer of 0 or more", held.kind == Kind::Integer
                                                        ? std::to_string(held.number)
                                                        : std::string(name(held.kind)));
    }
    return held.number;
}

std::vector<std::int64_t> Unpickler::extents_of(Ref ref) const {
    const Value& held = value(ref);
    if (held.kind != Kind::Tuple || held.items.size() > kMaxRank) {
        throw unexpected("a tuple of at most " + std::to_string(kMaxRank) + " numbers",
                         held.kind == Kind::Tuple ? "a longer one" : name(held.kind));
    }
    std::vector<std::int64_t> extents;
    for (const Ref item : held.items) extents.push_back(integer_of(item));
    return extents;
}

// A call of a global with a tuple of arguments.
void Unpickler::reduce() {
    // Valid until the next push.
    const std::vector<Ref>& arguments = value(pop(Kind::Tuple)).items;
    const Global& called = *value(pop(Kind::Global)).global;
    if (called.known == Known::RebuildTensor) return rebuild_tensor(arguments);
    if (called.known == Known::OrderedDict && arguments.empty()) return empty_dict();
    if (called.known == Known::Size && arguments.size() == 1 &&
        value(arguments[0]).kind == Kind::Tuple) {
        return push_ref(arguments[0]);
    }
    throw unexpected("a tensor, an empty dict or a size to be made",
                     std::string(called.module) + "." + std::string(called.name) + " with " +
                         std::to_string(arguments.size()) + " arguments");
}

// The attributes of an OrderedDict ("_metadata" of a state dict) are not needed.
void Unpickler::build() {
    pop();
    if (value(top()).kind != Kind::Dict) {
        throw unexpected("attributes of a dict",
                         "attributes of " + std::string(name(value(top()).kind)));
    }
}

// ("storage", class, key, device, elements): the only thing torch.save keeps outside.
void Unpickler::persistent() {
    const std::vector<Ref>& items = value(pop(Kind::Tuple)).items;
    const bool agrees = items.size() == 5 && value(items[0]).text == "storage" &&
                        value(items[1]).kind == Kind::Global &&
                        value(items[1]).global->known == Known::Storage &&
                        value(items[2]).kind == Kind::Text;
    if (!agrees)
        throw unexpected("a storage: its class, key, device and elements", "another tuple");
    Value storage;
    storage.kind = Kind::Storage;
    storage.global = value(items[1]).global;
    storage.text = value(items[2]).text;
    storage.number = integer_of(items[4]);
    push(std::move(storage));
}

// (storage, offset, size, stride, requires_grad, hooks[, metadata]).
void Unpickler::rebuild_tensor(const std::vector<Ref>& arguments) {
    if (arguments.size() < 4 || value(arguments[0]).kind != Kind::Storage) {
        throw unexpected("a tensor of a storage, an offset, a size and strides", "other arguments");
    }
    const Value& storage = value(arguments[0]);
    PickledTensor tensor;
    tensor.dtype = storage.global->dtype;
    tensor.storage = storage.text;
    tensor.storage_elements = storage.number;
    tensor.offset = integer_of(arguments[1]);
    tensor.shape = extents_of(arguments[2]);
    tensor.strides = extents_of(arguments[3]);
    if (tensor.shape.size() != tensor.strides.size()) {
        throw unexpected("as many strides as axes", std::to_string(tensor.strides.size()));
    }
    Value made;
    made.kind = Kind::Tensor;
    made.number = static_cast<std::int64_t>(tensors_.size());
    tensors_.push_back(std::move(tensor));
    push(std::move(made));
}

PickledTable Unpickler::table(const Value& root) const {
    PickledTable tensors;
    for (std::size_t i = 0; i < root.items.size(); i += 2) {
        const Value& key = value(root.items[i]);
        const Value& item = value(root.items[i + 1]);
        if (item.kind != Kind::Tensor) continue;
        if (key.kind != Kind::Text) throw unexpected("names of tensors", name(key.kind));
        const auto place = static_cast<std::size_t>(item.number);
        if (!tensors.emplace(key.text, tensors_[place]).second) {
            throw Error::mismatch(reader_.where(), core::printable(key.text), "one tensor", "two");
        }
    }
    return tensors;
}

}  // namespace

PickledTable unpickle_tensors(std::span<const std::byte> pickle, std::string_view where) {
    return Unpickler(pickle, where).run();
}

}  // namespace model
