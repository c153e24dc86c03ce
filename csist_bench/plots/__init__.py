"""Pictures: the only package that uses matplotlib, one module a kind of picture.

Every picture goes to a file (.png, .svg or .pdf) by rename; nothing is shown on a screen.
"""
