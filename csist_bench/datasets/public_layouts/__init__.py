"""The folder layouts of the public data sets, in and out: pictures and XML annotations."""
