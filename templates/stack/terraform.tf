# The stack `{{ stack }}`: WebSockets in front of an HTTP backend, with an execution role that exists already. No IAM resource is made.
#
#   wsfix build --architecture {{ function.architecture }} --out handler.zip
#   terraform init && terraform apply
#
# What is made is what `wsfix provision` makes, and it bears the same marks, with the word that somebody else made it: `wsfix status`,
# `verify` and `logs` work on it, and `wsfix teardown` leaves it. Terraform deletes it.
#
# Done otherwise than by `wsfix provision`:
# - Replies: nobody asks IAM what the role may do. The variable reply decides.
# - Logs of the stage: nobody looks whether the Region's API Gateway has a role to write them with. The variable access_logs decides.
# - Secrets stand in Terraform's state, as every argument does: keep it where only those who may know them can read it.
# - Last log lines come in for seconds after a function is deleted, and make its log group anew. A later run then says that the group
#   exists: delete it first.

terraform {
  required_version = ">= 1.5"
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 6.0"
    }
  }
}

variable "execution_role_arn" {
  type        = string
  description = "The role that the function runs with. It must trust lambda.amazonaws.com; a role that may only write logs is enough."
{% if role %}
  default     = {{ role | hcl }}
{% endif %}
}

variable "handler_zip" {
  type        = string
  description = "The handler, as `wsfix build --out` writes it."
  default     = "handler.zip"
}

variable "backend_url" {
  type        = string
  description = "Base URL of the HTTP backend, without a slash at its end."
{% if backend_url %}
  default     = {{ backend_url | hcl }}
{% endif %}
}

{% for parameter in secrets %}
variable "{{ parameter.id }}" {
  type        = string
  description = {{ parameter.about | hcl }}
  sensitive   = true
{% if parameter.optional %}
  default     = ""
{% endif %}
{% if parameter.least %}

  validation {
    condition     = {% if parameter.optional %}var.{{ parameter.id }} == "" || {% endif %}length(var.{{ parameter.id }}) >= {{ parameter.least }}
    error_message = "At least {{ parameter.least }} characters."
  }
{% endif %}
}

{% endfor %}
variable "reply" {
  type        = string
  description = "How replies travel: route-response needs no permission; management-api needs execute-api:ManageConnections for the role, and can send several messages for one, and to all connections of a session."
  default     = "{{ reply }}"

  validation {
    condition     = contains(["management-api", "route-response"], var.reply)
    error_message = "management-api or route-response."
  }
}

variable "access_logs" {
  type        = bool
  description = "Whether the stage logs its requests. It fails where API Gateway has no role to write logs with in this Region."
  default     = {{ "true" if access_logs == "on" else "false" }}
}

data "aws_caller_identity" "current" {}

data "aws_partition" "current" {}

data "aws_region" "current" {}

locals {
  routes  = toset({{ routes | hcl }})
  two_way = var.reply == "route-response" ? setsubtract(local.routes, ["$connect", "$disconnect"]) : toset([])
  level   = var.access_logs ? "ERROR" : "OFF"
  tags = {
{% for key, value in tags | items %}
    {{ key | hcl }} = {{ value | hcl }}
{% endfor %}
  }
}

# Items of closed connections are worth nothing; for a table that nobody may delete: deletion_protection_enabled = true
resource "aws_dynamodb_table" "connections" {
  name         = {{ table | hcl }}
  billing_mode = "PAY_PER_REQUEST"
  hash_key     = "{{ keys.connection }}"
  tags         = local.tags

  attribute {
    name = "{{ keys.connection }}"
    type = "S"
  }

  attribute {
    name = "{{ keys.session }}"
    type = "S"
  }

  global_secondary_index {
    name            = "{{ keys.index }}"
    hash_key        = "{{ keys.session }}"
    projection_type = "ALL"
  }

  ttl {
    attribute_name = "{{ keys.expiry }}"
    enabled        = true
  }
}

# Lets the role in, although it may have no policy of its own: inside one account that is enough. The ids name the stack.
resource "aws_dynamodb_resource_policy" "connections" {
  resource_arn = aws_dynamodb_table.connections.arn
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [
{% for statement in table_policy %}
      {
        Sid       = "{{ statement.Sid }}"
        Effect    = "Allow"
        Principal = { AWS = var.execution_role_arn }
        Action    = {{ statement.Action | hcl }}
        Resource  = "{{ statement.Resource }}"
      },
{% endfor %}
    ]
  })
}

# Made before the function, which would otherwise make one that never expires.
resource "aws_cloudwatch_log_group" "handler" {
  name              = {{ log_group | hcl }}
  retention_in_days = {{ log_retention_days }}
  tags              = local.tags
}

resource "aws_cloudwatch_log_group" "access" {
  count             = var.access_logs ? 1 : 0
  name              = {{ access_log_group | hcl }}
  retention_in_days = {{ log_retention_days }}
  tags              = local.tags
}

