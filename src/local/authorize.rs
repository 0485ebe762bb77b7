//! Whether a caller may do something, and the words of a denial.

use serde_json::Value;

use super::account::Denials;
use super::wire::{Caller, ServiceError};
use super::world::World;
use crate::policy::{self, Context, Decision, Document, Reason, Request};

impl World {
    /// Allowed, or the denial in the shape that the service of `action` has.
    pub(crate) fn authorize(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        resource_policy: Option<&Value>,
    ) -> Result<(), ServiceError> {
        self.authorize_with(caller, action, resource, resource_policy, &Context::default())
    }

    /// The same, with what this request adds to the context of conditions: `iam:PassedToService`, `aws:RequestTag/...`.
    pub(crate) fn authorize_with(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        resource_policy: Option<&Value>,
        context: &Context,
    ) -> Result<(), ServiceError> {
        match self.decide(caller, action, resource, resource_policy, context) {
            Decision::Allowed => Ok(()),
            Decision::Denied(reason) => Err(self.denial(caller, action, resource, &reason)),
        }
    }

    /// The decision itself, for those who need the reason.
    pub(crate) fn decide(
        &self,
        caller: &Caller,
        action: &str,
        resource: &str,
        resource_policy: Option<&Value>,
        context: &Context,
    ) -> Decision {
        // A document that cannot be read grants nothing; services refuse such documents when they are put.
        let document = resource_policy.and_then(|json| Document::parse(json).ok());
        let context = context.clone().and(&self.context_of(caller));
        let subject = self.account.subject(&caller.arn, &caller.principal);
        policy::decide(&subject, Request { action, resource, context: &context }, document.as_ref())
    }

    /// The global condition keys of a caller's requests.
    pub(crate) fn context_of(&self, caller: &Caller) -> Context {
        let now = self.clock.now_ms();
        let mut context = Context::default()
            .with("aws:PrincipalArn", &caller.principal)
            .with("aws:PrincipalAccount", &self.account.id)
            .with("aws:userid", &caller.user_id)
            .with("aws:RequestedRegion", &self.region)
            // On AWS every request comes over TLS; a policy that insists on it shall not fail here.
            .with("aws:SecureTransport", "true")
            .with("aws:SourceIp", "127.0.0.1")
            .with("aws:EpochTime", (now / 1000).to_string())
            .with("aws:CurrentTime", (now / 1000).to_string());
        let kind = if caller.principal == self.account.root() {
            "Account"
        } else if caller.arn == caller.principal {
            "User"
        } else {
            "AssumedRole"
        };
        context = context.with("aws:PrincipalType", kind);
        let Some(entity) = self.account.entity(&caller.principal) else { return context };
        if kind == "User" {
            context = context.with("aws:username", &entity.name);
        }
        entity.tags.iter().fold(context, |context, (key, value)| context.with(&format!("aws:PrincipalTag/{key}"), value))
    }

    /// Whether the role's trust policy lets this service assume it; `None`: there is no such role.
    pub(crate) fn may_assume(&self, role_arn: &str, service_principal: &str) -> Option<bool> {
        let trust = self.account.entity(role_arn)?.trust()?;
        let context = Context::default().with("aws:SourceAccount", &self.account.id).with("aws:RequestedRegion", &self.region);
        Some(policy::trusts(trust, service_principal, Request { action: "sts:AssumeRole", resource: role_arn, context: &context }))
    }

    /// The error that tells the caller so.
    pub(crate) fn denial(&self, caller: &Caller, action: &str, resource: &str, reason: &Reason) -> ServiceError {
        let (status, code) = match service_of(action) {
            "iam" | "sts" => (403, "AccessDenied"),
            "dynamodb" | "logs" | "ssm" | "secretsmanager" | "apprunner" => (400, "AccessDeniedException"),
            _ => (403, "AccessDeniedException"),
        };
        ServiceError::new(status, code, self.denial_text(caller, action, resource, reason))
    }

    fn denial_text(&self, caller: &Caller, action: &str, resource: &str, reason: &Reason) -> String {
        if self.account.denials == Denials::Bare {
            return "Access Denied".to_owned();
        }
        let connections = service_of(action) == "execute-api";
        let resource = if connections { self.masked(resource) } else { resource.to_owned() };
        let who = format!("User: {} is not authorized to perform: {action} on resource: {resource}", caller.arn);
        match self.account.denials {
            _ if connections => who,
            Denials::Full => who + &reason.text(action, true),
            Denials::WithoutPolicy => who + &reason.text(action, false),
            Denials::WithoutReason | Denials::Bare => who,
        }
    }

    /// API Gateway masks the account and does not tell the connection in denials of `@connections`.
    fn masked(&self, resource: &str) -> String {
        let hidden = resource.replace(&self.account.id, &format!("********{}", &self.account.id[8..]));
        match hidden.split_once("/@connections/") {
            Some((before, _)) => format!("{before}/@connections/{{connectionId}}"),
            None => hidden,
        }
    }
}

