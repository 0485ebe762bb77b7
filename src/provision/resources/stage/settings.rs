//! The settings of a stage's routes: throttles, and what of executions is logged.

use aws_sdk_apigatewayv2::types::{LoggingLevel, RouteSettings};

use crate::config::Throttle;
use crate::provision::logging::SILENT;
use crate::provision::resource::Field;

/// What wsfix manages about one throttle. Numbers are always sent: settings without them mean zero, and refuse every message.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settings {
    rate: Option<f64>,
    burst: Option<i32>,
    /// Writes whole messages and headers, tokens among them, into a log: never wanted.
    data_trace: bool,
    /// `None`: as it is found.
    logging_level: Option<String>,
}

impl Settings {
    pub(super) fn wanted(throttle: Throttle, logging_level: Option<&str>) -> Self {
        Self {
            rate: Some(f64::from(throttle.rate)),
            burst: Some(i32::try_from(throttle.burst).unwrap_or(i32::MAX)),
            data_trace: false,
            logging_level: logging_level.map(str::to_owned),
        }
    }

    pub(super) fn found(settings: &RouteSettings) -> Self {
        Self {
            rate: settings.throttling_rate_limit(),
            burst: settings.throttling_burst_limit(),
            data_trace: settings.data_trace_enabled().unwrap_or_default(),
            logging_level: Some(settings.logging_level().map_or(SILENT, LoggingLevel::as_str).to_owned()),
        }
    }

    /// Whether nothing passes.
    pub(super) fn refuses(&self) -> bool {
        self.rate == Some(0.0) || self.burst == Some(0)
    }

    /// Rate and burst, for people.
    pub(super) fn words(&self) -> String {
        let number = |number: Option<f64>| number.map_or_else(|| "unlimited".to_owned(), |number| number.to_string());
        format!("{}/s, burst {}", number(self.rate), number(self.burst.map(f64::from)))
    }

    pub(super) fn fields(&self, of: &str) -> [Field; 4] {
        let Self { rate, burst, data_trace, logging_level } = self;
        [
            Field::new(format!("{of}.rate"), rate.map(|rate| rate.to_string()).unwrap_or_default()),
            Field::new(format!("{of}.burst"), burst.map(|burst| burst.to_string()).unwrap_or_default()),
            Field::new(format!("{of}.data_trace"), data_trace.to_string()),
            Field::maybe(format!("{of}.logging_level"), logging_level.clone()),
        ]
    }

    /// For a call: ours, and what wsfix does not manage as it was found.
    pub(super) fn build(&self, found: Option<&RouteSettings>) -> RouteSettings {
        let level = self.logging_level.as_deref().map(LoggingLevel::from);
        RouteSettings::builder()
            .set_throttling_rate_limit(self.rate)
            .set_throttling_burst_limit(self.burst)
            .data_trace_enabled(self.data_trace)
            .set_detailed_metrics_enabled(found.and_then(RouteSettings::detailed_metrics_enabled))
            .set_logging_level(level.or_else(|| found.and_then(|settings| settings.logging_level().cloned())))
            .build()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::provision::logging::LEVEL;

    #[test]
    fn settings_keep_what_is_not_ours_and_always_carry_numbers() {
        let found = RouteSettings::builder().detailed_metrics_enabled(true).throttling_rate_limit(0.0).data_trace_enabled(true).build();
        let sent = Settings::wanted(Throttle { rate: 500, burst: 100 }, None).build(Some(&found));
        assert_eq!(sent.detailed_metrics_enabled(), Some(true));
        assert_eq!((sent.throttling_rate_limit(), sent.throttling_burst_limit()), (Some(500.0), Some(100)));
        assert_eq!(sent.data_trace_enabled(), Some(false));
    }

    #[test]
    fn a_level_is_sent_where_it_is_ours_and_kept_where_it_is_not() {
        let found = RouteSettings::builder().logging_level(LoggingLevel::Info).build();
        let throttle = Throttle { rate: 500, burst: 100 };
        assert_eq!(Settings::wanted(throttle, None).build(Some(&found)).logging_level(), Some(&LoggingLevel::Info));
        assert_eq!(Settings::wanted(throttle, Some(LEVEL)).build(Some(&found)).logging_level(), Some(&LoggingLevel::Error));
        assert_eq!(Settings::wanted(throttle, Some(SILENT)).build(None).logging_level(), Some(&LoggingLevel::Off));
    }
}
