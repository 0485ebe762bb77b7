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


async def whole(socket):
    """The next message, put together where it comes in parts."""
    parts = []
    while True:
        message = json.loads(await asyncio.wait_for(socket.recv(), 20))
        if message.get("type") != "wsfix.part":
            return message, 1
        check(message["index"] == len(parts), "parts come in order", message["index"])
        parts.append(message["data"])
        if len(parts) == message["count"]:
            return json.loads("".join(parts)), len(parts)


async def together(base, backend, account):
    """Large messages in parts, messages for a whole session, and a session that goes on in a new connection."""
    connect = lambda **query: websockets.connect(url(base, sessionId="s2", token=token("user-1", sessionId="s2"), **query), proxy=None)
    async with connect(parts=1) as first, connect() as second:
        connection = next(item["connectionId"]["S"] for item in account.items("s2") if "parts" in item)
        text = json.dumps({"type": "echo", "text": "large \u00e9\n" * 9000})
        pieces = [text[at : at + 20_000] for at in range(0, len(text), 20_000)]
        for index, data in enumerate(pieces):
            await first.send(json.dumps({"type": "wsfix.part", "id": "m1", "index": index, "count": len(pieces), "data": data}))
        echo, count = await whole(first)
        check(echo["text"] == json.loads(text)["text"] and count > 2, f"{len(pieces)} parts are put together, and the answer comes in {count}")
        check(backend.signed(backend.next("/api/ws/message")), "the backend is asked once, and with a signature")
        until("no part stays behind", lambda: not any(item["connectionId"]["S"].startswith("part#") for item in account.everything()))

        await first.send(json.dumps({"type": "push"}))
        got = [(await whole(first))[0]["to"], (await whole(first))[0]["to"], (await whole(second))[0]["to"]]
        check(got == ["one", "all", "all"], "a list of messages reaches the sender and its session", got)
        backend.next("/api/ws/message")

        async with connect(resume=connection.replace("=", "%3D")) as third:
            await third.send(json.dumps({"type": "ping"}))
            await whole(third)
            asked = backend.next("/api/ws/message")
            check(json.loads(asked["body"])["resumedFrom"] == connection, "the backend hears of a session that goes on", asked)
            await first.close()
            asked = backend.next("/api/ws/disconnect")
            check(json.loads(asked["body"])["resumedBy"], "and that the old connection is not its end", asked)
    for _ in range(2):
        backend.next("/api/ws/disconnect")
    until("the items are gone", lambda: account.items("s2") == [])


def session(base, backend, account, refusals=(401,), posted=True):
    """`posted`: replies travel by `@connections`, so that there may be several."""
    asyncio.run(refused(base, refusals))
    backend.nothing()
    asyncio.run(talk(base, backend, account))
    backend.nothing()
    if posted:
        asyncio.run(together(base, backend, account))
        backend.nothing()
