"""Kernels of `ml`."""
