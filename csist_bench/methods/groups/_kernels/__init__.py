"""Kernels of the search for groups."""
