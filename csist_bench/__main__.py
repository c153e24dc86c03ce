"""Entry point of the `csist-bench` command and of `python -m csist_bench`."""

import atexit
import gc

from csist_bench.cli import main

# Imports and compilers make objects by the million and keep them: to look through them for garbage again and again, and
# once more at the end, takes a tenth of a short command.
gc.set_threshold(50_000)
atexit.register(gc.freeze)

if __name__ == "__main__":
    main()
