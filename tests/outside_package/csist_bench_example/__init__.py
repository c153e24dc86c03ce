"""Two methods that are not of csist-bench: the centre of gravity, and a network of two convolutions."""
