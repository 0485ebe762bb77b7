//! The APIs that concern a stack, as found, and which of several it works with. Pure.

use std::collections::BTreeSet;

use aws_sdk_apigatewayv2::types::ProtocolType;

use super::Spec;
use crate::provision::desired::Desired;
use crate::provision::ownership::{Owner, Tags, is_adopted, marked, owner};

/// The APIs that concern this stack.
#[derive(Clone, Debug, Default)]
pub(crate) struct Live {
    /// Those with this stack's mark; without one, the one that is adopted.
    pub(super) ours: Vec<One>,
    /// Those with the wanted name and without our mark.
    pub(super) foreign: Vec<One>,
    /// Ids of those with the wanted name that speak no WebSocket.
    pub(super) http: Vec<String>,
    /// Ids of all that the account has in this Region.
    pub(super) listed: BTreeSet<String>,
}

impl Live {
    /// Sorts one API in.
    pub(super) fn put(&mut self, want: &Desired, api: &aws_sdk_apigatewayv2::types::Api) {
        self.listed.extend(api.api_id().map(str::to_owned));
        let Some(one) = one(&want.stack, api) else { return };
        let named = one.spec.name == want.api.name;
        if api.protocol_type() != Some(&ProtocolType::Websocket) {
            self.http.extend(named.then_some(one.id));
        } else if one.owner.is_ours() {
            self.ours.push(one);
        } else if named {
            self.foreign.push(one);
        }
    }

    /// Takes the one API of our name that is nobody's for ours.
    pub(super) fn adopt(&mut self) {
        let nobodys = |one: &One| one.owner == Owner::Nobody;
        if self.ours.is_empty() && self.foreign.iter().filter(|one| nobodys(one)).count() == 1 {
            let (adopted, others) = std::mem::take(&mut self.foreign).into_iter().partition(nobodys);
            (self.ours, self.foreign) = (adopted, others);
        }
    }

    /// The one that the stack works with: of several the one that its function `named`, or the one with stages, or the oldest. Two runs that
    /// began at the same time have made one each, and the function, whose name is unique, decides between them. `None` where one of the others
    /// may be in use too.
    pub(crate) fn chosen(&self, named: Option<&str>) -> Option<&One> {
        let one = self
            .ours
            .iter()
            .find(|one| named == Some(&one.id))
            .or_else(|| self.ours.iter().find(|one| one.stages.is_some_and(|stages| stages > 0)))
            .or_else(|| self.ours.iter().min_by_key(|one| (one.created, &one.id)))?;
        let others = self.ours.iter().filter(|other| other.id != one.id);
        others.clone().all(One::is_spare).then_some(one)
    }

    /// Whether the account has an API of this id, whosever it is.
    pub(crate) fn has(&self, id: &str) -> bool {
        self.listed.contains(id)
    }

    /// Those with this stack's mark.
    pub(crate) fn marked(&self) -> &[One] {
        &self.ours
    }

    /// Their ids.
    pub(crate) fn ids(&self) -> String {
        self.ours.iter().map(|one| one.id.as_str()).collect::<Vec<_>>().join(", ")
    }

    /// Those that a run made which then lost to another: the stack works with `chosen`.
    pub(super) fn spares(&self, chosen: &One) -> impl Iterator<Item = &One> {
        self.ours.iter().filter(|other| other.id != chosen.id)
    }

    /// What is told of APIs that only have the name.
    pub(super) fn notes(&self, name: &str) -> Vec<String> {
        let http = self.http.iter().map(|id| format!("{id}, an HTTP API, has the name {name} too: it has no WebSockets, and is left"));
        let foreign = self.foreign.iter().map(|one| format!("{}, an API of the name {name} too, is left: {}", one.id, one.owner.reason()));
        http.chain(foreign).collect()
    }
}

