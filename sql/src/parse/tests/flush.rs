//! FLUSH.

use crate::command::Command;
use crate::testing::bound;

#[test]
fn flush_does_what_there_is_to_do() {
    use crate::command::Flush;
    for text in ["FLUSH PRIVILEGES", "FLUSH LOGS", "FLUSH ERROR LOGS, SLOW LOGS", "FLUSH LOCAL USER_RESOURCES"] {
        assert!(matches!(bound(text), Ok(Command::Flush(what)) if what.is_empty()), "{text}");
    }
    for (text, what) in [("FLUSH HOSTS", vec![Flush::LoginDelays]), ("FLUSH SSL, LOGS", vec![Flush::Certificate])] {
        assert!(matches!(bound(text), Ok(Command::Flush(found)) if found == what), "{text}");
    }
}
