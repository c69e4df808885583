// Makes the small tokenizers of this folder and what Hugging Face's JavaScript library encodes.
//   mkdir W && cd W && npm install @huggingface/tokenizers@0.2.0 && node make_expected.mjs FOLDER
// FOLDER is this one. Nothing here is random but by a fixed seed.
// Writes strings.json, kinds.json (parts of each tokenizer.json), base_*.json (model of each) and
// expected_*.json: ids of every string, and the decoded text where it is not the string.
import { writeFileSync } from "node:fs";
import { Tokenizer } from "@huggingface/tokenizers";

const folder = process.argv[2];
const mark = "\u2581";

// --- strings ---

let state = 12345;
const random = (n) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % n;
};
const fixed = [
    "", " ", "  ", "   ", "\n", "\r\n", "\t", " \n ", "\n\n\n", "a", " a", "a ", "  a  ", "Hello, world!",
    "The quick brown fox jumps over the lazy dog.", "It's we'll THEY'RE I'm can't o'clock 'tis",
    "1", "12", "123", "1234", "1234567 89", "3.14159", "-2e10", "1,000,000.00", "٣٤٥ ४५६",
    "😀", "👩‍💻👨‍👩‍👧‍👦", "🇩🇪🇫🇷", "👍🏽 ok", "e\u0301", "n\u0303a\u0308o", "Z\u0337\u0322a\u0337lgo",
    "你好世界。", "今日は、世界", "안녕하세요 세계", "กรุงเทพมหานคร", "مرحبا بالعالم", "שלום עולם", "Привет, мир",
    "Γειά σου Κόσμε", "İstanbul ıI", "straße ﬁne ﬀ Ⅷ ①②③", "Ｆｕｌｌ　ｗｉｄｔｈ", "½ ¼ m² H₂O",
    "for (int i = 0; i < n; ++i) { x[i] *= 2.5f; }  // ok\n\treturn;", "def f(x):\n    return x**2\n",
    "<html><body class=\"a\">&amp;</body></html>", "{\"a\": [1, 2, null], \"b\": \"\\n\"}",
    "https://example.org/a_b?c=d&e=%20f#g", "a.b@c-d.io", "C:\\path\\to", "SELECT * FROM t WHERE a='b';",
    "<s>", "</s>", "<s>hello</s>", "a<s>b", "a <s> b", "<s><s>", "<|x|>", "a <|x|> b", "a  <|y|>  b", "<|y|>",
    "<unk>", "<0x0A>", "<0x", "\u2581", "a\u2581b", "\u2581\u2581 \u2581", "nul \0 inside", "\u0001\u007f",
    "a\u00a0b\u3000c\u2003d", "\u200b\u200d\u2060", "\u2028\u2029", "\ufffd", "\u{10ffff}", "x".repeat(70),
    " ".repeat(50) + "x", "\n".repeat(40), "ab".repeat(60), "1".repeat(50), "é".repeat(45), "😀".repeat(20),
    "!?!?!?...,,,;;;", "--- *** ___ ===", "'''\"\"\"```", "ﷺ", "Å Å Å", "가 각", "ａ", "ΑΒΓ αβγ", "ſt Ǆ",
];
const fragments = [
    " ", "  ", "\n", "\t", "the", "The", " and", "ing", "tion", "hello", "World", "'s", "'LL", "12", "7", "٣", "2024",
    "😀", "👩‍💻", "é", "e\u0301", "你好", "世界", "مر", "ل", "при", "Δ", ".", ",", "!", "(", ")", "[0]", "==", "->", "//",
    "<s>", "</s>", "<|x|>", "<|y|>", "<|z|>", "\u3000", "\u00a0", "½", "ﬁ", mark, "_", "$", "\0", "ab", "abab",
];
const strings = [...fixed];
while (strings.length < 240) {
    let text = "";
    for (let i = 2 + random(12); i > 0; --i) text += fragments[random(fragments.length)];
    strings.push(text);
}

// --- byte-pair training, by definition: count, join the most frequent pair, again ---

