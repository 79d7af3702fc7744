//! Rows about the server and its sessions.

use cellgate_sql::{Row, Value};

use super::{State, text, yes};
use crate::access::{SchemaPrivilege, TablePrivilege, UserPrivilege};

pub(super) fn processes(state: &State) -> Vec<Row> {
    state.processes.clone()
}

pub(super) fn status(state: &State) -> Vec<Row> {
    state.status.iter().map(|(name, value)| vec![text(name), text(value)]).collect()
}

pub(super) fn variables(variables: &[(String, Value)]) -> Vec<Row> {
    variables.iter().map(|(name, value)| vec![text(name), value.clone()]).collect()
}

pub(super) fn user_privileges(state: &State) -> Vec<Row> {
    let row = |p: &UserPrivilege| vec![text(&p.grantee), text("def"), text(p.privilege), yes(p.is_grantable)];
    state.user_privileges.iter().map(row).collect()
}

pub(super) fn schema_privileges(state: &State) -> Vec<Row> {
    let row = |p: &SchemaPrivilege| {
        vec![text(&p.grantee), text("def"), text(&p.database), text(p.privilege), yes(p.is_grantable)]
    };
    state.schema_privileges.iter().map(row).collect()
}

pub(super) fn table_privileges(state: &State) -> Vec<Row> {
    let row = |p: &TablePrivilege| {
        vec![text(&p.grantee), text("def"), text(&p.database), text(&p.table), text(p.privilege), yes(p.is_grantable)]
    };
    state.table_privileges.iter().map(row).collect()
}

pub(super) fn users(state: &State) -> Vec<Row> {
    state.users.iter().map(|u| vec![text(u.name.host.as_str()), text(&u.name.user)]).collect()
}
