"""Clean shutdown under ASGI servers, whose processes end by a signal without running Python's exit handlers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async

Application = Callable[[Any, Any, Any], Awaitable[None]]


def with_lifespan(application: Application) -> Application:
    """Django's ``application`` with the lifespan protocol: at shutdown, the counts of ignored events are written."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        # Imported late: Django's apps are not ready yet when a server module imports this one.
        from .omissions import flush_omissions_at_exit

        await sync_to_async(flush_omissions_at_exit)()
        await send({"type": "lifespan.shutdown.complete"})

    return answer
