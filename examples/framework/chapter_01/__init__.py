"""Chapter 1: an application is a callable that a WSGI server calls."""

from .app import Sapling as Sapling
