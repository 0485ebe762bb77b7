"""A WebSocket session through a stack, by the stock client `websockets`."""

import asyncio
import json

import websockets

from judge import check, token, until


def url(base, **query):
    return f"{base}?" + "&".join(f"{name}={value}" for name, value in query.items())


async def refused(base, statuses):
    """Handshakes that must fail, and with which status."""
    bad = {"no token": {"sessionId": "s1"}, "a token with another key": {"sessionId": "s1", "token": token(secret="another" * 8)}, "an old token": {"sessionId": "s1", "token": token(lifetime=-600)}}
    for name, query in bad.items():
        try:
            async with websockets.connect(url(base, **query), proxy=None):
                raise AssertionError(f"{name} is accepted")
        except websockets.exceptions.InvalidStatus as error:
            check(error.response.status_code in statuses, f"{name} is refused with {error.response.status_code}", statuses)


async def talk(base, backend, account):
    """Connects, sends every kind of message, leaves; checks what the backend and the table see meanwhile."""
    async with websockets.connect(url(base, sessionId="s1", token=token("user-1", sessionId="s1")), proxy=None) as socket:
        items = account.items("s1")
        check([item["sessionId"]["S"] for item in items] == ["s1"] and items[0]["userId"]["S"] == "user-1", "the connection is stored", items)
        connection = items[0]["connectionId"]["S"]
        messages = [
            ({"action": "sendMessage", "type": "ping"}, {"type": "pong", "session": "s1"}),
            ({"action": "sendMessage", "type": "command", "command": "echo hi", "sessionId": "of-another"}, {"type": "output", "output": "ran echo hi", "session": "s1"}),
            ({"type": "resize", "cols": 120, "rows": 40}, {"type": "resized", "cols": 120, "rows": 40, "session": "s1"}),
        ]
        for message, reply in messages:
            await socket.send(json.dumps(message))
            got = json.loads(await asyncio.wait_for(socket.recv(), 20))
            check(got == reply, f"{message['type']} is answered", got)
            asked = backend.next("/api/ws/message")
            check(asked["headers"]["X-Connection-Id"] == connection and backend.signed(asked), "by the backend, which knows the connection and can tell that the gateway asks", asked)
    asked = backend.next("/api/ws/disconnect")
    check(asked["headers"]["X-Connection-Id"] == connection and backend.signed(asked), "the backend is told of the disconnect", asked)
    until("the item is gone", lambda: account.items("s1") == [])


def session(base, backend, account, refusals=(401,)):
    asyncio.run(refused(base, refusals))
    backend.nothing()
    asyncio.run(talk(base, backend, account))
    backend.nothing()
