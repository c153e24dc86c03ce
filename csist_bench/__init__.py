"""csist-bench: simulate, unmix and score closely-spaced infrared small targets (CSIST)."""

__version__ = "0.1.0"
