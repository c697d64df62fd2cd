"""What a request costs, in one process: Erlen beside Flask, Falcon and Bottle.

``python -m benchmarks`` runs it; see the README in this folder.
"""
