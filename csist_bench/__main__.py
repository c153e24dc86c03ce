"""Entry point of the `csist-bench` command and of `python -m csist_bench`."""

import atexit
import gc

from csist_bench.cli import main

# What is left goes with the process. To look through what a compiler leaves for garbage takes half a second.
atexit.register(gc.freeze)

if __name__ == "__main__":
    main()
