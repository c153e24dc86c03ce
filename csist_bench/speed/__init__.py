"""Speed of everything on this machine: one table, ratios measured in one run."""
