"""`leaderboard` on the command line, on a test split of 7 trajectories."""

from __future__ import annotations

import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest

import csist_bench
from tests.helpers.rows import row


def test_where_there_is_no_leaderboard_that_of_the_version_is_shown(bench, monkeypatch):
    monkeypatch.chdir(bench.folder)
    monkeypatch.delenv("COLUMNS", raising=False)  # a runner of tests may set it
    code, out, err = bench("leaderboard")
    assert code == 0
    assert "DeRefNet" in out
    assert "51.55" in out
    assert "reproduced" in out
    assert "this is the leaderboard of the installed version" in err
    code, _, err = bench.leaderboard()
    assert code == 2
    assert "not found" in err


def test_the_leaderboard_is_written_as_markdown_and_html(bench, truth):
    bench.submit(bench.file(truth))
    page, readme = bench.folder / "out" / "index.html", bench.folder / "out" / "README.md"
    code, out, _ = bench.leaderboard("--markdown", str(readme), "--html", str(page))
    assert (code, out) == (0, "")
    assert page.read_text().startswith("<!doctype html>")
    assert bench.leaderboard("--markdown")[1] == readme.read_text()
    assert re.search(r"^\| ISTA \| \*\*[\d.]+\*\* \| .* \| submitted \| A \|", readme.read_text(), re.MULTILINE)


def test_a_terminal_shows_what_fits_and_a_pipe_everything(bench, monkeypatch):
    monkeypatch.chdir(bench.folder)
    monkeypatch.delenv("COLUMNS", raising=False)  # a runner of tests may set it
    whole = bench("leaderboard")[1].splitlines()
    assert "AP05" in whole[1]
    monkeypatch.setenv("COLUMNS", "72")
    narrow = bench("leaderboard")[1].splitlines()
    assert max(map(len, narrow)) <= 72
    assert "AP05" not in narrow[1]
    assert any(line.startswith("Left out for want of width: ") for line in narrow)


@pytest.mark.skipif(sys.platform == "win32", reason="pseudo-terminals are of POSIX systems")
def test_a_real_terminal_is_asked_for_its_width(tmp_path):
    import fcntl
    import pty
    import termios

    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 64, 0, 0))
    about = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
    about["PYTHONPATH"] = str(Path(csist_bench.__file__).parents[1])
    command = [sys.executable, "-m", "csist_bench", "leaderboard", "--family", "traditional"]
    with subprocess.Popen(command, stdout=theirs, stderr=subprocess.DEVNULL, cwd=tmp_path, env=about) as running:
        os.close(theirs)
        text = b""
        while chunk := _read(ours):
            text += chunk
    os.close(ours)
    assert running.returncode == 0
    lines = text.decode().replace("\r\n", "\n").splitlines()
    assert lines[1].startswith("method ")
    assert 40 < max(map(len, lines)) <= 64


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 4096)
    except OSError:  # Linux says so when the other end is closed
        return b""


def test_check_fails_with_one_line_a_fault(bench):
    from csist_bench.leaderboard.rows import write_rows

    write_rows(bench.board, [row(), row(note="b", evaluator="0.9")])
    code, out, _ = bench.leaderboard("--check")
    assert code == 1
    assert out.count("\n") == 1
    assert f"{bench.board}:3: ML, seqcsist: evaluator must be a version 1.x, got 0.9" in out


def test_check_against_data_compares_fingerprints(bench):
    from csist_bench.leaderboard.rows import write_rows

    label = "seqcsist trajectories=12 splits=[0.0,0.34,0.66]"
    write_rows(bench.board, [row(dataset=label, dataset_recipe=label), row()])
    assert bench.leaderboard("--check")[0] == 0
    code, out, _ = bench.leaderboard("--check", "--data", bench.store.path)
    assert code == 1
    assert f"dataset_fingerprint must be {bench.store.fingerprint}" in out


def test_lines_are_computed_from_the_data_and_shown(bench, truth):
    bench.submit(bench.file(truth))
    code, out, _ = bench.leaderboard("--lines", "--data", bench.store.path)
    assert code == 0
    label = "seqcsist trajectories=12 splits=[0.0,0.34,0.66]"
    assert f"{label}, test: 3-fold grid, ranked by brightness: " in out
    shown = bench.leaderboard("--dataset", label)[1]
    assert "3-fold grid, any ranking: " in shown
    assert "Cramer-Rao line, tier B: 1 frame: 100.0" in shown


@pytest.mark.long
def test_bayes_lines_are_computed_kept_and_shown_beside_the_others(bench, truth, tmp_path):
    bench.submit(bench.file(truth))
    work = str(tmp_path / "work")
    assert bench.leaderboard("--lines", "--data", bench.store.path)[0] == 0
    code, out, err = bench.leaderboard("--lines", "--bayes", "--data", bench.store.path, "--work", work)
    assert code == 0, err
    assert out.count("Bayes, ") == 6
    assert "Bayes, K answers, tier D: 1 frame: 100.0 +- 0.00 (7 trajectories, " in out
    # Again, from the parts that are kept; only so many trajectories are parts of their own.
    assert bench.leaderboard("--lines", "--bayes", "--data", bench.store.path, "--work", work)[1] == out
    label = "seqcsist trajectories=12 splits=[0.0,0.34,0.66]"
    only = ("--lines", "--bayes", "--data", bench.store.path, "--work", work, "--prior-tier", "D")
    assert bench.leaderboard(*only)[1] == out
    shown = bench.leaderboard("--dataset", label)[1]
    assert "Bayes, from above, tier D: 1 frame: 100.0 +- 0.00" in shown
    assert "Cramer-Rao line, tier B: 1 frame: 100.0" in shown


def test_options_of_bayes_lines_alone_are_refused(bench):
    alone = (["--work", "x"], ["--trajectories", "2"], ["--prior-tier", "B"])
    for options in (["--bayes"], *(["--lines", *option] for option in alone)):
        code, out, err = bench.leaderboard(*options)
        assert (code, out) == (2, "")
        assert "must come with --lines" in err


def test_a_prior_tier_that_has_no_bayes_line_on_the_set_is_refused(bench):
    code, out, err = bench.leaderboard("--lines", "--bayes", "--prior-tier", "C", "--data", bench.store.path)
    assert (code, out) == (2, "")
    assert "--prior-tier must be D on seqcsist, got C" in err
