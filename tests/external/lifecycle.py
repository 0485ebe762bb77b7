"""The life of a stack on a server that nobody here wrote: provision, no change, drift of each field, teardown, nothing left.

What is found is checked through boto3, not through the tool.
"""

import json

from judge import REGION, STACK, check, say

ROUTES = ["$connect", "$default", "$disconnect", "sendMessage"]


def whole(account, role, backend_url):
    """Checks every resource that provision makes, as boto3 reads it."""
    table = account.dynamodb.describe_table(TableName=STACK["table"])["Table"]
    keys = [[key["AttributeName"] for key in schema] for schema in (table["KeySchema"], table["GlobalSecondaryIndexes"][0]["KeySchema"])]
    check(keys == [["connectionId"], ["sessionId"]], "the table and its index have their keys", table)
    check(table["BillingModeSummary"]["BillingMode"] == "PAY_PER_REQUEST", "the table is on demand", table)
    ttl = account.dynamodb.describe_time_to_live(TableName=STACK["table"])["TimeToLiveDescription"]
    check(ttl == {"TimeToLiveStatus": "ENABLED", "AttributeName": "expiresAt"}, "items expire by `expiresAt`", ttl)
    tags = account.dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]
    # As a map: moto adds a tag that is there already once more.
    check({tag["Key"]: tag["Value"] for tag in tags} == {"team": "judges", "wsfix:stack": "terminal"}, "the table is tagged", tags)

    group = account.logs.describe_log_groups(logGroupNamePrefix=STACK["log_group"])["logGroups"][0]
    check(group["retentionInDays"] == 14, "log lines are kept for 14 days", group)

    function = account.function.get_function(FunctionName=STACK["function"])
    settings = function["Configuration"]
    check((settings["Runtime"], settings["MemorySize"], settings["Timeout"], settings["Role"]) == ("provided.al2023", 256, 28, role), "the function is set up", settings)
    variables = settings["Environment"]["Variables"]
    check(variables["TABLE_NAME"] == STACK["table"] and variables["APP_RUNNER_URL"] == backend_url, "with its environment", sorted(variables))
    check(function["Tags"] == {"team": "judges", "wsfix:stack": "terminal"}, "and its tags", function.get("Tags"))

    api = account.api_id()
    integrations = account.api.get_integrations(ApiId=api)["Items"]
    check(len(integrations) == 1 and settings["FunctionArn"] in integrations[0]["IntegrationUri"], "one integration calls the function", integrations)
    routes = account.api.get_routes(ApiId=api)["Items"]
    target = f"integrations/{integrations[0]['IntegrationId']}"
    check(sorted(route["RouteKey"] for route in routes) == ROUTES and {route["Target"] for route in routes} == {target}, "all routes lead to it", routes)
    stages = account.api.get_stages(ApiId=api)["Items"]
    check([(stage["StageName"], stage["AutoDeploy"]) for stage in stages] == [(STACK["stage"], True)], "the stage deploys by itself", stages)

    policy = json.loads(account.function.get_policy(FunctionName=STACK["function"])["Policy"])
    sources = [statement["Condition"]["ArnLike"]["AWS:SourceArn"] for statement in policy["Statement"]]
    check(len(sources) == 1 and sources[0].startswith(f"arn:aws:execute-api:{REGION}:{account.id}:{api}/"), "the API may call the function", policy)


