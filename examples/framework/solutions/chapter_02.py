"""Exercise of chapter 2: a client that has a page already is told so, and is not sent it again."""

from __future__ import annotations

from chapter_02 import Request, Response, Sapling


class Conditional(Sapling):
    """An application whose whole answers have an entity tag (RFC 9110, section 8.8.3)."""

    def full_dispatch_request(self, request: Request) -> Response:
        """Answer with 304 and no body where the client's tag is the answer's."""
        response = super().full_dispatch_request(request)
        if request.method in {"GET", "HEAD"} and response.status_code == 200 and response.is_sequence:
            response.add_etag()
            response.make_conditional(request)
        return response
