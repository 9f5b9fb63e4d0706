//! Rules for migrations.

use std::fs;
use std::path::{Path, PathBuf};

use super::hold;

fn migrations() -> Vec<PathBuf> {
    let entries = fs::read_dir("migrations").unwrap();
    let mut folders: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    folders.sort();
    assert!(!folders.is_empty(), "no migrations");
    folders
}

#[test]
fn every_migration_goes_both_ways() {
    let mut broken = Vec::new();
    for folder in migrations() {
        for file in ["up.sql", "down.sql"] {
            let path = folder.join(file);
            if !fs::read_to_string(&path).is_ok_and(|sql| !words(&sql).is_empty()) {
                broken.push(format!("{} is missing or empty", path.display()));
            }
        }
        let name = folder.file_name().unwrap().to_str().unwrap();
        let stamp = name.split('_').next().unwrap();
        if stamp.len() != 14 || !stamp.bytes().all(|byte| byte.is_ascii_digit()) {
            broken.push(format!("{} does not begin with a stamp", folder.display()));
        }
    }
    hold(
        "A migration is a folder <stamp>_<name> with up.sql and down.sql: whoever goes up must be \
         able to go back, and the stamp is the order.",
        broken,
    );
}

#[test]
fn constraints_and_indexes_have_names() {
    let mut broken = Vec::new();
    for folder in migrations() {
        for file in ["up.sql", "down.sql"] {
            let path = folder.join(file);
            broken.extend(nameless(&path));
        }
    }
    hold(
        "Every constraint and index is named: errors are told apart by the name, and a migration \
         can only drop what has one.",
        broken,
    );
}

/// The last migration of which no server was ever asked to go on while it ran.
const BEFORE_ANY_RELEASE: &str = "20261122210000_api_keys";

#[test]
fn servers_go_on_beside_a_newer_schema() {
    let mut broken = Vec::new();
    for folder in migrations() {
        let name = folder.file_name().unwrap().to_str().unwrap();
        if name > BEFORE_ANY_RELEASE {
            let sql = fs::read_to_string(folder.join("up.sql")).unwrap_or_default();
            broken.extend(taken_away(&sql).iter().map(|what| format!("{name}: {what}")));
        }
    }
    hold(
        "A migration only adds: while replicas are replaced, old ones serve on the newer schema. What \
         they use is taken away one release after the last that used it; say here then which.",
        broken,
    );
}

#[test]
fn what_takes_away_is_found() {
    for sql in [
        "drop table grants",
        "alter table grants drop column name",
        "alter table grants rename to credits",
        "alter table grants alter column name set not null",
        "alter table grants alter column name type bytea",
        "alter table grants add column name text not null, add column other text default ''",
    ] {
        assert_eq!(taken_away(sql).len(), 1, "{sql}");
    }
    for sql in [
        "create table names (name text not null)",
        "alter table grants add column name text, alter column other drop not null",
        "alter table grants add column name text not null default ''",
        "drop index grants_by_name",
    ] {
        assert_eq!(taken_away(sql), [""; 0], "{sql}");
    }
}

/// What this SQL takes from a server that was written before it.
fn taken_away(sql: &str) -> Vec<&'static str> {
    let words = words(sql);
    let words: Vec<&str> = words.iter().map(|(_, word)| word.as_str()).collect();
    let mut found = Vec::new();
    for at in 0..words.len() {
        match &words[at..] {
            ["drop", "table" | "column", ..] => found.push("drops what may be read"),
            ["rename", ..] => found.push("renames what may be read"),
            ["set", "not", "null", ..] => found.push("asks for what may not be written"),
            ["alter", "column", _, "type", ..] => found.push("changes what is read"),
            ["add", "column", rest @ ..] => {
                let end = rest.iter().position(|word| ["add", "alter", "create"].contains(word));
                let column = &rest[..end.unwrap_or(rest.len())];
                let asks = column.windows(2).any(|pair| pair == ["not", "null"]);
                if asks && !column.contains(&"default") {
                    found.push("asks for what may not be written");
                }
            }
            _ => {}
        }
    }
    found
}

/// What has no name in this file.
fn nameless(path: &Path) -> Vec<String> {
    let words = words(&fs::read_to_string(path).unwrap_or_default());
    let word = |index: usize| words.get(index).map_or("", |(_, word)| word.as_str());
    let before = |index: usize, back: usize| index.checked_sub(back).map_or("", &word);
    let mut broken = Vec::new();
    for (index, (line, this)) in words.iter().enumerate() {
        let is_constraint = match this.as_str() {
            "primary" | "foreign" => word(index + 1) == "key",
            "unique" => before(index, 1) != "create",
            "check" | "exclude" => word(index + 1) == "(" || word(index + 1) == "using",
            // In `foreign key (…) references`, the key has the name.
            "references" => !follows_foreign_key(&words, index),
            _ => false,
        };
        let mut after = index + 1;
        while ["concurrently", "if", "not", "exists"].contains(&word(after)) {
            after += 1;
        }
        let is_index = this == "index" && ["create", "unique"].contains(&before(index, 1));
        let is_named =
            if is_index { word(after) != "on" } else { before(index, 2) == "constraint" };
        if (is_constraint || is_index) && !is_named {
            broken.push(format!("{}:{line}: {this} without a name", path.display()));
        }
    }
    broken
}

fn follows_foreign_key(words: &[(usize, String)], index: usize) -> bool {
    let open = words[..index].iter().rposition(|(_, word)| word == "(");
    let closed = index.checked_sub(1).is_some_and(|last| words[last].1 == ")");
    closed && open.and_then(|open| open.checked_sub(1)).is_some_and(|key| words[key].1 == "key")
}

/// The words of SQL, in lower case, each with its line; without comments.
fn words(sql: &str) -> Vec<(usize, String)> {
    let mut words = Vec::new();
    for (index, line) in sql.lines().enumerate() {
        let code = line.split("--").next().unwrap().to_lowercase();
        let spaced = code.replace('(', " ( ").replace(')', " ) ").replace([',', ';'], " ");
        words.extend(spaced.split_whitespace().map(|word| (index + 1, word.to_owned())));
    }
    words
}
