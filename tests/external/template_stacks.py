"""The stacks of `wsfix template sam` and `cloudformation` on MiniStack, beside what `provision` makes: template_stacks.py WSFIX HANDLER"""

import json
import re

import boto3
import samtranslator.translator.transform
from cfnlint import decode
from samtranslator.parser.parser import Parser

from judge import STACK, Account, Backend, JWT_SECRET, SIGNING_KEY, Tool, check, main, ministack, until
from session import session

ROLE = "websocket-handler-role"
# What differs: the marks say that another tool made it; an emulator's own address is none of a template's business; and MiniStack's
# CloudFormation knows neither the expiry nor the resource policy of a table, and keeps a stage's settings where its GetStages does not
# find them: those are held against the template instead.
DIFFERENT = {
    "api": {"Description", "Tags"},
    "integration": {"Description"},
    "function": {"Description", "Tags", "WSFIX_MANAGEMENT_URL"},
    "table": {"Tags", "TimeToLive", "ResourcePolicy"},
    "log group": {"Tags"},
    "stage prod": {"DefaultRouteSettings", "RouteSettings", "Description"},
}
# What `provision` would still do: the above, but for the marks, which it takes as they are; and its own statement beside
# CloudFormation's, which has another id.
LEFT = {
    "table WebSocketConnections": ["resource_policy", "ttl_attribute"],
    "function websocket-handler": ["environment.WSFIX_MANAGEMENT_URL"],
    "permission websocket-handler": "create",
    "stage prod": ["$connect.burst", "$connect.rate", "messages.burst", "messages.rate"],
}


def plain(value, ids):
    """With labels for ids, and without members that say nothing."""
    text = json.dumps(value, default=str, sort_keys=True)
    for found, label in ids.items():
        text = text.replace(found, label)
    return json.loads(text, object_hook=lambda read: {key: member for key, member in read.items() if member not in (None, "", [], {})})


def settings_of(settings):
    """Settings of a stage, as text, spelled as boto3 reads them."""
    return {key[0].upper() + key[1:]: str(member).lower().removesuffix(".0") for key, member in settings.items()}


def without(value, *names):
    return {key: member for key, member in value.items() if key not in names and key != "ResponseMetadata"}


def statements(policy):
    """A policy's statements, without their ids."""
    found = [without(statement, "Sid") for statement in json.loads(policy)["Statement"]]
    for statement in found:
        statement["Action"] = sorted([statement["Action"]] if isinstance(statement["Action"], str) else statement["Action"])
    return sorted(found, key=json.dumps)


def pairs(tags):
    return {tag["Key"]: tag["Value"] for tag in tags}


def stage(found):
    """A stage without times and without CloudFormation's tags."""
    settings = {"DefaultRouteSettings": settings_of(found["DefaultRouteSettings"]), "RouteSettings": {key: settings_of(one) for key, one in found["RouteSettings"].items()}}
    return {**without(found, "CreatedDate", "LastUpdatedDate", "Tags"), **settings}


