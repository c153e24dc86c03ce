"""`csist-bench check-method`: does a method keep the contract?"""

from __future__ import annotations

import sys

import click

from csist_bench.cli.options import json_option, print_json, say


@click.command("check-method")
@click.argument("method")
@click.option("--set", "overrides", multiple=True, metavar="NAME=VALUE", help="Set a setting; repeatable.")
@json_option
def command(method: str, overrides: tuple[str, ...], as_json: bool) -> None:
    """Try METHOD on a few frames: does it keep the contract that run and train rely on?

    METHOD is a name, path/to/file.py:Class or package.module:Class. Tried are the kind of its answers, that they do not
    depend on batches or order, that frames and global random numbers stay as they were, and that a network learns.
    The exit code is 1 if a clause is broken. The interface is described in docs/own-methods.md.

    \b
    Examples:
      csist-bench check-method my_fit.py:MyFit
      csist-bench check-method ml --set brightness=free
    """
    from csist_bench.methods.contract import check_method
    from csist_bench.methods.outside import resolve
    from csist_bench.recipes import parse_overrides

    row = resolve(method)
    checks = []
    for check in check_method(row, parse_overrides(overrides)):
        checks.append(check)
        if not as_json:
            say(f"{'ok    ' if check.passed else 'BROKEN'}  {check.name}" + (f": {check.found}" if check.found else ""))
    if as_json:
        print_json(
            {"method": row.name, "checks": [{"name": c.name, "passed": c.passed, "found": c.found} for c in checks]}
        )
    sys.exit(0 if all(check.passed for check in checks) else 1)
