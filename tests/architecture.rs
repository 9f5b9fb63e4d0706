//! Style is a failing test: each rule of docs/ARCHITECTURE.md reads the source and says, where it
//! is broken, what it is there for. Adjust a number with a reason; keep the idea.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test may say at once that something is not so"
)]

#[path = "architecture/migrations.rs"]
mod migrations;
#[path = "architecture/source.rs"]
mod source;

use source::{File, files, find};

/// Lines of a file: what one reads in one go.
const FILE_LINES_MAX: usize = 400;
/// Lines of a function: what one sees at once.
const FUNCTION_LINES_MAX: usize = 70;

/// The floor of what meets the world.
const DOORS: u8 = 4;
/// The floors. A module knows those below its own; `limits`, `metrics` and `spans` are known to all.
const FLOORS: [(&str, u8); 14] = [
    ("limits", 0),
    ("metrics", 0),
    ("spans", 0),
    ("domain", 0),
    ("config", 1),
    ("telemetry", 1),
    ("store", 1),
    ("engine", 2),
    ("watch", 3),
    ("rpc", DOORS),
    ("tasks", DOORS),
    ("cli", DOORS),
    ("app", 5),
    ("main", 6),
];
/// Known beside the floors; rules of their own say to whom.
const SHARED: [&str; 4] = ["limits", "config", "telemetry", "pb"];
/// Where what happens to money is decided and kept.
const MONEY: [&str; 3] = ["domain", "store", "engine"];

/// Fails with the rule where anything breaks it.
fn hold(rule: &str, broken: impl IntoIterator<Item = String>) {
    let broken: Vec<String> = broken.into_iter().collect();
    assert!(broken.is_empty(), "\n\n{rule}\n\n  {}\n", broken.join("\n  "));
}

fn floor(module: &str) -> Option<u8> {
    FLOORS.iter().find(|(name, _)| *name == module).map(|(_, floor)| *floor)
}

/// Imports of modules on floors for which `wrong(theirs, ours)` is true.
fn imports_where(wrong: impl Fn(u8, u8) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for file in files(&["src"]).iter().filter(|file| file.module() != "lib") {
        for (line, to) in file.imports() {
            if to == file.module() || SHARED.contains(&to) {
                continue;
            }
            if let (Some(theirs), Some(ours)) = (floor(to), floor(file.module()))
                && wrong(theirs, ours)
            {
                broken.push(file.at(line, &format!("{} imports {to}", file.module())));
            }
        }
    }
    broken
}

/// Imports of one of the shared modules from outside of `allowed`.
fn imports_of(shared: &str, allowed: &[&str]) -> Vec<String> {
    let mut broken = Vec::new();
    for file in files(&["src"]).iter().filter(|file| !file.is_in(allowed)) {
        let imports = file.imports().into_iter().filter(|(_, to)| *to == shared);
        broken.extend(imports.map(|(line, to)| file.at(line, to)));
    }
    broken
}

/// Names beginning with one of `prefixes`, in files that `refuse` picks.
fn names_like(prefixes: &[&str], refuse: impl Fn(&File) -> bool) -> Vec<String> {
    let mut broken = Vec::new();
    for file in files(&["src"]).iter().filter(|file| refuse(file)) {
        let like = |text: &str| prefixes.iter().any(|prefix| text.starts_with(prefix));
        let named = file.code.iter().filter(|token| like(&token.text));
        broken.extend(named.map(|token| file.at(token.line, &token.text)));
    }
    broken
}

/// Uses of `words` in the files of src that `refuse` picks.
fn uses(words: &[&str], refuse: impl Fn(&File) -> bool) -> Vec<String> {
    let files = files(&["src"]);
    let files = files.iter().filter(|file| refuse(file));
    files.flat_map(|file| words.iter().flat_map(|words| file.uses(words))).collect()
}

