"""What the judges share: processes that die with them, a backend, tokens, the tool itself, and checks that are told."""

import atexit
import base64
import ctypes
import faulthandler
import hashlib
import hmac
import http.server
import json
import os
import pathlib
import queue
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request

import boto3
from botocore.config import Config

REGION = "us-east-1"
JWT_SECRET = "a-shared-secret-for-the-judges-of-this-tree"
SIGNING_KEY = "a-signing-key-for-the-judges-of-this-tree"
STACK = {
    "table": "WebSocketConnections",
    "function": "websocket-handler",
    "api": "TerminalWebSocketAPI",
    "log_group": "/aws/lambda/websocket-handler",
    "stage": "prod",
}
TRUST = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]}
ANYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}

_started = time.monotonic()
_folder = tempfile.TemporaryDirectory(prefix="wsfix-judge-")
_processes = []


def say(text):
    print(f"{time.monotonic() - _started:6.1f} s  {text}", flush=True)


def check(holds, text, *evidence):
    """Tells what holds; ends the run with the evidence where it does not."""
    if holds:
        return say(f"ok: {text}")
    raise AssertionError("\n".join([text, *(repr(thing) for thing in evidence)]))


def folder(name):
    path = pathlib.Path(_folder.name) / name
    path.mkdir(exist_ok=True)
    return path


def main(run, limit=300):
    """Runs a judge: with a time limit, with every process's output where it fails, and with nothing left behind."""
    faulthandler.dump_traceback_later(limit, exit=True)
    threading.Thread(target=_end_with_standard_input, daemon=True).start()
    try:
        run(*sys.argv[1:])
    except BaseException:
        for process in _processes:
            sys.stderr.write(f"\n---- {process.name}\n{process.text()[-8000:]}")
        sys.stderr.write("----\n\n")
        raise
    finally:
        _stop_all()


def _end_with_standard_input():
    """Whoever started this with a pipe holds its other end, and is gone when it closes."""
    if not stat.S_ISFIFO(os.fstat(0).st_mode):
        return
    while sys.stdin.buffer.raw.read(1 << 16):
        pass
    _stop_all()
    os._exit(1)


def _stop_all():
    for process in reversed(_processes):
        process.stop()


atexit.register(_stop_all)


def _die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


