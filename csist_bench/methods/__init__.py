"""Unmixing methods: the registry, one folder a family, and the one way every method is run."""
