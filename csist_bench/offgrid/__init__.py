"""Off-grid unmixing: continuous positions, standard errors and physical limits."""
