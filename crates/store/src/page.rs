//! Pages of a scope's rows in the order (created, id), oldest first.

use crate::{
    Error, Scope, Tx,
    value::{Param, Row, ToParam},
};
use vidimus_core::Timestamp;

/// The statements of a table: two, so that a participant's rows are found by their index.
pub(crate) struct Statements {
    pub(crate) of_one: &'static str,
    pub(crate) of_all: &'static str,
}

/// [`Statements`] of a table, by the macro that names its columns.
macro_rules! statements {
    ($columns:ident) => {
        $crate::page::Statements {
            of_one: $columns!("WHERE participant_id = $1 AND (created, id) > ($2, $3) ORDER BY created, id LIMIT $4"),
            of_all: $columns!("WHERE (created, id) > ($1, $2) ORDER BY created, id LIMIT $3"),
        }
    };
}
pub(crate) use statements;

/// The rows after a place in the order; without one, from the first on.
pub(crate) fn list<T>(
    tx: &mut Tx<'_>,
    scope: &Scope,
    statements: &Statements,
    after: Option<(Timestamp, impl ToParam)>,
    limit: u32,
    read: impl FnMut(Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    let (created, id) = match &after {
        Some((created, id)) => (*created, id.to_param()),
        None => (Timestamp(i64::MIN), Param::Bytes(&[])),
    };
    let (created, limit) = (created.to_param(), limit.to_param());
    match scope.participant() {
        Some(one) => tx.list(statements.of_one, &[one.to_param(), created, id, limit], read),
        None => tx.list(statements.of_all, &[created, id, limit], read),
    }
}
