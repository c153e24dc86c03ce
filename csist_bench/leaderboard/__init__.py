"""The leaderboard: rows, submission, checks, and what it looks like in a terminal, in Markdown and in HTML.

`leaderboard.csv` is append-only, one row a submission, and holds measured rows alone; the papers' own figures are in
`published.csv` and are shown beside the measured ones, never mixed with them.
"""

from csist_bench.leaderboard.claims import Claim, Reading
from csist_bench.leaderboard.published import published_rows
from csist_bench.leaderboard.rows import Row, append_row, read_rows, standing
from csist_bench.leaderboard.submission import score_submission, submit

__all__ = [
    "Claim",
    "Reading",
    "Row",
    "append_row",
    "published_rows",
    "read_rows",
    "score_submission",
    "standing",
    "submit",
]
