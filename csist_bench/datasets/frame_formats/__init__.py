"""Readers of frames, one module a family of formats: each returns an array as the file holds it, or one clear line.

Nothing in a file is trusted: sizes come from headers and are held against the file's before anything is decoded, and
nothing is ever unpickled.
"""