const train = (sequences, count, allowed) => {
    const merges = [];
    let words = sequences.map((s) => [...s]);
    while (merges.length < count) {
        const counts = new Map();
        for (const word of words)
            for (let i = 0; i + 1 < word.length; ++i) {
                if (!allowed(word[i], word[i + 1])) continue;
                const key = word[i] + " " + word[i + 1];
                counts.set(key, (counts.get(key) ?? 0) + 1);
            }
        let best = null;
        for (const [key, n] of counts)
            if (best === null || n > counts.get(best) || (n === counts.get(best) && key < best)) best = key;
        if (best === null) break;
        const [left, right] = best.split(" ");
        merges.push([left, right]);
        words = words.map((word) => {
            const out = [];
            for (let i = 0; i < word.length; ++i) {
                if (i + 1 < word.length && word[i] === left && word[i + 1] === right) {
                    out.push(left + right);
                    ++i;
                } else out.push(word[i]);
            }
            return out;
        });
    }
    return merges;
};
const alphabet = (() => {
    const bytes = new Array(256);
    let next = 256;
    for (let b = 0; b < 256; ++b) {
        const printable = (b >= 33 && b <= 126) || (b >= 161 && b <= 172) || b >= 174;
        bytes[b] = String.fromCodePoint(printable ? b : next++);
    }
    return bytes;
})();
const spelled = (text) => Array.from(new TextEncoder().encode(text), (b) => alphabet[b]).join("");
const extend = (vocab, merges) => {
    for (const [a, b] of merges) if (!(a + b in vocab)) vocab[a + b] = Object.keys(vocab).length;
};

const bytes = { type: "BPE", vocab: {}, merges: [] };
alphabet.forEach((c, b) => (bytes.vocab[c] = b));
// No pre-tokenizer while training: merges lie across every place where one should split.
bytes.merges = train(strings.map(spelled), 700, (a, b) => a.length + b.length <= 12);
extend(bytes.vocab, bytes.merges);

const characters = (allowed, byteFallback) => {
    const model = {
        type: "BPE", unk_token: "<unk>", fuse_unk: true, byte_fallback: byteFallback, ignore_merges: false,
        vocab: { "<unk>": 0, "<s>": 1, "</s>": 2 }, merges: [],
    };
    for (let b = 0; b < 256; ++b) {
        if (byteFallback) model.vocab["<0x" + b.toString(16).toUpperCase().padStart(2, "0") + ">"] = 3 + b;
    }
    // Rare characters stay out of the vocabulary.
    const texts = strings.map((s) => (mark + s.replaceAll(" ", mark)).replace(/[😀👩你Δ½\0ﬁ\n]/gu, ""));
    for (const c of new Set(texts.join(""))) if (!(c in model.vocab)) model.vocab[c] = Object.keys(model.vocab).length;
    model.merges = train(texts, 500, allowed);
    extend(model.vocab, model.merges);
    return model;
};
const short = (a, b) => a.length + b.length <= 10;
const bases = {
    bytes,
    words: characters((a, b) => short(a, b) && !(b.startsWith(mark) && !a.endsWith(mark)), true),
    across: characters(short, true),
    unknown: characters((a, b) => short(a, b) && !b.startsWith(mark), false),
};

// --- kinds ---

const special = (id, content, more = {}) => ({
    id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true, ...more,
});
const around = (before, after) => {
    const tokens = [...before, ...after];
    return {
        type: "TemplateProcessing",
        single: [
            ...before.map((t) => ({ SpecialToken: { id: t.content, type_id: 0 } })),
            { Sequence: { id: "A", type_id: 0 } },
            ...after.map((t) => ({ SpecialToken: { id: t.content, type_id: 0 } })),
        ],
        pair: [],
        special_tokens: Object.fromEntries(
            tokens.map((t) => [t.content, { id: t.content, ids: [t.id], tokens: [t.content] }])),
    };
};
const split = (Regex, more = {}) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false, ...more });
const byteLevel = { type: "ByteLevel", add_prefix_space: false, trim_offsets: true, use_regex: false };
const steps = (...pretokenizers) => ({ type: "Sequence", pretokenizers });
const llama3 = "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const qwen2 = llama3.replace("\\p{N}{1,3}", "\\p{N}");
const top = Math.max(...Object.values(bytes.vocab)) + 1;
const marked = [special(top, "<s>"), special(top + 1, "</s>"), special(top + 2, "<|x|>"),
    special(top + 3, "<|y|>", { lstrip: true, rstrip: true }), special(top + 4, "<|z|>", { special: false })];
