#!/usr/bin/env python3
"""Writes random bfloat16 weights for the config.json of a Llama, in shards with an index.

For measuring memory and start-up of full-size models without downloading them:
    scripts/random_checkpoint.py models/configs/Llama-3.2-1B-Instruct /tmp/Llama-3.2-1B-Instruct
Magnitudes are between 2^-7 and 2^-5, norms are ones: sensible numbers, no sense. The tokenizer is
that of the demo model with made words up to the size of the vocabulary.
"""
import json
import os
import random
import shutil
import struct
import sys

SHARD_BYTES = 1 << 30
CHUNK = 1 << 23  # values written at once
HIGH_BYTES = bytes(0x80 * (i & 1) | 0x3C for i in range(256))  # sign, exponent -7 and -6


def tensors(config):
    """(name, shape) in the order of use."""
    dim, width = config["hidden_size"], config["intermediate_size"]
    heads = config["num_attention_heads"]
    head_dim = config.get("head_dim", dim // heads)
    q, kv = heads * head_dim, config["num_key_value_heads"] * head_dim
    yield "model.embed_tokens.weight", [config["vocab_size"], dim]
    for layer in range(config["num_hidden_layers"]):
        prefix = f"model.layers.{layer}."
        yield prefix + "input_layernorm.weight", [dim]
        yield prefix + "self_attn.q_proj.weight", [q, dim]
        yield prefix + "self_attn.k_proj.weight", [kv, dim]
        yield prefix + "self_attn.v_proj.weight", [kv, dim]
        yield prefix + "self_attn.o_proj.weight", [dim, q]
        yield prefix + "post_attention_layernorm.weight", [dim]
        yield prefix + "mlp.gate_proj.weight", [width, dim]
        yield prefix + "mlp.up_proj.weight", [width, dim]
        yield prefix + "mlp.down_proj.weight", [dim, width]
    yield "model.norm.weight", [dim]
    if not config["tie_word_embeddings"]:
        yield "lm_head.weight", [config["vocab_size"], dim]


def size(shape):
    elements = 1
    for extent in shape:
        elements *= extent
    return 2 * elements


def values(shape, source):
    """Little-endian bfloat16 values of a tensor, chunk by chunk."""
    left = size(shape) // 2
    while left > 0:
        count = min(left, CHUNK)
        left -= count
        if len(shape) == 1:
            yield b"\x80\x3f" * count
            continue
        chunk = bytearray(source.randbytes(2 * count))
        chunk[1::2] = chunk[1::2].translate(HIGH_BYTES)
        yield bytes(chunk)


def shards(config):
    shard, filled = [], 0
    for name, shape in tensors(config):
        if shard and filled + size(shape) > SHARD_BYTES:
            yield shard
            shard, filled = [], 0
        shard.append((name, shape))
        filled += size(shape)
    yield shard


def write_shard(path, shard, source):
    header, end = {}, 0
    for name, shape in shard:
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [end, end + size(shape)]}
        end += size(shape)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for _, shape in shard:
            for chunk in values(shape, source):
                file.write(chunk)
    return end


def write_tokenizer(demo, folder, vocab_size):
    with open(os.path.join(demo, "tokenizer.json")) as file:
        tokenizer = json.load(file)
    vocab = tokenizer["model"]["vocab"]
    for token in range(len(vocab) + len(tokenizer["added_tokens"]), vocab_size):
        vocab[f"word{token}"] = token
    with open(os.path.join(folder, "tokenizer.json"), "w") as file:
        json.dump(tokenizer, file)
    shutil.copy(os.path.join(demo, "tokenizer_config.json"), folder)


def main(config_folder, folder):
    demo = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../models/tiny-shakespeare")
    with open(os.path.join(config_folder, "config.json")) as file:
        config = json.load(file)
    os.makedirs(folder, exist_ok=True)
    shutil.copy(os.path.join(config_folder, "config.json"), folder)
    write_tokenizer(demo, folder, config["vocab_size"])
    parts, weight_map, total = list(shards(config)), {}, 0
    source = random.Random(1)
    for number, shard in enumerate(parts, 1):
        name = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        total += write_shard(os.path.join(folder, name), shard, source)
        weight_map.update((tensor, name) for tensor, _ in shard)
    with open(os.path.join(folder, "model.safetensors.index.json"), "w") as file:
        json.dump({"metadata": {"total_size": total}, "weight_map": weight_map}, file)
    print(f"{total} bytes of weights in {folder}")


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    main(*sys.argv[1:])
