//! Turns the rows that a model reads and those that it has into what became of them, which the ledger writes down.
//!
//! How many rows of a table a query takes out can be told if it selects from that table alone. Of a query that joins, or
//! makes rows in another way, it is unknown: its rows are counted from those that it gives.

use serde_json::{Value as Json, json};

use crate::adapter::relation::{Relation, RelationKind};
use crate::compile::session::Sifted;
use crate::diagnostic::Diagnostic;
use crate::diagnostic::code::Code;
use crate::manifest::{Kind, Node, refable};
use crate::run::node::Worker;
use crate::sql::flow::{Fate, flow};

/// The rows of the one relation that a model reads, and what its query does to them.
#[derive(Debug, Clone)]
pub struct Read {
    pub rows: u64,
    pub fate: Fate,
    pub relation: Relation,
    /// Nothing but the query decides how many rows come through: the relation is a table, and no hook changes anything.
    pub is_certain: bool,
}

/// What became of the rows of a model.
#[derive(Debug, Clone, Default)]
pub struct Balance {
    read: Option<Read>,
    sifted: Sifted,
    /// What a model that adds rows had before.
    before: Option<u64>,
    after: Option<u64>,
}

impl Balance {
    /// `after` is what the model has; `before` what it had, if it adds to it.
    pub fn of(read: Option<Read>, sifted: Option<Sifted>, before: Option<u64>, after: Option<u64>) -> Balance {
        let given = after.unwrap_or(0).saturating_sub(before.unwrap_or(0));
        let sifted = sifted.unwrap_or(Sifted { rows_in: given, rows_out: given, ..Sifted::default() });
        let balance = Balance { read, sifted, before, after };
        match &balance.read {
            Some(read) if !read.is_certain && balance.is_wrong() => Balance { read: None, ..balance },
            _ => balance,
        }
    }

    /// Whether the query gives rows that it has not read, or leaves out some although it only chooses columns.
    fn is_wrong(&self) -> bool {
        self.after.is_some()
            && self.taken_out().is_some_and(|(fate, rows)| rows < 0 || (fate == Fate::Kept && rows > 0))
    }

    /// The rows that the query has taken out: less than none if it gives more than it reads.
    fn taken_out(&self) -> Option<(Fate, i128)> {
        let read = self.read.as_ref()?;
        let given = i128::from(self.sifted.rows_in) - i128::from(self.sifted.released);
        Some((read.fate, i128::from(read.rows) - given)).filter(|(fate, rows)| *fate != Fate::Merged || *rows >= 0)
    }

    /// What is wrong with the rows of a model, if they do not add up.
    pub fn problem(&self, node: &Node) -> Option<Diagnostic> {
        let Sifted { rows_in, rows_out, quarantined, dropped, .. } = self.sifted;
        let place = refable::place(node);
        if rows_in != rows_out + quarantined + dropped {
            let message = format!(
                "`{}` was given {rows_in} rows, and has {rows_out}, with {quarantined} in quarantine and {dropped} dropped",
                node.name
            );
            return Some(Diagnostic::error(Code::UnbalancedRows, place, message));
        }
        let read = self.read.as_ref().filter(|_| self.is_wrong())?;
        let message = format!(
            "`{}` reads {} rows of {}, and its query gives {rows_in}",
            node.name,
            read.rows,
            read.relation.render()
        );
        Some(Diagnostic::error(Code::UnbalancedRows, place, message))
    }

    /// The rows that the query gives, which tests speak of.
    pub fn given(&self) -> Option<u64> {
        self.after.map(|_| self.sifted.rows_in)
    }

    /// The counts of a row of the ledger. Nothing is known of the rows of a view that were not counted.
    pub fn counts(&self) -> Json {
        let Some(after) = self.after else { return json!({}) };
        let Sifted { rows_in, rows_out, quarantined, dropped, released, .. } = self.sifted;
        // What did not make the table longer has come in the place of other rows.
        let replaced = self.before.map_or(0, |before| rows_out.saturating_sub(after.saturating_sub(before)));
        let deleted = if self.before.is_none() { rows_out.saturating_sub(after) } else { 0 };
        let taken_out = self.taken_out().and_then(|(fate, rows)| Some((fate, u64::try_from(rows).ok()?)));
        let by = |wanted: Fate| taken_out.map(|(fate, rows)| if fate == wanted { rows } else { 0 });
        json!({
            "rows_in": self.read.as_ref().filter(|_| taken_out.is_some()).map_or(rows_in, |read| read.rows + released),
            "rows_out": rows_out - replaced - deleted,
            "rows_quarantined": quarantined, "rows_dropped": dropped, "rows_deleted": deleted,
            "rows_filtered": by(Fate::Filtered), "rows_deduplicated": by(Fate::Deduplicated).unwrap_or(0),
            "rows_merged": by(Fate::Merged).unwrap_or(0) + replaced,
        })
    }
}

