"""Groups of targets in frames of any size: found, followed over time, answered window by window (docs/groups.md)."""
