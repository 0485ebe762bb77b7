"""The handler under AWS's own Runtime Interface Emulator, with moto's DynamoDB: under_rie.py HANDLER

None of what answers it here is part of this tree.
"""

import json
import logging
import os
import pathlib
import platform
import sysconfig
import time

from moto.server import ThreadedMotoServer

from judge import JWT_SECRET, REGION, SIGNING_KEY, STACK, Account, Backend, check, main, post, serve, token

EVENTS = pathlib.Path(__file__).parents[1] / "fixtures" / "events"
CONNECTION = "R1kmxc2VNjMCFIA="


def event(name, **query):
    """One of the events, as of now."""
    made = json.loads((EVENTS / f"{name}.json").read_text())
    context = made["requestContext"]
    context["connectedAt"] = context["requestTimeEpoch"] = int(time.time() * 1000)
    if query:
        made["queryStringParameters"] = query
        made["multiValueQueryStringParameters"] = {key: [value] for key, value in query.items()}
    return made


def emulator():
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
    path = pathlib.Path(sysconfig.get_path("purelib")) / "samcli" / "local" / "rapid" / f"aws-lambda-rie-{machine}"
    path.chmod(0o755)
    return str(path)


def run(handler):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    account = Account("http://{}:{}".format(*moto.get_host_and_port()))
    account.dynamodb.create_table(
        TableName=STACK["table"],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("connectionId", "sessionId")],
        KeySchema=[{"AttributeName": "connectionId", "KeyType": "HASH"}],
        GlobalSecondaryIndexes=[{"IndexName": "SessionIdIndex", "KeySchema": [{"AttributeName": "sessionId", "KeyType": "HASH"}], "Projection": {"ProjectionType": "ALL"}}],
        BillingMode="PAY_PER_REQUEST",
    )
    backend, gateway = Backend(), Backend()
    environment = {
        "AWS_LAMBDA_FUNCTION_NAME": STACK["function"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": "256",
        "AWS_LAMBDA_FUNCTION_TIMEOUT": "28",
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "a-secret",
        "AWS_SESSION_TOKEN": "a-session",
        "AWS_ENDPOINT_URL": account.endpoint,
        "TABLE_NAME": STACK["table"],
        "APP_RUNNER_URL": backend.url,
        "JWT_SECRET": JWT_SECRET,
        "DOMAIN_NAME": "abcde12345.execute-api.eu-west-1.amazonaws.com",
        "STAGE": "prod",
        "WSFIX_REPLY": "management-api",
        "WSFIX_MANAGEMENT_URL": f"{gateway.url}/prod",
        "WSFIX_SIGNING_KEY": SIGNING_KEY,
    }
    argv = lambda port, runtime: [
        emulator(),
        *("--runtime-interface-emulator-address", f"127.0.0.1:{port}"),
        *("--runtime-api-address", f"127.0.0.1:{runtime}"),
        handler,
    ]
    process, (port, _) = serve("rie", argv, lambda *_: environment, ports=2)

    def invoke(what):
        status, body = post(f"http://127.0.0.1:{port}/2015-03-31/functions/function/invocations", json.dumps(what).encode())
        check(status == 200, f"the emulator answers the {what['requestContext']['eventType']} event", status, body)
        return json.loads(body)

    refused = invoke(event("connect", sessionId="s1", token=token(secret="another-secret-that-nobody-shares-with-it")))
    check(refused["statusCode"] == 401, "a token with another key is refused with 401", refused)
    check(account.item(CONNECTION) is None, "and nothing is stored")
    backend.nothing()

    accepted = invoke(event("connect", sessionId="s1", token=token("user-1")))
    check(accepted["statusCode"] == 200, "a good token is accepted", accepted)
    item = account.item(CONNECTION)
    check(item["sessionId"] == {"S": "s1"} and item["userId"] == {"S": "user-1"}, "the connection is stored", item)
    check(time.time() + 7200 <= int(item["expiresAt"]["N"]) < time.time() + 10000, "it expires after 2 hours and a margin, in seconds", item)

    answer = invoke(event("message"))
    check(answer["statusCode"] == 200, "the message is handled", answer)
    asked = backend.next("/api/ws/message")
    body = json.loads(asked["body"])
    check(asked["headers"]["X-Connection-Id"] == CONNECTION, "the backend gets the connection's id", asked)
    check(body["command"] == "ls -la" and body["sessionId"] == "s1" and body["userId"] == "user-1", "and the message with the stored session", body)
    check(backend.signed(asked), "signed", asked)
    reply = gateway.next("/@connections/R1kmxc2VNjMCFIA%3D")
    check(json.loads(reply["body"])["output"] == "ran ls -la", "its answer is posted to the connection", reply)
    check("/execute-api/aws4_request" in reply["headers"]["Authorization"], "signed for execute-api", reply)

    answer = invoke(event("disconnect"))
    check(answer["statusCode"] == 200, "the disconnect is handled", answer)
    asked = backend.next("/api/ws/disconnect")
    check(asked["headers"]["X-Connection-Id"] == CONNECTION, "the backend is told", asked)
    check(account.item(CONNECTION) is None, "the item is gone")
    backend.nothing()
    gateway.nothing()

    log = process.text()
    for line in ("[WebSocket] Route: $connect, ConnectionId: " + CONNECTION, "[WebSocket] Connected: " + CONNECTION + ", Session: s1", "[WebSocket] Message from " + CONNECTION):
        check(line in log, f"the log says `{line}`")
    for secret in (JWT_SECRET, SIGNING_KEY, "a-session", "ls -la", "eyJ"):
        check(secret not in log, f"the log does not hold {secret[:4]}...")


if __name__ == "__main__":
    main(run, limit=120)
