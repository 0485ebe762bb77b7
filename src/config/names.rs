//! Names that AWS would refuse, refused before any call. Each check answers with the rule that is broken.

/// Whether `name` is made of `length` characters, all letters, digits or one of `others`.
fn made_of(name: &str, length: std::ops::RangeInclusive<usize>, others: &str) -> bool {
    length.contains(&name.len()) && name.chars().all(|c| c.is_ascii_alphanumeric() || others.contains(c))
}

/// The stack whose resources have the plain names.
pub(super) const STACK: &str = "terminal";

/// The name of a resource of a stack, where none is set: two stacks have two. `longest`: as many letters as AWS takes.
pub(super) fn of_stack(base: &str, stack: &str, longest: usize) -> String {
    if stack == STACK {
        return base.to_owned();
    }
    let whole = format!("{base}-{stack}");
    if whole.len() <= longest && !stack.contains('.') {
        return whole;
    }
    // Not every name may be that long, or have a `.` in it: a digest keeps two apart that would be the same then.
    let digest = ring::digest::digest(&ring::digest::SHA256, stack.as_bytes());
    let digest: String = digest.as_ref().iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    let room = longest.saturating_sub(base.len() + digest.len() + 2);
    let short: String = stack.chars().take(room).map(|letter| if letter == '.' { '-' } else { letter }).collect();
    format!("{base}-{short}-{digest}")
}

/// The stack: a tag value, and a part of the marker in descriptions.
pub(super) fn stack(name: &str) -> Result<(), &'static str> {
    if made_of(name, 1..=64, "-_.") && name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        Ok(())
    } else {
        Err("1 to 64 letters, digits, `-`, `_` and `.`, a letter or a digit first")
    }
}

/// A DynamoDB table (`CreateTable`).
pub(super) fn table(name: &str) -> Result<(), &'static str> {
    if made_of(name, 3..=255, "-_.") { Ok(()) } else { Err("3 to 255 letters, digits, `-`, `_` and `.`") }
}

/// A Lambda function (`CreateFunction`).
pub(super) fn function(name: &str) -> Result<(), &'static str> {
    if made_of(name, 1..=64, "-_") { Ok(()) } else { Err("1 to 64 letters, digits, `-` and `_`; the name alone, no ARN") }
}

/// A WebSocket API (`CreateApi`).
pub(super) fn api(name: &str) -> Result<(), &'static str> {
    let length = name.chars().count();
    if (1..=128).contains(&length) && !name.chars().any(char::is_control) && name.trim() == name {
        Ok(())
    } else {
        Err("1 to 128 characters, no line break, no space at the ends")
    }
}

/// A stage (`CreateStage`).
pub(super) fn stage(name: &str) -> Result<(), &'static str> {
    if name == "$default" {
        Err("API Gateway has `$default` for HTTP APIs only; for a WebSocket API write a name such as `prod`")
    } else if made_of(name, 1..=128, "-_") {
        Ok(())
    } else {
        Err("1 to 128 letters, digits, `-` and `_`")
    }
}

/// A region, such as `ap-south-1` or `us-gov-west-1`.
pub(super) fn region(name: &str) -> Result<(), &'static str> {
    let parts: Vec<&str> = name.split('-').collect();
    let word = |part: &&str| (2..=12).contains(&part.len()) && part.chars().all(|c| c.is_ascii_lowercase());
    let fits = match parts.as_slice() {
        [words @ .., number] if (2..=4).contains(&words.len()) => {
            words.iter().all(word) && (1..=2).contains(&number.len()) && number.chars().all(|c| c.is_ascii_digit())
        }
        _ => false,
    };
    if fits { Ok(()) } else { Err("a region is written like `ap-south-1`, without an availability zone's letter") }
}

