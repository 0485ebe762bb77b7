//! The checks as a JUnit report, for pipelines that show one.

use std::path::Path;

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::cli::error::Error;
use crate::verify::check::{Check, Outcome};

/// Finds out whether the file can be written, before anything is called.
pub(super) fn check(file: &Path) -> Result<(), Error> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if folder.is_dir() && !file.is_dir() {
        return Ok(());
    }
    Err(Error::usage(format!("--junit {}: it cannot be a file there", file.display()), "name a file in a folder that exists"))
}

/// Writes the report.
pub(super) fn write(file: &Path, checks: &[Check]) -> Result<(), Error> {
    let failed =
        |error: &dyn std::fmt::Display| Error::here(format!("--junit {}: {error}", file.display()), "name a file that can be written");
    let text = report(checks).to_string().map_err(|error| failed(&error))?;
    std::fs::write(file, text).map_err(|error| failed(&error))
}

/// A test case for each check; its class is the layer. What nobody can tell counts as skipped.
fn report(checks: &[Check]) -> Report {
    let mut suite = TestSuite::new("wsfix verify");
    for check in checks {
        let status = match check.outcome {
            Outcome::Passed => TestCaseStatus::success(),
            Outcome::Failed(cause) => {
                let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
                status.set_type(cause.name).set_message(check.evidence.as_str());
                status.set_description(format!("likely: {}\nfix: {}", cause.likely, cause.fix));
                status
            }
            Outcome::Unknown | Outcome::Skipped => {
                let mut status = TestCaseStatus::skipped();
                status.set_message(format!("{}: {}", check.outcome.as_str(), check.evidence));
                status
            }
        };
        let mut case = TestCase::new(check.name, status);
        case.set_classname(check.layer.as_str()).set_time(check.time);
        if check.outcome == Outcome::Passed {
            case.set_system_out(check.evidence.as_str());
        }
        suite.add_test_case(case);
    }
    let mut report = Report::new("wsfix");
    report.add_test_suite(suite);
    report
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::verify::causes;
    use crate::verify::check::{Layer, Missed};

    #[test]
    fn failures_and_what_nobody_can_tell_are_told_apart() {
        let check = |layer, verdict| Check::of(layer, "it is <so>", verdict, Duration::from_millis(1500));
        let checks = [
            check(Layer::Api, Ok("a1 \x1b[2J".to_owned())),
            check(Layer::Permission, Err(Missed::failed(&causes::NOT_PERMITTED, "absent"))),
            check(Layer::Role, Err(Missed::unknown("denied"))),
        ];
        let xml = report(&checks).to_string().unwrap();
        assert!(xml.contains(r#"tests="3" skipped="1" failures="1" errors="0""#), "{xml}");
        assert!(xml.contains(r#"classname="permission""#) && xml.contains(r#"<failure message="absent" type="not-permitted">"#), "{xml}");
        assert!(xml.contains(r#"<skipped message="unknown: denied"/>"#) && xml.contains("it is &lt;so&gt;"), "{xml}");
        assert!(!xml.contains('\x1b'), "{xml}");
    }
}
