"""What is to be done every day or so: ``erlen security purge``, or a job of the application's own."""

from __future__ import annotations

from .kit import Kit


def purge(kit: Kit) -> int:
    """Delete sessions and tokens that have expired, attempts that no limit counts any more, and old events.

    It changes nothing that anybody can see but the log: what has expired does not work, deleted or not.

    :param kit: what every part works with; its settings say how long the log is kept.
    :returns: how many rows were deleted.

    .. versionadded:: 0.1
    """
    now = kit.clock()
    return kit.store.purge(now, now - kit.settings.event_lifetime)
