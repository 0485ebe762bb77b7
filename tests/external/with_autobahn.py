"""Autobahn's test cases against the WebSocket front door of `wsfix dev`: with_autobahn.py WSFIX HANDLER

Prints the results as a table. The echo that the cases want is a function on `$default`; cases that need what API Gateway does not have are counted apart.
"""

import asyncio
import io
import json
import os
import struct
import sys
import zipfile
from urllib.parse import urlsplit

import autobahn_cases
from autobahn_cases import WebSocketProtocol
from judge import Account, Process, check, folder, main, say, until

ROLE = "arn:aws:iam::111122223333:role/websocket-handler-role"
AT_ONCE = 24
# A case gives up after a second or less; a busy machine gets longer to answer.
PATIENCE = 5
# Seconds, as Autobahn's own client has them.
CLOSE_HANDSHAKE = SERVER_DROP = 1
ECHO = """#!{python}
import http.client, json, os
runtime = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
def call(method, path, body=None):
    runtime.request(method, "/2018-06-01/runtime/invocation/" + path, body)
    answer = runtime.getresponse()
    return answer.headers, answer.read()
while True:
    headers, event = call("GET", "next")
    body = json.loads(event)["body"]
    call("POST", headers["Lambda-Runtime-Aws-Request-Id"] + "/response", json.dumps({{"statusCode": 200, "body": body}}))
"""
SECTIONS = {
    "1": "framing",
    "2": "pings and pongs",
    "3": "reserved bits",
    "4": "reserved opcodes",
    "5": "fragmentation",
    "6": "UTF-8",
    "7": "close",
    "10": "automatic fragmentation",
}
GROUPS = {"BINARY": "binary data: closed with 1003", "LARGE": "a frame over 32 KB: closed with 1009", "EMPTY": "an empty message: an empty reply is not sent"}