resource "aws_lambda_function" "handler" {
  function_name    = {{ function.name | hcl }}
  description      = {{ description | hcl }}
  role             = var.execution_role_arn
  runtime          = "{{ function.runtime }}"
  handler          = "{{ function.handler }}"
  architectures    = ["{{ function.architecture }}"]
  memory_size      = {{ function.memory_mb }}
  timeout          = {{ function.timeout_seconds }}
  filename         = var.handler_zip
  source_code_hash = filebase64sha256(var.handler_zip)
  tags             = local.tags
  depends_on       = [aws_cloudwatch_log_group.handler]

  environment {
    variables = merge(
      {
{% for name, value in environment | items %}
        {{ name }} = {{ value | hcl }}
{% endfor %}
        {{ names.backend }} = var.backend_url
        {{ names.domain }} = "${aws_apigatewayv2_api.gateway.id}.execute-api.${data.aws_region.current.region}.${data.aws_partition.current.dns_suffix}"
        {{ names.reply }} = var.reply
{% for parameter in secrets if not parameter.optional %}
        {{ parameter.name }} = var.{{ parameter.id }}
{% endfor %}
      },
{% for parameter in secrets if parameter.optional %}
      var.{{ parameter.id }} == "" ? {} : { {{ parameter.name }} = var.{{ parameter.id }} },
{% endfor %}
    )
  }
}

# This API's stage, of this account, and nobody else.
resource "aws_lambda_permission" "gateway" {
  statement_id   = "wsfix-${aws_apigatewayv2_api.gateway.id}"
  action         = "lambda:InvokeFunction"
  function_name  = aws_lambda_function.handler.function_name
  principal      = "apigateway.amazonaws.com"
  source_account = data.aws_caller_identity.current.account_id
  source_arn     = "${aws_apigatewayv2_api.gateway.execution_arn}/{{ api.stage }}/*"
}

resource "aws_apigatewayv2_api" "gateway" {
  name                       = {{ api.name | hcl }}
  description                = {{ description | hcl }}
  protocol_type              = "WEBSOCKET"
  route_selection_expression = {{ api.route_selection_expression | hcl }}
  tags                       = local.tags
}

resource "aws_apigatewayv2_integration" "handler" {
  api_id               = aws_apigatewayv2_api.gateway.id
  description          = {{ description | hcl }}
  integration_type     = "AWS_PROXY"
  integration_method   = "POST"
  integration_uri      = aws_lambda_function.handler.invoke_arn
  timeout_milliseconds = {{ api.timeout_millis }}
}

resource "aws_apigatewayv2_route" "all" {
  for_each                            = local.routes
  api_id                              = aws_apigatewayv2_api.gateway.id
  route_key                           = each.key
  authorization_type                  = "NONE"
  api_key_required                    = false
  target                              = "integrations/${aws_apigatewayv2_integration.handler.id}"
  route_response_selection_expression = contains(local.two_way, each.key) ? "$default" : null
}

# With it, a route sends what the function returns; without it, that is thrown away.
resource "aws_apigatewayv2_route_response" "answers" {
  for_each           = local.two_way
  api_id             = aws_apigatewayv2_api.gateway.id
  route_id           = aws_apigatewayv2_route.all[each.key].id
  route_response_key = "$default"
}

# Last: a stage that is made before the routes records a failed deployment. From then on each change is deployed by itself.
resource "aws_apigatewayv2_stage" "stage" {
  api_id      = aws_apigatewayv2_api.gateway.id
  name        = "{{ api.stage }}"
  auto_deploy = true
  depends_on  = [aws_apigatewayv2_route.all, aws_apigatewayv2_route_response.answers]

  # Both numbers, always: settings without them mean zero, and refuse everybody. Data trace would log tokens.
  default_route_settings {
    throttling_rate_limit  = {{ api.message_throttle.rate }}
    throttling_burst_limit = {{ api.message_throttle.burst }}
    data_trace_enabled     = false
    logging_level          = local.level
  }

  route_settings {
    route_key              = "$connect"
    throttling_rate_limit  = {{ api.connect_throttle.rate }}
    throttling_burst_limit = {{ api.connect_throttle.burst }}
    data_trace_enabled     = false
    logging_level          = local.level
  }

  # No query, which may hold a token, no header, no address, nothing of a message.
  dynamic "access_log_settings" {
    for_each = aws_cloudwatch_log_group.access[*].arn
    content {
      destination_arn = access_log_settings.value
      format          = {{ access_log_format | hcl }}
    }
  }
}

output "websocket_url" {
  description = "What browsers connect to, with ?sessionId=ID&token=JWT"
  value       = "wss://${aws_apigatewayv2_api.gateway.id}.execute-api.${data.aws_region.current.region}.${data.aws_partition.current.dns_suffix}/{{ api.stage }}"
}

output "management_url" {
  description = "Base URL of @connections"
  value       = "https://${aws_apigatewayv2_api.gateway.id}.execute-api.${data.aws_region.current.region}.${data.aws_partition.current.dns_suffix}/{{ api.stage }}"
}
