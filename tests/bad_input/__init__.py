"""Malformed requests, as a WSGI server would hand them on: a clear 4xx, no crash, the next request unharmed."""
