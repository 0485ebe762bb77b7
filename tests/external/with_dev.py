"""`wsfix dev` spoken to by stock clients, with every answer held against botocore's models: with_dev.py WSFIX HANDLER"""

import io
import json
import os
import signal
import zipfile

from botocore.exceptions import ClientError

import lifecycle
from answers import Answers
from judge import JWT_SECRET, SIGNING_KEY, STACK, Account, Backend, Process, check, folder, listening, main, say, until
from session import session

ROLE = "websocket-handler-role"


def started(process):
    """The document that `dev` prints when everything stands."""
    try:
        return json.loads(process.out())["result"]
    except json.JSONDecodeError:
        assert process.running(), "wsfix dev ended"
        return None


def refused(code, call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return check(error.response["Error"]["Code"] == code, f"{error.operation_name}: {code}", error.response)
    raise AssertionError(f"{code} was expected")


def walk(account, role):
    """Every operation that provision and teardown use, called by boto3 on resources of its own, and what must be refused."""
    dynamodb, function, api, logs = account.dynamodb, account.function, account.api, account.logs
    name = "another"
    key = lambda attribute: [{"AttributeName": attribute, "KeyType": "HASH"}]
    table = {
        "TableName": name,
        "AttributeDefinitions": [{"AttributeName": attribute, "AttributeType": "S"} for attribute in ("connectionId", "sessionId")],
        "KeySchema": key("connectionId"),
        "BillingMode": "PAY_PER_REQUEST",
        "GlobalSecondaryIndexes": [{"IndexName": "SessionIdIndex", "KeySchema": key("sessionId"), "Projection": {"ProjectionType": "ALL"}}],
        "Tags": [{"Key": "wsfix:stack", "Value": name}],
    }
    arn = dynamodb.create_table(**table)["TableDescription"]["TableArn"]
    dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    refused("ResourceInUseException", dynamodb.create_table, **table)
    refused("ResourceNotFoundException", dynamodb.describe_table, TableName="missing")
    dynamodb.describe_time_to_live(TableName=name)
    dynamodb.update_time_to_live(TableName=name, TimeToLiveSpecification={"Enabled": True, "AttributeName": "expiresAt"})
    dynamodb.tag_resource(ResourceArn=arn, Tags=[{"Key": "team", "Value": "judges"}])
    dynamodb.list_tags_of_resource(ResourceArn=arn)
    dynamodb.untag_resource(ResourceArn=arn, TagKeys=["team"])
    statement = {"Effect": "Allow", "Principal": {"AWS": role}, "Action": ["dynamodb:GetItem"], "Resource": arn}
    refused("PolicyNotFoundException", dynamodb.get_resource_policy, ResourceArn=arn)
    dynamodb.put_resource_policy(ResourceArn=arn, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    dynamodb.get_resource_policy(ResourceArn=arn)
    dynamodb.delete_resource_policy(ResourceArn=arn)
    dynamodb.put_item(TableName=name, Item={"connectionId": {"S": "c"}, "sessionId": {"S": "s"}, "expiresAt": {"N": "1"}}, ConditionExpression="attribute_not_exists(connectionId)")
    dynamodb.get_item(TableName=name, Key={"connectionId": {"S": "c"}}, ConsistentRead=True)
    dynamodb.query(TableName=name, IndexName="SessionIdIndex", KeyConditionExpression="sessionId = :s", ExpressionAttributeValues={":s": {"S": "s"}})
    dynamodb.delete_item(TableName=name, Key={"connectionId": {"S": "c"}})

    group = f"/aws/lambda/{name}"
    logs.create_log_group(logGroupName=group, tags={"wsfix:stack": name})
    refused("ResourceAlreadyExistsException", logs.create_log_group, logGroupName=group)
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    found = logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"][0]
    logs.list_tags_for_resource(resourceArn=found["logGroupArn"])
    logs.tag_resource(resourceArn=found["logGroupArn"], tags={"team": "judges"})
    logs.untag_resource(resourceArn=found["logGroupArn"], tagKeys=["team"])
    logs.filter_log_events(logGroupName=group)

    code = io.BytesIO()
    with zipfile.ZipFile(code, "w") as archive:
        entry = zipfile.ZipInfo("bootstrap")
        entry.external_attr = 0o755 << 16
        archive.writestr(entry, "#!/bin/sh\n")
    made = {"FunctionName": name, "Role": role, "Runtime": "provided.al2023", "Handler": "bootstrap", "Code": {"ZipFile": code.getvalue()}, "Tags": {"wsfix:stack": name}}
    function_arn = function.create_function(**made)["FunctionArn"]
    function.get_waiter("function_active_v2").wait(FunctionName=name)
    refused("ResourceConflictException", function.create_function, **made)
    refused("ResourceNotFoundException", function.get_function, FunctionName="missing")
    function.get_function_configuration(FunctionName=name)
    function.update_function_configuration(FunctionName=name, Timeout=20, Environment={"Variables": {"KEY": "value"}})
    function.get_waiter("function_updated_v2").wait(FunctionName=name)
    function.update_function_code(FunctionName=name, ZipFile=code.getvalue())
    function.get_waiter("function_updated_v2").wait(FunctionName=name)
    function.list_tags(Resource=function_arn)
    function.tag_resource(Resource=function_arn, Tags={"team": "judges"})
    function.untag_resource(Resource=function_arn, TagKeys=["team"])
    refused("ResourceNotFoundException", function.get_policy, FunctionName=name)

    made = api.create_api(Name=name, ProtocolType="WEBSOCKET", RouteSelectionExpression="$request.body.action", Tags={"wsfix:stack": name})["ApiId"]
    refused("NotFoundException", api.get_api, ApiId="missing")
    api.get_api(ApiId=made)
    api.update_api(ApiId=made, Description="changed")
    api_arn = f"arn:aws:apigateway:{account.region}::/apis/{made}"
    api.tag_resource(ResourceArn=api_arn, Tags={"team": "judges"})
    api.get_tags(ResourceArn=api_arn)
    api.untag_resource(ResourceArn=api_arn, TagKeys=["team"])
    uri = f"arn:aws:apigateway:{account.region}:lambda:path/2015-03-31/functions/{function_arn}/invocations"
    integration = api.create_integration(ApiId=made, IntegrationType="AWS_PROXY", IntegrationMethod="POST", IntegrationUri=uri)["IntegrationId"]
    api.update_integration(ApiId=made, IntegrationId=integration, IntegrationType="AWS_PROXY", TimeoutInMillis=20000)
    route = api.create_route(ApiId=made, RouteKey="$default", Target=f"integrations/{integration}", RouteResponseSelectionExpression="$default")["RouteId"]
    refused("ConflictException", api.create_route, ApiId=made, RouteKey="$default", Target=f"integrations/{integration}")
    api.update_route(ApiId=made, RouteId=route, OperationName="answer")
    response = api.create_route_response(ApiId=made, RouteId=route, RouteResponseKey="$default")["RouteResponseId"]
    api.get_route_responses(ApiId=made, RouteId=route)
    stage = {"ApiId": made, "StageName": "test", "AutoDeploy": True, "DefaultRouteSettings": {"ThrottlingBurstLimit": 10, "ThrottlingRateLimit": 10}}
    api.create_stage(**stage)
    refused("ConflictException", api.create_stage, **stage)
    api.get_stage(ApiId=made, StageName="test")
    api.update_stage(ApiId=made, StageName="test", AutoDeploy=False)
    api.create_deployment(ApiId=made, StageName="test")
    api.get_deployments(ApiId=made)
    api.get_integrations(ApiId=made)
    api.get_routes(ApiId=made)
    api.get_stages(ApiId=made)
    permission = {"FunctionName": name, "StatementId": "api", "Action": "lambda:InvokeFunction", "Principal": "apigateway.amazonaws.com"}
    function.add_permission(**permission, SourceArn=f"arn:aws:execute-api:{account.region}:{account.id}:{made}/*/*")
    refused("ResourceConflictException", function.add_permission, **permission)
    function.get_policy(FunctionName=name)
    function.remove_permission(FunctionName=name, StatementId="api")

    refused("ConflictException", api.delete_integration, ApiId=made, IntegrationId=integration)
    api.delete_route_response(ApiId=made, RouteId=route, RouteResponseId=response)
    api.delete_route(ApiId=made, RouteId=route)
    api.delete_integration(ApiId=made, IntegrationId=integration)
    api.delete_api(ApiId=made)
    refused("NotFoundException", api.delete_api, ApiId=made)
    function.delete_function(FunctionName=name)
    dynamodb.delete_table(TableName=name)
    logs.delete_log_group(logGroupName=group)
    refused("ResourceNotFoundException", logs.delete_log_group, logGroupName=group)


def identities(account):
    """The reads of IAM, and the write that the account's user is denied."""
    iam = account.iam
    user = iam.get_user()["User"]["UserName"]
    iam.get_user(UserName=user)
    policies(iam, "user", user)
    for group in iam.list_groups_for_user(UserName=user)["Groups"]:
        policies(iam, "group", group["GroupName"])
    roles = [role["RoleName"] for page in iam.get_paginator("list_roles").paginate(PaginationConfig={"PageSize": 2}) for role in page["Roles"]]
    check(ROLE in roles and len(roles) == len(set(roles)) > 2, "roles are listed page by page", roles)
    for role in roles:
        iam.get_role(RoleName=role)
        policies(iam, "role", role)
    for kind in ("user", "group", "role"):
        refused("NoSuchEntity", getattr(iam, f"list_{kind}_policies"), **{f"{kind.title()}Name": "missing"})
    refused("NoSuchEntity", iam.get_role, RoleName="missing")
    role = iam.get_role(RoleName=ROLE)["Role"]["Arn"]
    simulated = iam.simulate_principal_policy(
        PolicySourceArn=role,
        ActionNames=["dynamodb:Query", "iam:CreateRole"],
        ResourceArns=[f"arn:aws:dynamodb:{account.region}:{account.id}:table/t{index}" for index in ("", "/index/i")],
        ContextEntries=[{"ContextKeyName": "aws:RequestTag/team", "ContextKeyType": "string", "ContextKeyValues": ["judges"]}],
    )["EvaluationResults"]
    decisions = [[one["EvalResourceDecision"] for one in result["ResourceSpecificResults"]] for result in simulated]
    check(decisions == [["implicitDeny", "allowed"], ["implicitDeny"] * 2], "actions are simulated on each resource", simulated)
    iam.simulate_principal_policy(PolicySourceArn=role, ActionNames=["dynamodb:PutItem", "execute-api:ManageConnections"], ResourceArns=["*"])
    refused("AccessDenied", iam.create_role, RoleName="mine", AssumeRolePolicyDocument="{}")
    return role


def policies(iam, kind, name):
    """Every policy on a user, a group or a role, managed and inline."""
    owner = {f"{kind.title()}Name": name}
    for policy in getattr(iam, f"list_attached_{kind}_policies")(**owner)["AttachedPolicies"]:
        version = iam.get_policy(PolicyArn=policy["PolicyArn"])["Policy"]["DefaultVersionId"]
        iam.get_policy_version(PolicyArn=policy["PolicyArn"], VersionId=version)
    for policy in getattr(iam, f"list_{kind}_policies")(**owner)["PolicyNames"]:
        getattr(iam, f"get_{kind}_policy")(**owner, PolicyName=policy)


def run(wsfix, handler):
    backend = Backend()
    flags = ["--port", "0", "--output", "json", "--handler", handler, "--backend-url", backend.url, "--route", "sendMessage", "--existing-role", ROLE, "--tag", "team=judges"]
    secrets = ["--jwt-secret", "env:JWT_SECRET", "--signing-key", "env:WSFIX_SIGNING_KEY"]
    environment = {"JWT_SECRET": JWT_SECRET, "WSFIX_SIGNING_KEY": SIGNING_KEY, "HOME": str(folder("home"))}
    dev = Process("dev", [wsfix, "dev", *flags, *secrets], environment)
    said = until("wsfix dev stands", lambda: started(dev), 60)
    say(f"wsfix dev on {said['endpoint_url']}, after {said['seconds']} s")

    answers = Answers()
    account = Account(said["endpoint_url"], said["access_key_id"], said["secret_access_key"], said["region"], answers.watch)
    role = identities(account)
    lifecycle.whole(account, role, backend.url)
    session(said["websocket_url"], backend, account)
    events = account.logs.filter_log_events(logGroupName=STACK["log_group"])["events"]
    check(any("[WebSocket] Connected: " in event["message"] for event in events), "the handler's lines are in the log", len(events))
    walk(account, role)
    check(not answers.wrong, f"the answers of {len(answers.seen)} operations fit the models", *answers.wrong)

    port = int(said["endpoint_url"].rsplit(":", 1)[1])
    check(dev.stop(signal.SIGINT) == 0, "Ctrl-C ends it with 0")
    check(not listening(port), "and its port is free")


if __name__ == "__main__":
    main(run, limit=180)
