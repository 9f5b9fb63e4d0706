//! Grants: make, update, void.

use super::super::view::priority;
use super::super::words::{Create, Kind, Micros, No, Reply, Status, Update, Void};
use super::{Fact, Naive, Why, agree};

impl Naive {
    pub(super) fn create(
        &mut self,
        create: &Create,
        by: &'static str,
        now: Micros,
    ) -> Result<Reply, No> {
        if let Some(fact) = self.keyed(create.key) {
            return match fact {
                Fact::Made { create: made, .. } if same_create(made, create) => {
                    Ok(Reply::Grant { view: self.view(made.grant, now)?, replayed: true })
                }
                _ => Err(No::RequestIdReused),
            };
        }
        let begins = create.effective.unwrap_or(now);
        if create.expires.is_some_and(|end| end <= now || end <= begins) {
            return Err(No::BadExpiry);
        }
        self.facts.push(Fact::Made { create: create.clone(), now, by });
        let why = Why::called(by, now);
        self.moved(create.grant, Kind::Granted, create.amount, 0, &why);
        Ok(Reply::Grant { view: self.view(create.grant, now)?, replayed: false })
    }

    pub(super) fn update(
        &mut self,
        update: &Update,
        by: &'static str,
        now: Micros,
    ) -> Result<Reply, No> {
        let old = self.view(update.grant, now)?;
        let priority = update.priority.map_or(old.priority, |new| priority(new, old.category));
        let expires = update.expires.unwrap_or(old.expires);
        let description = update.description.unwrap_or(&old.description).to_owned();
        let metadata = update.metadata.unwrap_or(&old.metadata).to_owned();
        let rules = priority != old.priority || expires != old.expires;
        let notes = description != old.description || metadata != old.metadata;
        if rules && matches!(old.status, Status::Voided | Status::Expired) {
            return Err(No::GrantNotActive);
        }
        let moves = expires != old.expires;
        if moves && expires.is_some_and(|end| end <= now || end <= old.effective) {
            return Err(No::BadExpiry);
        }
        if rules {
            let why = Why::called(by, now);
            let mut line = self.line(update.grant, Kind::Updated, 0, 0, &why);
            line.priority = (priority != old.priority).then_some((old.priority, priority));
            line.expires = moves.then_some((old.expires, expires));
            self.facts.push(Fact::Moved(line));
        }
        if notes {
            self.facts.push(Fact::Noted { grant: update.grant, description, metadata, now });
        }
        Ok(Reply::Grant { view: self.view(update.grant, now)?, replayed: false })
    }

    pub(super) fn void(&mut self, void: &Void, by: &'static str, now: Micros) -> Result<Reply, No> {
        let view = self.view(void.grant, now)?;
        match view.status {
            Status::Voided => return Ok(Reply::Grant { view, replayed: true }),
            Status::Exhausted | Status::Expired => return Err(No::GrantNotActive),
            Status::Pending | Status::Active => {}
        }
        let why = Why::called(by, now);
        let why = Why { reason: Some(void.reason), ..why };
        self.moved(void.grant, Kind::Voided, -(view.remaining - view.held), 0, &why);
        Ok(Reply::Grant { view: self.view(void.grant, now)?, replayed: false })
    }
}

fn same_create(a: &Create, b: &Create) -> bool {
    a.scope.tidy() == b.scope.tidy()
        && a.amount == b.amount
        && priority(a.priority, a.category) == priority(b.priority, b.category)
        && a.category == b.category
        && agree(a.effective, b.effective)
        && a.expires == b.expires
        && a.notes == b.notes
}
