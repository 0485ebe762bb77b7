"""The life of a stack on MiniStack, with a WebSocket session through the handler's binary: on_ministack.py WSFIX HANDLER"""

import lifecycle
from judge import Account, Backend, Tool, check, main, ministack
from session import session


def run(wsfix, handler):
    port = ministack()
    account = Account(f"http://127.0.0.1:{port}")
    role = account.make_role("websocket-handler-role")
    role_before = account.role_document("websocket-handler-role")
    before = account.inventory()

    backend = Backend()
    tool = Tool(wsfix, handler, account, backend.url, "websocket-handler-role")
    outputs = lifecycle.first(tool, account, role, backend.url)
    base = f"ws://127.0.0.1:{port}/_aws/execute-api/{account.api_id()}/prod"
    check(outputs["websocket_url"] == base, "the URL is told", outputs)
    # MiniStack turns every refusal of the handler into 403.
    session(base, backend, account, refusals=(403,))
    lifecycle.drift(tool, account, role, backend.url)
    lifecycle.other_config(tool, account)
    check(tool.provision(reply="route-response")["outputs"]["reply"] == "route-response", "replies can travel as the function's answer")
    session(base, backend, account, refusals=(403,), posted=False)
    lifecycle.last(tool, account, before, role_before, "websocket-handler-role")


if __name__ == "__main__":
    main(run)
