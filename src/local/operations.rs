//! From method and path to the operation's name, for the services whose protocol does not say it. Pure.

use http::Method;

use super::wire::Service;

/// The name as AWS has it, or `None` where the service has no such operation.
pub(crate) fn of_path(service: Service, method: &Method, path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match service {
        Service::Lambda => lambda(method.as_str(), &parts),
        Service::ApiGatewayV2 => api_gateway(method.as_str(), parts.get(1..)?),
        Service::ApiGateway => account(method.as_str(), &parts),
        Service::ExecuteApi => connections(method.as_str(), path),
        Service::Sts | Service::Iam | Service::DynamoDb | Service::Logs | Service::Ssm | Service::SecretsManager | Service::AppRunner => {
            None
        }
    }
}

fn lambda(method: &str, parts: &[&str]) -> Option<&'static str> {
    Some(match (method, parts) {
        ("POST", [_, "functions"]) => "CreateFunction",
        ("GET", [_, "functions"]) => "ListFunctions",
        ("GET", [_, "functions", _]) => "GetFunction",
        ("DELETE", [_, "functions", _]) => "DeleteFunction",
        ("GET", [_, "functions", _, "configuration"]) => "GetFunctionConfiguration",
        ("PUT", [_, "functions", _, "configuration"]) => "UpdateFunctionConfiguration",
        ("PUT", [_, "functions", _, "code"]) => "UpdateFunctionCode",
        ("POST", [_, "functions", _, "invocations"]) => "Invoke",
        ("POST", [_, "functions", _, "policy"]) => "AddPermission",
        ("GET", [_, "functions", _, "policy"]) => "GetPolicy",
        ("DELETE", [_, "functions", _, "policy", _]) => "RemovePermission",
        ("GET", [_, "functions", _, "concurrency"]) => "GetFunctionConcurrency",
        ("PUT", [_, "functions", _, "concurrency"]) => "PutFunctionConcurrency",
        ("DELETE", [_, "functions", _, "concurrency"]) => "DeleteFunctionConcurrency",
        ("GET", [_, "functions", _, "code-signing-config"]) => "GetFunctionCodeSigningConfig",
        ("GET", [_, "functions", _, "versions"]) => "ListVersionsByFunction",
        ("POST", [_, "functions", _, "versions"]) => "PublishVersion",
        ("GET", [_, "functions", _, "aliases"]) => "ListAliases",
        ("POST", [_, "functions", _, "aliases"]) => "CreateAlias",
        ("DELETE", [_, "functions", _, "aliases", _]) => "DeleteAlias",
        ("POST", [_, "functions", _, "url"]) => "CreateFunctionUrlConfig",
        ("GET", [_, "functions", _, "urls"]) => "ListFunctionUrlConfigs",
        ("DELETE", [_, "functions", _, "url"]) => "DeleteFunctionUrlConfig",
        ("GET", [_, "account-settings"]) => "GetAccountSettings",
        ("GET", [_, "event-source-mappings"]) => "ListEventSourceMappings",
        ("POST", [_, "event-source-mappings"]) => "CreateEventSourceMapping",
        ("DELETE", [_, "event-source-mappings", _]) => "DeleteEventSourceMapping",
        ("GET", [_, "tags", _]) => "ListTags",
        ("POST", [_, "tags", _]) => "TagResource",
        ("DELETE", [_, "tags", _]) => "UntagResource",
        _ => return None,
    })
}

