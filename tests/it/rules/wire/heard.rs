//! What endpoints are told: their deliveries, read strictly as what the contract says they are.

use std::sync::LazyLock;

use chrono::TimeDelta;
use creditd::pb;
use prost_reflect::{DescriptorPool, DynamicMessage};
use prost_types::FieldMask;

use super::super::convert::{CURRENCIES, METRICS};
use super::super::words::{
    About, Micros, News, ONE, Purse, Threshold, Tiding, View, Wishes, wants,
};
use super::Wire;
use super::told::{self, Told};
use crate::harness::{Client, World, notify, say};

/// As many as histories ever wish for.
const ENDPOINTS: usize = 3;

/// The endpoints of a world, and the way to their deliveries.
pub(super) struct Ears {
    client: Client,
    sql: tokio_postgres::Client,
    endpoints: Vec<String>,
}

impl Ears {
    pub(super) async fn of(world: &World) -> Self {
        let client = world.client.clone();
        let mut endpoints = Vec::new();
        for _ in 0..ENDPOINTS {
            let everything = notify::endpoint("https://example.com/hook");
            endpoints.push(client.create_endpoint(everything).await.0.id);
        }
        Self { client, sql: world.database.connect().await, endpoints }
    }

    pub(super) async fn wish(&self, wishes: &Wishes) {
        for (number, endpoint_id) in self.endpoints.iter().enumerate() {
            let types = wishes.endpoints.get(number);
            let names = types.iter().copied().flatten().flatten().map(|tiding| tiding.name());
            let request = pb::UpdateWebhookEndpointRequest {
                event_types: names.map(str::to_owned).collect(),
                disabled: types.is_none(),
                ..notify::update(endpoint_id, &["event_types", "disabled"])
            };
            self.client.update_endpoint(request).await;
        }
        let period = |micros: &Micros| say::duration(TimeDelta::microseconds(*micros));
        let request = pb::UpdateNotificationSettingsRequest {
            expiry_warnings: wishes.periods.iter().filter_map(period).collect(),
            update_mask: Some(FieldMask { paths: say::names(&["expiry_warnings"]) }),
            ..Default::default()
        };
        self.client.update_settings(request).await;
        let lines: Vec<_> = wishes.thresholds.iter().map(threshold_sent).collect();
        self.client.update_settings(notify::thresholds(&lines)).await;
    }