impl Worker {
    /// The rows that the query of a model reads; none if they are not to be told, or not without running other queries.
    pub fn rows_read(&self, node: &Node, sql: &str) -> Option<Read> {
        let (relation, fate) = self.only_parent(node, sql)?;
        let has_hooks = ["pre-hook", "post-hook"]
            .iter()
            .any(|key| node.config.get(key).and_then(Json::as_array).is_some_and(|hooks| !hooks.is_empty()));
        let is_certain = relation.kind == Some(RelationKind::Table) && !has_hooks;
        Some(Read { rows: self.count(&relation)?, fate, relation, is_certain })
    }

    /// The one relation that a query selects from, besides the model's own.
    fn only_relation(&self, node: &Node, sql: &str) -> Option<(Relation, Fate)> {
        let flow = flow(sql)?;
        let fate = flow.fate()?;
        let own = node.relation.key();
        let mut others =
            flow.relations.iter().map(|parts| named(parts, &node.relation)).filter(|other| other.key() != own);
        let (Some(relation), None) = (others.next(), others.next()) else { return None };
        Some((relation, fate))
    }

    /// The same, if it is a parent of the model whose rows can be counted for little.
    pub fn only_parent(&self, node: &Node, sql: &str) -> Option<(Relation, Fate)> {
        let (relation, fate) = self.only_relation(node, sql)?;
        let manifest = &self.session.manifest;
        let is_parent = |id: &String| {
            let node = manifest.node(id).map(|node| &node.relation);
            let parent = node.or_else(|| manifest.sources.get(id).map(|source| &source.relation));
            parent.is_some_and(|parent| parent.key() == relation.key())
        };
        // An ephemeral model in between is a part of the query.
        let parents = node.depends_on.iter().filter_map(|id| manifest.node(id)).filter(|parent| parent.is_ephemeral());
        let known = node.depends_on.iter().chain(parents.flat_map(|parent| &parent.depends_on)).any(is_parent);
        let kind = self.kind_of(&relation).filter(|_| known)?;
        let is_cheap = match kind {
            RelationKind::View => self.is_cheap_view(&relation),
            kind => kind == RelationKind::Table,
        };
        is_cheap.then(|| (relation.with_kind(kind), fate))
    }

    fn kind_of(&self, relation: &Relation) -> Option<RelationKind> {
        self.session.existing.find(&self.warehouse, relation).ok()??.kind
    }

    /// The same as a materialization reads it, which counts rows itself: `read_from`. Of a table that the query names by
    /// hand, it tells no more than what becomes of the rows.
    pub fn read_from(&self, node: &Node, sql: &str) -> Json {
        if let Some((Relation { database, schema, identifier, kind, .. }, fate)) = self.only_parent(node, sql) {
            let is_certain = kind == Some(RelationKind::Table);
            return json!({"database": database, "schema": schema, "identifier": identifier, "fate": fate.name(), "is_certain": is_certain});
        }
        let named = self.only_relation(node, sql);
        match named.filter(|(relation, _)| self.kind_of(relation) == Some(RelationKind::Table)) {
            Some((_, fate)) => json!({"fate": fate.name()}),
            None => Json::Null,
        }
    }

    /// Whether a view is a model that does no more than choose rows and columns of a relation that is cheap itself.
    fn is_cheap_view(&self, relation: &Relation) -> bool {
        let key = relation.key();
        let is_model = |node: &&Node| matches!(node.kind, Kind::Model) && node.relation.key() == key;
        let Some(model) = self.session.manifest.nodes.values().map(Box::as_ref).find(is_model) else { return false };
        let Ok(compiled) = self.compile(model, None) else { return false };
        let parent = self.only_parent(model, &compiled.sql);
        parent.is_some_and(|(_, fate)| matches!(fate, Fate::Kept | Fate::Filtered))
    }

    pub fn count(&self, relation: &Relation) -> Option<u64> {
        let sql = format!("select count(*) from {}", relation.render());
        let rows = self.warehouse.with(|connection| connection.query(&sql)).ok()?;
        u64::try_from(rows.rows.first()?.first()?.as_int()?).ok()
    }
}

/// A relation by the parts of its name that a query writes; what it leaves out is as with the model.
fn named(parts: &[String], own: &Relation) -> Relation {
    let part = |from_end: usize| parts.len().checked_sub(from_end).map(|at| parts[at].as_str());
    let or = |written: Option<&str>, own: &Option<String>| written.or(own.as_deref()).unwrap_or_default().to_string();
    let (database, schema) = (or(part(3), &own.database), or(part(2), &own.schema));
    Relation::new(&database, &schema, part(1).unwrap_or_default())
}
