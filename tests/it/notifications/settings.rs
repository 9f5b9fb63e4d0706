//! What is the same for all endpoints.

use chrono::TimeDelta;
use creditd::pb;
use prost_types::Duration;

use crate::harness::{Client, World, notify, say};

fn days(settings: &pb::NotificationSettings) -> Vec<i64> {
    settings.expiry_warnings.iter().map(|period| period.seconds / 86_400).collect()
}

fn lines(settings: &pb::NotificationSettings) -> Vec<String> {
    let line = |line: &pb::BalanceThreshold| {
        format!("{}{} {} {}", line.currency, line.metric, line.amount, line.recover_at)
    };
    settings.balance_thresholds.iter().map(line).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn at_first_there_are_two_warnings_and_no_threshold() {
    World::run_silent(async |world| {
        let settings = world.client.settings().await;
        assert_eq!((days(&settings), lines(&settings)), (vec![30, 3], vec![]));
        assert_eq!(settings.updated_at, None);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_mask_names_is_replaced() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        world.advance(TimeDelta::hours(1)).await;
        let asked = pb::UpdateNotificationSettingsRequest {
            balance_thresholds: vec![notify::line("tokens", "10")],
            ..notify::warnings(&[1, 400, 7])
        };
        let settings = client.update_settings(asked.clone()).await;
        assert_eq!((days(&settings), lines(&settings)), (vec![400, 7, 1], vec![]));
        assert_eq!(settings.updated_at, say::hour(1));
        assert_eq!(client.settings().await, settings);
        // The same again changes nothing, its instant neither.
        world.advance(TimeDelta::hours(1)).await;
        assert_eq!(client.update_settings(asked).await, settings);
        let line =
            pb::BalanceThreshold { recover_at: "20.5".to_owned(), ..notify::line("USD", "10") };
        let asked = notify::thresholds(&[line, notify::line("tokens", "0.000000000001")]);
        let settings = client.update_settings(asked).await;
        let thresholds = ["USD 10.00 20.50", "tokens 0.000000000001 0.000000000001"];
        assert_eq!((days(&settings), lines(&settings)), (vec![400, 7, 1], say::names(&thresholds)));
        assert_eq!(settings.updated_at, say::hour(2));
        // Named and empty: none.
        let settings = client.update_settings(notify::warnings(&[])).await;
        assert_eq!((days(&settings).len(), lines(&settings).len()), (0, 2));
        let settings = client.update_settings(notify::thresholds(&[])).await;
        assert_eq!(lines(&settings).len(), 0);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_mask_what_is_not_empty_is_replaced() {
    World::run_silent(async |world| {
        let client = world.client.clone();
        let unmasked = pb::UpdateNotificationSettingsRequest::default();
        let settings = client.update_settings(unmasked.clone()).await;
        assert_eq!((days(&settings), settings.updated_at), (vec![30, 3], None));
        let asked = pb::UpdateNotificationSettingsRequest {
            expiry_warnings: vec![Duration { seconds: 86_400, nanos: 0 }],
            update_mask: Some(prost_types::FieldMask::default()),
            ..unmasked.clone()
        };
        assert_eq!(days(&client.update_settings(asked).await), [1]);
        let asked = pb::UpdateNotificationSettingsRequest {
            balance_thresholds: vec![notify::line("tokens", "5")],
            ..unmasked
        };
        let settings = client.update_settings(asked).await;
        assert_eq!((days(&settings), lines(&settings)), (vec![1], vec!["tokens 5 5".to_owned()]));
    })
    .await;
}

/// Two servers change different parts at once; nothing is lost.
#[tokio::test(flavor = "multi_thread")]
async fn two_servers_change_what_is_theirs() {
    World::run_silent(async |world| {
        let other = world.another(&world.options).await;
        let set = async |client: &Client, asked| client.update_settings(asked).await;
        for round in 1..=10 {
            let amount = round.to_string();
            let (_, theirs) = (
                notify::line("tokens", &amount),
                notify::thresholds(&[notify::line("tokens", &amount)]),
            );
            let one = world.client.clone();
            let two = other.client();
            futures_util::future::join(set(&one, notify::warnings(&[round])), set(&two, theirs))
                .await;
            let settings = two.settings().await;
            let line = format!("tokens {round} {round}");
            assert_eq!((days(&settings), lines(&settings)), (vec![round], vec![line]));
        }
        other.stop().await;
    })
    .await;
}