/// One API.
#[derive(Clone, Debug)]
pub(crate) struct One {
    pub(crate) id: String,
    pub(super) spec: Spec,
    pub(super) tags: Tags,
    pub(super) owner: Owner,
    /// When it was made, in seconds since 1970.
    pub(super) created: i64,
    /// How many stages it has; only asked where several have this stack's mark. `None`: not known.
    pub(super) stages: Option<usize>,
}

impl One {
    /// Its description, which may mark it.
    pub(crate) fn description(&self) -> &str {
        &self.spec.description
    }

    /// Whether no client can have it: a stage is made last, and only for the API that the function works with.
    fn is_spare(&self) -> bool {
        self.owner == Owner::Ours && !self.adopted() && self.stages == Some(0)
    }

    /// Whether it was there before the stack, as a mark says; or it is adopted now.
    pub(crate) fn adopted(&self) -> bool {
        self.owner == Owner::Nobody || is_adopted(Some(&self.tags), Some(&self.spec.description))
    }

    /// Whether it was adopted, and is not to be deleted.
    pub(crate) fn is_left(&self, want: &Desired) -> bool {
        self.adopted() && !want.consent.delete_adopted
    }
}

fn one(stack: &str, api: &aws_sdk_apigatewayv2::types::Api) -> Option<One> {
    let tags: Tags = api.tags().cloned().unwrap_or_default().into_iter().collect();
    let spec = Spec {
        name: api.name().unwrap_or_default().to_owned(),
        route_selection_expression: api.route_selection_expression().unwrap_or_default().to_owned(),
        description: api.description().unwrap_or_default().to_owned(),
        disable_execute_api_endpoint: api.disable_execute_api_endpoint().unwrap_or_default(),
    };
    let owner = owner(stack, Some(&tags), marked(Some(&spec.description)));
    let created = api.created_date().map_or(i64::MAX, aws_sdk_apigatewayv2::primitives::DateTime::secs);
    Some(One { id: api.api_id()?.to_owned(), spec, tags, owner, created, stages: None })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Several with our mark: id, when it was made, stages.
    fn live(apis: &[(&str, i64, Option<usize>)]) -> Live {
        let one = |(id, created, stages): &(&str, i64, Option<usize>)| One {
            id: (*id).to_owned(),
            spec: Spec {
                name: "TerminalWebSocketAPI".to_owned(),
                route_selection_expression: String::new(),
                description: "managed-by=wsfix;stack=terminal".to_owned(),
                disable_execute_api_endpoint: false,
            },
            tags: Tags::new(),
            owner: Owner::Ours,
            created: *created,
            stages: *stages,
        };
        Live { ours: apis.iter().map(one).collect(), ..Live::default() }
    }

    fn chosen(named: Option<&str>, apis: &[(&str, i64, Option<usize>)]) -> Option<String> {
        live(apis).chosen(named).map(|one| one.id.clone())
    }

    #[test]
    fn of_several_apis_the_function_decides_then_a_stage_then_the_age() {
        assert_eq!(chosen(None, &[]), None);
        assert_eq!(chosen(Some("gone"), &[("a", 7, None)]).as_deref(), Some("a"));
        let young = [("b", 8, Some(0)), ("c", 7, Some(0)), ("a", 8, Some(0))];
        assert_eq!(chosen(None, &young).as_deref(), Some("c"));
        assert_eq!(chosen(None, &[young[0], young[2]]).as_deref(), Some("a"), "of one second the lowest id");
        assert_eq!(chosen(Some("b"), &young).as_deref(), Some("b"));
        assert_eq!(chosen(Some("gone"), &[("b", 8, Some(1)), ("c", 7, Some(0))]).as_deref(), Some("b"));
    }

    #[test]
    fn where_another_one_may_be_in_use_a_person_decides() {
        assert_eq!(chosen(Some("a"), &[("a", 7, Some(0)), ("b", 8, Some(1))]), None);
        assert_eq!(chosen(None, &[("a", 7, Some(1)), ("b", 8, Some(1))]), None);
        assert_eq!(chosen(Some("a"), &[("a", 7, Some(1)), ("b", 8, None)]), None, "its stages could not be read");
    }
}