const bytesKind = (pre_tokenizer, more = {}) => ({
    base: "bytes", normalizer: null, pre_tokenizer, post_processor: null, decoder: { type: "ByteLevel" },
    added_tokens: marked, ...more,
});
const pieces = [special(0, "<unk>"), special(1, "<s>"), special(2, "</s>")];
const fallback = {
    type: "Sequence",
    decoders: [
        { type: "Replace", pattern: { String: mark }, content: " " }, { type: "ByteFallback" }, { type: "Fuse" },
        { type: "Strip", content: " ", start: 1, stop: 0 },
    ],
};
const metaspace = (prepend_scheme) => ({ type: "Metaspace", replacement: mark, prepend_scheme, split: false });
const wordsKind = (more) => ({
    base: "words", normalizer: null, pre_tokenizer: null, decoder: fallback, added_tokens: pieces,
    post_processor: around([pieces[1]], []), ...more,
});
const prepended = {
    type: "Sequence",
    normalizers: [{ type: "Prepend", prepend: mark }, { type: "Replace", pattern: { String: " " }, content: mark }],
};
const kinds = {
    gpt2: bytesKind({ ...byteLevel, use_regex: true }),
    gpt2_prefix: bytesKind({ ...byteLevel, use_regex: true, add_prefix_space: true }),
    llama3: bytesKind(steps(split(llama3), byteLevel), {
        ignore_merges: true, post_processor: { type: "Sequence", processors: [{ type: "ByteLevel" }, around([marked[0]], [marked[1]])] },
    }),
    qwen2: bytesKind(steps(split(qwen2), byteLevel), { normalizer: { type: "NFC" } }),
    removed: bytesKind(steps(split("[aeiou]", { behavior: "Removed" }), byteLevel)),
    inverted: bytesKind(steps(split("\\p{L}+|\\s", { behavior: "Removed", invert: true }), byteLevel)),
    llama2_old: wordsKind({ normalizer: prepended }),
    llama2_first: wordsKind({ pre_tokenizer: metaspace("first") }),
    always: wordsKind({ pre_tokenizer: metaspace("always") }),
    never: wordsKind({ pre_tokenizer: metaspace("never") }),
    phi3: wordsKind({
        normalizer: prepended,
        added_tokens: [...pieces.slice(0, 2), special(2, "</s>", { rstrip: true }), special(5000, "<|x|>", { rstrip: true }),
            special(5001, "<|y|>", { lstrip: true })],
    }),
    across: wordsKind({ base: "across", normalizer: prepended }),
    unknown: wordsKind({ base: "unknown", pre_tokenizer: metaspace("always") }),
    unknown_apart: wordsKind({ base: "unknown", pre_tokenizer: metaspace("always"), fuse_unk: false }),
    normalized: bytesKind({ ...byteLevel, use_regex: true }, {
        normalizer: {
            type: "Sequence",
            normalizers: [{ type: "NFKC" }, { type: "Lowercase" }, { type: "Replace", pattern: { Regex: " {2,}" }, content: " " },
                { type: "Strip", strip_left: true, strip_right: true }],
        },
        added_tokens: [...marked.slice(0, 2), special(top + 2, "<|X|>", { special: false, normalized: true })],
    }),
    nfd: bytesKind({ ...byteLevel, use_regex: true }, { normalizer: { type: "NFD" } }),
    nfkd: bytesKind({ ...byteLevel, use_regex: true }, { normalizer: { type: "NFKD" } }),
};

const save = (name, value) => writeFileSync(`${folder}/${name}.json`, JSON.stringify(value) + "\n");
save("strings", strings);
save("kinds", kinds);
for (const [name, model] of Object.entries(bases)) {
    save(`base_${name}`, { ...model, merges: model.merges.map(([a, b]) => `${a} ${b}`) });
}
for (const [name, kind] of Object.entries(kinds)) {
    const { base, ignore_merges, fuse_unk, ...parts } = kind;
    const model = { ...bases[base] };
    if (ignore_merges !== undefined) model.ignore_merges = ignore_merges;
    if (fuse_unk !== undefined) model.fuse_unk = fuse_unk;
    const tokenizer = new Tokenizer({ version: "1.0", ...parts, model }, { clean_up_tokenization_spaces: false });
    const ids = strings.map((s) => tokenizer.encode(s).ids);
    const texts = {};
    strings.forEach((s, i) => {
        const plain = tokenizer.encode(s, { add_special_tokens: false }).ids;
        const text = plain.length === 0 ? "" : tokenizer.decode(plain);
        if (text !== s) texts[i] = text;
    });
    save(`expected_${name}`, { ids, texts });
}
