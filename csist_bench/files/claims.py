"""Who writes under a prefix of an object store, where nothing can be locked: a claim is an object put conditionally.

A claim is taken by putting it where none is, or in the place of one that was given back; of several at once the store
lets one through. A writer that died leaves its claim held. No clock tells whether it is gone, so its user does: by
`--resume`, which replaces that very claim. A writer that lost its claim finds out before it next says that something is
done, and ends there.
"""

from __future__ import annotations

import json
import os
import platform
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from csist_bench.errors import InputError, show
from csist_bench.files.objects import Objects

CLAIMS = "_claims"  # where the claims of a prefix lie
HELD, FREE = "held", "free"


@dataclass(frozen=True)
class Claim:
    """A claim that this writer took: the object that holds it and what tells it from all others; travels to workers."""

    objects: Objects
    name: str
    token: str

    def require(self) -> None:
        """Raise unless the claim is still this writer's; asked before anything is called done.

        Raises
        ------
        InputError
            If another writer took it over, or it was removed.
        """
        _, note = read_claim(self.objects, self.name)
        if note.get("token") != self.token or note.get("state") != HELD:
            by = f"by {holder(note)}" if note else "or removed"
            raise InputError(
                f"{self.objects}: this writer's claim was taken over ({by}); it ends here, leave it to them"
            )


def read_claim(objects: Objects, name: str) -> tuple[str, dict[str, Any]]:
    """Return the tag and the content of a claim: ("", {}) where there is none, {} where it cannot be read."""
    found = objects.read_tagged(name)
    if found is None:
        return "", {}
    try:
        note = json.loads(found[0])
    except ValueError:
        note = {}
    return found[1], note if isinstance(note, dict) else {}


def is_held(objects: Objects, name: str) -> bool:
    """Tell whether somebody holds a claim, or left it so."""
    tag, note = read_claim(objects, name)
    return bool(tag) and note.get("state") != FREE


def holder(note: dict[str, Any]) -> str:
    """Return who holds a claim and since when, by its own clock."""
    parts = [show(str(note.get(name, "unknown"))) for name in ("pid", "host", "since", "version")]
    return "process {} on {}, since {} by its clock, version {}".format(*parts)


@contextmanager
def claimed(objects: Objects, name: str, about: dict[str, Any], take_over: bool) -> Iterator[Claim]:
    """Hold a claim; it is given back at the end, whatever happens but a kill.

    Parameters
    ----------
    about : dict
        What the claim says of the work, such as a hash of the recipe and the version.
    take_over : bool
        Replace the claim of a writer that is gone, which the user says.

    Raises
    ------
    InputError
        If another writer holds it, naming it and how to go on.
    """
    token = uuid.uuid4().hex
    since = time.strftime("%Y-%m-%d %H:%M:%S")
    note = {"state": HELD, "token": token, "pid": os.getpid(), "host": platform.node(), "since": since, **about}
    held = _take(objects, name, json.dumps(note).encode(), take_over)
    try:
        yield Claim(objects, name, token)
    finally:
        # Only if it is still this writer's: whoever took it over keeps it.
        objects.replace(name, json.dumps(note | {"state": FREE}).encode(), held)


def _take(objects: Objects, name: str, mine: bytes, take_over: bool) -> str:
    if tag := objects.create(name, mine):
        return tag
    tag, note = read_claim(objects, name)
    if note.get("state") == FREE or take_over:
        if held := objects.replace(name, mine, tag) if tag else objects.create(name, mine):
            return held
        _, note = read_claim(objects, name)
    raise InputError(
        f"{objects.where(name)}: another writer is at work ({holder(note)}); wait for it, or if it is gone,"
        " pass --resume to go on in its place (with --overwrite: to begin anew)"
    )
