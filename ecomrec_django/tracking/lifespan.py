"""For ASGI servers, whose processes end by a signal, which runs nothing that Python does at its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from asgiref.sync import sync_to_async

Application = Callable[[Any, Any, Any], Awaitable[None]]


def with_lifespan(application: Application) -> Application:
    """``application``, Django's own, which also hears of the server's end: then the counts of what was left out are
    written."""

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "lifespan":
            await application(scope, receive, send)
            return
        while (await receive())["type"] != "lifespan.shutdown":
            await send({"type": "lifespan.startup.complete"})
        # Not above: where a server's module imports this one, Django's apps are not ready yet.
        from .tally import flush_at_end

        await sync_to_async(flush_at_end)()
        await send({"type": "lifespan.shutdown.complete"})

    return answer
