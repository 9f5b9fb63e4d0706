//! The hub without a database: what is shown to whom.

use std::sync::Arc;

use futures_util::FutureExt as _;

use super::mailbox::Mailbox;
use super::roster::Roster;
use super::{Counts, Ending, Limits, Shown};
use crate::domain::balance::Balance;
use crate::domain::ids::Customer;
use crate::domain::time::Timestamp;

fn roster() -> Roster {
    Roster::new(Limits { watchers: 10, watched_customers: 100 })
}

fn customer(name: &str) -> Customer {
    Customer::parse(name).expect("an id")
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_timestamp(second, 0).expect("an instant")
}

fn shown(name: &str, revision: i64, second: i64) -> Shown {
    let balance = Balance {
        revision,
        as_of: at(second),
        totals: Vec::new(),
        grants: Vec::new(),
        upcoming_expirations: Vec::new(),
    };
    Shown { customer: customer(name), balance }
}

/// What can be read of a mailbox now: names, revisions and seconds.
fn read(mailbox: &Mailbox) -> Vec<(String, i64, i64)> {
    let mut read = Vec::new();
    while let Some(next) = mailbox.next().now_or_never() {
        let shown = next.expect("no end");
        let (revision, as_of) = shown.balance.version();
        read.push((shown.customer.external_id.to_string(), revision, as_of.timestamp()));
    }
    read
}

fn is(name: &str, revision: i64, second: i64) -> Vec<(String, i64, i64)> {
    vec![(name.to_owned(), revision, second)]
}

#[test]
fn a_reading_that_had_begun_is_not_the_first_state() {
    let mut roster = roster();
    let early = roster.enter(vec![customer("acme")]).expect("room");
    let pass = roster.begin_pass(10).expect("a pass").number;
    let late = roster.enter(vec![customer("acme")]).expect("room");
    roster.publish(pass, shown("acme", 1, 1), None);
    assert_eq!((read(&early), read(&late)), (is("acme", 1, 1), vec![]));
    let pass = roster.begin_pass(10).expect("a pass").number;
    // Nothing has changed: news to the late one alone.
    roster.publish(pass, shown("acme", 1, 2), None);
    assert_eq!((read(&early), read(&late)), (vec![], is("acme", 1, 2)));
    assert!(roster.begin_pass(10).is_none());
}

#[test]
fn nothing_is_read_before_every_first_state_is_there() {
    let mut roster = roster();
    let mailbox = roster.enter(vec![customer("a"), customer("b")]).expect("room");
    let pass = roster.begin_pass(10).expect("a pass").number;
    roster.publish(pass, shown("a", 1, 1), None);
    assert_eq!(mailbox.filled().now_or_never(), None);
    roster.publish(pass, shown("a", 2, 1), None);
    roster.publish(pass, shown("b", 7, 1), None);
    assert_eq!(mailbox.filled().now_or_never(), Some(Ok(())));
    let mut states = read(&mailbox);
    states.sort();
    assert_eq!(states, [is("a", 2, 1), is("b", 7, 1)].concat());
}

#[test]
fn a_clock_that_steps_back_shows_nobody_the_past() {
    let mut roster = roster();
    let early = roster.enter(vec![customer("acme")]).expect("room");
    let pass = roster.begin_pass(10).expect("a pass").number;
    roster.publish(pass, shown("acme", 1, 9), None);
    assert_eq!(read(&early), is("acme", 1, 9));
    let late = roster.enter(vec![customer("acme")]).expect("room");
    let pass = roster.begin_pass(10).expect("a pass").number;
    roster.publish(pass, shown("acme", 1, 5), None);
    assert_eq!((read(&early), read(&late)), (vec![], is("acme", 1, 9)));
    roster.publish(pass, shown("acme", 2, 6), None);
    assert_eq!((read(&early), read(&late)), (is("acme", 2, 6), is("acme", 2, 6)));
}

