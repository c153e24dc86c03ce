"""Every code block of the documentation runs, on small sets and short trainings, or says above it why it does not."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import tomllib
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from csist_bench import files
from csist_bench.methods import registry
from csist_bench.methods.registry import METHODS
from tests.helpers.command_line import CommandLine
from tests.helpers.page_inputs import DEFAULT_SET, provide, small_recipes
from tests.helpers.pages import PAGES, ROOT, RUN, SHOWN, Block, blocks

ELSEWHERE = {"walkthrough-unknown-sensor.md": "tests/test_walkthrough.py"}
STORES = "object-stores.md"
# What a block of a page takes for granted.
GIVEN = {
    "frames.md": lambda: {"array": np.ones((3, 11, 11))},
    "groups.md": lambda: {"frames": np.ones((2, 3, 24, 32)), "camera": None},
    "camera.md": lambda: {"frames": np.load("my_frames.npy")},
}
# Numbers of long runs, and what they are here.
SHORT = {
    r"trajectories=\d+": "trajectories=30",
    r"steps=\d+": "steps=2",
    r"--limit \d+": "--limit 2",
    r"--trajectories 0:\d+": "--trajectories 0:2",
}

WRITES = ("--out", "--report", "--picture", "--latex", "--leaderboard", "--html", "--markdown")
NEEDS_SET = ("run", "evaluate", "submit", "train", "limit", "compare")
IDS = [page.relative_to(ROOT).as_posix() for page in PAGES]


def test_every_block_has_a_language_that_is_run_or_is_shown():
    for page in PAGES:
        for block in blocks(page):
            assert block.language in RUN + SHOWN, f"{block.where}: say its language, one of {RUN + SHOWN}"


def test_blocks_that_are_not_run_are_few_and_counted():
    left = [block for page in PAGES for block in blocks(page) if block.reason]
    for block in left:
        print(f"{block.where}: {block.reason}")
    text = (ROOT / "docs" / "testing.md").read_text()
    assert re.search(r"(\d+)<!-- blocks that are not run -->", text)[1] == str(len(left)), "tell it in docs/testing.md"


@pytest.fixture(scope="module")
def recipes(tmp_path_factory):
    return small_recipes(tmp_path_factory.mktemp("small") / "recipes")


@pytest.mark.long
@pytest.mark.parametrize("page", PAGES, ids=IDS)
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")  # workers of a DataLoader, after threads of numba
def test_the_blocks_of_a_page_run(page, recipes, tmp_path, monkeypatch, capsys, request):
    if page.name in ELSEWHERE:
        assert page.name in (ROOT / ELSEWHERE[page.name]).read_text()
        return
    if page.name == STORES:
        request.getfixturevalue("bucket")  # s3://sets, on this machine
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    packaged = files.packaged
    monkeypatch.setattr(files, "packaged", lambda kind: recipes if kind == "recipes" else packaged(kind))
    known: dict = {}
    for block in blocks(page):
        if not block.reason and block.language in RUN:
            run_block(block, known, CommandLine(capsys), GIVEN.get(page.name, dict))


def run_block(block: Block, known: dict, cli: CommandLine, given) -> None:
    if block.file:
        Path(block.file).write_text(block.text)
    if block.language in ("toml", "json"):
        {"toml": tomllib.loads, "json": json.loads}[block.language](block.text)
    elif block.language == "sh":
        for line in block.text.replace("\\\n", " ").splitlines():
            for words in commands(line):
                run_command(words, block, cli)
    elif not block.file:
        provide([*re.findall(r'"([^"]+)"', block.text), "my_frames.npy"])
        known.update({name: value for name, value in given().items() if name not in known})
        try:
            exec(compile(block.text, block.where, "exec"), known)
        except Exception as error:
            raise AssertionError(f"{block.where}: {error!r}") from error


def commands(line: str) -> list[list[str]]:
    """Return the commands of a line, each as words; a comment is none."""
    for long, short in SHORT.items():
        line = re.sub(long, short, line)
    words: list[list[str]] = [[]]
    for word in shlex.split(line, comments=True):
        if word == "&&":
            words.append([])
        else:
            words[-1].append(word)
    return [part for part in words if part]


def run_command(words: list[str], block: Block, cli: CommandLine) -> None:
    program, name, *rest = words
    assert program == "csist-bench", f"{block.where}: {program} is not run here; say so above the block"
    written = [value for option, value in pairwise(rest) if option in WRITES]
    for path in map(Path, written or ["preds.json"] * (name == "run")):  # a reader begins without
        if path.exists() and "--resume" not in rest and path.suffix != ".csv":
            (shutil.rmtree if path.is_dir() else Path.unlink)(path)
    provide([word for word in rest if word not in written])
    if name in NEEDS_SET and "--data" not in rest and "--rows" not in rest:
        provide([DEFAULT_SET])
    rows, classes = dict(METHODS), dict(registry._CLASSES)
    code, _, err = cli(name, *rest)
    for held, before in ((METHODS, rows), (registry._CLASSES, classes)):  # a command knows nothing of the one before
        held.clear()
        held.update(before)
    assert code == 0, f"{block.where}: {' '.join(words)}: {err}"
