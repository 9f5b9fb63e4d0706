//! Parts that have databases of their own. Their books are audited, too.

use std::time::Instant;

use crate::cpu::Watched;
use crate::import::{self, Import};
use crate::report::Report;
use crate::server::{self, Creditd, Postgres, connect};
use crate::{Options, Part, Result, copy, deliver, export, outbox, say, sweep};

/// What measuring takes.
#[derive(Clone, Copy)]
pub struct Apart<'a> {
    pub options: &'a Options,
    pub postgres: &'a Postgres,
    pub begun: Instant,
}

impl Apart<'_> {
    pub async fn measure(self, report: &mut Report) -> Result<()> {
        let Self { options, postgres, .. } = self;
        if options.wants_any(&[Part::Import, Part::Export]) {
            let url = postgres.create(import::DATABASE).await?;
            self.bulk(report, &url).await?;
            self.audit(report, &url).await?;
        }
        if options.wants(Part::Sweep) {
            self.say("sweep: grants");
            let url = copy::prepare(postgres, sweep::DATABASE).await?;
            report.sweep = Some(sweep::load(&self, &url).await?);
            self.audit(report, &url).await?;
        }
        if options.wants(Part::Outbox) {
            self.say("notifications: customers and grants");
            let url = postgres.create(outbox::DATABASE).await?;
            let creditd = self.serve(&url, &["--no-webhooks"]).await?;
            report.outbox = Some(creditd.explain(outbox::load(&self, &creditd).await)?);
            creditd.stop().await?;
            self.audit(report, &url).await?;
        }
        if options.wants(Part::Deliver) {
            self.say("webhooks");
            let url = postgres.create(deliver::DATABASE).await?;
            let creditd = self.serve(&url, &deliver::FLAGS).await?;
            report.deliver = Some(creditd.explain(deliver::load(&self, &creditd).await)?);
            creditd.stop().await?;
            self.audit(report, &url).await?;
        }
        Ok(())
    }

    /// Import and export.
    async fn bulk(self, report: &mut Report, url: &str) -> Result<()> {
        let Self { options, postgres, .. } = self;
        let creditd = self.serve(url, &[]).await?;
        self.say("import");
        let imported = creditd.explain(import::load(&creditd, postgres, options.rows).await)?;
        // Whoever reads rows first after they were written has to note in each that it counts.
        connect(&postgres.config(import::DATABASE)).await?.batch_execute("vacuum analyze").await?;
        if options.wants(Part::Import) {
            self.say("import: limit");
            let limit = import::limit(postgres, &imported).await?;
            report.import = Some(Import { imported, limit });
        }
        if options.wants(Part::Export) {
            self.say("export, each beside its COPY");
            postgres.checkpoint().await?;
            report.exports = creditd.explain(export::load(&creditd, postgres).await)?;
        }
        creditd.stop().await?;
        Ok(())
    }

    async fn audit(self, report: &mut Report, url: &str) -> Result<()> {
        self.say("its audit");
        let audit = server::audit(url).await?;
        report.audit = report.audit.zip(audit).map(|(before, now)| before && now);
        Ok(())
    }

    /// A server with these flags, and those to try out.
    pub async fn serve(self, url: &str, flags: &[&str]) -> Result<Creditd> {
        let flags = flags.iter().map(|flag| (*flag).to_owned());
        Creditd::start(url, &flags.chain(self.options.serve.clone()).collect::<Vec<_>>()).await
    }

    pub fn watched(self, creditd: &Creditd) -> Result<Watched> {
        Ok(Watched { server: Some(creditd.pid()), postgres: self.postgres.pid()? })
    }

    pub fn say(self, what: &str) {
        say(self.begun, what);
    }
}
