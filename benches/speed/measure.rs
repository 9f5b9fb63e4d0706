//! What is measured on the server that everything but bulk has in common.

use std::time::Instant;

use crate::call::Call;
use crate::cpu::Watched;
use crate::events::{self, Events, Workload};
use crate::report::{self, Report, Section};
use crate::server::{Creditd, Postgres};
use crate::{
    IN_FLIGHT, Options, Part, Result, SHAPES, balance, copy, history, limit, naive, past, say,
    stream, summary, unary,
};

/// What measuring takes.
#[derive(Clone, Copy)]
pub struct Bench<'a> {
    pub options: &'a Options,
    pub postgres: &'a Postgres,
    pub creditd: &'a Creditd,
    pub begun: Instant,
}

impl Bench<'_> {
    pub async fn measure(self, report: &mut Report) -> Result<()> {
        let Self { options, postgres, creditd, .. } = self;
        self.say("customers and grants");
        naive::prepare(postgres, options.customers).await?;
        copy::prepare(postgres, limit::DATABASE).await?;
        report.grants_rate = unary::make_grants(creditd, options.customers, events::units).await?;
        if options.wants_any(&[Part::Stream, Part::Unary]) {
            for workload in options.workloads() {
                report.sections.push(self.usage(workload).await?);
            }
        }
        if options.wants(Part::Lone) {
            self.say("a lone call beside a bare commit");
            let events = Events::new(Workload::Spread(options.customers), options.ids);
            postgres.checkpoint().await?;
            report.lone = Some(unary::lone(creditd, postgres, options.seconds, events).await?);
        }
        if options.wants_any(&[Part::Balance, Part::Past, Part::Summary]) {
            self.histories(report).await?;
        }
        if options.wants(Part::Hold) {
            self.calls(Call::HoldAndSettle, report).await?;
        }
        if options.wants(Part::Apply) {
            self.say("grants of money");
            naive::add_money(postgres, options.customers).await?;
            unary::make_grants(creditd, options.customers, events::money).await?;
            self.calls(Call::ApplyCredits, report).await?;
        }
        Ok(())
    }

    /// One workload of usage events: the references right beside what is compared with them.
    async fn usage(self, workload: Workload) -> Result<Section> {
        let mut section = self.naive(Call::RecordUsage, workload).await?;
        if self.options.wants(Part::Stream) {
            self.streams(&mut section).await?;
        }
        if self.options.wants(Part::Unary) {
            for in_flight in IN_FLIGHT {
                self.unary(&mut section, in_flight).await?;
            }
        }
        Ok(section)
    }

    async fn streams(self, section: &mut Section) -> Result<()> {
        let (ids, seconds, workload) = (self.options.ids, self.options.seconds, section.workload);
        self.say(&format!("{}: limit", section.name()));
        section.limit = Some(limit::best(self.postgres, workload, ids, seconds).await?);
        for shape in SHAPES {
            self.say(&format!("{}: {}", section.name(), report::stream_name(shape)));
            self.postgres.checkpoint().await?;
            let events = || Events::new(workload, ids);
            let measured =
                stream::load(self.creditd, self.watched()?, seconds, shape, None, events).await?;
            section.streams.push((shape, measured));
        }
        Ok(())
    }

    /// Other calls, spread and on one customer, with as many in flight as the aims speak of.
    async fn calls(self, call: Call, report: &mut Report) -> Result<()> {
        let [.., in_flight] = IN_FLIGHT;
        for workload in self.options.workloads() {
            let mut section = self.naive(call, workload).await?;
            self.unary(&mut section, in_flight).await?;
            report.sections.push(section);
        }
        Ok(())
    }

    /// A section that begins with the naive way.
    async fn naive(self, call: Call, workload: Workload) -> Result<Section> {
        let mut section = Section::new(call, workload);
        self.say(&format!("{}: naive", section.name()));
        let (ids, seconds) = (self.options.ids, self.options.seconds);
        section.naive = Some(naive::best(self.postgres, call, workload, ids, seconds).await?);
        Ok(section)
    }

    async fn unary(self, section: &mut Section, in_flight: usize) -> Result<()> {
        let (call, workload) = (section.call, section.workload);
        self.say(&format!("{}: {}", section.name(), report::unary_name(call, in_flight)));
        self.postgres.checkpoint().await?;
        let (seconds, events) = (self.options.seconds, || Events::new(workload, self.options.ids));
        let (measured, latency) =
            unary::load(self.creditd, self.watched()?, seconds, call, in_flight, events).await?;
        section.unary.push((in_flight, measured, latency));
        Ok(())
    }

    /// What is asked of a long history.
    async fn histories(self, report: &mut Report) -> Result<()> {
        let Self { options, postgres, creditd, .. } = self;
        let seconds = options.seconds;
        self.say("a short and a long history");
        let history = history::make(creditd, options.entries, options.ids).await?;
        if options.wants(Part::Balance) {
            self.say("balances of both");
            report.flatness = Some(balance::flatness(creditd, seconds, &history).await?);
        }
        if options.wants(Part::Past) {
            self.say("balances of the past");
            report.past = Some(past::load(creditd, postgres, seconds, &history).await?);
        }
        if options.wants(Part::Summary) {
            self.say("usage added up");
            report.summary = Some(summary::load(creditd, postgres, seconds, &history).await?);
        }
        Ok(())
    }

    fn watched(self) -> Result<Watched> {
        Ok(Watched { server: Some(self.creditd.pid()), postgres: self.postgres.pid()? })
    }

    fn say(self, what: &str) {
        say(self.begun, what);
    }
}
