//! DynamoDB's numbers: up to 38 digits, exact. Pure.

use std::cmp::Ordering;
use std::fmt;

/// A decimal number in normal form: no leading and no trailing zeros in `digits`; zero has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Number {
    negative: bool,
    digits: Vec<u8>,
    /// The value is `0.DIGITS` times ten to this.
    exponent: i32,
}

impl Number {
    /// Reads a number; `None` where it is none, or has more than 38 digits, or is out of range.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let (negative, rest) = match text.as_bytes().first()? {
            b'-' => (true, &text[1..]),
            b'+' => (false, &text[1..]),
            _ => (false, text),
        };
        let (mantissa, power) = rest.split_once(['e', 'E']).map_or((rest, "0"), |(mantissa, power)| (mantissa, power));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: Vec<u8> = whole.bytes().chain(fraction.bytes()).collect();
        if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
            return None;
        }
        let power: i32 = power.parse().ok().filter(|power: &i32| power.abs() < 1000)?;
        Self::normal(negative, digits.iter().map(|digit| digit - b'0').collect(), i32::try_from(whole.len()).ok()? + power)
    }

    fn normal(negative: bool, mut digits: Vec<u8>, mut exponent: i32) -> Option<Self> {
        let leading = digits.iter().take_while(|digit| **digit == 0).count();
        digits.drain(..leading);
        exponent -= i32::try_from(leading).ok()?;
        while digits.last() == Some(&0) {
            digits.pop();
        }
        if digits.is_empty() {
            return Some(Self { negative: false, digits, exponent: 0 });
        }
        (digits.len() <= 38 && (-129..=126).contains(&exponent)).then_some(Self { negative, digits, exponent })
    }

    /// The sum, exact; `None` where it does not fit.
    pub(crate) fn plus(&self, other: &Self) -> Option<Self> {
        let low = |number: &Self| number.exponent - i32::try_from(number.digits.len()).unwrap_or_default();
        let scale = low(self).min(low(other));
        let (one, two) = (self.scaled(scale)?, other.scaled(scale)?);
        let sum = one.checked_add(two)?;
        let digits = sum.unsigned_abs().to_string().bytes().map(|digit| digit - b'0').collect::<Vec<_>>();
        let exponent = scale + i32::try_from(digits.len()).ok()?;
        Self::normal(sum < 0, digits, exponent)
    }

    /// The number with the other sign.
    pub(crate) fn negated(&self) -> Self {
        Self { negative: !self.negative && !self.digits.is_empty(), ..self.clone() }
    }

    /// The value as a multiple of ten to `scale`.
    fn scaled(&self, scale: i32) -> Option<i128> {
        let mut value: i128 = 0;
        for digit in &self.digits {
            value = value.checked_mul(10)?.checked_add(i128::from(*digit))?;
        }
        let zeros = self.exponent - i32::try_from(self.digits.len()).ok()? - scale;
        let value = value.checked_mul(10_i128.checked_pow(if self.digits.is_empty() { 0 } else { u32::try_from(zeros).ok()? })?)?;
        Some(if self.negative { -value } else { value })
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |number: &Self| {
            if number.digits.is_empty() {
                0
            } else if number.negative {
                -1
            } else {
                1
            }
        };
        let size = self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
        sign(self).cmp(&sign(other)).then(if sign(self) < 0 { size.reverse() } else { size })
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        let digits: String = self.digits.iter().map(|digit| char::from(digit + b'0')).collect();
        let sign = if self.negative { "-" } else { "" };
        let count = self.digits.len();
        match usize::try_from(self.exponent) {
            Ok(whole) if whole >= count => write!(f, "{sign}{digits}{}", "0".repeat(whole - count)),
            Ok(0) => write!(f, "{sign}0.{digits}"),
            Ok(whole) => write!(f, "{sign}{}.{}", &digits[..whole], &digits[whole..]),
            Err(_) => write!(f, "{sign}0.{}{digits}", "0".repeat(self.exponent.unsigned_abs() as usize)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Number;

    fn number(text: &str) -> Number {
        Number::parse(text).unwrap()
    }

    #[test]
    fn texts_are_normalised() {
        for (text, normal) in [
            ("007", "7"),
            ("1.500", "1.5"),
            ("-0", "0"),
            ("1e3", "1000"),
            ("1.2E-3", "0.0012"),
            ("+5", "5"),
            (".5", "0.5"),
            ("-120.0", "-120"),
        ] {
            assert_eq!(number(text).to_string(), normal);
        }
        for text in ["", "-", "abc", "1.2.3", "1e", "0x1", "123456789012345678901234567890123456789", "1e130", " 1"] {
            assert_eq!(Number::parse(text), None, "{text}");
        }
    }

    #[test]
    fn order_is_that_of_the_values() {
        let sorted = ["-100", "-99.5", "-1", "0", "0.001", "0.9", "1", "9", "10", "1767225600000"];
        for pair in sorted.windows(2) {
            assert!(number(pair[0]) < number(pair[1]), "{pair:?}");
        }
        assert_eq!(number("1.0").cmp(&number("1")), std::cmp::Ordering::Equal);
    }

    #[test]
    fn sums_are_exact() {
        for (one, two, sum) in
            [("0.1", "0.2", "0.3"), ("5", "-7", "-2"), ("1767225600000", "1", "1767225600001"), ("0", "3", "3"), ("2", "-2", "0")]
        {
            assert_eq!(number(one).plus(&number(two)).unwrap(), number(sum));
        }
        assert_eq!(number("3").plus(&number("3").negated()).unwrap(), number("0"));
    }
}
