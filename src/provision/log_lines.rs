//! The lines of a log group.

use super::answer::Answer;
use super::aws::Clients;
use super::error::AwsError;
use super::plan::ApiCall;

const FILTER_LOG_EVENTS: ApiCall = ApiCall { name: "FilterLogEvents", iam: "logs:FilterLogEvents" };

/// Pages of up to 10,000 lines or 1 MB each; a page may be empty and still not be the last (CloudWatch Logs, FilterLogEvents).
const MOST_PAGES: usize = 20;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The log stream: one for each sandbox of the function.
    pub stream: String,
    /// When it was written, epoch milliseconds.
    pub timestamp: i64,
    /// The line, without its end.
    pub message: String,
}

/// Lines, as many as were read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Lines {
    /// In the order in which CloudWatch Logs tells them.
    pub lines: Vec<Line>,
    /// There are more that were not read.
    pub cut: bool,
}

/// The lines of a group since then (epoch milliseconds).
pub(crate) async fn since(clients: &Clients, group: &str, since: i64) -> Result<Lines, AwsError> {
    let (mut read, mut token) = (Lines::default(), None);
    for _ in 0..MOST_PAGES {
        let call = clients.logs.filter_log_events().log_group_name(group).start_time(since).set_next_token(token);
        let page = call.send().await.explain(FILTER_LOG_EVENTS, group)?;
        read.lines.extend(page.events().iter().map(|event| Line {
            stream: event.log_stream_name().unwrap_or_default().to_owned(),
            timestamp: event.timestamp().unwrap_or_default(),
            message: event.message().unwrap_or_default().trim_end().to_owned(),
        }));
        token = page.next_token().filter(|token| !token.is_empty()).map(str::to_owned);
        if token.is_none() {
            return Ok(read);
        }
    }
    read.cut = true;
    Ok(read)
}
