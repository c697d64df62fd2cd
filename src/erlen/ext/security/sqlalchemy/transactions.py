"""How the store reaches its database: short transactions, begun again where the database asks for that, plain or async."""

from __future__ import annotations

import asyncio
import collections.abc as cabc
import os
import sys
import threading
import time
import typing as t
import weakref

from sqlalchemy import Engine, exc, false, select, update
from sqlalchemy.orm import Session, scoped_session, sessionmaker

from ..errors import ConfigurationError
from .models import Models, UserMixin, models_of

if t.TYPE_CHECKING:
    # It needs greenlet, which SQLAlchemy installs for those alone who ask for 'sqlalchemy[asyncio]'.
    from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker

T = t.TypeVar("T")

SessionFactory: t.TypeAlias = "sessionmaker[t.Any] | async_sessionmaker[t.Any] | scoped_session[t.Any]"

#: For how many seconds a transaction is begun again that the database could not bring in line with others.
_PATIENCE = 5.0
_PAUSE = 0.005

# Class 40 of the SQL standard: serialisation failure, deadlock.
_ROLLED_BACK = {"40001", "40P01"}
# SQLITE_BUSY and SQLITE_LOCKED: the lower byte of the code, the others say more of the reason.
_SQLITE_BUSY = {5, 6}


class Loop:
    """A loop on a thread of its own, started when it is first needed, and anew in a process that was forked."""

    def __init__(self, engine: AsyncEngine | None) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        _loops.add(self)

    def run(self, coroutine: cabc.Coroutine[t.Any, t.Any, T]) -> T:
        """Run a coroutine on the loop and return what it does.

        :param coroutine: what is run.
        """
        # Under the lock, so that `close` stops the loop after it has taken this, and not before: that would be waited for.
        with self._lock:
            future = asyncio.run_coroutine_threadsafe(coroutine, self._running())
        try:
            return future.result()
        except BaseException:
            # As for Ctrl-C in the thread that waits. Where the coroutine itself failed, this does nothing.
            future.cancel()
            raise

    def close(self) -> None:
        """Close the connections that belong to the loop, and end its thread."""
        with self._lock:
            loop, thread = self._loop, self._thread
            self._loop = self._thread = None
        if loop is None or thread is None:
            return
        if self._engine is not None:
            asyncio.run_coroutine_threadsafe(self._engine.dispose(), loop).result()
        _stop(loop)
        thread.join()

    def _running(self) -> asyncio.AbstractEventLoop:
        if self._loop is None:
            self._loop = asyncio.new_event_loop()
            self._thread = threading.Thread(
                target=_serve, args=(self._loop,), name="erlen-security-store", daemon=True
            )
            self._thread.start()
            weakref.finalize(self, _stop, self._loop)
        return self._loop

    def after_fork(self) -> None:
        """Forget what stayed in the parent: the thread, and connections that are still used there."""
        self._lock = threading.Lock()
        if self._loop is not None:
            _abandoned.append(self._loop)
            self._loop = self._thread = None
            if self._engine is not None:
                self._engine.sync_engine.dispose(close=False)


