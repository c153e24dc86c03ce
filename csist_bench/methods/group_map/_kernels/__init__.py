"""Kernels of `group-map`."""
