//! Answers what templates ask of the warehouse, from what is typed already and from a look at the warehouse itself.
//! Nothing is written, and no statement of a template reaches the warehouse unless it only reads.

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard};

use crate::adapter::binder::Binder;
use crate::adapter::relation::{Column, Relation};
use crate::adapter::rows::Rows;
use crate::adapter::{AdapterError, Connection, SeedFile, SeedLoad};
use crate::check::Look;
use crate::sql;

/// What is known of relations, by `Relation::key`: their columns, or none for those that the project builds and that are not
/// typed (yet).
pub type Columns = Arc<Mutex<BTreeMap<String, Option<Vec<Column>>>>>;

pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().expect("nobody panics while holding the lock")
}

/// A connection that only looks.
pub struct Witness {
    pub binder: Box<dyn Binder>,
    pub columns: Columns,
    /// The warehouse, where it can be asked for columns and for what is there.
    pub warehouse: Way,
    /// Whether queries of templates may run in the warehouse.
    pub reads: bool,
    pub in_transaction: bool,
}

/// A connection to the warehouse that is made when it is first needed.
pub struct Way {
    to: Arc<Look>,
    connection: Option<Option<Box<dyn Connection>>>,
}

impl Way {
    pub fn new(to: Arc<Look>) -> Way {
        Way { to, connection: None }
    }

    /// The connection; none where there is no warehouse to look at.
    pub fn take(&mut self) -> Option<&mut Box<dyn Connection>> {
        let connect = || LazyLock::force(&self.to).as_ref().and_then(|warehouse| warehouse.connect().ok());
        self.connection.get_or_insert_with(connect).as_mut()
    }
}

impl Witness {
    fn refuse<T>() -> Result<T, AdapterError> {
        let message = "the answer is not known before the model is built".to_string();
        Err(AdapterError::Sql { message, at: None })
    }
}

/// Whether a query needs nothing but itself, so that it gives the same rows in every database.
pub fn reads_nothing(query: &str) -> bool {
    let lower = query.to_lowercase();
    let looks_around = ["read_", "duckdb_", "pragma", "glob(", "sniff", "current_", "_scan("];
    sql::shape(query).is_some_and(|shape| shape.relations.is_empty())
        && !looks_around.iter().any(|word| lower.contains(word))
}

impl Connection for Witness {
    fn execute(&mut self, _sql: &str) -> Result<u64, AdapterError> {
        Witness::refuse()
    }

    fn query(&mut self, query: &str) -> Result<Rows, AdapterError> {
        if reads_nothing(query) {
            return self.binder.query(query);
        }
        let reads = self.reads && sql::shape(query).is_some();
        match reads.then(|| self.warehouse.take()).flatten() {
            Some(warehouse) => warehouse.query(query),
            None => Witness::refuse(),
        }
    }

    fn begin(&mut self) -> Result<(), AdapterError> {
        self.in_transaction = true;
        Ok(())
    }

    fn commit(&mut self) -> Result<(), AdapterError> {
        self.in_transaction = false;
        Ok(())
    }

    fn rollback(&mut self) -> Result<(), AdapterError> {
        self.in_transaction = false;
        Ok(())
    }

    fn in_transaction(&self) -> bool {
        self.in_transaction
    }

    fn relations(&mut self) -> Result<Vec<Relation>, AdapterError> {
        self.warehouse.take().map_or(Ok(Vec::new()), |warehouse| warehouse.relations())
    }

    fn columns(&mut self, relation: &Relation) -> Result<Vec<Column>, AdapterError> {
        let known = lock(&self.columns).get(&relation.key()).cloned();
        match known {
            Some(Some(columns)) => Ok(columns),
            Some(None) => Witness::refuse(),
            None => self.warehouse.take().map_or_else(Witness::refuse, |warehouse| warehouse.columns(relation)),
        }
    }

    fn describe(&mut self, query: &str) -> Result<Vec<Column>, AdapterError> {
        let refused = |message| AdapterError::Sql { message, at: None };
        self.binder.columns(query).map_err(|refusal| refused(refusal.message))
    }

    fn load_seed(&mut self, _relation: &Relation, _seed: &SeedFile) -> Result<SeedLoad, AdapterError> {
        Witness::refuse()
    }

    fn statement_count(&mut self, _sql: &str) -> Result<usize, AdapterError> {
        Witness::refuse()
    }
}