#[test]
fn every_module_has_a_floor() {
    let files = files(&["src"]);
    let homeless =
        files.iter().filter(|file| !file.is_in(&["lib"]) && floor(file.module()).is_none());
    hold(
        "Every module stands on a floor: the map of the house is whole. Add it to FLOORS, to \
         src/lib.rs and to docs/ARCHITECTURE.md.",
        homeless.map(|file| file.path.clone()),
    );
}

#[test]
fn imports_go_down() {
    hold(
        "Imports go down: a floor knows only those below it, so that the rules can be read \
         without the database, and the database without the wire.",
        imports_where(|theirs, ours| theirs > ours || theirs == ours && ours != DOORS),
    );
}

#[test]
fn neighbours_do_not_know_each_other() {
    hold(
        "rpc/, tasks/ and cli/ do not know each other: the wire, the background and the command \
         line meet in app alone, so that each can be changed, or left out, by itself.",
        imports_where(|theirs, ours| theirs == ours && ours == DOORS),
    );
}

#[test]
fn settings_are_read_on_top() {
    hold(
        "Only app, cli and main know config: below, settings are arguments, so that a test can \
         give any.",
        imports_of("config", &["app", "cli", "main"]),
    );
}

#[test]
fn telemetry_is_started_on_top() {
    hold(
        "Only app, cli and main know telemetry, and config, which reads its settings: below, one speaks through tracing, and does not \
         care who listens.",
        imports_of("telemetry", &["app", "cli", "config", "main"]),
    );
}

#[test]
fn generated_types_stay_at_the_wire() {
    hold(
        "Parse at the door: no generated type goes past rpc/ and cli/, so that the wire can \
         change without the rules.",
        imports_of("pb", &["rpc", "cli"]),
    );
}

#[test]
fn grpc_stays_at_the_wire() {
    let mut broken =
        names_like(&["tonic", "prost"], |file| !file.is_in(&["rpc", "cli", "app", "lib"]));
    for file in files(&["src"]).iter().filter(|file| file.is_in(&["app"])) {
        let server: Vec<usize> = find(&file.code, "tonic :: transport").collect();
        let others = file.code.iter().enumerate().filter(|(index, token)| {
            ["tonic", "prost"].iter().any(|prefix| token.text.starts_with(prefix))
                && !server.contains(index)
        });
        broken.extend(others.map(|(_, token)| file.at(token.line, &token.text)));
    }
    hold(
        "tonic and prost live in rpc/ (cli/ has the client, app names tonic::transport's Server): \
         what is decided and kept does not know how it was asked.",
        broken,
    );
}

#[test]
fn the_driver_stays_in_the_store() {
    hold(
        "diesel lives in store/, and so do the driver and the pool: rows and SQL never leave, and \
         everyone else sees methods named by what they are for.",
        names_like(&["diesel", "tokio_postgres", "deadpool"], |file| !file.is_in(&["store"])),
    );
}

#[test]
fn transactions_begin_on_the_write_path() {
    let outside = |file: &File| !file.is_in(&["engine", "store"]);
    let calls = [". transaction (", ". build_transaction (", ". begin_transaction ("];
    let mut broken = uses(&calls, outside);
    for file in files(&["src"]).iter().filter(|file| outside(file)) {
        let begins = file.code.iter().filter(|token| {
            let text = token.text.to_lowercase();
            token.text.starts_with(['"', 'r'])
                && (token.text.contains("BEGIN")
                    || text.contains("start transaction")
                    || text.trim_matches('"').trim() == "begin")
        });
        broken.extend(begins.map(|token| file.at(token.line, &token.text)));
    }
    hold(
        "No transaction begins outside engine/ and store/: the lanes are the one write path, and \
         dropping a handler's future would not roll one back.",
        broken,
    );
}

#[test]
fn files_are_short() {
    let files = files(&["src", "tests", "benches"]);
    let long = files.iter().filter_map(|file| {
        let lines = file.text.lines().count();
        (lines > FILE_LINES_MAX).then(|| format!("{}: {lines} lines", file.path))
    });
    hold(
        &format!("A file has at most {FILE_LINES_MAX} lines: split it by what it is about."),
        long,
    );
}

