"""TOML that this package writes, and reading a small file of it with every fault in one line."""

from __future__ import annotations

import tomllib
from typing import Any

from csist_bench.errors import InputError, show


def toml_value(value: Any) -> str:
    """Return a value as TOML: text escaped, a number as short as it can be read back, a list on one line."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(toml_value, value))}]"
    if isinstance(value, str):
        escaped = "".join(c if c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in value)
        return f'"{escaped}"'
    return repr(int(value)) if isinstance(value, int) else repr(float(value))


def toml_table(data: bytes, where: str, what: str) -> dict[str, Any]:
    """Return the table of a TOML file; `what` says in errors what it should have been.

    Raises
    ------
    InputError
        If it is not UTF-8, not TOML, nested too deeply or holds a number of too many digits.
    """
    try:
        return tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(f"{where}: not a TOML {what}: {show(str(error))}") from None
    except (RecursionError, ValueError):
        raise InputError(f"{where}: not a TOML {what}: nested too deeply or a number too long") from None
