"""The scoring protocol (evaluator 1.0)."""
