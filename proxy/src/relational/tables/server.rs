//! Rows about the server and its sessions.

use cellgate_sql::{Privilege, Row, Value};

use super::{State, text, yes};
use crate::access::{SchemaPrivilege, TablePrivilege, UserPrivilege, UserRow};

pub(super) fn processes(state: &State) -> Vec<Row> {
    state.processes.clone()
}

pub(super) fn status(status: &[(String, String)]) -> Vec<Row> {
    status.iter().map(|(name, value)| vec![text(name), text(value)]).collect()
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
    let flag = |yes: bool| text(if yes { "Y" } else { "N" });
    let row = |user: &UserRow| {
        let may = |privilege| flag(user.global.has(privilege));
        let mut row = vec![text(user.name.host.as_str()), text(&user.name.user)];
        // MySQL's privileges of the last two columns are one here.
        row.extend(
            [
                Privilege::Select,
                Privilege::Insert,
                Privilege::Update,
                Privilege::Delete,
                Privilege::Create,
                Privilege::Drop,
                Privilege::GrantOption,
                Privilege::Index,
                Privilege::Alter,
                Privilege::Admin,
                Privilege::Admin,
            ]
            .map(may),
        );
        row.extend([
            text(if user.requires_tls { "ANY" } else { "" }),
            Value::Int(user.max_connections.into()),
            text(user.plugin),
            // Hashes of passwords are shown to nobody.
            Value::Null,
            flag(false),
            flag(user.locked),
        ]);
        row
    };
    state.users.iter().map(row).collect()
}
