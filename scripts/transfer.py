#!/usr/bin/env python3
"""Do constants that were fitted on some systems hold on another?

Decode: host costs are fitted again without the rows of one device, and predict them. Collectives:
what collective kernels cost is fitted again on groups of two chips alone, and predicts eight; what
two chips cannot show (rings, relays by routers) takes the line's value or none. Everything else
stays as published or as fitted to other tables.
The tessera binary reads a changed copy of topologies/ (TESSERA_TOPOLOGIES).
Usage: scripts/transfer.py FOLDER [--device T3K] [--only decode|collectives] [--markdown]
"""
import argparse
import csv
import json
import math
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESSERA = ROOT / "build/release/tessera"
ROUNDS = 3  # of the search over all constants

# Constants that two chips show, and what stands for those that they do not.
COLLECTIVES = [
    "collective_setup_ns", "gather_line_fill_ns", "gather_fill_slice_B", "pair_MBps",
    "pair_worker_MBps", "reduce_line_relay_ns", "reduce_packet_ns", "reduce_line_fill_ns",
    "reduce_fill_slice_B", "reduce_line_MBps", "reduce_local_sum_MBps", "straight_setup_ns",
    "straight_chunk_ns"]
UNSEEN = {
    "gather_line_hop_ns": None, "gather_ring_relay_ns": "reduce_line_relay_ns",
    "gather_ring_fill_ns": "gather_line_fill_ns", "reduce_ring_relay_ns": "reduce_line_relay_ns",
    "reduce_ring_MBps": "reduce_line_MBps", "straight_sharing_permille": None,
    "direct_sum_ns": None, "direct_rest_MBps": None, "ring_packet_gap_ns": "packet_gap_ns"}


def quantile(errors, share):
    ordered = sorted(errors)
    return ordered[min(len(ordered) - 1, math.ceil(share * len(ordered)) - 1)] if ordered else 0


