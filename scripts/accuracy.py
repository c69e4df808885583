#!/usr/bin/env python3
"""Tables of docs/accuracy.md: errors by table and group, from `tessera validate --rows`.

A table with many groups is shown by the first words of their names.
Usage: scripts/accuracy.py FOLDER
"""
import collections
import json
import math
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
TESSERA = ROOT / "build/release/tessera"
MOST_GROUPS = 16
# What the project set out for, median and where it says so 90th percentile, in percent.
GOALS = {
    "attention": "15", "op_profiles": "25", "dispatch": "8", "pcie_bw": "10",
    "gemm_wh": "10, 20 untuned", "gemm_bh": "10, 20 untuned", "noc_latency": "15", "noc_bw": "15", "dram_bw": "15",
    "fabric_bw": "8", "tt_transformers_perf": "speed 7, p90 20; first token 20"}


def validated(path):
    command = [str(TESSERA), "validate", str(path), "--rows", "--null", "--json"]
    answer = subprocess.run(command, text=True, capture_output=True)
    return json.loads(answer.stdout) if answer.returncode in (0, 1) else None


def quantile(errors, share):
    """As tessera: the median is the mean of the middle two, others are nearest ranks."""
    if not errors:
        return "-"
    ordered = sorted(errors)
    if share == 0.5 and len(ordered) % 2 == 0:
        return f"{(ordered[len(ordered) // 2 - 1] + ordered[len(ordered) // 2]) / 2:.1f}"
    return f"{ordered[math.ceil(share * len(ordered)) - 1]:.1f}"


def line(table, group, rows, skipped, goal):
    errors = [abs(r["error_pct"]) for r in rows if r.get("error_pct") is not None]
    null = [abs(r["null_error_pct"]) for r in rows if r.get("null_error_pct") is not None]
    print(f"| {table} | {group} | {len(rows)} | {skipped} | {quantile(errors, 0.5)} | "
          f"{quantile(errors, 0.9)} | {quantile(null, 0.5)} | {goal} |")


def short(names):
    """The most words of which all names make few groups."""
    longest = max(len(name.split()) for name in names)
    for words in range(longest, 0, -1):
        if len({" ".join(name.split()[:words]) for name in names}) <= MOST_GROUPS:
            return words
    return 1


def print_errors(name, found):
    compared = [row for row in found["row_results"] if row["verdict"] != "skipped"]
    line(f"**{name}**", found["kind"], compared, found["skipped"], GOALS.get(name, ""))
    names = {row["group"] for row in compared if row["group"]}
    if len(names) < 2:
        return
    words = short(names)
    groups = collections.defaultdict(list)
    for row in compared:
        groups[" ".join(row["group"].split()[:words])].append(row)
    if len(groups) < 2:
        return
    for group in sorted(groups):
        line("", group, groups[group], "", "")


def percent(value):
    return "-" if value is None else f"{value:.1f}"


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    verdicts = []
    print("| table | group | rows | skipped | median % | p90 % | null's median % | goal % |")
    print("|---|---|--:|--:|--:|--:|--:|---|")
    for path in sorted(pathlib.Path(sys.argv[1]).glob("*.csv")):
        found = validated(path)
        if found is None:
            continue  # columns of no kind
        if any(row["verdict"] == "compared" for row in found["row_results"]):
            print_errors(path.stem, found)
        else:
            verdicts.append((path.stem, found))
    print("\n| table | rows | skipped | yes predicted % of yes | no predicted % of no | "
          "exact % | within 2x % |\n|---|--:|--:|--:|--:|--:|--:|")
    for name, found in verdicts:
        keys = ("agree_yes_pct", "agree_no_pct", "exact_pct", "within_2x_pct")
        print(f"| **{name}** | {found['rows']} | {found['skipped']} | " +
              " | ".join(percent(found.get(key)) for key in keys) + " |")


if __name__ == "__main__":
    main()
