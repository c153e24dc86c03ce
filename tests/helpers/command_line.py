"""The command line as a user meets it: exit code, stdout and stderr of `csist_bench.cli.main`."""

from __future__ import annotations

import json

import pytest

from csist_bench.cli import main


class CommandLine:
    """Runs commands in this process; `capsys` takes what they print."""

    def __init__(self, capsys) -> None:
        self.capsys = capsys

    def __call__(self, *arguments):
        """Return (exit code, stdout, stderr) of one command."""
        self.capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        said = self.capsys.readouterr()
        return int(ended.value.code or 0), said.out, said.err

    def passes(self, *arguments):
        """Run a command that must succeed; return (stdout, stderr)."""
        code, out, err = self(*arguments)
        assert code == 0, err
        return out, err

    def json(self, *arguments):
        """Run a command with --json; return the one value that stdout holds."""
        return json.loads(self.passes(*arguments, "--json")[0])

    def refuses(self, *arguments, says):
        """Run a command with bad input: exit code 2, nothing on stdout, one line on stderr that holds `says`."""
        code, out, err = self(*arguments)
        assert (code, out) == (2, ""), err
        assert err.startswith("csist-bench: error: ")
        assert err.count("\n") == 1, err
        assert says in err, err
        return err
