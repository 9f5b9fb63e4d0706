//! The words of the command line: for enums of the contract, what one types and what tables show;
//! pairs, kinds of credits.

use std::collections::BTreeMap;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use super::Error;
use crate::pb::{
    CampaignState, CandidateVerdict, DeliveryStatus, GrantCategory, GrantStatus, GrantType,
    HoldStatus, LedgerEntryType, UsageWindow,
};

/// Gives the values of an enum their words; one without a word cannot be typed.
macro_rules! words {
    ($name:ident: $($value:ident $word:literal),+ $(,)?) => {
        impl ValueEnum for $name {
            fn value_variants<'a>() -> &'a [Self] {
                &[$(Self::$value),+]
            }

            fn to_possible_value(&self) -> Option<PossibleValue> {
                match self {
                    $(Self::$value => Some(PossibleValue::new($word)),)+
                    Self::Unspecified => None,
                }
            }
        }
    };
}

words!(GrantType: Units "units", Monetary "monetary");
words!(GrantStatus:
    Pending "pending",
    Active "active",
    Exhausted "exhausted",
    Expired "expired",
    Voided "voided",
);
words!(GrantCategory:
    Promotional "promotional",
    Purchased "purchased",
    Loyalty "loyalty",
    Service "service",
);
words!(LedgerEntryType:
    Granted "granted",
    Updated "updated",
    Consumed "consumed",
    Applied "applied",
    Held "held",
    HoldReleased "hold-released",
    Expired "expired",
    Voided "voided",
    UsageReversed "usage-reversed",
    ApplicationReversed "application-reversed",
    ExpirationReclaimed "expiration-reclaimed",
);

words!(HoldStatus:
    Open "open",
    Settled "settled",
    Released "released",
    Expired "expired",
);
words!(CampaignState: Running "running", Finished "finished");
words!(DeliveryStatus: Pending "pending", Delivered "delivered", Parked "parked");
words!(UsageWindow: Hour "hour", Day "day", All "all");
words!(CandidateVerdict:
    Eligible "eligible",
    Pending "pending",
    Expired "expired",
    Voided "voided",
    Exhausted "exhausted",
    Held "held",
    OtherMetric "other-metric",
    OtherType "other-type",
);

/// The word of a value, `none` for one that says nothing.
pub fn word(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(|| "none".to_owned(), |value| value.get_name().to_owned())
}

/// A value by its word, or by its name in the contract, which begins with `prefix`; in upper or
/// lower case.
///
/// # Errors
/// What was expected instead.
pub fn read<E: ValueEnum>(prefix: &str, text: &str) -> Result<E, String> {
    let name = text.trim().to_ascii_uppercase();
    let name = name.strip_prefix(prefix).unwrap_or(&name).replace('_', "-");
    E::from_str(&name, true).map_err(|_| {
        let words: Vec<String> = E::value_variants().iter().cloned().map(word).collect();
        format!("must be one of {}, not {}", words.join(", "), super::csv::shown(text))
    })
}

/// What credits count: `USD`, `units for input_tokens`, `units for any metric`.
pub fn kind(currency: &str, metrics: &[String]) -> String {
    match (currency, metrics) {
        ("", []) => "units for any metric".to_owned(),
        ("", metrics) => format!("units for {}", metrics.join(", ")),
        (currency, _) => currency.to_owned(),
    }
}

/// The values of an enum as the wire carries them.
pub fn numbers<E: Into<i32> + Copy>(values: &[E]) -> Vec<i32> {
    values.iter().map(|&value| value.into()).collect()
}

/// Reads `KEY=VALUE`; the value may hold further equals signs.
pub fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected KEY=VALUE")?;
    Ok((key.to_owned(), value.to_owned()))
}

/// The pairs as metadata, each key once.
pub fn metadata(pairs: Vec<(String, String)>) -> Result<BTreeMap<String, String>, Error> {
    let mut metadata = BTreeMap::new();
    for (key, value) in pairs {
        if metadata.contains_key(&key) {
            return Err(Error::Input(format!("--metadata names {key:?} twice")));
        }
        metadata.insert(key, value);
    }
    Ok(metadata)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_said_in_words() {
        assert_eq!(kind("USD", &[]), "USD");
        assert_eq!(kind("", &[]), "units for any metric");
        assert_eq!(kind("", &["a".to_owned(), "b".to_owned()]), "units for a, b");
    }

    #[test]
    fn every_value_of_the_contract_has_its_word() {
        fn check<E: ValueEnum + std::fmt::Debug>(of: impl Fn(i32) -> Option<E>) {
            let count = (1..100).take_while(|&number| of(number).is_some()).count();
            assert_eq!(E::value_variants().len(), count, "{:?}", E::value_variants());
            assert_eq!(word(of(0).unwrap()), "none");
        }
        check(|number| GrantType::try_from(number).ok());
        check(|number| GrantStatus::try_from(number).ok());
        check(|number| GrantCategory::try_from(number).ok());
        check(|number| LedgerEntryType::try_from(number).ok());
        check(|number| DeliveryStatus::try_from(number).ok());
    }

    #[test]
    fn words_and_names_are_read_in_any_case() {
        for text in ["units", "Units", " UNITS ", "GRANT_TYPE_UNITS", "grant_type_units"] {
            assert_eq!(read("GRANT_TYPE_", text), Ok(GrantType::Units));
        }
        for text in ["hold-released", "HOLD_RELEASED", "LEDGER_ENTRY_TYPE_HOLD_RELEASED"] {
            assert_eq!(read("LEDGER_ENTRY_TYPE_", text), Ok(LedgerEntryType::HoldReleased));
        }
        for bad in ["unit", "unspecified", "none", "GRANT_TYPE_UNSPECIFIED"] {
            let told = read::<GrantType>("GRANT_TYPE_", bad).unwrap_err();
            assert_eq!(told, format!("must be one of units, monetary, not {bad:?}"));
        }
    }

    #[test]
    fn pairs_split_at_the_first_equals_sign() {
        assert_eq!(pair("a=b=c"), Ok(("a".to_owned(), "b=c".to_owned())));
        assert_eq!(pair("a="), Ok(("a".to_owned(), String::new())));
        assert!(pair("a").is_err());
        let twice = vec![pair("a=1").unwrap(), pair("a=2").unwrap()];
        assert_eq!(metadata(twice).unwrap_err().to_string(), "--metadata names \"a\" twice");
    }
}
