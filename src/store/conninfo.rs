//! Connection strings: what is said of TLS is taken out of them, because the driver's parser knows
//! less of it than libpq's and refuses the rest.

use percent_encoding::percent_decode_str;

use super::error::{Error, Result};
use super::tls::Given;

/// The same string without what it says of TLS, and that. Text that does not read as a connection
/// string is left for the driver to refuse.
///
/// # Errors
/// [`Error::Unusable`] where it asks for what is not known here.
pub(super) fn split(text: &str) -> Result<(String, Given)> {
    let mut given = Given::default();
    let is_url = ["postgres://", "postgresql://"].iter().any(|scheme| text.starts_with(scheme));
    let rest = if is_url { of_url(text, &mut given) } else { of_pairs(text, &mut given) }?;
    Ok((rest, given))
}

fn of_url(url: &str, given: &mut Given) -> Result<String> {
    let url = &with_sign_of_credentials_alone(url);
    // A password may hold a question mark.
    let named = url.find('@').unwrap_or_default();
    let Some(begin) = url[named..].find('?').map(|found| named + found) else {
        return Ok(url.to_owned());
    };
    let mut kept = Vec::new();
    for pair in url[begin + 1..].split('&') {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let (name, value) = (percent_decode_str(name), percent_decode_str(value));
        if !given.take(&name.decode_utf8_lossy(), &value.decode_utf8_lossy())? {
            kept.push(pair);
        }
    }
    Ok(format!("{}?{}", &url[..begin], kept.join("&")))
}

/// The same, where only what parts credentials from hosts is an `@`: libpq looks for it before the first
/// slash, the driver everywhere, and would take a parameter's for it.
fn with_sign_of_credentials_alone(url: &str) -> String {
    let hosts = url.find("://").map_or(0, |scheme| scheme + 3);
    let Some(path) = url[hosts..].find('/').map(|slash| hosts + slash) else {
        return url.to_owned();
    };
    format!("{}{}", &url[..path], url[path..].replace('@', "%40"))
}

fn of_pairs(text: &str, given: &mut Given) -> Result<String> {
    let mut kept = String::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let pair = rest.split_once('=').and_then(|(name, behind)| Some((name, value(behind)?)));
        let Some((name, (value, behind))) = pair else {
            return Err(Error::unusable("the URL does not read as one"));
        };
        if !given.take(name.trim_end(), &value)? {
            kept.push_str(&rest[..rest.len() - behind.len()]);
            kept.push(' ');
        }
        rest = behind.trim_start();
    }
    Ok(kept)
}

/// The value that this begins with, bare or in single quotes, and what is behind it.
fn value(text: &str) -> Option<(String, &str)> {
    let text = text.trim_start();
    let quoted = text.strip_prefix('\'');
    let mut chars = quoted.unwrap_or(text).chars();
    let mut value = String::new();
    while let Some(char) = chars.next() {
        match char {
            '\\' => value.extend(chars.next()),
            '\'' if quoted.is_some() => return Some((value, chars.as_str())),
            char if quoted.is_none() && char.is_whitespace() => {
                return Some((value, chars.as_str()));
            }
            char => value.push(char),
        }
    }
    quoted.is_none().then_some((value, ""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rest_of(text: &str) -> String {
        split(text).map_or_else(|error| error.to_string(), |(rest, _)| rest)
    }

    #[test]
    fn what_is_said_of_tls_is_taken_out() {
        let url =
            "postgres://me:s?e&c=r@a,b:1/db?sslmode=require&options=-c%20a=b&sslrootcert=%2Fca";
        assert_eq!(rest_of(url), "postgres://me:s?e&c=r@a,b:1/db?options=-c%20a=b");
        let pairs = r"host=a sslmode = 'verify-full' password='it\'s sslmode=x' sslkey=a\ b port=1";
        assert_eq!(rest_of(pairs), r"host=a  password='it\'s sslmode=x' port=1 ");
        assert_eq!(rest_of("postgres://a/db"), "postgres://a/db");
        // The driver would take the first @ for the end of credentials, wherever it is.
        let url = "postgres://a/d@b?user=me@corp&password=s@c&sslmode=require";
        assert_eq!(rest_of(url), "postgres://a/d%40b?user=me%40corp&password=s%40c");
    }

    #[test]
    fn what_is_not_known_is_named_without_its_value() {
        let refused = rest_of("postgres://a/db?sslpassword=secret");
        assert_eq!(refused, "the database cannot be used: the URL asks for sslpassword: not known");
        assert!(!rest_of("password='secret").contains("secret"));
    }
}
