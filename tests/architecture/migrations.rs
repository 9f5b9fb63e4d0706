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
