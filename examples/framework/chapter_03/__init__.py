"""Chapter 3: rules with variables lead to views, and back from views to URLs."""

from .app import Sapling as Sapling
from .routing import BuildError as BuildError
from .routing import Router as Router
from .routing import Rule as Rule
from .wrappers import Request as Request
from .wrappers import Response as Response
