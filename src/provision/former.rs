//! Resources of this stack under a name that the config no longer has. Nothing is orphaned in silence: a person decides.

use std::rc::Rc;

use crate::contract::env;
use crate::provision::desired::Desired;
use crate::provision::observed::{Found, Observed, Slot};
use crate::provision::resource::{Context, Kind, Resource, Seen, Verdict};
use crate::provision::resources::{function, table};

/// One resource under its former name.
#[derive(Clone, Debug)]
pub(crate) struct Former {
    kind: Kind,
    name: String,
    adopted: bool,
}

pub(crate) struct FormerNames;

impl Resource for FormerNames {
    fn kind(&self) -> Kind {
        Kind::Former
    }

    fn read_after(&self) -> &'static [Kind] {
        &[Kind::Account, Kind::Table, Kind::Function, Kind::Api, Kind::Integration, Kind::Route]
    }

    fn read<'a>(&'a self, cx: &'a Context<'a>, seen: Rc<Observed>) -> Seen<'a> {
        Box::pin(async move {
            let mut former = Vec::new();
            if let Some(name) = former_function(&cx.want, &seen) {
                let found = Found::optional(function::read(cx, name).await)?;
                if let Some(live) = found.present().filter(|live| live.owner(&cx.want.stack).is_ours()) {
                    former.push(Former { kind: Kind::Function, name: name.to_owned(), adopted: live.adopted(&cx.want.stack) });
                }
            }
            if let Some(name) = former_table(&cx.want, &seen) {
                let found = Found::optional(table::read(cx, name).await)?;
                if let Some(live) = found.present().filter(|live| live.owner(&cx.want.stack).is_ours()) {
                    former.push(Former { kind: Kind::Table, name: name.to_owned(), adopted: live.adopted(&cx.want.stack) });
                }
            }
            Ok(Slot::Former(former))
        })
    }

    fn diff(&self, _want: &Desired, seen: &Observed) -> Verdict {
        let mut verdict = Verdict::default();
        for Former { kind, name, adopted } in &seen.former {
            let setting = if *kind == Kind::Table { "table" } else { "function.name" };
            let reason = format!("this stack has the {} `{name}`, and the config names another one, which is not there", kind.name());
            let instead = if *adopted { "take this stack's marks off it" } else { "run `wsfix teardown` with that name first" };
            let remedy = format!("set `{setting}` back to `{name}`, or {instead}");
            let name = format!("{} {name}", kind.name());
            verdict.steps.extend(Verdict::refuse(Kind::Former, &name, &reason, &remedy).steps);
        }
        verdict
    }
}

/// The function that the integration calls, where the config's own is not there.
fn former_function<'a>(want: &Desired, seen: &'a Observed) -> Option<&'a str> {
    let name = seen.shared_integration(want)?.function()?;
    (matches!(seen.function, Found::Absent) && name != want.function.name).then_some(name)
}

/// The table that the function works with, where the config's own is not there.
fn former_table<'a>(want: &Desired, seen: &'a Observed) -> Option<&'a str> {
    let function = seen.function.present().filter(|function| function.owner(&want.stack).is_ours())?;
    let name = function.variable(env::TABLE_NAME)?;
    (matches!(seen.table, Found::Absent) && name != want.table).then_some(name)
}