def scores(errors):
    middle = sorted(errors)[len(errors) // 2] if errors else 0
    return f"{middle:.1f} | {quantile(errors, 0.9):.1f}"


class Copy:
    """A copy of topologies/ whose numbers can be set."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder) / "topologies"
        shutil.copytree(ROOT / "topologies", self.folder)

    def link(self, arch):
        text = (self.folder / "links" / f"{arch}.yaml").read_text()
        return {k: int(v) for k, v in re.findall(r"^(\w+): (\d+)", text, re.M)}

    def set_link(self, arch, values):
        path = self.folder / "links" / f"{arch}.yaml"
        text = path.read_text()
        for key, value in values.items():
            text = re.sub(rf"^{key}: \d+", f"{key}: {round(value)}", text, flags=re.M)
        path.write_text(text)

    def profile(self):
        """host_costs.yaml before, in and behind the profile of tt-transformers."""
        text = (self.folder / "software/host_costs.yaml").read_text()
        block = re.search(r"^  tt-transformers:.*?(?=^  [\w-]+:|\Z)", text, re.M | re.S)
        return text[:block.start()], block.group(), text[block.end():]

    def hosts(self):
        found = re.findall(r"^    (\w+): \{value: ([\d.]+)", self.profile()[1], re.M)
        return {k: float(v) for k, v in found}

    def set_hosts(self, values):
        before, text, behind = self.profile()
        for key, value in values.items():
            text = re.sub(rf"^    {key}: \{{value: [\d.]+", f"    {key}: {{value: {value:.6g}",
                          text, flags=re.M)
        (self.folder / "software/host_costs.yaml").write_text(before + text + behind)

    def rows(self, table, null=False):
        """Compared rows of a table: line, group, error in percent of the measured value."""
        command = [str(TESSERA), "validate", str(table), "--rows", "--json"]
        answer = subprocess.run(command + (["--null"] if null else []), text=True, check=True,
                                capture_output=True,
                                env={**os.environ, "TESSERA_TOPOLOGIES": str(self.folder)})
        return [row for row in json.loads(answer.stdout)["row_results"]
                if row["verdict"] == "compared" and row.get("error_pct") is not None]


def search(start, loss):
    """Coordinate descent: factors that shrink from round to round; 0 where that is as good."""
    best, least = dict(start), loss(start)
    for step in (1.6, 1.25, 1.08)[:ROUNDS]:
        for key in start:
            for factor in (0, step, 1 / step):
                tried = {**best, key: best[key] * factor}
                while (now := loss(tried)) < least:
                    best, least = tried, now
                    tried = {**tried, key: tried[key] * factor}
                    if factor == 0:
                        break
    return best


def decode(tables, device, scratch):
    """Steps are sums that the host's costs enter once each: three runs give their shares."""
    table = tables / "tt_transformers_perf.csv"
    copy = Copy(scratch)
    shipped = copy.hosts()
    with open(table, newline="") as stream:
        speeds = [float(r["tok_s_user"] or 0) for r in csv.DictReader(stream)]

    def steps():
        found = {}
        for row in copy.rows(table, null=True):
            if row["group"].startswith("tok_s_user ") and " TG " not in row["group"]:
                speed = speeds[row["line"] - 2]
                found[row["line"]] = (1e3 / speed / (1 + row["error_pct"] / 100), row, 1e3 / speed)
        return found

    base = steps()
    shares = {}
    for key, value in shipped.items():
        copy.set_hosts({key: 0})
        shares[key] = {line: (base[line][0] - now[0]) / value for line, now in steps().items()}
        copy.set_hosts({key: value})
    held = {line for line, (_, row, _) in base.items() if f" {device} " in row["group"]}

    def error(line, values):
        time = base[line][0] + sum(shares[k][line] * (values[k] - shipped[k]) for k in values)
        return base[line][2] / time - 1

    def loss(values):
        known = [line for line in base if line not in held]
        return sum(min(abs(error(line, values)), 0.5) for line in known) / len(known)

    fitted = search(shipped, loss)
    copy.set_hosts(fitted)
    again = steps()
    return {"fitted": fitted, "shipped": shipped,
            "held": [abs(again[line][1]["error_pct"]) for line in held],
            "before": [abs(base[line][1]["error_pct"]) for line in held],
            "known": [abs(again[line][1]["error_pct"]) for line in again if line not in held],
            "null": [abs(base[line][1]["null_error_pct"]) for line in held
                     if base[line][1].get("null_error_pct") is not None]}


def collectives(tables, arch, scratch):
    table = tables / {"wormhole_b0": "ccl_wh.csv", "blackhole": "ccl_bh.csv"}[arch]
    copy = Copy(scratch)
    shipped = copy.link(arch)
    before = copy.rows(table)
    pairs = pathlib.Path(scratch) / "pairs.csv"
    with open(table, newline="") as stream, open(pairs, "w", newline="") as out:
        reader = csv.DictReader(stream)
        writer = csv.DictWriter(out, reader.fieldnames)
        writer.writeheader()
        writer.writerows(row for row in reader if row["n_devices"] == "2")

    def put(values):
        unseen = {k: values.get(v, shipped.get(v, 0)) if v else 0 for k, v in UNSEEN.items()}
        copy.set_link(arch, {**values, **unseen})

    def loss(values):
        put(values)
        found = copy.rows(pairs)
        return sum(min(abs(row["error_pct"]), 50) for row in found) / len(found)

    # The start knows nothing of the fit: round numbers, or no limit.
    start = {}
    for key in COLLECTIVES:
        start[key] = (1000 if key.endswith("_ns") else 262144 if key.endswith("_B") else
                      shipped["line_rate_MBps"])
    fitted = search(start, loss)
    put(fitted)
    held = [row for row in copy.rows(table) if " 8 chips" in row["group"]]
    kinds = {"line": [], "ring": []}
    for row in held:
        kinds["ring" if " ring " in row["group"] else "line"].append(abs(row["error_pct"]))
    return {"fitted": fitted, **kinds, "held": [abs(row["error_pct"]) for row in held],
            "known": [abs(row["error_pct"]) for row in copy.rows(pairs)],
            "before": [abs(row["error_pct"]) for row in before if " 8 chips" in row["group"]]}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=pathlib.Path, help="a folder of measurement tables")
    parser.add_argument("--device", default="T3K")
    parser.add_argument("--only", choices=("decode", "collectives"))
    options = parser.parse_args()
    print("| predicted | fitted on | rows | median % | p90 % | shipped constants: median % | p90 % |")
    print("|---|---|--:|--:|--:|--:|--:|")
    notes = []
    if options.only != "collectives":
        with tempfile.TemporaryDirectory() as scratch:
            found = decode(options.folder, options.device, scratch)
        print(f"| decode speeds of {options.device} | N150, N300, P100, P150 | {len(found['held'])} "
              f"| {scores(found['held'])} | {scores(found['before'])} |")
        notes.append(f"Null of these rows (fitted on them): {scores(found['null'])}. Fitted: " +
                     ", ".join(f"{k} {v:.4g}" for k, v in found["fitted"].items()) + ".")
    if options.only != "decode":
        for arch in ("wormhole_b0", "blackhole"):
            with tempfile.TemporaryDirectory() as scratch:
                found = collectives(options.folder, arch, scratch)
            print(f"| collectives of 8 chips, {arch} | 2 chips | {len(found['held'])} | "
                  f"{scores(found['held'])} | {scores(found['before'])} |")
            for kind in ("line", "ring"):
                print(f"| of them {kind}s | | {len(found[kind])} | {scores(found[kind])} | | |")
            notes.append(f"{arch}, on the rows of two chips it was fitted to: "
                         f"{scores(found['known'])}. Fitted: " +
                         ", ".join(f"{k} {v:.4g}" for k, v in found["fitted"].items()) + ".")
    print()
    print("\n".join(notes))


if __name__ == "__main__":
    main()
