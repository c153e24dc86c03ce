"""What happens when things break? `python -m tests.faults` kills, fills, locks and damages, and looks what is left."""
