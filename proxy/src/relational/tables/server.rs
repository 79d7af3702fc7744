//! Rows about the server and its sessions.

use cellgate_sql::{Row, Value};

use super::{State, text, yes};

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
    let row = |(grantee, privilege, grantable): &(String, String, bool)| {
        vec![text(grantee), text("def"), text(privilege), yes(*grantable)]
    };
    state.user_privileges.iter().map(row).collect()
}

pub(super) fn users(state: &State) -> Vec<Row> {
    state.users.iter().map(|(user, host)| vec![text(host), text(user)]).collect()
}
