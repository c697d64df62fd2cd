"""Chapter 2: a view gets a request, and returns something a response can be made of."""

from .app import Sapling as Sapling
from .wrappers import Request as Request
from .wrappers import Response as Response
