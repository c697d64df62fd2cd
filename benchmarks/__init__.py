"""What a request costs, in one process: Erlen beside other frameworks, over WSGI and over ASGI.

``python -m benchmarks`` runs it, ``python -m benchmarks.memory`` what large bodies cost; see the README here.
"""
