# SPDX-License-Identifier: Apache-2.0
"""What benchmarks share: their command line, the machine that they ran on, and where results go."""

import argparse
import json
import os
import platform
import tempfile


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as info:
        for line in info:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return "unknown"


def json_lines(text):
    """The JSON objects among the lines of `text`."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def write_json(path, result):
    with tempfile.NamedTemporaryFile("w", dir=os.path.dirname(os.path.abspath(path)), delete=False,
                                     encoding="utf-8") as file:
        json.dump(result, file, indent=2)
        file.write("\n")
    os.replace(file.name, path)
    print(f"written: {path}")


def run(name, description, measure):
    """Calls measure(out folder, rounds, is_wanted), which gives a dictionary, and writes that as JSON. `is_wanted(row)`:
    whether the user wants the row of this name."""
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", default=None, help=f"default: {name}.json in the out folder")
    parser.add_argument("--only", nargs="*", default=None, metavar="PART", help="rows with one of these in their name")
    arguments = parser.parse_args()
    out = os.path.abspath(arguments.out)
    machine = {"processor": processor(), "kernel": platform.release(), "cpus": os.cpu_count(),
               "load": os.getloadavg(), "rounds": arguments.rounds}
    result = measure(out, arguments.rounds,
                     lambda row: arguments.only is None or any(part in row for part in arguments.only))
    write_json(arguments.json or os.path.join(out, f"{name}.json"), {**machine, **result})