/// An execution role: a name or an ARN (`CreateRole`, `CreateFunction`).
pub(super) fn role(role: &str) -> Result<(), String> {
    const NAME: &str = "+=,.@-_";
    let Some(arn) = role.strip_prefix("arn:") else {
        if made_of(role, 1..=64, NAME) {
            return Ok(());
        }
        return Err(if role.contains('/') {
            "a role's name is written without its path; or write the whole ARN".to_owned()
        } else {
            "a name has 1 to 64 letters, digits and `+=,.@-_`; an ARN is like `arn:aws:iam::111122223333:role/NAME`".to_owned()
        });
    };
    let parts: Vec<&str> = arn.splitn(5, ':').collect();
    let [partition, service, region, account, resource] = parts.as_slice() else {
        return Err("a role's ARN is like `arn:aws:iam::111122223333:role/NAME`".to_owned());
    };
    if let ("sts", Some(session)) = (*service, resource.strip_prefix("assumed-role/")) {
        let name = session.split('/').next().unwrap_or(session);
        return Err(format!("this is a session of a role; write the role's name, `{}`", name.escape_debug()));
    }
    if *service != "iam" || !region.is_empty() {
        return Err("a role's ARN begins with `arn:aws:iam::`, without a region".to_owned());
    }
    let partition_fits = *partition == "aws" || partition.strip_prefix("aws-").is_some_and(|rest| made_of(rest, 1..=20, "-"));
    if !partition_fits || account.len() != 12 || !account.chars().all(|c| c.is_ascii_digit()) {
        return Err("a role's ARN holds a partition such as `aws` and an account of 12 digits".to_owned());
    }
    let Some(path) = resource.strip_prefix("role/") else {
        let kind = resource.split('/').next().unwrap_or(resource);
        return Err(format!("this is the ARN of a `{}`, not of a role", kind.escape_debug()));
    };
    let (path, name) = path.rsplit_once('/').unwrap_or(("", path));
    let path_fits = path.len() <= 510 && path.chars().all(|c| c.is_ascii_graphic());
    if made_of(name, 1..=64, NAME) && path_fits {
        Ok(())
    } else {
        Err("after `role/` comes the role's path, if it has one, and its name of 1 to 64 letters, digits and `+=,.@-_`".to_owned())
    }
}

/// A route's key beside the three of API Gateway (`CreateRoute`).
pub(super) fn route(key: &str) -> Result<(), &'static str> {
    if key.is_empty() {
        Err("a route key has at least one character")
    } else if matches!(key, "$connect" | "$disconnect" | "$default") {
        Err("leave it out: this route is always made")
    } else if key.starts_with('$') {
        Err("only API Gateway's own keys begin with `$`")
    } else if key.chars().count() > 128 || key.chars().any(char::is_control) || key.trim() != key {
        Err("1 to 128 characters, no line break, no space at the ends")
    } else {
        Ok(())
    }
}

