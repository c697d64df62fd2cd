"""How many instructions of the processor a request takes: figures that repeat, also on a machine that is busy.

``python -m benchmarks.instructions`` counts, with ``--guard`` it compares with the committed figures; see the README of
the folder above. Valgrind's callgrind counts.
"""