/// `parts` without `v2`.
fn api_gateway(method: &str, parts: &[&str]) -> Option<&'static str> {
    match parts {
        ["apis"] => of_collection(method, "CreateApi", "GetApis"),
        ["apis", _] => of_item(method, ["GetApi", "UpdateApi", "DeleteApi"]),
        ["apis", _, children] => {
            let [create, list] = match *children {
                "integrations" => ["CreateIntegration", "GetIntegrations"],
                "routes" => ["CreateRoute", "GetRoutes"],
                "stages" => ["CreateStage", "GetStages"],
                "deployments" => ["CreateDeployment", "GetDeployments"],
                "authorizers" => ["CreateAuthorizer", "GetAuthorizers"],
                "models" => ["CreateModel", "GetModels"],
                _ => return None,
            };
            of_collection(method, create, list)
        }
        ["apis", _, children, _] => of_item(
            method,
            match *children {
                "integrations" => ["GetIntegration", "UpdateIntegration", "DeleteIntegration"],
                "routes" => ["GetRoute", "UpdateRoute", "DeleteRoute"],
                "stages" => ["GetStage", "UpdateStage", "DeleteStage"],
                "deployments" => ["GetDeployment", "UpdateDeployment", "DeleteDeployment"],
                "authorizers" => ["GetAuthorizer", "UpdateAuthorizer", "DeleteAuthorizer"],
                "models" => ["GetModel", "UpdateModel", "DeleteModel"],
                _ => return None,
            },
        ),
        ["apis", _, "routes", _, "routeresponses"] => of_collection(method, "CreateRouteResponse", "GetRouteResponses"),
        ["apis", _, "routes", _, "routeresponses", _] => {
            of_item(method, ["GetRouteResponse", "UpdateRouteResponse", "DeleteRouteResponse"])
        }
        ["apis", _, "integrations", _, "integrationresponses"] => {
            of_collection(method, "CreateIntegrationResponse", "GetIntegrationResponses")
        }
        ["apis", _, "integrations", _, "integrationresponses", _] => {
            of_item(method, ["GetIntegrationResponse", "UpdateIntegrationResponse", "DeleteIntegrationResponse"])
        }
        ["apis", _, "stages", _, "accesslogsettings"] => (method == "DELETE").then_some("DeleteAccessLogSettings"),
        ["apis", _, "stages", _, "routesettings", _] => (method == "DELETE").then_some("DeleteRouteSettings"),
        ["tags", ..] => match method {
            "GET" => Some("GetTags"),
            "POST" => Some("TagResource"),
            "DELETE" => Some("UntagResource"),
            _ => None,
        },
        _ => None,
    }
}

fn of_collection(method: &str, create: &'static str, list: &'static str) -> Option<&'static str> {
    match method {
        "POST" => Some(create),
        "GET" => Some(list),
        _ => None,
    }
}

fn of_item(method: &str, [get, update, delete]: [&'static str; 3]) -> Option<&'static str> {
    match method {
        "GET" => Some(get),
        "PATCH" => Some(update),
        "DELETE" => Some(delete),
        _ => None,
    }
}

fn account(method: &str, parts: &[&str]) -> Option<&'static str> {
    match (method, parts) {
        ("GET", ["account"]) => Some("GetAccount"),
        ("PATCH", ["account"]) => Some("UpdateAccount"),
        _ => None,
    }
}

fn connections(method: &str, path: &str) -> Option<&'static str> {
    if !is_connections(path) {
        return None;
    }
    match method {
        "POST" => Some("PostToConnection"),
        "GET" => Some("GetConnection"),
        "DELETE" => Some("DeleteConnection"),
        _ => None,
    }
}

/// Whether a path below the data plane is `.../@connections/{id}`; clients may encode the `@`.
pub(crate) fn is_connections(path: &str) -> bool {
    path.split('/').any(|part| part == "@connections" || part.eq_ignore_ascii_case("%40connections"))
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::of_path;
    use crate::local::wire::Service;

    #[test]
    fn names_the_operations_of_rest_services() {
        for (service, method, path, name) in [
            (Service::Lambda, Method::POST, "/2015-03-31/functions", Some("CreateFunction")),
            (Service::Lambda, Method::GET, "/2015-03-31/functions/", Some("ListFunctions")),
            (Service::Lambda, Method::DELETE, "/2015-03-31/functions/f/policy/sid", Some("RemovePermission")),
            (Service::Lambda, Method::GET, "/2017-03-31/tags/arn%3Aaws%3Alambda", Some("ListTags")),
            (Service::ApiGatewayV2, Method::POST, "/v2/apis", Some("CreateApi")),
            (Service::ApiGatewayV2, Method::PATCH, "/v2/apis/a/stages/prod", Some("UpdateStage")),
            (Service::ApiGatewayV2, Method::GET, "/v2/apis/a/routes/r/routeresponses", Some("GetRouteResponses")),
            (Service::ApiGatewayV2, Method::GET, "/v2/tags/arn:aws:apigateway:r::/apis/a", Some("GetTags")),
            (Service::ApiGatewayV2, Method::PUT, "/v2/apis", None),
            (Service::ApiGateway, Method::GET, "/account", Some("GetAccount")),
            (Service::ExecuteApi, Method::POST, "/_aws/execute-api/a/prod/@connections/x%3D", Some("PostToConnection")),
            (Service::ExecuteApi, Method::GET, "/_aws/execute-api/a/prod/%40connections/x%3D", Some("GetConnection")),
        ] {
            assert_eq!(of_path(service, &method, path), name, "{method} {path}");
        }
    }
}