def _serve(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        loop.run_forever()
        # Who waits for one of these hears that it was cancelled.
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
    finally:
        loop.close()


def _stop(loop: asyncio.AbstractEventLoop) -> None:
    if not loop.is_closed():
        loop.call_soon_threadsafe(loop.stop)


#: Loops of the parent of a forked process. To close them here would take from the parent what it waits for.
_abandoned: list[asyncio.AbstractEventLoop] = []

_loops: weakref.WeakSet[Loop] = weakref.WeakSet()


def _after_fork() -> None:
    for loop in list(_loops):
        loop.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Transactions:
    """What the parts of the store do their work with.

    :param session_factory: makes sessions, plain or async.
    :param models: the models, or the class of users they were made for.
    :raises ConfigurationError: where the factory makes no sessions.
    """

    def __init__(self, session_factory: SessionFactory, models: Models | type[UserMixin]) -> None:
        self._models = models if isinstance(models, Models) else models_of(models)
        if isinstance(session_factory, scoped_session):
            session_factory = session_factory.session_factory
        self._plain: sessionmaker[t.Any] | None = None
        self._async: tuple[async_sessionmaker[t.Any], Loop] | None = None
        if isinstance(session_factory, sessionmaker):
            self._plain = session_factory
        elif (found := _async_of(session_factory)) is not None:
            self._async = found
        else:
            raise ConfigurationError(
                f"SQLAlchemyStore was given {session_factory!r} to make sessions with. "
                f"Give it sessionmaker(engine), or async_sessionmaker(engine) for an async driver."
            )

    def close(self) -> None:
        """End the thread that a store of async sessions has, and close its connections. It starts anew when it is needed."""
        if self._async is not None:
            self._async[1].close()

    def _read(self, work: cabc.Callable[[Session], T]) -> T:
        deadline = time.monotonic() + _PATIENCE
        pause = _PAUSE
        while True:
            try:
                return self._once(work)
            except exc.DBAPIError as error:
                if not _may_be_tried_again(error) or time.monotonic() > deadline:
                    raise
            time.sleep(pause)
            pause = min(pause * 2, 0.1)

    def _write(self, work: cabc.Callable[[Session], T]) -> T:
        role = self._models.Role

        def locked(session: Session) -> T:
            bind = session.get_bind(role)
            if bind.dialect.name == "sqlite":
                # SQLite has one lock for writing. Who reads before taking it fails where another wrote in between.
                session.execute(update(role).where(false()).values(description=""))
            elif isinstance(bind, Engine):
                # What is read after a lock has to be what others wrote before they gave it away, whatever the engine is set to.
                session.connection({"mapper": role}, execution_options={"isolation_level": "READ COMMITTED"})
            return work(session)

        return self._read(locked)

    def _write_for(self, uid: str | None, work: cabc.Callable[[Session], T]) -> T:
        """Write what belongs to a user, so that nothing is left where the user is deleted at that time.

        :raises LookupError: where there is no such user.
        """

        def known(session: Session) -> T:
            if uid is not None:
                self._hold_user(session, uid)
            return work(session)

        return self._write(known)

    def _hold_user(self, session: Session, uid: str) -> None:
        """Keep others from changing or deleting a user until the transaction ends. SQLite is locked as a whole already."""
        user = self._models.User
        held = select(user.uid).where(user.uid == uid).with_for_update(key_share=True)
        if session.scalar(held) is None:
            raise LookupError(f"There is no user with the uid {uid!r}.")

    def _once(self, work: cabc.Callable[[Session], T]) -> T:
        if self._async is not None:
            factory, loop = self._async
            return loop.run(_once_async(factory, work))
        assert self._plain is not None
        # Nothing expires: what is returned is used when the session is gone.
        with self._plain(expire_on_commit=False) as session, session.begin():
            return work(session)


def _async_of(session_factory: object) -> tuple[async_sessionmaker[t.Any], Loop] | None:
    """Return a factory of async sessions with the loop that it is used on, ``None`` for anything else."""
    # Who has a factory of async sessions has imported it: where it is not there, this is none.
    if "sqlalchemy.ext.asyncio" not in sys.modules:
        return None
    # Optional: it needs greenlet.
    from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker

    if not isinstance(session_factory, async_sessionmaker):
        return None
    factory: async_sessionmaker[t.Any] = session_factory
    bind = factory.kw.get("bind")
    return factory, Loop(bind if isinstance(bind, AsyncEngine) else None)


async def _once_async(factory: async_sessionmaker[t.Any], work: cabc.Callable[[Session], T]) -> T:
    session: AsyncSession
    async with factory(expire_on_commit=False) as session, session.begin():
        return await session.run_sync(work)


def _may_be_tried_again(error: exc.DBAPIError) -> bool:
    cause: t.Any = error.orig
    # Drivers differ in the name; wrappers for async ones have the driver's own error as the cause.
    for one in (cause, getattr(cause, "__cause__", None)):
        state = getattr(one, "sqlstate", None) or getattr(one, "pgcode", None)
        code = getattr(one, "sqlite_errorcode", None)
        if state in _ROLLED_BACK or (isinstance(code, int) and code & 0xFF in _SQLITE_BUSY):
            return True
    return False
