//! Traces: one line a request, `TIMESTAMP,ContextTokens,GeneratedTokens`.

use std::path::{Path, PathBuf};
use std::{fs, io};

use chrono::{DateTime, NaiveDateTime, TimeDelta, Utc};

const HEADER: &str = "TIMESTAMP,ContextTokens,GeneratedTokens";

/// creditd's largest quantity.
const TOKENS_MAX: u64 = 1_000_000_000_000_000;

/// The traces that the binary carries; data/azure-llm-inference-2023/README.md names their source.
const BUILT_IN: [(&str, &str); 2] = [
    (
        "AzureLLMInferenceTrace_code.csv",
        include_str!("../../../data/azure-llm-inference-2023/AzureLLMInferenceTrace_code.csv"),
    ),
    (
        "AzureLLMInferenceTrace_conv.csv",
        include_str!("../../../data/azure-llm-inference-2023/AzureLLMInferenceTrace_conv.csv"),
    ),
];

/// One request to a language model.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// When it was made; the traces are read as UTC.
    pub at: DateTime<Utc>,
    /// Tokens of the prompt.
    pub input_tokens: u64,
    /// Tokens of the answer.
    pub output_tokens: u64,
}

/// Why a trace cannot be replayed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// A line is not what a trace holds.
    #[error("{name}, line {line}: {what}")]
    Malformed {
        /// The trace.
        name: String,
        /// Counted from 1, the header included.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// There is nothing to replay.
    #[error("the traces hold no request")]
    Empty,
}

/// Reads the traces, or those built in where none is named, and merges them by time.
///
/// # Errors
/// [`Error`] for the first file or line that is wrong.
pub fn load(paths: &[PathBuf]) -> Result<Vec<Request>, Error> {
    let mut requests = Vec::new();
    if paths.is_empty() {
        for (name, text) in BUILT_IN {
            requests.extend(parse(name, text)?);
        }
    }
    for path in paths {
        requests.extend(parse(&path.display().to_string(), &read(path)?)?);
    }
    if requests.is_empty() {
        return Err(Error::Empty);
    }
    // Stable: requests of one instant stay in the order of the files.
    requests.sort_by_key(|request| request.at);
    Ok(requests)
}

/// Moves the requests, which are sorted, so that the last one lies at `last`.
pub fn shift(requests: &mut [Request], last: DateTime<Utc>) {
    let by = requests.last().map_or(TimeDelta::zero(), |request| last - request.at);
    for request in requests {
        request.at += by;
    }
}

fn read(path: &Path) -> Result<String, Error> {
    fs::read_to_string(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })
}

fn parse(name: &str, text: &str) -> Result<Vec<Request>, Error> {
    let malformed = |line, what| Error::Malformed { name: name.to_owned(), line, what };
    let mut lines = (1..).zip(text.lines());
    match lines.next() {
        Some((_, HEADER)) => {}
        Some((line, other)) => {
            return Err(malformed(line, format!("expected the header {HEADER}, found {other:?}")));
        }
        None => return Err(malformed(1, format!("expected the header {HEADER}, found nothing"))),
    }
    lines.map(|(line, text)| request(text).map_err(|what| malformed(line, what))).collect()
}

fn request(line: &str) -> Result<Request, String> {
    let fields: Vec<&str> = line.split(',').collect();
    let &[at, input, output] = fields.as_slice() else {
        return Err(format!("expected 3 fields, found {}: {line:?}", fields.len()));
    };
    Ok(Request {
        at: instant(at)?,
        input_tokens: tokens("ContextTokens", input)?,
        output_tokens: tokens("GeneratedTokens", output)?,
    })
}

fn instant(text: &str) -> Result<DateTime<Utc>, String> {
    // Azure's later traces name the offset, always zero.
    let plain = text.strip_suffix("+00:00").unwrap_or(text);
    NaiveDateTime::parse_from_str(plain, "%Y-%m-%d %H:%M:%S%.f")
        .map(|time| time.and_utc())
        .map_err(|_| format!("TIMESTAMP is not like 2023-11-16 18:17:03.9799600: {text:?}"))
}

fn tokens(field: &str, text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(count) if count <= TOKENS_MAX => Ok(count),
        _ => Err(format!("{field} is not a whole number from 0 to 10^15: {text:?}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> DateTime<Utc> {
        instant(text).unwrap()
    }

    #[test]
    fn reads_every_line_with_either_line_ending() {
        let text = format!(
            "{HEADER}\r\n2023-11-16 18:17:03.9799600,4808,10\r\n2023-11-16 18:17:04+00:00,0,8\n"
        );
        let requests = parse("t", &text).unwrap();
        let one =
            Request { at: at("2023-11-16 18:17:03.97996"), input_tokens: 4808, output_tokens: 10 };
        let two = Request { at: at("2023-11-16 18:17:04"), input_tokens: 0, output_tokens: 8 };
        assert_eq!(requests, [one, two]);
    }

    #[test]
    fn carries_both_traces_sorted() {
        let requests = load(&[]).unwrap();
        assert_eq!(requests.len(), 8_819 + 19_366);
        assert!(requests.is_sorted_by_key(|request| request.at));
        let input: u64 = requests.iter().map(|request| request.input_tokens).sum();
        let output: u64 = requests.iter().map(|request| request.output_tokens).sum();
        assert_eq!((input, output), (18_059_974 + 22_361_870, 245_896 + 4_088_665));
    }

    #[test]
    fn names_the_line_that_is_wrong() {
        let good = "2023-11-16 18:17:03.9799600,4808,10";
        for (bad, what) in [
            ("2023-11-16 18:17:03.9799600,4808", "expected 3 fields, found 2"),
            ("yesterday,1,2", "TIMESTAMP is not like"),
            ("2023-11-16 18:17:03,1.5,2", "ContextTokens is not a whole number"),
            ("2023-11-16 18:17:03,1,-2", "GeneratedTokens is not a whole number"),
            ("2023-11-16 18:17:03,1,1000000000000001", "GeneratedTokens is not a whole number"),
            ("", "expected 3 fields, found 1"),
        ] {
            let error = parse("my.csv", &format!("{HEADER}\n{good}\n{bad}\n{good}")).unwrap_err();
            assert!(error.to_string().starts_with(&format!("my.csv, line 3: {what}")), "{error}");
        }
    }

    #[test]
    fn refuses_another_header_and_an_empty_file() {
        for text in ["", "a,b,c\n", "2023-11-16 18:17:03,1,2\n"] {
            let error = parse("my.csv", text).unwrap_err().to_string();
            assert!(error.starts_with("my.csv, line 1: expected the header"), "{error}");
        }
        assert!(matches!(load(&["/no/such/file".into()]), Err(Error::Unreadable { .. })));
    }

    #[test]
    fn shifts_all_by_the_same_span() {
        let mut requests = load(&[]).unwrap();
        let span = requests.last().unwrap().at - requests[0].at;
        let last = at("2030-01-01 00:00:00");
        shift(&mut requests, last);
        assert_eq!(requests.last().unwrap().at, last);
        assert_eq!(requests[0].at, last - span);
        shift(&mut [], last);
    }
}
