"""A backend behind wsfix, with FastAPI: `pip install fastapi uvicorn`, then `WSFIX_SIGNING_KEY=... uvicorn main:app`.

`SignedByWsfix` is what matters: it lets in what the gateway's function signed, once, and refuses the rest with 401.
"""

import hashlib
import hmac
import json
import os
import time
from collections import OrderedDict

from fastapi import Depends, FastAPI, HTTPException, Request, Response

# Seconds that a signature counts, before and after its time.
WINDOW = 300
# Signatures that are remembered; when there are more, nothing is let in until some are too old to count.
MOST_REMEMBERED = 200_000
# The longest body, in bytes.
LARGEST = 5 << 20


class SignedByWsfix:
    """A dependency that answers the raw body. `keys`: WSFIX_SIGNING_KEY, one key or two separated by a comma.

    Several processes of one backend must share what they remember (in Redis, say), or a request can be repeated to each of them.
    """

    def __init__(self, keys: str):
        self._secrets = [key.strip().encode() for key in keys.split(",")]
        if any(len(secret) < 32 for secret in self._secrets):
            raise ValueError("WSFIX_SIGNING_KEY must be one or two keys of at least 32 characters")
        self._used: OrderedDict[str, int] = OrderedDict()

    async def __call__(self, request: Request) -> bytes:
        # The raw body: what a JSON library makes of it is not what was signed.
        body = bytearray()
        async for part in request.stream():
            body += part
            if len(body) > LARGEST:
                raise HTTPException(413, "too large")
        self._check(request, bytes(body), int(time.time()))
        return bytes(body)

    def _check(self, request: Request, body: bytes, now: int) -> None:
        refusal = HTTPException(401, "not signed by wsfix, too old, or used already")
        parts = [part.strip().partition("=") for part in request.headers.get("x-wsfix-signature", "").split(",")]
        moment = next((value for name, _, value in parts if name == "t"), "")
        if not (moment.isascii() and moment.isdigit() and len(moment) <= 12) or abs(now - int(moment)) > WINDOW:
            raise refusal

        # The path as it was sent, before anything is decoded, and a query, which makes it another.
        query = request.scope["query_string"]
        path = request.scope["raw_path"] + (b"?" + query if query else b"")
        head = ".".join([moment, request.headers.get("x-request-id", ""), request.method, path.decode("latin-1"), ""])
        wanted = [hmac.new(secret, head.encode("latin-1") + body, hashlib.sha256).hexdigest() for secret in self._secrets]
        found = [value.encode() for name, _, value in parts if name == "v1"][:4]
        if not any(hmac.compare_digest(one.encode(), tag) for one in wanted for tag in found):
            raise refusal

        while self._used and next(iter(self._used.values())) < now:
            self._used.popitem(last=False)
        # Ours, not the caller's: the caller may leave one of two out.
        if wanted[0] in self._used:
            raise refusal
        if len(self._used) >= MOST_REMEMBERED:
            raise HTTPException(503, "too many requests")
        self._used[wanted[0]] = int(moment) + WINDOW


signed = SignedByWsfix(os.environ.get("WSFIX_SIGNING_KEY", ""))
app = FastAPI()


@app.post("/api/ws/message")
async def message(body: bytes = Depends(signed)) -> dict:
    # Of the headers only X-Request-Id is signed: who it is about is in the body.
    said = json.loads(body)
    if said.get("type") == "ping":
        return {"type": "pong"}
    return {"type": "echo", "sessionId": said["sessionId"], "message": {key: said[key] for key in said if key not in ("type", "sessionId")}}


@app.post("/api/ws/disconnect")
async def disconnect(body: bytes = Depends(signed)) -> Response:
    said = json.loads(body)
    print("a connection of session", json.dumps(said.get("sessionId")), "ended with", said.get("code"))
    return Response(status_code=204)
