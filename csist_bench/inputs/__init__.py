"""What all readers of users' files share: bytes, text, JSON and tables.

A reader takes a file's bytes from `sources`, its text from `text`, and the columns of a table from `tables` and
`numbers`. So one dialect, one bound and one wording hold for prediction files, target tables and the leaderboard.
"""
