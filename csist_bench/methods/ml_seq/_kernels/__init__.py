"""Kernels of `ml-seq`."""