/// What picks a message's route (API Gateway guide, route selection expressions).
pub(super) fn route_selection_expression(expression: &str) -> Result<(), &'static str> {
    const EXAMPLE: &str = "write `$request.body.NAME`, NAME being a property of your messages, such as `$request.body.action`";
    let property = |path: &str| {
        let mut parts = path.split('.');
        parts.all(|part| !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || "_-[]'\"@".contains(c)))
    };
    if expression.len() > 512 || expression.chars().any(|c| c.is_control() || c == ' ') {
        return Err(EXAMPLE);
    }
    if let Some(rest) = expression.strip_prefix('$').filter(|rest| !rest.starts_with('{')) {
        return match rest.strip_prefix("request.body.") {
            Some(path) if property(path) => Ok(()),
            Some(_) | None => Err(EXAMPLE),
        };
    }
    // A template: at least one `${request.body.NAME}`, with text around it.
    let mut rest = expression;
    let mut variables = 0;
    while let Some((before, inner)) = rest.split_once("${") {
        let Some((path, after)) = inner.split_once('}') else { return Err(EXAMPLE) };
        if before.contains(['$', '}']) || !path.strip_prefix("request.body.").is_some_and(property) {
            return Err(EXAMPLE);
        }
        variables += 1;
        rest = after;
    }
    if variables > 0 && !rest.contains(['$', '}']) { Ok(()) } else { Err(EXAMPLE) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages() {
        for good in ["prod", "v1", "a-b_c", "1"] {
            assert_eq!(stage(good), Ok(()), "{good}");
        }
        let long = "x".repeat(129);
        for bad in ["", "$default", "a b", "a.b", "ä", "a/b", long.as_str()] {
            assert!(stage(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn tables_functions_apis_and_stacks() {
        for (check, good, bad) in [
            (table as fn(&str) -> Result<(), &'static str>, &["abc", "a.b-c_D9"][..], &["ab", "", "a b", "tä"][..]),
            (function, &["f", "websocket-handler"], &["", "a.b", "arn:aws:lambda:x", "a b"]),
            (api, &["Terminal WebSocket API", "ä"], &["", " a", "a\nb"]),
            (stack, &["terminal", "a.b-c_1"], &["", "-a", "a;b", "a b", "ä"]),
        ] {
            good.iter().for_each(|name| assert_eq!(check(name), Ok(()), "{name}"));
            bad.iter().for_each(|name| assert!(check(name).is_err(), "{name}"));
        }
    }

    #[test]
    fn two_stacks_have_two_names() {
        let long = "x".repeat(64);
        let stacks = ["terminal", "pr-1", "pr-12", "pr.1", "pr_1", long.as_str(), &long[..63]];
        let names: std::collections::BTreeSet<String> = stacks.iter().map(|stack| of_stack("websocket-handler", stack, 64)).collect();
        assert_eq!(names.len(), stacks.len(), "{names:?}");
        names.iter().for_each(|name| assert_eq!(function(name), Ok(()), "{name}"));
        assert!(names.contains("websocket-handler") && names.contains("websocket-handler-pr-1"), "{names:?}");
        assert!(names.iter().any(|name| name.starts_with("websocket-handler-pr-1-")), "{names:?}");
    }

    #[test]
    fn regions() {
        for good in ["ap-south-1", "us-east-1", "us-gov-west-1", "us-iso-east-1", "cn-north-1", "eusc-de-east-1", "ap-southeast-10"] {
            assert_eq!(region(good), Ok(()), "{good}");
        }
        for bad in ["", "mumbai", "ap-south-1a", "AP-SOUTH-1", "ap_south_1", "ap-south", "us-east-", "https://x", "-1"] {
            assert!(region(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn roles() {
        for good in [
            "lambda_basic_execution",
            "arn:aws:iam::111122223333:role/lambda_basic_execution",
            "arn:aws:iam::111122223333:role/service-role/team/x",
            "arn:aws-us-gov:iam::111122223333:role/x",
            "arn:aws-cn:iam::111122223333:role/x",
        ] {
            assert_eq!(role(good), Ok(()), "{good}");
        }
        for (bad, part) in [
            ("service-role/x", "without its path"),
            ("a b", "1 to 64"),
            ("arn:aws:iam::111122223333:user/dev", "`user`"),
            ("arn:aws:sts::111122223333:assumed-role/app/session", "`app`"),
            ("arn:aws:iam::1111:role/x", "12 digits"),
            ("arn:aws:iam::111122223333:role/", "after `role/`"),
            ("arn:aws:iam:us-east-1:111122223333:role/x", "without a region"),
            ("arn:aws:lambda::111122223333:role/x", "arn:aws:iam::"),
            ("arn:x", "is like"),
            ("arn:az:iam::111122223333:role/x", "partition"),
        ] {
            let why = role(bad).unwrap_err();
            assert!(why.contains(part), "{bad}: {why}");
        }
    }

    #[test]
    fn routes_and_what_selects_them() {
        for good in ["sendMessage", "svc/join", "a b", "ä"] {
            assert_eq!(route(good), Ok(()), "{good}");
        }
        for bad in ["", "$default", "$connect", "$mine", " a", "a\n"] {
            assert!(route(bad).is_err(), "{bad}");
        }
        for good in ["$request.body.action", "${request.body.action}", "$request.body.a.b", "${request.body.a}/${request.body.b}"] {
            assert_eq!(route_selection_expression(good), Ok(()), "{good}");
        }
        for bad in [
            "",
            "action",
            "request.body.action",
            "$request.body",
            "$request.body.",
            "$request.body.a..b",
            "$request.header.x",
            "$.body.action",
            "${request.body.action",
            "$request.body.action}",
            "${request.body.}",
            "$ request.body.a",
            "$context.routeKey",
            "static",
        ] {
            assert!(route_selection_expression(bad).is_err(), "{bad}");
        }
    }
}
