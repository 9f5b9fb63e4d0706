//! Which certificates have which role.

use creditd::domain::identity::{CertificateRule, Malformed, Role, of_certificate};

fn rules(texts: &[&str]) -> Vec<CertificateRule> {
    texts.iter().map(|text| text.parse().expect("a rule")).collect()
}

/// Who a certificate with these names is: the actor, and the role.
fn who(rules: &[CertificateRule], names: &[&str]) -> Option<(String, Role)> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    of_certificate(rules, &names).map(|caller| (caller.actor.to_string(), caller.role))
}

#[test]
fn the_first_rule_that_fits_a_name_counts() {
    let rules = rules(&[
        "URI:spiffe://prod/billing=admin",
        "DNS:*.ops.example=admin",
        "URI:spiffe://prod/*=meter",
        "CN:reports=reader",
    ]);
    let is = |name: &str, role| Some((name.to_owned(), role));
    let billing = "URI:spiffe://prod/billing";
    assert_eq!(who(&rules, &[billing]), is(billing, Role::Admin));
    let gateway = "URI:spiffe://prod/gateway";
    assert_eq!(who(&rules, &[gateway]), is(gateway, Role::Meter));
    assert_eq!(who(&rules, &["CN:reports", gateway]), is(gateway, Role::Meter));
    assert_eq!(who(&rules, &["CN:reports"]), is("CN:reports", Role::Reader));
    assert_eq!(who(&rules, &["DNS:a.ops.example"]), is("DNS:a.ops.example", Role::Admin));
    // Names of another kind, parts of names, and other spellings are others.
    for other in [
        "DNS:reports",
        "CN:reports2",
        "CN:Reports",
        "DNS:ops.example",
        "DNS:a.ops.example.evil",
        "CN:a.ops.example",
        "URI:spiffe://prod",
        "URI:http://spiffe://prod/billing",
    ] {
        assert_eq!(who(&rules, &[other]), None, "{other}");
    }
    assert_eq!(who(&rules, &[]), None);
    assert_eq!(who(&[], &[billing]), None);
}

#[test]
fn a_rule_says_what_it_means() {
    for bad in [
        "",
        "=admin",
        "CN=admin",
        "CN:=admin",
        "CN:*=admin",
        "CN:a*b=admin",
        "CN:*a*=admin",
        "OU:a=admin",
        "CN:a",
        "cn:a=admin",
    ] {
        assert_eq!(bad.parse::<CertificateRule>(), Err(Malformed::Rule), "{bad}");
    }
    assert_eq!("CN:a=root".parse::<CertificateRule>(), Err(Malformed::Role));
    assert_eq!(who(&rules(&["CN:a=b=admin"]), &["CN:a=b"]), Some(("CN:a=b".into(), Role::Admin)));
}