def everything(account):
    """Each resource of the stack, as boto3 reads it."""
    api_id = account.api_id()
    integration = account.api.get_integrations(ApiId=api_id)["Items"]
    routes = {route["RouteKey"]: route for route in account.api.get_routes(ApiId=api_id)["Items"]}
    check(len(integration) == 1, "one integration", integration)
    table = account.dynamodb.describe_table(TableName=STACK["table"])["Table"]
    index = table["GlobalSecondaryIndexes"]
    function = account.function.get_function(FunctionName=STACK["function"])
    settings = function["Configuration"]
    group = account.logs.describe_log_groups(logGroupNamePrefix=STACK["log_group"])["logGroups"][0]
    stages = account.api.get_stages(ApiId=api_id)["Items"]
    found = {
        "table": {
            "KeySchema": table["KeySchema"],
            "AttributeDefinitions": sorted(table["AttributeDefinitions"], key=json.dumps),
            "BillingMode": table["BillingModeSummary"]["BillingMode"],
            "DeletionProtection": table.get("DeletionProtectionEnabled", False),
            "Indexes": [[one["IndexName"], one["KeySchema"], one["Projection"]] for one in index],
            "TimeToLive": account.dynamodb.describe_time_to_live(TableName=STACK["table"])["TimeToLiveDescription"],
            "Tags": pairs(account.dynamodb.list_tags_of_resource(ResourceArn=table["TableArn"])["Tags"]),
            "ResourcePolicy": table_policy(account, table["TableArn"]),
        },
        "log group": {
            "Retention": group["retentionInDays"],
            "Tags": account.logs.list_tags_log_group(logGroupName=STACK["log_group"])["tags"],
        },
        "function": {
            **{name: settings.get(name) for name in ("Role", "Runtime", "Handler", "Architectures", "MemorySize", "Timeout", "Description", "CodeSha256", "PackageType")},
            **settings["Environment"]["Variables"],
            "Tags": function["Tags"],
        },
        "permission": {"Statement": statements(account.function.get_policy(FunctionName=STACK["function"])["Policy"])},
        "api": without(account.api.get_api(ApiId=api_id), "ApiId", "ApiEndpoint", "CreatedDate"),
        "integration": without(integration[0], "IntegrationId"),
        **{f"route {key}": without(route, "RouteId") for key, route in routes.items()},
        **{f"stage {one['StageName']}": stage(one) for one in stages},
    }
    ids = {api_id: "API", integration[0]["IntegrationId"]: "INTEGRATION", **{route["RouteId"]: f"ROUTE {key}" for key, route in routes.items()}}
    return plain(found, ids)


def table_policy(account, arn):
    try:
        return statements(account.dynamodb.get_resource_policy(ResourceArn=arn)["Policy"])
    except account.dynamodb.exceptions.PolicyNotFoundException:
        return None


def differences(wanted, found):
    """Resource to the names of what differs in it."""
    told = {}
    for resource in wanted.keys() | found.keys():
        one, other = wanted.get(resource, {}), found.get(resource, {})
        names = {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}
        if names:
            told[resource] = names
    return told


def translated(template):
    """A SAM template as the CloudFormation template that AWS makes of it."""
    template = json.loads(json.dumps(template))
    # `sam package` puts the place of the upload there.
    template["Resources"]["Handler"]["Properties"]["CodeUri"] = "s3://code/handler.zip"
    translator = samtranslator.translator.transform.Translator({}, Parser(), boto_session=boto3.session.Session(region_name="us-east-1"))
    return json.dumps(translator.translate(template, {}))


def deploy(account, name, body, parameters):
    stacks = account.client("cloudformation")
    stacks.create_stack(StackName=name, TemplateBody=body, Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()])
    stack = until(f"the stack {name} is made", lambda: ended(stacks, name))
    events = [event for event in stacks.describe_stack_events(StackName=name)["StackEvents"] if "FAILED" in event["ResourceStatus"]]
    check(stack["StackStatus"] == "CREATE_COMPLETE", f"{name}: CloudFormation makes it, with no capability", stack, events)
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    check(re.fullmatch(rf"wss://{account.api_id()}\.execute-api\.us-east-1\.amazonaws\.com/prod", outputs["WebSocketUrl"]), "it tells the URL", outputs)


def ended(stacks, name):
    stack = stacks.describe_stacks(StackName=name)["Stacks"][0]
    return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack


def delete(account, name, before):
    account.client("cloudformation").delete_stack(StackName=name)
    # Last lines may make the function's log group anew.
    kept = lambda: without(account.inventory(), "log groups") == without(before, "log groups")
    until("all of it is gone", kept)


