//! The functions of the dialect that depend on nothing but their arguments: their names, and how many arguments they take.
//! What they do is in `call`.

impl Function {
    /// Whether it reads its arguments as text.
    pub fn reads_text(self) -> bool {
        match self {
            Self::CharLength
            | Self::Concat
            | Self::ConcatWs
            | Self::Hex
            | Self::Instr
            | Self::Interval
            | Self::JsonQuote
            | Self::JsonUnquote
            | Self::Left
            | Self::Length
            | Self::Locate
            | Self::Lower
            | Self::LTrim
            | Self::Quote
            | Self::Replace
            | Self::Right
            | Self::RTrim
            | Self::ShardOf
            | Self::Substring
            | Self::SubstringIndex
            | Self::Trim
            | Self::Unhex
            | Self::Upper => true,
            Self::Abs
            | Self::AsBoolean
            | Self::AsKey
            | Self::AsDecimal
            | Self::AsNumber
            | Self::AsTime
            | Self::Ceiling
            | Self::ClockNumber
            | Self::Coalesce
            | Self::ConvertTz
            | Self::Extract
            | Self::Floor
            | Self::FromUnixTime
            | Self::Greatest
            | Self::If
            | Self::IfNull
            | Self::IsNull
            | Self::JsonArray
            | Self::JsonContains
            | Self::JsonContainsPath
            | Self::JsonExtract
            | Self::JsonKeys
            | Self::JsonLength
            | Self::JsonObject
            | Self::JsonType
            | Self::JsonValid
            | Self::JsonValue
            | Self::Least
            | Self::Mod
            | Self::NullIf
            | Self::PlaceAmong
            | Self::Pow
            | Self::Round
            | Self::MonthsAdd
            | Self::Sign
            | Self::TimeAdd
            | Self::TimeDiff
            | Self::TimeNumber
            | Self::TimeText
            | Self::UnixTimestamp => false,
        }
    }

    /// Whether it reads its arguments as numbers.
    pub fn reads_numbers(self) -> bool {
        matches!(
            self,
            Self::Abs
                | Self::Ceiling
                | Self::Floor
                | Self::Mod
                | Self::PlaceAmong
                | Self::Pow
                | Self::Round
                | Self::Sign
        )
    }
}

macro_rules! functions {
    ($($name:ident $sql:literal ($min:literal, $max:expr)),* $(,)?) => {
        /// A function.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs)]
        pub(crate) enum Function { $($name),* }

        impl Function {
            /// The function of this name (upper case).
            pub fn named(name: &str) -> Option<Self> {
                match name {
                    $($sql => Some(Self::$name),)*
                    "CEIL" => Some(Self::Ceiling),
                    "CHARACTER_LENGTH" => Some(Self::CharLength),
                    "OCTET_LENGTH" => Some(Self::Length),
                    "LCASE" => Some(Self::Lower),
                    "UCASE" => Some(Self::Upper),
                    "SUBSTR" | "MID" => Some(Self::Substring),
                    "POWER" => Some(Self::Pow),
                    _ => None,
                }
            }

            /// Its name.
            pub fn name(self) -> &'static str {
                match self { $(Self::$name => $sql),* }
            }

            /// The least and most arguments it takes.
            pub fn arity(self) -> (usize, usize) {
                match self { $(Self::$name => ($min, $max)),* }
            }
        }
    };
}

functions! {
    Abs "ABS" (1, 1),
    // What text is beside numbers, and beside times: there text that is no time stays text.
    AsNumber "(text as number)" (1, 1),
    AsTime "(text as time)" (1, 1),
    // A condition as JSON's true or false.
    AsBoolean "(as JSON)" (1, 1),
    // JSON where CASE compares it with a key: a string is its content.
    AsKey "(JSON as key)" (1, 1),
    // A number with at least so many digits behind the point.
    AsDecimal "(as decimal)" (2, 2),
    Ceiling "CEILING" (1, 1),
    CharLength "CHAR_LENGTH" (1, 1),
    // A TIME, which is text, where a number is read.
    ClockNumber "(time of day as number)" (1, 1),
    Coalesce "COALESCE" (1, usize::MAX),
    Concat "CONCAT" (1, usize::MAX),
    ConcatWs "CONCAT_WS" (2, usize::MAX),
    ConvertTz "CONVERT_TZ" (3, 3),
    // EXTRACT: a time, and a unit as `Unit` numbers it.
    Extract "EXTRACT" (2, 2),
    Floor "FLOOR" (1, 1),
    FromUnixTime "FROM_UNIXTIME" (2, 2),
    Greatest "GREATEST" (2, usize::MAX),
    Hex "HEX" (1, 1),
    If "IF" (3, 3),
    IfNull "IFNULL" (2, 2),
    Instr "INSTR" (2, 2),
    // The text of an interval of several parts as microseconds or months; the second argument is its unit as `Unit` numbers it.
    Interval "(interval)" (2, 2),
    IsNull "ISNULL" (1, 1),
    JsonArray "JSON_ARRAY" (0, usize::MAX),
    JsonContains "JSON_CONTAINS" (2, 3),
    JsonContainsPath "JSON_CONTAINS_PATH" (3, usize::MAX),
    JsonExtract "JSON_EXTRACT" (2, usize::MAX),
    JsonKeys "JSON_KEYS" (1, 2),
    JsonLength "JSON_LENGTH" (1, 2),
    JsonObject "JSON_OBJECT" (0, usize::MAX),
    JsonQuote "JSON_QUOTE" (1, 1),
    JsonType "JSON_TYPE" (1, 1),
    JsonUnquote "JSON_UNQUOTE" (1, 1),
    JsonValid "JSON_VALID" (1, 1),
    JsonValue "JSON_VALUE" (2, 2),
    Least "LEAST" (2, usize::MAX),
    Left "LEFT" (2, 2),
    Length "LENGTH" (1, 1),
    Locate "LOCATE" (2, 3),
    Lower "LOWER" (1, 1),
    LTrim "LTRIM" (1, 1),
    Mod "MOD" (2, 2),
    // Time plus so many months.
    MonthsAdd "(time + months)" (2, 2),
    NullIf "NULLIF" (2, 2),
    // How many of the numbers behind the first, which ascend, are not above it.
    PlaceAmong "INTERVAL" (2, usize::MAX),
    Pow "POW" (2, 2),
    Quote "QUOTE" (1, 1),
    Replace "REPLACE" (3, 3),
    Right "RIGHT" (2, 2),
    Round "ROUND" (1, 2),
    RTrim "RTRIM" (1, 1),
    ShardOf "SHARD_OF" (1, 1),
    Sign "SIGN" (1, 1),
    Substring "SUBSTRING" (2, 3),
    SubstringIndex "SUBSTRING_INDEX" (3, 3),
    // Time plus so many microseconds: what DATE_ADD, DATE_SUB and +/- INTERVAL become. Behind them the microseconds of the unit
    // they were counted in, a constant: it decides whether a date stays one.
    TimeAdd "(time + interval)" (3, 3),
    // Binding adds how many digits behind the point the difference has.
    TimeDiff "TIMEDIFF" (2, 2),
    // A time with so many digits of its fraction: what it becomes where a number is read.
    TimeNumber "(time as number)" (2, 2),
    // The same where text is read.
    TimeText "(time as text)" (2, 2),
    Trim "TRIM" (1, 1),
    Unhex "UNHEX" (1, 1),
    UnixTimestamp "UNIX_TIMESTAMP" (2, 2),
    Upper "UPPER" (1, 1),
}
