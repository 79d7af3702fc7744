//! The closed sets of label values.

use cellgate_schemaless::ErrorKind;

/// A label whose values are known when the program is compiled.
pub trait Label: Copy + 'static {
    /// The label's name.
    const NAME: &'static str;
    /// How many values there are.
    const COUNT: usize;

    /// Every value, in the order of [`Label::index`].
    fn all() -> impl Iterator<Item = Self>;

    /// The value's place in [`Label::all`], below [`Label::COUNT`].
    fn index(self) -> usize;

    /// The value as it is exposed.
    fn label(self) -> &'static str;
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident($label:literal) { $($(#[$value_doc:meta])* $value:ident = $text:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$value_doc])* $value,)+
        }

        impl $name {
            const ALL: &'static [Self] = &[$(Self::$value,)+];
        }

        impl Label for $name {
            const NAME: &'static str = $label;
            const COUNT: usize = Self::ALL.len();

            fn all() -> impl Iterator<Item = Self> {
                Self::ALL.iter().copied()
            }

            #[inline]
            fn index(self) -> usize {
                self as usize
            }

            fn label(self) -> &'static str {
                match self {
                    $(Self::$value => $text,)+
                }
            }
        }
    };
}

label! {
    /// A command of the MySQL protocol.
    Command("command") {
        /// COM_QUERY.
        Query = "query",
        /// COM_STMT_PREPARE.
        Prepare = "prepare",
        /// COM_STMT_EXECUTE.
        Execute = "execute",
        /// COM_PING.
        Ping = "ping",
        /// COM_INIT_DB.
        InitDb = "init_db",
        /// COM_RESET_CONNECTION.
        Reset = "reset",
        /// COM_CHANGE_USER.
        ChangeUser = "change_user",
        /// COM_QUIT.
        Quit = "quit",
        /// COM_FIELD_LIST.
        FieldList = "field_list",
        /// COM_STATISTICS.
        Statistics = "statistics",
        /// Every other command, unknown ones too.
        Other = "other",
    }
}

label! {
    /// A document of the meta store that every proxy follows.
    MetaDocument("document") {
        /// The shard map.
        Topology = "topology",
        /// Databases and tables.
        Catalog = "catalog",
        /// The stored accounts.
        Users = "users",
        /// The count of erasures.
        Erasures = "erasures",
    }
}

label! {
    /// What a statement does.
    Shape("shape") {
        /// One cell by its full name.
        Get = "get",
        /// Several cells by their full names.
        GetMulti = "get_multi",
        /// The latest cell of one chain.
        Latest = "latest",
        /// The cells of given rows.
        Rows = "rows",
        /// The log of given shards.
        Partition = "partition",
        /// A read of every shard.
        Scatter = "scatter",
        /// The row shape: latest bodies of named columns.
        RowShape = "row_shape",
        /// A SELECT without a table.
        Constant = "constant",
        /// A write of cells.
        Insert = "insert",
        /// An erasure.
        Erase = "erase",
        /// A change of the catalog.
        Ddl = "ddl",
        /// SET.
        Set = "set",
        /// SHOW and DESCRIBE.
        Show = "show",
        /// USE.
        Use = "use",
        /// BEGIN, COMMIT, ROLLBACK and savepoints.
        Transaction = "transaction",
        /// EXPLAIN.
        Explain = "explain",
        /// Whatever is none of these: a command without a statement, or a statement that could not be read.
        Other = "other",
    }
}

label! {
    /// A stage of a statement's way through Cellgate.
    Stage("stage") {
        /// Reading the command's packets, from its first byte on.
        Read = "read",
        /// Statement text to a statement.
        Parse = "parse",
        /// A statement and its parameters to a request.
        Bind = "bind",
        /// A request to a plan.
        Route = "route",
        /// Running the plan on the clusters: of a read in pages, the waiting for all of them together.
        Store = "store",
        /// The clusters' answers to one.
        Merge = "merge",
        /// Writing the result to the client, without the waiting for further pages.
        Reply = "reply",
        /// All but the reading: from the whole of the command to the end of its reply, which may be still on its way.
        Total = "total",
    }
}

label! {
    /// A call to a cluster.
    Operation("operation") {
        /// Cells by name.
        Get = "get",
        /// Latest cells of chains.
        Latest = "latest",
        /// A page of the cells of rows.
        Rows = "rows",
        /// A page of the log.
        Log = "log",
        /// Writing cells.
        Put = "put",
        /// Erasing cells.
        Erase = "erase",
        /// Creating and dropping physical tables.
        Ddl = "ddl",
        /// A health check.
        Ping = "ping",
    }
}

label! {
    /// Which requests wait in a queue in front of a cluster, to share statements.
    Queue("queue") {
        /// For cells by name.
        Get = "get",
        /// For latest cells of chains.
        Latest = "latest",
        /// To write cells.
        Put = "put",
        /// To write cells whose bodies are large.
        LargePut = "large_put",
    }
}

label! {
    /// Why a connection was turned away before its login.
    Refusal("reason") {
        /// `limits.max_connections` was reached.
        TooMany = "max_connections",
        /// Nearly as many files are open as may be: the rest is for HTTP and for stores.
        Descriptors = "descriptors",
    }
}

label! {
    /// Why a login failed.
    LoginFailure("reason") {
        /// Unknown user or wrong password (clients are not told which, and neither is who reads the metrics).
        Denied = "denied",
        /// A user without a password, from another machine.
        Remote = "remote",
        /// The account is locked.
        Locked = "locked",
        /// The account needs TLS, and the connection had none.
        Unencrypted = "unencrypted",
        /// The account has as many connections as it may.
        Limit = "limit",
        /// What the client sent is not a login.
        Protocol = "protocol",
        /// `timeouts.handshake` ran out.
        Timeout = "timeout",
    }
}

label! {
    /// What the search for a write's token found, after its acknowledgement was lost.
    Settlement("outcome") {
        /// The write is there.
        Written = "written",
        /// The write is not there, and will not be.
        Absent = "absent",
        /// It could not be found out: the client is told "maybe written".
        Unknown = "unknown",
    }
}

impl Label for ErrorKind {
    const NAME: &'static str = "kind";
    const COUNT: usize = ErrorKind::ALL.len();

    fn all() -> impl Iterator<Item = Self> {
        ErrorKind::ALL.into_iter()
    }

    #[inline]
    fn index(self) -> usize {
        self as usize
    }

    fn label(self) -> &'static str {
        ErrorKind::label(self)
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// With OK or a result set.
    Ok,
    /// With an error of this class.
    Error(ErrorKind),
}

impl Label for Outcome {
    const NAME: &'static str = "outcome";
    const COUNT: usize = ErrorKind::COUNT + 1;

    fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::Ok).chain(<ErrorKind as Label>::all().map(Self::Error))
    }

    #[inline]
    fn index(self) -> usize {
        match self {
            Self::Ok => 0,
            Self::Error(kind) => 1 + kind.index(),
        }
    }

    fn label(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Error(kind) => kind.label(),
        }
    }
}
