//! Times in claims and ISO 8601 durations.

use serde::Deserialize;
use time::{
    Date, Duration, Month, OffsetDateTime, Time, format_description::BorrowedFormatItem, macros::format_description,
};
use vidimus_core::Timestamp;

const DATE: &[BorrowedFormatItem<'_>] = format_description!("[year]-[month]-[day]");

/// An ISO 8601 duration (`P270D`, `PT72H`, `P1Y6M`, `-P1D`): years, months, weeks, days, hours, minutes and whole seconds. Years and months
/// are calendar ones; a day that the month does not have becomes its last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(try_from = "String")]
pub(crate) struct Span {
    months: i32,
    seconds: i64,
}

impl TryFrom<String> for Span {
    type Error = &'static str;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("not an ISO 8601 duration, such as P270D or PT72H")
    }
}

impl Span {
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (sign, rest) = text.strip_prefix('-').map_or((1, text), |rest| (-1, rest));
        let rest = rest.strip_prefix('P')?;
        let (days, clock) = match rest.split_once('T') {
            Some((_, "")) => return None,
            Some((days, clock)) => (days, clock),
            None => (rest, ""),
        };
        let date = Self::sum(days, &[('Y', 12, 0), ('M', 1, 0), ('W', 0, 604_800), ('D', 0, 86_400)])?;
        let time = Self::sum(clock, &[('H', 0, 3_600), ('M', 0, 60), ('S', 0, 1)])?;
        (!rest.is_empty()).then_some(Self {
            months: sign * date.months,
            seconds: i64::from(sign) * (date.seconds + time.seconds),
        })
    }

    fn sum(mut text: &str, mut units: &[(char, i32, i64)]) -> Option<Self> {
        let mut total = Self::default();
        while !text.is_empty() {
            let digits = text.find(|c: char| !c.is_ascii_digit())?;
            // Five digits hold 273 years of days and keep every sum far from overflow.
            let count: i32 = text
                .get(..digits)
                .filter(|d| (1..=5).contains(&d.len()))?
                .parse()
                .ok()?;
            let name = text[digits..].chars().next()?;
            let at = units.iter().position(|unit| unit.0 == name)?;
            total.months += count * units[at].1;
            total.seconds += i64::from(count) * units[at].2;
            units = &units[at + 1..];
            text = &text[digits + 1..];
        }
        Some(total)
    }
}

/// A point in time as a claim gives it: a whole day, or a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    Day(Date),
    Second(OffsetDateTime),
}

impl Moment {
    /// `YYYY-MM-DD`, or RFC 3339 with an offset.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() == 10 {
            return date(text).map(Self::Day);
        }
        let seconds = Timestamp::parse_rfc3339(text).ok()?;
        OffsetDateTime::from_unix_timestamp(seconds.0).ok().map(Self::Second)
    }

    pub(crate) fn at(timestamp: Timestamp) -> Option<Self> {
        OffsetDateTime::from_unix_timestamp(timestamp.0).ok().map(Self::Second)
    }

    /// Nothing when the result lies outside the calendar.
    pub(crate) fn plus(self, span: Span) -> Option<Self> {
        let shift = |date: Date| -> Option<Date> {
            let months = date
                .year()
                .checked_mul(12)?
                .checked_add(i32::from(u8::from(date.month())) - 1)?
                .checked_add(span.months)?;
            let month = Month::try_from(u8::try_from(months.rem_euclid(12)).ok()? + 1).ok()?;
            let year = months.div_euclid(12);
            Date::from_calendar_date(year, month, date.day().min(month.length(year))).ok()
        };
        match self {
            Self::Day(day) => match shift(day)?.midnight().checked_add(Duration::seconds(span.seconds))? {
                whole if whole.time() == Time::MIDNIGHT => Some(Self::Day(whole.date())),
                other => Some(Self::Second(other.assume_utc())),
            },
            Self::Second(second) => {
                let moved = shift(second.date())?.with_time(second.time()).assume_utc();
                moved.checked_add(Duration::seconds(span.seconds)).map(Self::Second)
            }
        }
    }

    /// The first second (of the day, in UTC).
    pub(crate) fn start(self) -> Timestamp {
        Timestamp(match self {
            Self::Day(day) => day.midnight().assume_utc().unix_timestamp(),
            Self::Second(second) => second.unix_timestamp(),
        })
    }

    /// The last second (of the day, in UTC).
    pub(crate) fn end(self) -> Timestamp {
        match self {
            Self::Day(_) => self.start().plus(86_399),
            Self::Second(_) => self.start(),
        }
    }

    pub(crate) fn year(self) -> i32 {
        match self {
            Self::Day(day) => day.year(),
            Self::Second(second) => second.year(),
        }
    }

    /// `YYYY-MM-DD` in UTC.
    pub(crate) fn date_text(self) -> Option<String> {
        match self {
            Self::Day(day) => day.format(DATE).ok(),
            Self::Second(second) => second.date().format(DATE).ok(),
        }
    }
}

/// `YYYY-MM-DD` with four digits for the year.
pub(crate) fn date(text: &str) -> Option<Date> {
    (text.len() == 10).then(|| Date::parse(text, DATE).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moved(text: &str, span: &str) -> String {
        Moment::parse(text)
            .unwrap()
            .plus(Span::parse(span).unwrap())
            .unwrap()
            .start()
            .to_rfc3339()
    }

    #[test]
    fn durations_add_by_the_calendar() {
        assert_eq!(moved("2021-04-13T14:20:00Z", "PT72H"), "2021-04-16T14:20:00Z");
        assert_eq!(moved("2021-04-13T14:20:00+02:00", "P1DT1M1S"), "2021-04-14T12:21:01Z");
        assert_eq!(moved("2020-02-29", "P1Y"), "2021-02-28T00:00:00Z");
        assert_eq!(moved("2021-12-31", "P2M"), "2022-02-28T00:00:00Z");
        assert_eq!(moved("2021-03-31", "-P1M"), "2021-02-28T00:00:00Z");
        assert_eq!(moved("2021-06-01", "P270D"), "2022-02-26T00:00:00Z");
        assert_eq!(
            Moment::parse("2021-06-01").unwrap().end().to_rfc3339(),
            "2021-06-01T23:59:59Z"
        );
    }

    #[test]
    fn other_spellings_and_times_outside_the_calendar_are_refused() {
        for text in [
            "", "P", "PT", "P1", "1D", "P1DT", "P1H", "PT1D", "P1D1Y", "P-1D", "P1.5D", "P123456D", "PD", "P1é", "é",
        ] {
            assert_eq!(Span::parse(text), None, "{text}");
        }
        for text in [
            "2021-02-29",
            "2021-6-01",
            "21-06-01",
            "2021-06-01T10:00",
            "+021-06-01",
            "0000-00-00",
            "2021-06-1é",
        ] {
            assert_eq!(Moment::parse(text), None, "{text}");
        }
        assert_eq!(
            Moment::parse("9999-12-31").unwrap().plus(Span::parse("P1D").unwrap()),
            None
        );
    }
}
