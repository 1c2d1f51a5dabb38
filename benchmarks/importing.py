"""How long `import cloudmap` and the first use of each verb's module take, each in a process of its own.

``python benchmarks/importing.py --rounds 9``; the aim is under one second for the import, without web or database modules.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys

CODE = """
import sys, time
begun = time.perf_counter()
import cloudmap
{more}
print(time.perf_counter() - begun, len(sys.modules))
"""


def measure(more: str, rounds: int) -> tuple[float, float, int]:
    """Return median and highest seconds, and the modules that are loaded in the end."""
    seconds, modules = [], 0
    for _ in range(rounds):
        done = subprocess.run([sys.executable, "-c", CODE.format(more=more)], capture_output=True, text=True, check=True)
        taken, loaded = done.stdout.split()
        seconds.append(float(taken))
        modules = int(loaded)
    return statistics.median(seconds), max(seconds), modules


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    rounds = parser.parse_args().rounds
    print("| what | median, s | highest, s | modules |\n| --- | ---: | ---: | ---: |")
    for name, more in (("import cloudmap", ""), ("and cm.open_city", "cloudmap.open_city"), ("and cm.load_facts", "cloudmap.load_facts")):
        median, highest, modules = measure(more, rounds)
        print(f"| {name} | {median:.2f} | {highest:.2f} | {modules} |")


if __name__ == "__main__":
    main()
