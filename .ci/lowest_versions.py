"""Print constraints that hold every direct dependency to the lowest version that pyproject.toml allows."""

import re
import sys
import tomllib
from pathlib import Path

# The extras that `.ci/lowest` installs; torch comes from constraints.txt: a release that old is 2 GB of CUDA.
EXTRAS = ("images", "parquet", "xarray", "remote")
RUNNERS = ("pytest", "pytest-timeout", "hypothesis")


def main() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    wanted = [*project["dependencies"], *(line for extra in EXTRAS for line in optional[extra])]
    wanted += [line for line in optional["test"] if re.match(r"[\w-]+", line)[0] in RUNNERS]
    for line in dict.fromkeys(wanted):
        match = re.fullmatch(r"([\w-]+)>=([\d.]+)", line)
        if not match:
            sys.exit(f"pyproject.toml: a dependency must be NAME>=VERSION, got {line}")
        print(f"{match[1]}=={match[2]}")


main()