fn service_of(action: &str) -> &str {
    action.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use crate::local::wire::tests::dev;
    use crate::local::world::World;
    use crate::local::{Account, Options};
    use crate::policy::Context;

    const ROLE: &str = "arn:aws:iam::111122223333:role/websocket-handler-role";

    fn world() -> World {
        World::new(&Options::default(), 4566)
    }

    #[test]
    fn a_role_is_passed_only_to_the_service_that_the_policy_names() {
        let world = world();
        let to = |service: &str| {
            let context = Context::default().with("iam:PassedToService", service);
            world.authorize_with(&dev(), "iam:PassRole", ROLE, None, &context)
        };
        assert!(to("lambda.amazonaws.com").is_ok());
        let denied = to("ec2.amazonaws.com").unwrap_err();
        assert_eq!((denied.status, denied.code.as_str()), (403, "AccessDenied"));
        assert!(
            denied
                .message
                .ends_with(&format!("iam:PassRole on resource: {ROLE} because no identity-based policy allows the iam:PassRole action"))
        );
        let unpassable = "arn:aws:iam::111122223333:role/service-role/nightly-report-role-x7k2";
        assert!(world.authorize(&dev(), "iam:PassRole", unpassable, None).is_err());
    }

    #[test]
    fn denials_of_connections_are_masked_and_give_no_reason() {
        let world = world();
        let session = world.session_caller("arn:aws:iam::111122223333:role/lambda_basic_execution", "websocket-handler");
        let resource = world.arn("execute-api", "abc123/prod/POST/@connections/R1kmxc2VNjMCFIA=");
        let denied = world.authorize(&session, "execute-api:ManageConnections", &resource, None).unwrap_err();
        assert_eq!(
            denied.message,
            "User: arn:aws:sts::111122223333:assumed-role/lambda_basic_execution/websocket-handler is not authorized to perform: \
             execute-api:ManageConnections on resource: arn:aws:execute-api:us-east-1:********3333:abc123/prod/POST/@connections/{connectionId}"
        );
    }

    #[test]
    fn an_account_may_tell_less() {
        let text = |denials: &str| {
            let file = format!(
                "account: '111122223333'\ndenials: {denials}\nusers: [{{name: dev, managed_policies: [no]}}]\npolicies:\n  no: {{Statement: {{Effect: Deny, Action: '*', Resource: '*'}}}}\n"
            );
            let account = Account::parse(&file, "f").unwrap();
            let world = World::new(&Options { account, ..Options::default() }, 4566);
            world.authorize(&dev(), "lambda:ListFunctions", "*", None).unwrap_err().message
        };
        let who = "User: arn:aws:iam::111122223333:user/dev is not authorized to perform: lambda:ListFunctions on resource: *";
        let deny = " with an explicit deny in an identity-based policy";
        assert_eq!(text("full"), format!("{who}{deny}: arn:aws:iam::111122223333:policy/no"));
        assert_eq!(text("without-policy"), format!("{who}{deny}"));
        assert_eq!(text("without-reason"), who);
        assert_eq!(text("bare"), "Access Denied");
    }

    #[test]
    fn only_roles_that_trust_a_service_are_assumed_by_it() {
        let world = world();
        let may = |role: &str| world.may_assume(&format!("arn:aws:iam::111122223333:role/{role}"), "lambda.amazonaws.com");
        assert_eq!(may("websocket-handler-role"), Some(true));
        assert_eq!(may("service-role/nightly-report-role-x7k2"), Some(true));
        assert_eq!(may("edge-functions"), Some(false));
        assert_eq!(may("partner-functions"), Some(false));
        assert_eq!(may("gone"), None);
    }

    #[test]
    fn policies_see_who_asks() {
        let file = "account: '111122223333'\nusers:\n  - name: dev\n    tags: {team: blue}\n    inline_policies:\n      own:\n        Version: '2012-10-17'\n        \
                    Statement: {Effect: Allow, Action: '*', Resource: 'arn:aws:dynamodb:*:*:table/${aws:username}-${aws:PrincipalTag/team}-*', \
                    Condition: {StringEquals: {aws:RequestedRegion: us-east-1, aws:PrincipalType: User}, Bool: {aws:SecureTransport: true}}}\n";
        let world = World::new(&Options { account: Account::parse(file, "f").unwrap(), ..Options::default() }, 4566);
        assert!(world.authorize(&dev(), "dynamodb:PutItem", &world.arn("dynamodb", "table/dev-blue-x"), None).is_ok());
        assert!(world.authorize(&dev(), "dynamodb:PutItem", &world.arn("dynamodb", "table/other-blue-x"), None).is_err());
    }
}
