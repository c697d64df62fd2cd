"""What is done with the figures: they are read, drawn as charts, and written into the page ``docs/benchmarks``.

``python -m benchmarks.publishing`` measures everything and does all three.
"""
