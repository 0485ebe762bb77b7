//! Judged roles -> the one that is taken, or those among which a person has to choose. Pure.

use super::judge::{Fitness, Judged};

/// What comes of the account's roles.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Choice<'a> {
    One(&'a Judged),
    /// Equally good ones, and after them those that would do too.
    Several(Vec<&'a Judged>),
    /// None that could serve.
    Nothing,
}

/// The role that the stack's function `has` stays. Else the only one that is fit; where none is, the only one that is fit with help; where
/// none is either, the only one that may be.
pub(crate) fn choose<'a>(judged: &'a [Judged], has: Option<&str>) -> Choice<'a> {
    if let Some(one) = judged.iter().find(|judged| Some(judged.arn.as_str()) == has) {
        return Choice::One(one);
    }
    let able = ordered(judged.iter().filter(|judged| judged.fitness != Fitness::NotFit));
    let Some(best) = able.first() else { return Choice::Nothing };
    match able.iter().filter(|judged| judged.fitness == best.fitness).count() {
        1 => Choice::One(best),
        // What nobody knows is no choice beside what is known.
        _ if best.fitness < Fitness::Unknown => {
            Choice::Several(able.into_iter().filter(|judged| judged.fitness < Fitness::Unknown).collect())
        }
        _ => Choice::Several(able),
    }
}

/// The better ones first, then by name.
pub(crate) fn ordered<'a>(judged: impl Iterator<Item = &'a Judged>) -> Vec<&'a Judged> {
    let mut list: Vec<&Judged> = judged.collect();
    list.sort_by(|one, other| (one.fitness, one.name(), &one.arn).cmp(&(other.fitness, other.name(), &other.arn)));
    list
}

/// Names close to one that is not there: those that differ in a few letters, or of which one is a part of the other; the closest first.
pub(crate) fn similar<'a>(written: &str, names: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let plain = |name: &str| name.to_lowercase().replace(['-', '_', '.'], "");
    let wanted = plain(written);
    let rank = |name: &str| {
        let name = plain(name);
        let part = wanted.len().min(name.len()) >= 4 && (name.contains(&wanted) || wanted.contains(&name));
        let far = crate::config::distance(&name, &wanted);
        (part || far * 3 <= wanted.chars().count().max(3)).then_some(far)
    };
    let mut near: Vec<(usize, &str)> = names.filter_map(|name| Some((rank(name)?, name))).collect();
    near.sort_unstable();
    near.into_iter().take(3).map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::super::trust::Trust;
    use super::*;

    fn judged(names: &[(&str, Fitness)]) -> Vec<Judged> {
        let one = |(name, fitness): &(&str, Fitness)| Judged {
            arn: format!("arn:aws:iam::111122223333:role/p/{name}"),
            fitness: *fitness,
            trust: Trust::Yes,
            permissions: Vec::new(),
        };
        names.iter().map(one).collect()
    }

    fn taken(names: &[(&str, Fitness)], has: Option<&str>) -> String {
        match choose(&judged(names), has) {
            Choice::One(one) => one.name().to_owned(),
            Choice::Several(several) => several.iter().map(|one| one.name()).collect::<Vec<_>>().join("|"),
            Choice::Nothing => "nothing".to_owned(),
        }
    }

    #[test]
    fn the_only_best_one_is_taken() {
        use Fitness::{Fit, NotFit, Unknown, WithHelp};
        assert_eq!(taken(&[("a", WithHelp), ("b", Fit), ("c", Unknown), ("d", NotFit)], None), "b");
        assert_eq!(taken(&[("a", WithHelp), ("c", Unknown), ("e", Unknown)], None), "a");
        assert_eq!(taken(&[("c", Unknown), ("d", NotFit)], None), "c");
        assert_eq!(taken(&[("c", WithHelp), ("b", Fit), ("d", NotFit), ("e", Unknown), ("a", Fit)], None), "a|b|c");
        assert_eq!(taken(&[("c", Unknown), ("b", Unknown)], None), "b|c");
        assert_eq!(taken(&[("d", NotFit)], None), "nothing");
        assert_eq!(taken(&[], None), "nothing");
    }

    #[test]
    fn the_role_that_the_function_has_stays() {
        use Fitness::{Fit, NotFit};
        let has = Some("arn:aws:iam::111122223333:role/p/b");
        assert_eq!(taken(&[("a", Fit), ("b", NotFit)], has), "b");
        assert_eq!(taken(&[("a", Fit)], has), "a");
    }

    #[test]
    fn slips_are_near_and_other_names_are_not() {
        let names = ["lambda_basic_execution", "websocket-handler-role", "ec2-instance", "lambda-basic"];
        let near = |written| similar(written, names.into_iter());
        assert_eq!(near("lambda-basic-execution"), ["lambda_basic_execution", "lambda-basic"]);
        assert_eq!(near("websocket-handler"), ["websocket-handler-role"]);
        assert_eq!(near("websoket-handler-role"), ["websocket-handler-role"]);
        assert_eq!(near("admin"), Vec::<&str>::new());
    }
}
