"""`ml`: maximum likelihood in a single frame."""