    /// What a customer's endpoints have been told, each in the order in which it was written.
    async fn heard(&self, customer: &str) -> Vec<Vec<pb::Notification>> {
        let query = "SELECT endpoint_id::text, 'msg_' || notification_id, event_type, payload \
                     FROM deliveries WHERE customer_id = \
                     (SELECT id FROM customers WHERE external_id = $1) ORDER BY id";
        let rows = self.sql.query(query, &[&customer]).await.expect("deliveries");
        let mut heard = vec![Vec::new(); self.endpoints.len()];
        for row in rows {
            let [endpoint, id, kind, payload]: [String; 4] =
                [row.get(0), row.get(1), row.get(2), row.get(3)];
            let told = notification(&payload);
            assert_eq!((&told.id, &told.r#type), (&id, &kind));
            let place = self.endpoints.iter().position(|known| *known == endpoint);
            heard[place.expect("an endpoint of the test")].push(told);
        }
        heard
    }
}

fn threshold_sent(threshold: &Threshold) -> pb::BalanceThreshold {
    let whole = |amount: i128| (amount / ONE).to_string();
    let (Purse::Money(of) | Purse::Metric(of)) = threshold.of;
    let recover_at = whole(threshold.recover_at);
    pb::BalanceThreshold { recover_at, ..notify::line(of, &whole(threshold.amount)) }
}

static CONTRACT: LazyLock<DescriptorPool> =
    LazyLock::new(|| DescriptorPool::decode(pb::FILE_DESCRIPTOR_SET).expect("the contract"));

/// A body, as the message of the contract: nothing in it may be unknown there.
pub(crate) fn notification(payload: &str) -> pb::Notification {
    let kind = CONTRACT.get_message_by_name("credits.v1.Notification").expect("the message");
    let mut json = serde_json::Deserializer::from_str(payload);
    let message = DynamicMessage::deserialize(kind, &mut json);
    let message = message.unwrap_or_else(|error| panic!("{error}: {payload}"));
    json.end().expect("nothing behind it");
    message.transcode_to().expect("the message")
}

impl Told<'_> {
    fn news(self, told: &pb::Notification) -> News {
        let data = told.data.as_ref().expect("data");
        let balance = data.balance.as_ref().expect("a balance");
        assert_eq!((&data.customer_id, data.sequence), (&balance.customer_id, balance.revision));
        assert_eq!(told.timestamp, balance.as_of);
        assert!(balance.grants.is_empty() && balance.upcoming_expirations.is_empty());
        let named = Tiding::ALL.into_iter().find(|tiding| tiding.name() == told.r#type);
        let tiding = named.expect("a type");
        let grant = || self.view(data.grant.as_ref().expect("a grant"));
        let crossed = || {
            let sent = data.threshold.as_ref().expect("a threshold");
            (Self::threshold(sent), told::amount(&data.threshold_remaining, &sent.currency))
        };
        let about = match tiding {
            Tiding::HoldExpired => {
                About::HoldExpired(self.hold(data.hold.as_ref().expect("a hold")))
            }
            Tiding::Low => About::Low(crossed().0, crossed().1),
            Tiding::Recovered => About::Recovered(crossed().0, crossed().1),
            Tiding::Expiring => {
                let period = data.expiry_warning.as_ref().expect("a period");
                About::Expiring(period.seconds * 1_000_000, grant())
            }
            tiding => About::Grant(tiding, grant()),
        };
        let given = [
            data.grant.is_some() == matches!(about, About::Grant(..) | About::Expiring(..)),
            data.hold.is_some() == (tiding == Tiding::HoldExpired),
            data.expiry_warning.is_some() == (tiding == Tiding::Expiring),
            data.threshold.is_some() == matches!(about, About::Low(..) | About::Recovered(..)),
        ];
        assert_eq!(given, [true; 4], "what does not belong to {}", told.r#type);
        let balance = self.balance(balance);
        News { at: balance.as_of, sequence: data.sequence, about, totals: balance.totals }
    }

    fn threshold(sent: &pb::BalanceThreshold) -> Threshold {
        let amount = |printed: &str| told::amount(printed, &sent.currency);
        let of = match (sent.currency.as_str(), sent.metric.as_str()) {
            ("", metric) => Purse::Metric(told::one_of(&METRICS, metric)),
            (currency, _) => Purse::Money(told::one_of(&CURRENCIES, currency)),
        };
        Threshold { of, amount: amount(&sent.amount), recover_at: amount(&sent.recover_at) }
    }
}

fn on_the_wire(news: &News) -> News {
    let view = |view: &View| told::view_on_the_wire(view.clone());
    let about = match &news.about {
        About::Grant(tiding, of) => About::Grant(*tiding, view(of)),
        About::Expiring(period, of) => About::Expiring(*period, view(of)),
        About::HoldExpired(hold) => About::HoldExpired(told::hold_on_the_wire(hold.clone())),
        other => other.clone(),
    };
    News { about, ..news.clone() }
}

impl Wire {
    /// Every endpoint has heard what the model told of what it is subscribed to, all of it or as far
    /// as somebody came by. Gives the last of what it had not heard before.
    pub(super) async fn hear(
        &mut self,
        ears: &Ears,
        wishes: &Wishes,
        whole: bool,
        place: &str,
    ) -> Option<pb::Notification> {
        let all = ears.heard(&self.customer).await;
        let told = self.told();
        for (number, heard) in all.iter().enumerate() {
            let types = wishes.endpoints.get(number);
            let wanted =
                |news: &&News| types.is_some_and(|types| wants(types.as_deref(), news.tiding()));
            let expected: Vec<News> = self.naive.news().filter(wanted).map(on_the_wire).collect();
            let heard: Vec<News> = heard.iter().map(|heard| told.news(heard)).collect();
            let known = if whole { expected.len() } else { heard.len().min(expected.len()) };
            assert_eq!(heard, expected[..known], "{place}: endpoint {number}");
        }
        let known = std::mem::replace(&mut self.heard, all.iter().map(Vec::len).sum());
        let when = |told: &pb::Notification| say::instant(told.timestamp.as_ref());
        let last = all.into_iter().filter_map(|mut heard| heard.pop()).max_by_key(when);
        last.filter(|_| self.heard > known)
    }

    /// The last that was told, read by itself: where nothing happened since, it is so.
    pub(super) async fn stands(&self, last: &pb::Notification, place: &str) {
        let data = last.data.as_ref().expect("data");
        let told = data.balance.as_ref().expect("a balance");
        let now = self.client.balance(&self.customer).await;
        if (now.revision, now.as_of) != (told.revision, told.as_of) {
            return;
        }
        assert_eq!(told.totals, now.totals, "{place}: the balance");
        if let Some(grant) = &data.grant {
            let read = self.client.fetch(&grant.id).await;
            assert_eq!(*grant, read, "{place}: the grant");
        }
    }
}
