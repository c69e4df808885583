#!/usr/bin/env python3
"""Counts the numbers that times rest on, by architecture and by where they come from.

Read are the kernels, links, rates of chips, host costs and systems of topologies/. A number is
published (a document or code of Tenstorrent says it, or one published measurement of just this),
calibrated (fitted to a table of measurements), a guess, or a guess that takes over another number
(of the other architecture, a card, a release), which is nothing of its own. Zeros switch an effect off and do not
count; a value that several chips share counts once. Sizes and grids are not counted.
Usage: scripts/constants.py [--list] [--markdown]
"""
import argparse
import pathlib
import re

ROOT = pathlib.Path(__file__).resolve().parent.parent / "topologies"
ARCHS = ("wormhole_b0", "blackhole")
SIZES = ("bytes", "torus", "before_gap", "grid", "banks", "binaries_stay", "alignment", "ring_bytes")
BUDGET = 60
# A guess that is another number of these files: of the other architecture, a card, a release.
TAKEN_OVER = r"as |cycles of|wormhole's|cost of the call|7/8 of|[\d.]+ us of|[\d.]+ b/cycle, as|host cost"


def kind_of(text):
    lower = text.lower()
    if lower.startswith("guess"):
        return "guess"
    if re.search(r"calibrated|\w+\.csv", lower):
        return "calibrated"
    return "published"


def guess_of(text):
    return "taken over" if re.match(TAKEN_OVER, text.lower()) else "guess"


def numbers(path):
    """(key, value, kind) of a file whose numbers are {value, source} or {value, guess}."""
    sections = []
    for line in path.read_text().splitlines():
        indent = len(line) - len(line.lstrip())
        head = re.match(r'\s*"?([\w-]+)"?:\s*(.*)', line)
        if not head or line.lstrip().startswith("#"):
            continue
        sections = [s for s in sections if s[0] < indent] + [(indent, head[1])]
        entry = re.match(r'\{value: ([^,\[\]]+), (source|guess): "(.*)"', head[2])
        rates = re.match(r'\{value: \[(.*)\], (source|guess): "(.*)"', head[2])
        key = ".".join(s[1] for s in sections)
        if entry:
            yield key, entry[1], (guess_of if entry[2] == "guess" else kind_of)(entry[3])
        elif rates:
            yield key, rates[1], (guess_of if rates[2] == "guess" else kind_of)(rates[3])


def links(path):
    """The same of a file of `key: value  # comment`, with a default source below the routers."""
    default = None
    for line in path.read_text().splitlines():
        if line.startswith("# Without another source:"):
            default = "calibrated"
        entry = re.match(r"\s*(\w+): (\d+)\s*(?:# (.*))?$", line)
        if not entry:
            continue
        comment = entry[3] or ""
        if comment.startswith("as "):
            yield entry[1], entry[2], "taken over"
            continue
        if default and not re.search(r"CCL_bandwidth|\.hpp|payload of C|; G$", comment):
            yield entry[1], entry[2], "guess" if comment.startswith("GUESS") else default
        else:
            yield entry[1], entry[2], kind_of(comment)


def is_rate(key):
    return not any(word in key for word in SIZES)


def of_chips(arch):
    """A value of any chip counts once; it is published when one chip's source says so."""
    order = {"guess": 0, "taken over": 1, "calibrated": 2, "published": 3}
    best = {}
    for path in sorted((ROOT / "chips").glob("*.yaml")):
        if f"arch: {arch}" not in path.read_text():
            continue
        for key, value, kind in numbers(path):
            if is_rate(key) and order[kind] >= order[best.get((key, value), "guess")]:
                best[key, value] = kind
    return [(f"chips: {key}", value, kind) for (key, value), kind in best.items()]


def of_systems(arch):
    """What a system says of its own links."""
    found = []
    for path in sorted((ROOT / "systems").glob("*.yaml")):
        text = path.read_text()
        chip = re.search(r"^chip: (\w+)", text, re.M)
        if not chip or "\nlink:\n" not in text:
            continue
        if f"arch: {arch}" not in (ROOT / "chips" / f"{chip[1]}.yaml").read_text():
            continue
        own = re.findall(r"^  (\w+): (\d+)", text.split("\nlink:\n")[1], re.M)
        found += [(f"systems: {path.stem}.{key}", value, "calibrated") for key, value in own]
    return found


def constants(arch):
    kernels = numbers(ROOT / "kernels" / f"{arch}.yaml")
    found = [(f"kernels: {k}", v, s) for k, v, s in kernels if is_rate(k)]
    found += [(f"links: {k}", v, s) for k, v, s in links(ROOT / "links" / f"{arch}.yaml")]
    found += of_chips(arch) + of_systems(arch)
    hosts = numbers(ROOT / "software" / "host_costs.yaml")
    found += [(f"software: {k}", v, s) for k, v, s in hosts]
    return [entry for entry in found if entry[1] not in ("0", "0.0")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--list", action="store_true", help="every number")
    parser.add_argument("--markdown", action="store_true", help="a table")
    options = parser.parse_args()
    if options.markdown:
        print("| architecture | where | published | taken over | calibrated | guesses | "
              "calibrated and guessed |")
        print("|---|---|--:|--:|--:|--:|--:|")
    for arch in ARCHS:
        found = constants(arch)
        if options.list:
            for key, value, kind in found:
                print(f"{arch:12} {kind:10} {key} = {value}")
        places = sorted({entry[0].split(":")[0] for entry in found})
        for place in [*places, "all"]:
            kinds = [k for key, _, k in found if place == "all" or key.startswith(place + ":")]
            count = {k: kinds.count(k) for k in ("published", "taken over", "calibrated", "guess")}
            own = count["calibrated"] + count["guess"]
            if options.markdown:
                print(f"| {arch} | {place} | {count['published']} | {count['taken over']} | "
                      f"{count['calibrated']} | {count['guess']} | {own} |")
            else:
                note = f" (budget {BUDGET})" if place == "all" else ""
                print(f"{arch:12} {place:9} published {count['published']:3}  taken over "
                      f"{count['taken over']:3}  calibrated {count['calibrated']:3}  guess "
                      f"{count['guess']:3}  own {own:3}{note}")


if __name__ == "__main__":
    main()
