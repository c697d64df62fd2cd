"""Exercise of chapter 5: a hook for one response."""

from __future__ import annotations

import typing as t

from chapter_05 import Response, Sapling, g

After: t.TypeAlias = t.Callable[[Response], Response]


def after_this_request(hook: After) -> After:
    """Call a function with the response of this request, and of no other."""
    if not hasattr(g, "after"):
        g.after = []
    g.after.append(hook)
    return hook


class WithHooks(Sapling):
    """An application in which :func:`after_this_request` works."""

    def make_response(self, value: t.Any) -> Response:
        """Make the response, and call the hooks of this request before those of the application."""
        response = super().make_response(value)
        hooks: list[After] = g.__dict__.pop("after", [])
        for hook in hooks:
            response = hook(response)
        return response
