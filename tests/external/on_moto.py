"""The life of a stack's control plane on moto's server: on_moto.py WSFIX HANDLER"""

import logging

from moto.core.exceptions import AccessDeniedError
from moto.iam.responses import IamResponse
from moto.server import ThreadedMotoServer

import lifecycle
from judge import Account, Backend, Tool, main


def denied(self):
    """moto cannot simulate policies and answers 500, which is tried again each time; people who may not ask get this."""
    raise AccessDeniedError(user_arn="arn:aws:iam::123456789012:user/dev", action="iam:SimulatePrincipalPolicy")


IamResponse.simulate_principal_policy = denied


def run(wsfix, handler):
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    moto = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    moto.start()
    account = Account("http://{}:{}".format(*moto.get_host_and_port()))
    role = account.make_role("websocket-handler-role")
    role_before = account.role_document("websocket-handler-role")
    before = account.inventory()

    backend = Backend()
    tool = Tool(wsfix, handler, account, backend.url, "websocket-handler-role")
    lifecycle.first(tool, account, role, backend.url)
    # moto has no UpdateStage.
    lifecycle.drift(tool, account, role, backend.url, lacks=("stage",))
    lifecycle.other_config(tool, account)
    lifecycle.last(tool, account, before, role_before, "websocket-handler-role")


if __name__ == "__main__":
    main(run)
