//! Currencies by ISO 4217: their codes and minor-unit digits.

use std::fmt;

/// A currency with minor units, as ISO 4217 lists it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency(iso_currency::Currency);

impl Currency {
    /// Reads an upper-case three-letter code ("USD"). None for an unknown code and for those
    /// without minor units (precious metals, funds, testing): nothing can be counted in them.
    #[must_use]
    pub fn from_code(code: &str) -> Option<Self> {
        let currency = iso_currency::Currency::from_code(code)?;
        (currency.code() == code && currency.exponent().is_some()).then_some(Self(currency))
    }

    /// The three-letter code.
    #[must_use]
    pub fn code(self) -> &'static str {
        self.0.code()
    }

    /// Minor-unit digits: USD 2, JPY 0, KWD 3.
    #[must_use]
    pub fn digits(self) -> u32 {
        self.0.exponent().map_or(0, u32::from)
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.code())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_those_of_iso_4217() {
        for (code, digits) in [("USD", 2), ("EUR", 2), ("JPY", 0), ("KWD", 3), ("CLF", 4)] {
            assert_eq!(Currency::from_code(code).map(Currency::digits), Some(digits), "{code}");
        }
        for code in ["", "usd", "US", "USDX", "XAU", "XXX", "ABC", "💶"] {
            assert_eq!(Currency::from_code(code), None, "{code}");
        }
    }
}
