"""Posterior samples of freely placed groups, by Markov chains: for Bayes lines of prior tiers B and C."""
