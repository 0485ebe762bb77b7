//! The function's environment, once the API and the reply mode are known. Pure.

use std::collections::BTreeMap;

use super::desired::Desired;
use super::observed::Observed;
use super::outputs;
use super::roles;
use crate::contract::env;
use crate::secret::Secret;

/// Names, values and the JSON around them may take this many bytes (Lambda quotas, environment variables).
const LIMIT_BYTES: usize = 4096;

/// Every variable of the function.
pub(crate) fn variables(want: &Desired, seen: &Observed) -> BTreeMap<String, Secret> {
    let mut variables = want.environment.clone();
    let mut say = |name: &str, value: String| {
        variables.insert(name.to_owned(), Secret::new(value));
    };
    let api = seen.api_id();
    say(env::DOMAIN_NAME, seen.place.host(api));
    say(env::REPLY, roles::reply(want, seen).mode.to_owned());
    if want.endpoint.is_some() {
        say(env::MANAGEMENT_URL, outputs::management_url(want, seen, api));
    }
    variables
}

/// Says by how much the environment is too large, where it is.
pub(crate) fn too_large(variables: &BTreeMap<String, Secret>) -> Option<String> {
    let whole: BTreeMap<&str, &str> = variables.iter().map(|(name, variable)| (name.as_str(), variable.expose())).collect();
    let bytes = serde_json::to_string(&whole).map_or(usize::MAX, |json| json.len());
    (bytes > LIMIT_BYTES).then(|| format!("its environment takes {bytes} bytes, and Lambda allows {LIMIT_BYTES}"))
}