class Connection:
    """What a case sees of its connection: the protocol of Autobahn's fuzzing client."""

    CLOSE_STATUS_CODE_NORMAL = WebSocketProtocol.CLOSE_STATUS_CODE_NORMAL
    CLOSE_STATUS_CODE_PROTOCOL_ERROR = WebSocketProtocol.CLOSE_STATUS_CODE_PROTOCOL_ERROR
    CLOSE_STATUS_CODE_INVALID_PAYLOAD = WebSocketProtocol.CLOSE_STATUS_CODE_INVALID_PAYLOAD

    class factory:
        isServer = False

    def __init__(self, case):
        self.state = WebSocketProtocol.STATE_CONNECTING
        self.connectionWasOpen = self.closedByMe = self.failedByMe = self.droppedByMe = self.wasClean = False
        self.remoteCloseCode = self.localCloseReason = None
        self.createWirelog, self.autoFragmentSize, self.trafficStats = False, 0, None
        self.txFrameStats, self.sent, self.sent_binary, self.largest = {}, [], False, 0
        self.case = case(self)

    # What cases call.

    def enableWirelog(self, _):
        pass

    def sendFrame(self, opcode, payload="", fin=True, rsv=0, mask=None, payload_len=None, chopsize=None, sync=False):
        if payload_len is not None:
            payload = (payload * (payload_len // len(payload) + 1))[:payload_len] if payload else ""
        self.txFrameStats[opcode] = self.txFrameStats.get(opcode, 0) + 1
        self._note(opcode, len(payload))
        head = self._head((0x80 if fin else 0) | (rsv << 4) | opcode, len(payload))
        self._send(head + payload.encode("latin-1"), chopsize)

    def sendMessage(self, payload, isBinary=False, fragmentSize=None):
        size = fragmentSize or self.autoFragmentSize or max(len(payload), 1)
        parts = [payload[at : at + size] for at in range(0, len(payload), size)] or [""]
        for number, part in enumerate(parts):
            self.sendFrame(0 if number else (2 if isBinary else 1), part, fin=number == len(parts) - 1)

    def beginMessage(self):
        self._note(1, 0)

    def beginMessageFrame(self, length):
        self._send(self._head(0x81, length))

    def sendMessageFrameData(self, payload):
        self._send(payload.encode("latin-1"))

    def endMessage(self):
        pass

    def sendClose(self, code=None, reason=None):
        self.sendCloseFrame(code, reason)

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        if self.state != WebSocketProtocol.STATE_OPEN:
            return
        payload = (struct.pack("!H", code).decode("latin-1") if code is not None else "") + (reasonUtf8 or "")
        self.sendFrame(8, payload)
        self.state = WebSocketProtocol.STATE_CLOSING
        self.closedByMe = not isReply
        self.localCloseReason = reasonUtf8
        if self.closedByMe:
            self._later(CLOSE_HANDSHAKE, lambda: self.wasClean or self._drop())

    def continueLater(self, delay, fun, tag=None):
        self._later(delay, fun)

    def closeAfter(self, delay):
        self._later(delay, self.sendClose)

    def killAfter(self, delay):
        self._later(PATIENCE * delay, self._fail)

    # What they do not.

    def _fail(self):
        self.failedByMe = True
        if self.state == WebSocketProtocol.STATE_CLOSING:
            self._drop()
        self.sendCloseFrame(WebSocketProtocol.CLOSE_STATUS_CODE_GOING_AWAY, "Going Away")

    def _drop(self):
        self.droppedByMe = True
        self.writer.close()

    def _later(self, delay, act):
        asyncio.get_running_loop().call_later(delay, lambda: self.state != WebSocketProtocol.STATE_CLOSED and act())

    def _note(self, opcode, length):
        self.sent.append((opcode, length))
        self.sent_binary |= opcode == 2
        self.largest = max(self.largest, length)

    @staticmethod
    def _head(first, length):
        if length <= 125:
            size = bytes([0x80 | length])
        elif length <= 0xFFFF:
            size = bytes([0x80 | 126]) + struct.pack("!H", length)
        else:
            size = bytes([0x80 | 127]) + struct.pack("!Q", length)
        # A mask of zeros leaves the payload as it is.
        return bytes([first]) + size + b"\0\0\0\0"

    def _send(self, data, chop=None):
        for at in range(0, len(data), chop or len(data)):
            self.queue.put_nowait(data[at : at + (chop or len(data))])

    async def _write(self):
        while True:
            data = await self.queue.get()
            self.writer.write(data)
            await self.writer.drain()
            # Each chop is a packet of its own.
            await asyncio.sleep(0)

    async def run(self, host, port, path):
        reader, self.writer = await asyncio.open_connection(host, port)
        self.queue = asyncio.Queue()
        head = f"GET {path} HTTP/1.1\r\nHost: {host}:{port}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
        self.writer.write((head + "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n").encode())
        answer = await reader.readuntil(b"\r\n\r\n")
        assert answer.startswith(b"HTTP/1.1 101 "), answer
        self.state, self.connectionWasOpen = WebSocketProtocol.STATE_OPEN, True
        writing = asyncio.create_task(self._write())
        try:
            self.case.onOpen()
            await self._read(reader)
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writing.cancel()
            self.writer.close()
        self.state = WebSocketProtocol.STATE_CLOSED
        self.case.onConnectionLost(self.failedByMe)

    async def _read(self, reader):
        message = b""
        while True:
            first, length = await reader.readexactly(2)
            assert length < 0x80 and not first & 0x70, "a server's frame has no mask and no reserved bits"
            if length == 126:
                (length,) = struct.unpack("!H", await reader.readexactly(2))
            elif length == 127:
                (length,) = struct.unpack("!Q", await reader.readexactly(8))
            payload = await reader.readexactly(length)
            opcode = first & 0x0F
            if opcode == 8:
                self._closed(payload)
            elif self.state == WebSocketProtocol.STATE_OPEN:
                text = payload.decode("latin-1")
                if opcode == 9:
                    self.case.onPing(text)
                elif opcode == 10:
                    self.case.onPong(text)
                else:
                    message += payload
                    if first & 0x80:
                        self.case.onMessage(message.decode("latin-1"), opcode == 2)
                        message = b""

    def _closed(self, payload):
        self.remoteCloseCode = struct.unpack("!H", payload[:2])[0] if payload else None
        self.wasClean = True
        self.sendCloseFrame(WebSocketProtocol.CLOSE_STATUS_CODE_NORMAL, isReply=True)
        self._later(SERVER_DROP, self._drop)


def apart(connection):
    """Why a case that did not pass says nothing about the gateway, where that is so."""
    if connection.sent_binary and connection.remoteCloseCode == 1003:
        return "BINARY"
    if connection.largest > 32 * 1024 and connection.remoteCloseCode == 1009:
        return "LARGE"
    empty = all(length == 0 for opcode, length in connection.sent if opcode in (0, 1))
    if empty and any(opcode == 1 for opcode, _ in connection.sent) and connection.case.received == []:
        return "EMPTY"
    return None


async def run_all(cases, host, port, path):
    """Each case's result: its behaviour, and that of its close."""
    turns, results = asyncio.Semaphore(AT_ONCE), {}
    # The first messages start the function's processes.
    await asyncio.gather(*(Connection(cases["1.1.2"]).run(host, port, path) for _ in range(AT_ONCE)))

    async def one(number, case):
        async with turns:
            connection = Connection(case)
            await asyncio.wait_for(connection.run(host, port, path), 60)
            found = connection.case
            result = (found.behavior, found.behaviorClose)
            if "INFORMATIONAL" not in result and (result[0] not in ("OK", "NON-STRICT") or result[1] != "OK"):
                why = apart(connection)
                detail = f"{found.result} / {found.resultClose}: expected {found.expected}, received {found.received}, close {connection.remoteCloseCode}"
                result = (why or "FAILED", detail)
            results[number] = result

    await asyncio.gather(*(one(number, case) for number, case in cases.items()))
    return results


def served(account):
    """An API that echoes every text."""
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, ECHO.format(python=os.path.realpath(sys.executable)))
    function = account.function.create_function(
        FunctionName="echo", Runtime="provided.al2023", Role=ROLE, Handler="x", Code={"ZipFile": packed.getvalue()}
    )["FunctionArn"]
    api = account.api.create_api(Name="echo", ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action")["ApiId"]
    uri = f"arn:aws:apigateway:{account.region}:lambda:path/2015-03-31/functions/{function}/invocations"
    integration = account.api.create_integration(ApiId=api, IntegrationType="AWS_PROXY", IntegrationUri=uri)["IntegrationId"]
    route = account.api.create_route(ApiId=api, RouteKey="$default", Target=f"integrations/{integration}", RouteResponseSelectionExpression="$default")["RouteId"]
    account.api.create_route_response(ApiId=api, RouteId=route, RouteResponseKey="$default")
    account.api.create_stage(ApiId=api, StageName="prod", AutoDeploy=True)
    source = f"arn:aws:execute-api:{account.region}:{account.id}:{api}/*/*"
    account.function.add_permission(
        FunctionName="echo", StatementId="api", Action="lambda:InvokeFunction", Principal="apigateway.amazonaws.com", SourceArn=source
    )
    return f"/_aws/execute-api/{api}/prod"


def table(results):
    """Groups of cases, with how many came out how. Which of a case's allowed outcomes comes is a matter of time, where an answer and a close meet."""
    lines = ["| Autobahn's cases | run | pass | judged by nobody | do not apply |", "|---|---|---|---|---|"]
    for section, name in SECTIONS.items():
        found = [result for number, result in results.items() if number.split(".")[0] == section]
        of = lambda *kinds: sum(result[0] in kinds for result in found)
        reasons = "; ".join(f"{of(kind)}: {text}" for kind, text in GROUPS.items() if of(kind))
        lines.append(f"| {section}: {name} | {len(found)} | {of('OK', 'NON-STRICT')} | {of('INFORMATIONAL')} | {reasons or '-'} |")
    return "\n".join(lines) + "\n"


def run(wsfix, handler):
    dev = Process("dev", [wsfix, "dev", "--port", "0", "--output", "json", "--handler", handler])

    def document():
        assert dev.running(), "wsfix dev ended"
        try:
            return json.loads(dev.out())["result"]
        except json.JSONDecodeError:
            return None

    started = until("wsfix dev serves", document, 60)
    account = Account(started["endpoint_url"], started["access_key_id"], started["secret_access_key"])
    where, path = urlsplit(started["endpoint_url"]), served(account)
    cases = autobahn_cases.load()
    say(f"{len(cases)} cases")
    results = asyncio.run(run_all(cases, where.hostname, where.port, path))
    failed = {number: result for number, result in sorted(results.items()) if result[0] == "FAILED"}
    check(len(results) == len(cases) and not failed, "every case that applies passes", *failed.items())
    print(table(results))


if __name__ == "__main__":
    main(run, limit=120)