#[test]
fn who_was_shown_what_is_lost_begins_anew() {
    let mut roster = roster();
    let early = roster.enter(vec![customer("acme")]).expect("room");
    let pass = roster.begin_pass(10).expect("a pass").number;
    roster.publish(pass, shown("acme", 5, 1), None);
    assert_eq!(read(&early), is("acme", 5, 1));
    let late = roster.enter(vec![customer("acme")]).expect("room");
    let pass = roster.begin_pass(10).expect("a pass").number;
    roster.publish(pass, shown("acme", 4, 2), None);
    assert!(matches!(early.next().now_or_never(), Some(Err(Ending::Lost))));
    assert_eq!(read(&late), is("acme", 4, 2));
}

#[test]
fn a_customer_that_changes_all_the_time_holds_nobody_back() {
    let mailbox = Mailbox::new(1, 0);
    for name in ["a", "b", "c"] {
        mailbox.put(&Arc::new(shown(name, 1, 1)));
    }
    let mut names = Vec::new();
    for revision in 2..5 {
        let next = mailbox.next().now_or_never().expect("news").expect("no end");
        names.push(next.customer.external_id.to_string());
        for busy in &names {
            mailbox.put(&Arc::new(shown(busy, revision, 1)));
        }
    }
    names.sort();
    assert_eq!(names, ["a", "b", "c"]);
    // However much was put: one of each.
    assert_eq!(read(&mailbox).len(), 3);
}

#[test]
fn who_waits_longest_is_read_first_and_once() {
    let mut roster = roster();
    let names = ["a", "b", "c", "d"];
    let _mailbox = roster.enter(names.map(customer).into()).expect("room");
    let mut order = Vec::new();
    for _ in 0..4 {
        let pass = roster.begin_pass(2).expect("a pass");
        let read: Vec<_> = pass.customers.iter().map(|of| of.external_id.to_string()).collect();
        for customer in &pass.customers {
            // It changes again at once, and again.
            roster.changed(customer.key..=customer.key);
            roster.changed(customer.key..=customer.key);
        }
        order.push(read.concat());
    }
    assert_eq!(order, ["ab", "cd", "ab", "cd"]);
}

#[test]
fn time_turns_whom_it_changes() {
    let mut roster = roster();
    let _mailbox = roster.enter(vec![customer("a"), customer("b")]).expect("room");
    let pass = roster.begin_pass(10).expect("a pass").number;
    roster.publish(pass, shown("a", 1, 1), Some(at(10)));
    roster.publish(pass, shown("b", 1, 1), Some(at(20)));
    roster.publish(pass, shown("a", 2, 1), Some(at(15)));
    assert_eq!(roster.next_turn(), Some(at(15)));
    roster.turned(at(14));
    assert!(roster.begin_pass(10).is_none());
    roster.turned(at(19));
    let turned = roster.begin_pass(10).expect("a pass").customers;
    assert_eq!(turned, [customer("a")]);
    assert_eq!(roster.next_turn(), Some(at(20)));
}

#[test]
fn who_leaves_leaves_nothing_behind() {
    let mut roster = roster();
    let names = ["a", "b"];
    let mailboxes = [(); 3].map(|()| roster.enter(names.map(customer).into()).expect("room"));
    let pass = roster.begin_pass(1).expect("a pass");
    let key = pass.customers[0].key;
    roster.publish(pass.number, shown(&pass.customers[0].external_id, 1, 1), Some(at(10)));
    roster.book(key);
    let keys = names.map(|name| customer(name).key);
    for (index, mailbox) in mailboxes.iter().enumerate() {
        assert_eq!(roster.counts().customers, 2);
        roster.leave(mailbox, &keys);
        assert_eq!(roster.counts().watchers, 2 - index);
    }
    assert_eq!(roster.counts(), Counts::default());
    assert!(!roster.has_stale() && !roster.has_unbooked());
    assert_eq!(roster.next_turn(), None);
    // What was being read meanwhile is of no interest any more.
    roster.publish(pass.number, shown("a", 2, 2), Some(at(10)));
    roster.book(key);
    assert!(!roster.has_unbooked());
    assert_eq!(roster.next_turn(), None);
}
