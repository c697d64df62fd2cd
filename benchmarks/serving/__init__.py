"""Requests a second behind real servers, under a bounded load on this machine: ``python -m benchmarks.serving``."""
