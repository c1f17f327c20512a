"""Benchmarks over real pull requests: what is measured, over which targets, with tables to commit."""
