"""Entry point of the `csist-bench` command and of `python -m csist_bench`."""

from csist_bench.cli import main

if __name__ == "__main__":
    main()