#[test]
fn functions_are_short() {
    let mut broken = Vec::new();
    for file in files(&["src", "tests", "benches"]) {
        for long in file.functions().iter().filter(|each| each.lines > FUNCTION_LINES_MAX) {
            broken.push(file.at(long.line, &format!("{} has {} lines", long.name, long.lines)));
        }
    }
    hold(
        &format!("A function has at most {FUNCTION_LINES_MAX} lines: give its steps names."),
        broken,
    );
}

#[test]
fn time_is_an_argument() {
    let clocks = ["Utc :: now", "Local :: now", "SystemTime :: now"];
    hold(
        "Time is an argument: `now` comes from the database or the test clock; the machine's own \
         clock is read in src/domain/time.rs or nowhere.",
        uses(&clocks, |file| file.path != "src/domain/time.rs"),
    );
}

#[test]
fn money_never_panics() {
    let panics = [". unwrap (", ". expect (", "panic !", "unreachable !"];
    hold(
        "Nothing panics in domain/, store/ and engine/: what cannot be done is an error that \
         names itself, and a lane outlives it.",
        uses(&panics, |file| file.is_in(&MONEY)),
    );
}

#[test]
fn money_never_guesses() {
    let mut words = vec!["f32".to_owned(), "f64".to_owned()];
    for bits in ["8", "16", "32", "64", "128", "size"] {
        words.extend([format!("as i{bits}"), format!("as u{bits}")]);
    }
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    hold(
        "Money never guesses: no floating point, and no `as`, which cuts without a word, in \
         domain/, store/ and engine/. Use From, try_from, checked arithmetic.",
        uses(&words, |file| file.is_in(&MONEY)),
    );
}

#[test]
fn limits_have_reasons_and_are_used() {
    let files = files(&["src"]);
    let (limits, others): (Vec<&File>, Vec<&File>) =
        files.iter().partition(|file| file.is_in(&["limits"]));
    let mut broken = Vec::new();
    for file in limits {
        for item in syn::parse_file(&file.text).unwrap().items {
            let syn::Item::Const(limit) = item else { continue };
            let name = limit.ident.to_string();
            let line = limit.ident.span().start().line;
            if !limit.attrs.iter().any(|attribute| attribute.path().is_ident("doc")) {
                broken.push(file.at(line, &format!("{name} has no reason")));
            }
            if !others.iter().any(|other| find(&other.code, &name).next().is_some()) {
                broken.push(file.at(line, &format!("{name} is not used")));
            }
        }
    }
    hold("A limit is written down with its reason, and it limits something.", broken);
}

#[test]
fn nothing_is_left_for_later() {
    let marks = [concat!("TO", "DO"), concat!("FIX", "ME")];
    let mut broken = Vec::new();
    for file in files(&["src", "tests", "benches"]) {
        for words in ["# [ ignore", "todo !", "unimplemented !"] {
            let found = find(&file.tokens, words);
            broken.extend(found.map(|index| file.at(file.tokens[index].line, words)));
        }
        for (index, line) in file.text.lines().enumerate() {
            let found = marks.iter().filter(|mark| line.contains(**mark));
            broken.extend(found.map(|mark| file.at(index + 1, mark)));
        }
    }
    hold(
        "Nothing is left for later: no test is switched off, nothing is half built. What is not \
         done yet is an issue, not a comment.",
        broken,
    );
}

#[test]
fn tests_do_not_sleep() {
    let mut broken = Vec::new();
    for file in files(&["tests"]) {
        for index in find(&file.tokens, "sleep (") {
            let inside = file.tokens[..index].iter().rposition(|token| token.text == "fn");
            let function = inside.map_or("", |at| file.tokens[at + 1].text.as_str());
            if function != "until" {
                broken.push(file.at(file.tokens[index].line, &format!("{function} sleeps")));
            }
        }
    }
    hold(
        "Tests do not sleep: too short is flaky, too long is slow. They wait for what they wait \
         for; a helper named `until` may poll.",
        broken,
    );
}
