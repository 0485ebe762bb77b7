//! The Lambda function's `bootstrap`: takes events from the Runtime API and hands them to [`wsfix::handler`].

use std::io::Write as _;
use std::process::ExitCode;
use std::time::{SystemTime, UNIX_EPOCH};

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::Value;
use serde_json::value::RawValue;
use wsfix::handler::{Deps, handle};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    // Said here, since the runtime only panics about it.
    if variable("AWS_LAMBDA_RUNTIME_API").is_none() {
        line("wsfix-handler is the bootstrap of a Lambda function and is started by Lambda (AWS_LAMBDA_RUNTIME_API is not set)");
        return ExitCode::from(2);
    }
    let deps = Deps::new(variable, now_ms, line);
    let deps = &deps;
    let runtime = Runtime::new(service_fn(move |event: LambdaEvent<Box<RawValue>>| async move {
        Ok::<Value, Error>(handle(event.payload.get(), event.context.deadline, deps).await)
    }));
    match runtime.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            line(&format!("[WebSocket] Failed: the Lambda Runtime API: {error}"));
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "this is the Lambda entry")]
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn now_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).ok().and_then(|time| u64::try_from(time.as_millis()).ok()).unwrap_or(0)
}

/// Lambda sends each line on stdout to the function's log. A log that is full or closed is no reason to stop.
fn line(text: &str) {
    let _ = writeln!(std::io::stdout().lock(), "{text}");
}
