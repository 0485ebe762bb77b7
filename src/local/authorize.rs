//! Whether a caller may do something, and the words of a denial.

use serde_json::Value;

use super::account::Denials;
use super::policy::{self, Context, Decision, Document, Reason, Request};
use super::wire::{Caller, ServiceError};
use super::world::World;

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
        let trust = self.account.entity(role_arn)?.trust.as_ref()?;
        let context = Context::default().with("aws:SourceAccount", &self.account.id).with("aws:RequestedRegion", &self.region);
        Some(policy::trusts(trust, service_principal, Request { action: "sts:AssumeRole", resource: role_arn, context: &context }))
    }

    /// The error that tells the caller so.
    pub(crate) fn denial(&self, caller: &Caller, action: &str, resource: &str, reason: &Reason) -> ServiceError {
        let (status, code) = match service_of(action) {
            "iam" | "sts" => (403, "AccessDenied"),
            "dynamodb" | "logs" | "ssm" | "secretsmanager" => (400, "AccessDeniedException"),
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
