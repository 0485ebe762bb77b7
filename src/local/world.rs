//! All state of the cloud, shared by its services.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::{Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use tokio::sync::Semaphore;

use super::account::{Account, Key, Owner};
use super::calls::Calls;
use super::clock::Clock;
use super::connections::Connections;
use super::faults::Faults;
use super::identity::{Credential, Unidentified};
use super::quotas::Quotas;
use super::services::apigatewayv2::Apis;
use super::services::dynamodb::Tables;
use super::services::lambda::Functions;
use super::services::logs::Groups;
use super::signature::{self, Signed};
use super::wire::Caller;
use super::{Delays, OnLog, Options, ids, page};

/// One running cloud. Each service keeps its own state behind its own lock.
pub(crate) struct World {
    pub account: Account,
    pub region: String,
    /// `http://127.0.0.1:PORT`
    pub endpoint: String,
    /// Where it listens.
    pub address: SocketAddr,
    pub clock: Clock,
    /// In real time.
    pub delays: Delays,
    /// `None`: calls are not counted.
    pub quotas: Option<Quotas>,
    pub calls: Calls,
    pub faults: Faults,
    pub on_log: Option<OnLog>,
    pub functions: Functions,
    pub apis: Apis,
    pub connections: Connections,
    /// What the page with the terminal connects to.
    pub page: Mutex<Option<page::Info>>,
    pub dynamodb: Tables,
    pub logs: Groups,
    /// Turns for code that is uploaded: each can take hundreds of megabytes for a moment.
    pub uploads: Semaphore,
    /// Keys of sessions that were made since the start, by access key id.
    sessions: Mutex<HashMap<String, Key>>,
}

/// Code that is taken in at the same time.
const UPLOADS: usize = 2;

/// Credentials of a role's session, for a sandbox.
#[derive(Clone)]
pub(crate) struct SessionCredentials {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
}

impl World {
    /// An empty cloud for this account, to be served on this port.
    pub(crate) fn new(options: &Options, port: u16) -> Self {
        let clock = Clock::new(options.speed);
        Self {
            account: options.account.clone(),
            region: options.region.clone(),
            endpoint: format!("http://{}", SocketAddr::new(reachable(options.address), port)),
            address: SocketAddr::new(options.address, port),
            clock,
            delays: options.delays.real(&clock),
            quotas: options.quotas.then(Quotas::default),
            calls: Calls::default(),
            faults: Faults::with(options.quirks.clone()),
            on_log: options.on_log.clone(),
            functions: Functions::default(),
            apis: Apis::new(options.account.log_role.clone()),
            connections: Connections::default(),
            page: Mutex::default(),
            dynamodb: Tables::default(),
            logs: Groups::default(),
            uploads: Semaphore::new(UPLOADS),
            sessions: Mutex::default(),
        }
    }

    /// `arn:aws:SERVICE:REGION:ACCOUNT:RESOURCE`
    pub(crate) fn arn(&self, service: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{}:{}:{resource}", self.region, self.account.id)
    }

    /// Who signed a request, which the signature must fit.
    pub(crate) fn identify(&self, credential: &Credential, request: &Signed<'_>) -> Result<Caller, Unidentified> {
        let key = self.key(&credential.access_key_id).ok_or(Unidentified::Unknown)?;
        if key.session_token != credential.session_token {
            return Err(Unidentified::Unknown);
        }
        // Clients sign with real time, whatever the speed of the cloud's clock.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| i64::try_from(now.as_secs()).unwrap_or(i64::MAX));
        signature::check(credential, &key.secret_access_key, request, now)?;
        self.caller(&key.owner).ok_or(Unidentified::Unknown)
    }

    fn key(&self, id: &str) -> Option<Key> {
        let known = self.account.keys.iter().find(|key| key.access_key_id == id).cloned();
        known.or_else(|| self.sessions.lock().unwrap_or_else(PoisonError::into_inner).get(id).cloned())
    }

    fn caller(&self, owner: &Owner) -> Option<Caller> {
        Some(match owner {
            Owner::Root => Caller { arn: self.account.root(), principal: self.account.root(), user_id: self.account.id.clone() },
            Owner::User(arn) => Caller { arn: arn.clone(), principal: arn.clone(), user_id: self.account.entity(arn)?.id.clone() },
            Owner::Session { role, name } => self.session_caller(role, name),
        })
    }

    /// A session of a role as a caller, e.g. that of a function. The ARN of a session has no path.
    pub(crate) fn session_caller(&self, role_arn: &str, session: &str) -> Caller {
        let name = role_arn.rsplit('/').next().unwrap_or(role_arn);
        let id = self.account.entity(role_arn).map_or("AROA", |role| role.id.as_str());
        Caller {
            arn: format!("arn:aws:sts::{}:assumed-role/{name}/{session}", self.account.id),
            principal: role_arn.to_owned(),
            user_id: format!("{id}:{session}"),
        }
    }

    /// Credentials for a session of a role, known from then on.
    pub(crate) fn assume_role(&self, role_arn: &str, session: &str) -> SessionCredentials {
        let credentials = SessionCredentials {
            access_key_id: format!("ASIA{}", ids::alphanumeric(16).to_uppercase()),
            secret_access_key: ids::hex(&ids::bytes::<20>()),
            session_token: ids::hex(&ids::bytes::<32>()),
        };
        let key = Key {
            access_key_id: credentials.access_key_id.clone(),
            secret_access_key: credentials.secret_access_key.clone(),
            session_token: Some(credentials.session_token.clone()),
            owner: Owner::Session { role: role_arn.to_owned(), name: session.to_owned() },
        };
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner).insert(key.access_key_id.clone(), key);
        credentials
    }
}

/// An address by which this machine reaches what listens at `address`.
fn reachable(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(address) if address.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(address) if address.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        IpAddr::V4(_) | IpAddr::V6(_) => address,
    }
}

#[cfg(test)]
mod tests {
    use super::World;
    use crate::local::Options;

    #[test]
    fn the_endpoint_can_be_reached_wherever_it_listens() {
        for (address, endpoint) in [
            ("127.0.0.1", "http://127.0.0.1:80"),
            ("0.0.0.0", "http://127.0.0.1:80"),
            ("::", "http://[::1]:80"),
            ("10.0.0.5", "http://10.0.0.5:80"),
        ] {
            assert_eq!(World::new(&Options { address: address.parse().unwrap(), ..Options::default() }, 80).endpoint, endpoint);
        }
    }
}
