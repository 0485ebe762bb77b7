"""A denied user on MiniStack with `AUTH=true`, which checks signatures and policies: on_ministack_auth.py WSFIX HANDLER"""

import json

from botocore.exceptions import ClientError

from judge import TRUST, Account, Backend, Tool, check, main, ministack, say
from session import session

USER, POLICY = "dev", "RestrictedUserResourceIsolation"
# The second may not post to `@connections`.
FIT, SILENT = "websocket-handler-role", "table-role"
LOGS = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"


def statement(effect, actions, resource="*"):
    return {"Effect": effect, "Action": actions, "Resource": resource}


def document(*statements):
    return {"Version": "2012-10-17", "Statement": list(statements)}


def restricted(account_id):
    """What the user may do: everything that wsfix needs, nothing that writes IAM."""
    verbs = ("Add", "Attach", "Create", "Delete", "Detach", "Put", "Remove", "Set", "Tag", "Untag", "Update", "Upload")
    return document(
        statement("Deny", [f"iam:{verb}*" for verb in verbs]),
        statement("Allow", ["apigateway:*", "dynamodb:*", "lambda:*", "logs:*"]),
        statement("Allow", ["iam:Get*", "iam:List*", "iam:SimulatePrincipalPolicy"]),
        statement("Allow", "iam:PassRole", [f"arn:aws:iam::{account_id}:role/{role}" for role in (FIT, SILENT)]),
    )


def denied_user(owner):
    """Made by the account's owner: the user's key."""
    policy = owner.iam.create_policy(PolicyName=POLICY, PolicyDocument=json.dumps(restricted(owner.id)))["Policy"]["Arn"]
    owner.iam.create_user(UserName=USER)
    owner.iam.attach_user_policy(UserName=USER, PolicyArn=policy)
    key = owner.iam.create_access_key(UserName=USER)["AccessKey"]
    return key["AccessKeyId"], key["SecretAccessKey"]


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return check(error.response["Error"]["Code"] == code, f"{error.operation_name}: {code}", error.response)
    raise AssertionError(f"{code} was expected")


def run(wsfix, handler):
    port = ministack(AUTH="true")
    endpoint = f"http://127.0.0.1:{port}"
    owner = Account(endpoint)
    owner.make_role(FIT)
    owner.make_role(SILENT, document(statement("Allow", "dynamodb:*")))
    owner.iam.attach_role_policy(RoleName=SILENT, PolicyArn=LOGS)
    before = owner.inventory()

    key, secret = denied_user(owner)
    user = Account(endpoint, key, secret)
    refused("AccessDenied", user.iam.create_role, RoleName="mine", AssumeRolePolicyDocument=json.dumps(TRUST))
    refused("AccessDenied", user.iam.attach_role_policy, RoleName=SILENT, PolicyArn=LOGS)
    try:
        Account(endpoint, key, secret[:-1] + "x")
        raise AssertionError("a wrong secret is let in")
    except ClientError as error:
        say(f"ok: a wrong secret is refused: {error.response['Error']['Code']}")

    backend = Backend()
    tool = Tool(wsfix, handler, user, backend.url, FIT)
    for role, reply in ((FIT, "management-api"), (SILENT, "route-response")):
        outputs = tool.provision(**{"existing-role": role, "reply": "auto"})["outputs"]
        check(outputs["reply"] == reply, f"replies travel by {reply}", outputs)
        session(outputs["websocket_url"], backend, owner, refusals=(403,), posted=reply == "management-api")
        tool.run("teardown", "--yes")
        left = owner.inventory()
        check(left == before, f"with the role {role} the denied user provisions, connects and tears down", before, left)


if __name__ == "__main__":
    main(run)
