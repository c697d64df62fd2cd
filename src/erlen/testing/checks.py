"""The check that no test leaves a context pushed, which a project asks for with 'erlen_check_contexts'."""

from __future__ import annotations

import typing as t

import pytest

from ..ctx import AppContext, context_var

_ACTIVE_BEFORE = pytest.StashKey[list[AppContext]]()


class ContextCheck:
    """Hooks around each test. What its fixtures have pushed when it begins is theirs to pop."""

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> t.Generator[None, object, object]:
        """Note what is active when a test begins."""
        item.stash[_ACTIVE_BEFORE] = _active()
        return (yield)

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_teardown(self, item: pytest.Item) -> t.Generator[None, object, object]:
        """Pop what a test has left, so that the next one is not blamed, and fail it."""
        result = yield
        left: list[str] = []
        if (before := item.stash.get(_ACTIVE_BEFORE, None)) is not None:
            while (context := context_var.get(None)) is not None and context not in before:
                left.append(repr(context))
                context.pop(None)
        if left:
            pytest.fail(
                f"The test left contexts pushed, innermost first: {', '.join(left)}. Push one with 'with"
                " app.app_context():', which pops it whatever happens.",
                pytrace=False,
            )
        return result


def _active() -> list[AppContext]:
    """Return the contexts that are pushed here, the innermost first."""
    found: list[AppContext] = []
    context = context_var.get(None)
    while context is not None and context not in found:
        found.append(context)
        before = None if context._token is None else context._token.old_value
        context = before if isinstance(before, AppContext) else None
    return found
