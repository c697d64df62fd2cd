"""One instance a subdomain, made when its first request comes.

Start it with ``python -m dispatching.by_subdomain`` and open http://north.localhost:5000/
"""

from __future__ import annotations

import secrets
import threading
import typing as t
from collections import OrderedDict

from werkzeug.exceptions import BadRequest, MisdirectedRequest, NotFound
from werkzeug.serving import run_simple
from werkzeug.wsgi import get_host

from .board import create_board
from .front import create_front

if t.TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

Create: t.TypeAlias = "t.Callable[[t.Mapping[str, t.Any]], WSGIApplication]"


class BySubdomain:
    """A WSGI application that hands each request to the instance of its subdomain.

    The Host header is the visitor's to choose. So an instance exists for known tenants alone, and of those at
    most ``limit`` at a time: the one that has been idle longest makes room.

    :param domain: the name all tenants stand below, such as ``boards.example``.
    :param create: makes an instance from the configuration of a tenant.
    :param tenants: the configuration of each tenant by its subdomain, in lower case.
    :param front: answers requests to the domain itself.
    :param limit: how many instances are kept.
    """

    def __init__(
        self,
        domain: str,
        create: Create,
        tenants: t.Mapping[str, t.Mapping[str, t.Any]],
        front: WSGIApplication,
        limit: int = 100,
    ) -> None:
        if limit < 1:
            raise ValueError(f"limit is {limit}, and one instance is needed to answer. Pass limit=1 or more.")
        self.domain = domain.lower()
        self.create = create
        self.tenants = tenants
        self.front = front
        self.limit = limit
        # Protects the instances: making one, moving it to the end, dropping the first. Held while an instance is
        # made, so that two first requests at a time make one; instances answer outside of it.
        self._lock = threading.Lock()
        self._instances: OrderedDict[str, WSGIApplication] = OrderedDict()

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> t.Iterable[bytes]:
        """Answer a request as PEP 3333 says."""
        return self.application_for(environ)(environ, start_response)

    def application_for(self, environ: WSGIEnvironment) -> WSGIApplication:
        """Return what answers a request: an instance, the front door, or an error."""
        host = get_host(environ)  # empty when it holds what no host name can
        if not host:
            return BadRequest("The Host header is missing or is no host name.")
        name = host.partition(":")[0].lower().removesuffix(".")
        if name == self.domain:
            return self.front
        tenant, dot, domain = name.partition(".")
        if not dot or domain != self.domain:
            return MisdirectedRequest(f"This server answers for {self.domain} and names below it.")
        if tenant not in self.tenants:
            return NotFound("Nobody is at home at this subdomain.")
        return self.instance(tenant)

    def instance(self, tenant: str) -> WSGIApplication:
        """Return the instance of a known tenant, made now if there is none.

        :raises KeyError: when the tenant is not known.
        """
        with self._lock:
            if tenant not in self._instances:
                # When this fails nothing is kept, and the next request tries again.
                self._instances[tenant] = self.create(self.tenants[tenant])
                if len(self._instances) > self.limit:
                    # Requests that it is answering hold it as long as they need it.
                    self._instances.popitem(last=False)
            self._instances.move_to_end(tenant)
            return self._instances[tenant]


def main() -> None:
    """Serve two boards for a look at them; their keys are new at each start."""
    tenants = {
        name: {"TITLE": f"{name.title()} pier", "SECRET_KEY": secrets.token_hex()}
        for name in ("north", "south")
    }
    front = create_front({name: f"http://{name}.localhost:5000/" for name in tenants})
    run_simple("127.0.0.1", 5000, BySubdomain("localhost", create_board, tenants, front), threaded=True)


if __name__ == "__main__":
    main()