class Process:
    """A process in a group of its own, whose output is kept."""

    def __init__(self, name, argv, env=None, cwd=None):
        self.name = name
        self._log = open(folder("logs") / f"{name}.log", "w+b")
        self._out = open(folder("logs") / f"{name}.out", "w+b")
        self._process = subprocess.Popen(
            argv,
            env={**os.environ, **(env or {})},
            cwd=cwd or folder(name),
            stdin=subprocess.DEVNULL,
            stdout=self._out,
            stderr=self._log,
            start_new_session=True,
            preexec_fn=_die_with_parent,
        )
        _processes.append(self)

    def running(self):
        return self._process.poll() is None

    def out(self):
        return pathlib.Path(self._out.name).read_text(errors="replace")

    def text(self):
        return pathlib.Path(self._log.name).read_text(errors="replace") + self.out()

    def stop(self, with_signal=signal.SIGKILL):
        """Ends it and all that it started; answers the exit code."""
        if self.running():
            try:
                os.killpg(self._process.pid, with_signal)
            except ProcessLookupError:
                pass
        try:
            return self._process.wait(10)
        finally:
            try:
                os.killpg(self._process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


def until(what, probe, limit=30.0):
    """What the probe answers, as soon as that is something."""
    end = time.monotonic() + limit
    while True:
        found = probe()
        if found:
            return found
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {limit:.0f} s")
        time.sleep(0.05)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def listening(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def serve(name, argv, env=None, ports=1):
    """Starts a server on free ports: `argv` and `env` are functions of them. Another may take a port in between, so it tries again."""
    for attempt in range(3):
        taken = [free_port() for _ in range(ports)]
        process = Process(name, argv(*taken), env and env(*taken))
        until(f"{name} listens", lambda: not process.running() or all(listening(port) for port in taken), 60)
        if process.running():
            say(f"{name} on {', '.join(map(str, taken))}")
            return process, taken
        sys.stderr.write(process.text())
    raise RuntimeError(f"{name} does not start")


def ministack(**more):
    """Starts MiniStack with these variables besides; answers its port."""
    environment = lambda port: {
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        # What the functions' processes get, as on AWS they get the Region.
        "AWS_ENDPOINT_URL": f"http://127.0.0.1:{port}",
        "IOT_MTLS_ENABLED": "0",
        "TMPDIR": str(folder("temporary")),
        "HOME": str(folder("home")),
        **more,
    }
    _, (port,) = serve("ministack", lambda _: [sys.executable, "-m", "ministack"], environment)
    return port


class Account:
    """An account behind an endpoint, through boto3."""

    def __init__(self, endpoint, key="test", secret="test", region=REGION, watch=lambda client: client):
        self.endpoint, self.key, self.secret, self.region, self.watch = endpoint, key, secret, region, watch
        self.session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret, region_name=region)
        names = ["sts", "iam", "dynamodb", "lambda", "apigatewayv2", "logs"]
        self.sts, self.iam, self.dynamodb, self.function, self.api, self.logs = (self.client(name) for name in names)
        self.id = self.sts.get_caller_identity()["Account"]

    def client(self, name, **options):
        config = Config(retries={"max_attempts": 1}, connect_timeout=5, read_timeout=30)
        return self.watch(self.session.client(name, **{"endpoint_url": self.endpoint, "config": config, **options}))

    def make_role(self, name, policy=ANYTHING):
        """A role that Lambda may assume, and what it may do."""
        made = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))
        self.iam.put_role_policy(RoleName=name, PolicyName="own", PolicyDocument=json.dumps(policy))
        return made["Role"]["Arn"]

    def role_document(self, name):
        policies = {policy: self.iam.get_role_policy(RoleName=name, PolicyName=policy)["PolicyDocument"] for policy in self.iam.list_role_policies(RoleName=name)["PolicyNames"]}
        return {"role": self.iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"], "policies": policies}

    def inventory(self):
        """The names of everything of the kinds that wsfix makes."""
        return {
            "tables": sorted(self.dynamodb.list_tables()["TableNames"]),
            "functions": sorted(function["FunctionName"] for function in self.function.list_functions()["Functions"]),
            "apis": sorted(api["Name"] for api in self.api.get_apis()["Items"]),
            "log groups": sorted(group["logGroupName"] for group in self.logs.describe_log_groups()["logGroups"]),
        }

    def api_id(self):
        found = [api["ApiId"] for api in self.api.get_apis()["Items"] if api["Name"] == STACK["api"]]
        assert len(found) == 1, found
        return found[0]

    def item(self, connection_id):
        return self.dynamodb.get_item(TableName=STACK["table"], Key={"connectionId": {"S": connection_id}}).get("Item")

    def items(self, session_id):
        """The connections of a session, by the index."""
        return self.dynamodb.query(
            TableName=STACK["table"],
            IndexName="SessionIdIndex",
            KeyConditionExpression="sessionId = :session",
            ExpressionAttributeValues={":session": {"S": session_id}},
        )["Items"]

    def everything(self):
        """All items of the table, small as it is."""
        return self.dynamodb.scan(TableName=STACK["table"], ConsistentRead=True)["Items"]


def token(subject="user-1", secret=JWT_SECRET, lifetime=600, **claims):
    """A token as any library makes it, made without one (RFC 7519)."""
    part = lambda data: base64.urlsafe_b64encode(data).rstrip(b"=")
    head = part(b'{"alg":"HS256","typ":"JWT"}')
    body = part(json.dumps({"sub": subject, "exp": int(time.time()) + lifetime, **claims}).encode())
    signed = head + b"." + body
    return (signed + b"." + part(hmac.new(secret.encode(), signed, hashlib.sha256).digest())).decode()


class Backend:
    """An HTTP backend as the contract wants it, and an `@connections` for where there is none. Keeps every request."""

    def __init__(self):
        self.requests = queue.Queue()
        backend = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                backend.requests.put({"path": self.path, "headers": self.headers, "body": body})
                answer = backend.answer(self.path, body)
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    @staticmethod
    def answer(path, body):
        if not path.endswith("/api/ws/message"):
            return b"{}"
        message = json.loads(body)
        replies = {
            "ping": lambda: {"type": "pong"},
            "command": lambda: {"type": "output", "output": f"ran {message['command']}"},
            "resize": lambda: {"type": "resized", "cols": message["cols"], "rows": message["rows"]},
            "echo": lambda: {"type": "echo", "text": message["text"]},
            "push": lambda: {"type": "wsfix.push", "messages": [{"data": {"to": "one"}}, {"to": "session", "data": {"to": "all"}}]},
        }
        reply = replies.get(message.get("type"), lambda: {"type": "unknown"})()
        if reply["type"] != "wsfix.push":
            reply["session"] = message["sessionId"]
        return json.dumps(reply).encode()

    def next(self, path):
        """The next request that came in, which must be for `path`; what must be true of each of them is checked."""
        request = self.requests.get(timeout=20)
        check(request["path"].endswith(path), f"the backend is asked for {path}", request)
        return request

    def nothing(self):
        check(self.requests.empty(), "the backend is not asked for anything else", list(self.requests.queue))

    def signed(self, request):
        """Whether the signature is right, worked out from the contract alone."""
        parts = [part.split("=", 1) for part in request["headers"]["X-Wsfix-Signature"].split(",")]
        moment = next(value for name, value in parts if name == "t")
        message = f"{moment}.{request['headers']['X-Request-Id']}.POST.{request['path']}.".encode() + request["body"]
        wanted = hmac.new(SIGNING_KEY.encode(), message, hashlib.sha256).hexdigest()
        return abs(int(moment) - time.time()) < 300 and wanted in [value for name, value in parts if name == "v1"]


def post(url, data, limit=30):
    """Status and body of a POST."""
    request = urllib.request.Request(url, data=data, method="POST", headers={"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=limit) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Tool:
    """The built `wsfix`, in an empty folder, pointed at an account."""

    def __init__(self, binary, handler, account, backend_url, role):
        self.binary, self.account = binary, account
        zipped = str(folder("tool") / "handler.zip")
        # Zipped once: a handler that is not optimised takes long.
        self.run("build", "--handler", handler, "--out", zipped)
        self.wanted = {"--handler": zipped, "--existing-role": role, "--backend-url": backend_url, "--reply": "management-api", "--route": "sendMessage", "--tag": "team=judges"}

    def provision(self, **changed):
        return self.run("provision", *self._flags(changed))

    def plan(self, **changed):
        return self.run("plan", *self._flags(changed), codes=(0, 3))

    def _flags(self, changed):
        """The wanted stack's flags, some of them changed, or left out where None."""
        wanted = {**self.wanted, **{f"--{name}": value for name, value in changed.items()}}
        return [part for name, value in wanted.items() if value is not None for part in (name, value)]

    def run(self, command, *arguments, codes=(0,)):
        """The result that a command prints, with its exit code, which must be one of `codes`."""
        argv = [self.binary, command, "--output", "json", "--endpoint-url", self.account.endpoint, *arguments]
        env = {
            "PATH": os.environ["PATH"],
            "HOME": str(folder("home")),
            "AWS_REGION": self.account.region,
            "AWS_ACCESS_KEY_ID": self.account.key,
            "AWS_SECRET_ACCESS_KEY": self.account.secret,
            "JWT_SECRET": JWT_SECRET,
            "WSFIX_SIGNING_KEY": SIGNING_KEY,
        }
        ended = subprocess.run(argv, env=env, cwd=folder("tool"), stdin=subprocess.DEVNULL, capture_output=True, timeout=150, check=False)
        said = ended.stdout.decode() + ended.stderr.decode()
        assert not any(secret in said for secret in (JWT_SECRET, SIGNING_KEY)), f"wsfix {command} prints a secret"
        assert ended.returncode in codes, f"wsfix {command}: exit code {ended.returncode}, not {codes}\n{said}"
        say(f"ok: wsfix {command} ends with {ended.returncode}")
        document = json.loads(ended.stdout)
        assert document["exit"] == ended.returncode, document
        return document.get("result") or document["error"]

    def changes(self, **changed):
        """What `plan` would change: `kind name` to the names of the fields, or to what happens to it."""
        steps = [step for step in self.plan(**changed)["steps"] if step["action"] != "keep"]
        return {f"{step['kind']} {step['name']}": sorted(field["field"] for field in step["fields"]) or step["action"] for step in steps}