def equal(name, template, wanted, found, role):
    """Each resource is as `provision` makes it, but for what is known to differ."""
    check(differences(wanted, found) == DIFFERENT, f"{name}: every resource is as `provision` makes it", differences(wanted, found))
    for resource in ("api", "function", "table", "log group"):
        tags = {key: value for key, value in found[resource]["Tags"].items() if not key.startswith(("aws:", "lambda:"))}
        check(tags == {**wanted[resource]["Tags"], "wsfix:adopted": "true"}, f"{name}: the {resource} is marked", tags)
    for resource in ("api", "function", "integration"):
        check(found[resource]["Description"] == wanted[resource]["Description"] + ";adopted", "and its description says so", found[resource])
    settings = template["Resources"]["Stage"]["Properties"]
    levels = lambda one: {key: value for key, value in settings_of(one).items() if key != "LoggingLevel"}
    numbers = {"DefaultRouteSettings": levels(settings["DefaultRouteSettings"]), "RouteSettings": {key: levels(one) for key, one in settings["RouteSettings"].items()}}
    check(numbers == {key: wanted["stage prod"][key] for key in numbers}, "the stage has its limits", numbers)
    table = template["Resources"]["Connections"]["Properties"]
    check(table["TimeToLiveSpecification"] == {"AttributeName": wanted["table"]["TimeToLive"]["AttributeName"], "Enabled": True}, "items expire", table)
    text = json.dumps(table["ResourcePolicy"]["PolicyDocument"])
    for place, value in {"Partition": "aws", "Region": "us-east-1", "AccountId": "000000000000"}.items():
        text = text.replace(f"${{AWS::{place}}}", value)
    intrinsic = lambda read: role if read == {"Ref": "ExecutionRoleArn"} else read["Fn::Sub"] if set(read) == {"Fn::Sub"} else read
    policy = json.dumps(json.loads(text, object_hook=intrinsic))
    check(statements(policy) == wanted["table"]["ResourcePolicy"], "the table lets the role in", policy)


def run(wsfix, handler):
    port = ministack()
    account = Account(f"http://127.0.0.1:{port}")
    role = account.make_role(ROLE)
    before = account.inventory()
    backend = Backend()
    tool = Tool(wsfix, handler, account, backend.url, ROLE)
    tool.provision()
    tool.provision()  # MiniStack drops the table's policy at first.
    wanted = everything(account)
    account.dynamodb.delete_resource_policy(ResourceArn=account.dynamodb.describe_table(TableName=STACK["table"])["Table"]["TableArn"])
    tool.run("teardown", "--yes")
    check(account.inventory() == before, "nothing is left of it")

    s3 = account.client("s3")
    s3.create_bucket(Bucket="code")
    with open(tool.wanted["--handler"], "rb") as zipped:
        s3.put_object(Bucket="code", Key="handler.zip", Body=zipped.read())
    flags = ["--backend-url", backend.url, "--route", "sendMessage", "--tag", "team=judges", "--reply", "management-api"]
    secrets = {"ExecutionRoleArn": role, "JwtSecret": JWT_SECRET, "SigningKey": SIGNING_KEY}
    for name, parameters in {"cloudformation": {"CodeBucket": "code", "CodeKey": "handler.zip"}, "sam": {}}.items():
        text = tool.run("template", name, *flags)["files"][0]["text"]
        template, problems = decode.decode_str(text)
        check(not problems, f"{name} is a template", problems)
        deploy(account, name, translated(template) if name == "sam" else text, {**secrets, **parameters})
        equal(name, template, wanted, everything(account), role)
        left = tool.changes()
        check(left == LEFT, "`plan` finds what it should", left)
        tool.run("teardown", "--yes")
        check(account.api_id() and account.function.get_function(FunctionName=STACK["function"]), "`teardown` leaves it")
        # The last one: MiniStack keeps a table's expiry and policy for the next table of the same name.
        if name == "sam":
            tool.provision()
            check(tool.changes() == {}, "`provision` takes it on")
            session(f"ws://127.0.0.1:{port}/_aws/execute-api/{account.api_id()}/prod", backend, account, refusals=(403,))
        delete(account, name, before)


if __name__ == "__main__":
    main(run)
