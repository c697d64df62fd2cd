"""What a large body costs in memory, behind a real server: ``python -m benchmarks.memory``."""