def edits(account, lacks):
    """Every edit from outside: the resource whose step shows it, a name, and the edit."""
    table, function, log_group = STACK["table"], STACK["function"], STACK["log_group"]
    api = account.api_id()
    route = {route["RouteKey"]: route["RouteId"] for route in account.api.get_routes(ApiId=api)["Items"]}
    integration = account.api.get_integrations(ApiId=api)["Items"][0]["IntegrationId"]
    arn = account.dynamodb.describe_table(TableName=table)["Table"]["TableArn"]
    settings = lambda **changed: lambda: account.function.update_function_configuration(FunctionName=function, **changed)
    statement = json.loads(account.function.get_policy(FunctionName=function)["Policy"])["Statement"][0]["Sid"]
    made = [
        ("table", "its resource policy deleted", lambda: account.dynamodb.delete_resource_policy(ResourceArn=arn)),
        ("table", "its tag changed", lambda: account.dynamodb.untag_resource(ResourceArn=arn, TagKeys=["wsfix:stack"])),
        ("table", "its TTL switched off", lambda: account.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification={"Enabled": False, "AttributeName": "expiresAt"})),
        ("log group", "its retention changed", lambda: account.logs.put_retention_policy(logGroupName=log_group, retentionInDays=3)),
        ("function", "its memory changed", settings(MemorySize=512)),
        ("function", "its time limit changed", settings(Timeout=3)),
        ("function", "its environment replaced", settings(Environment={"Variables": {"TABLE_NAME": "another"}})),
        ("function", "its description changed", settings(Description="mine now")),
        ("permission", "the permission removed", lambda: account.function.remove_permission(FunctionName=function, StatementId=statement)),
        ("api", "its route selection changed", lambda: account.api.update_api(ApiId=api, RouteSelectionExpression="$request.body.type")),
        ("integration", "its time limit changed", lambda: account.api.update_integration(ApiId=api, IntegrationId=integration, IntegrationType="AWS_PROXY", TimeoutInMillis=5000)),
        ("route", "the target changed", lambda: account.api.update_route(ApiId=api, RouteId=route["sendMessage"], Target="integrations/another")),
        ("route", "one deleted", lambda: account.api.delete_route(ApiId=api, RouteId=route["$disconnect"])),
        ("stage", "its automatic deployment switched off", lambda: account.api.update_stage(ApiId=api, StageName=STACK["stage"], AutoDeploy=False)),
        ("stage", "its throttle changed", lambda: account.api.update_stage(ApiId=api, StageName=STACK["stage"], DefaultRouteSettings={"ThrottlingBurstLimit": 1, "ThrottlingRateLimit": 1})),
    ]
    return [edit for edit in made if edit[0] not in lacks]


def rounds(account, lacks):
    """The edits, one at a time, but for those that a deployment follows: they go together, since each is waited for."""
    deployed = ("api", "integration", "route")
    made = edits(account, lacks)
    together = [edit for edit in made if edit[0] in deployed]
    return [[edit] for edit in made if edit[0] not in deployed] + [together]


def drift(tool, account, role, backend_url, lacks=()):
    """Edits from outside: `plan` finds each and nothing else, `provision` puts it right."""
    for together in rounds(account, lacks):
        for _, _, edit in together:
            edit()
        names = "; ".join(f"{kind}, {name}" for kind, name, _ in together)
        kinds = sorted(kind for kind, _, _ in together)
        changes = tool.changes()
        # The stage says that it deploys what was put right.
        if len(together) > 1:
            check(changes.pop(f"stage {STACK['stage']}", None) == ["deployment"], "a deployment follows", changes)
        check(sorted(change.split(" ")[0] for change in changes) == [kind.split(" ")[0] for kind in kinds], f"plan finds `{names}`, and nothing else", changes)
        tool.provision()
    check(tool.changes() == {}, "all of it is put right")
    whole(account, role, backend_url)


def first(tool, account, role, backend_url):
    """Provisions, and again until nothing is left to do. Answers the outputs."""
    outputs = tool.provision()["outputs"]
    # Neither server keeps the resource policy that CreateTable is given, so that the next look rightly finds it missing.
    changes = tool.changes()
    check(set(changes) == {f"table {STACK['table']}"}, "only the resource policy of the table is missing, which the server dropped", changes)
    tool.provision()
    check(tool.changes() == {}, "then nothing differs")
    summary = tool.provision()["summary"]
    check(summary["create"] + summary["update"] + summary["delete"] == 0, "and another provision changes nothing", summary)
    whole(account, role, backend_url)
    return outputs


def other_config(tool, account):
    """Changes of the config: what is no longer wanted goes."""
    changes = tool.changes(route=None)
    check(changes.pop("route sendMessage") == "delete", "a route that the config no longer has is to be deleted", changes)
    tool.provision(route=None)
    keys = [route["RouteKey"] for route in account.api.get_routes(ApiId=account.api_id())["Items"]]
    check(sorted(keys) == [key for key in ROUTES if key.startswith("$")], "and is", keys)
    tool.provision()


def last(tool, account, before, role_before, role):
    """Tears down: the account is as it was."""
    tool.run("teardown", "--yes")
    left = account.inventory()
    check(left == before, "the account has what it had before, and nothing else", before, left)
    check(account.role_document(role) == role_before, "the role was not touched")
    tool.run("teardown", "--yes")
    say("ok: a second teardown has nothing to do")
