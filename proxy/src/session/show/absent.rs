//! SHOW of what there is none of here: empty, with the columns MySQL has.

use cellgate_sql::{Absent, ColumnMeta, Row};

use super::{columns, text};

/// What charsets a stored program was made under.
const PROGRAM: [&str; 3] = ["character_set_client", "collation_connection", "Database Collation"];

/// The columns; no rows.
pub(super) fn shown(absent: Absent) -> (Vec<ColumnMeta>, Vec<Row>) {
    let names: Vec<&str> = match absent {
        Absent::Triggers => {
            let own = ["Trigger", "Event", "Table", "Statement", "Timing", "Created", "sql_mode", "Definer"];
            own.into_iter().chain(PROGRAM).collect()
        }
        Absent::Events => {
            let schedule =
                ["Execute at", "Interval value", "Interval field", "Starts", "Ends", "Status", "#Originator"];
            ["Db", "Name", "Definer", "Time zone", "Type"].into_iter().chain(schedule).chain(PROGRAM).collect()
        }
        Absent::Routines => {
            let own = ["Db", "Name", "Type", "Definer", "Modified", "Created", "Security_type", "Comment"];
            own.into_iter().chain(PROGRAM).collect()
        }
        Absent::OpenTables => vec!["Database", "Table", "#In_use", "#Name_locked"],
        Absent::Plugins => vec!["Name", "Status", "Type", "Library", "License"],
        Absent::BinaryLogStatus => {
            vec!["File", "#Position", "Binlog_Do_DB", "Binlog_Ignore_DB", "Executed_Gtid_Set"]
        }
        Absent::SlaveStatus => SLAVE.to_vec(),
        Absent::ReplicaStatus => REPLICA.to_vec(),
        Absent::SlaveHosts => vec!["#Server_Id", "Host", "#Port", "#Master_Id", "Slave_UUID"],
        Absent::Replicas => vec!["#Server_Id", "Host", "#Port", "#Source_Id", "Replica_UUID"],
        Absent::Profiles => vec!["#Query_ID", "Duration", "Query"],
    };
    (columns(&names), Vec::new())
}

/// The columns that monitoring reads, under the old names.
const SLAVE: [&str; 10] = [
    "Slave_IO_State",
    "Master_Host",
    "Master_User",
    "#Master_Port",
    "#Connect_Retry",
    "Master_Log_File",
    "#Read_Master_Log_Pos",
    "Slave_IO_Running",
    "Slave_SQL_Running",
    "#Seconds_Behind_Master",
];

/// The same under the new names.
const REPLICA: [&str; 10] = [
    "Replica_IO_State",
    "Source_Host",
    "Source_User",
    "#Source_Port",
    "#Connect_Retry",
    "Source_Log_File",
    "#Read_Source_Log_Pos",
    "Replica_IO_Running",
    "Replica_SQL_Running",
    "#Seconds_Behind_Source",
];

/// SHOW PRIVILEGES.
pub(super) fn privileges() -> (Vec<ColumnMeta>, Vec<Row>) {
    let rows = [
        ("Select", "Tables", "To read rows"),
        ("Insert", "Tables", "To write cells"),
        ("Update", "Tables", "No statement needs it; kept for tools that grant it"),
        ("Delete", "Tables", "No statement needs it (DELETE needs ERASE); kept for tools that grant it"),
        ("Create", "Databases,Tables", "To create databases and tables"),
        ("Drop", "Databases,Tables", "To drop databases and tables"),
        ("Alter", "Tables", "To alter tables"),
        ("Index", "Tables", "No statement needs it; kept for tools that grant it"),
        ("Lock Tables", "Databases,Tables", "To lock tables that may only be read"),
        ("Erase", "Tables", "To erase cells for good"),
        ("Admin", "Server Admin", "To manage accounts, global variables and other sessions"),
    ];
    let row = |(name, context, comment): (&str, &str, &str)| vec![text(name), text(context), text(comment)];
    (columns(&["Privilege", "Context", "Comment"]), rows.into_iter().map(row).collect())
}
