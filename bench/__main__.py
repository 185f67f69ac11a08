"""Runs the measurements, prints a table with the spread, and writes `bench/results.json`, where the
figures that were not asked for stay as they are."""

import json
import os
import platform
import sys
from importlib import import_module
from pathlib import Path

from bench.figures import Figure

MEASUREMENTS = {"P2": "webhooks", "P5": "process", "P6": "rpc", "P8": "store", "flood": "flood"}


def main() -> int:
    wanted = sys.argv[1:] or list(MEASUREMENTS)
    unknown = [name for name in wanted if name not in MEASUREMENTS]
    if unknown:
        print(f"bench: there is no {', '.join(unknown)}; choose from {', '.join(MEASUREMENTS)}")
        return 2
    figures: list[Figure] = []
    for name in wanted:
        figures += import_module(f"bench.{MEASUREMENTS[name]}").measure()
    print(f"{'':4} {'figure':52} {'median':>10} {'min':>10} {'max':>10}  {'target':14}")
    for figure in figures:
        row = f"{figure.id:4} {figure.what + ' [' + figure.unit + ']':52}"
        row += f" {figure.median:>10.3f} {min(figure.values):>10.3f} {max(figure.values):>10.3f}"
        extra = "".join(f"  {name} {value:.3f}" for name, value in figure.extra.items())
        print(f"{row}  {figure.target:14} {'reached' if figure.reached else 'MISSED'}{extra}")
    path = Path(__file__).parent / "results.json"
    before = json.loads(path.read_text())["figures"] if path.exists() else []
    results = {
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(),
                    "system": platform.platform()},
        "figures": [
            {"id": f.id, "what": f.what, "unit": f.unit, "target": f.target, "reached": f.reached,
             "median": f.median, "min": min(f.values), "max": max(f.values), "count": len(f.values),
             "method": f.method, **({"extra": f.extra} if f.extra else {})}
            for f in figures
        ] + [figure for figure in before if figure["id"] not in wanted],
    }  # fmt: skip
    path.write_text(json.dumps(results, indent=2) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
