//! Whether what a load has put is there.

use std::io;
use std::time::Instant;

use super::tally::Tally;
use super::{COARSE, patient};
use crate::poll::Poll;
use crate::session::{Answer, Session, Target};
use crate::workload::{Mode, READ_BACK, Workload};

/// Connections that read.
const READERS: u64 = 16;

/// Reads [`READ_BACK`] random ones of the cells that `workload` is about. One that is missing or wrong is an error of the load.
///
/// # Errors
/// If a connection cannot be opened or is lost, or nothing happens for long.
pub(super) fn check(target: &Target, mut workload: Workload, tally: &mut Tally) -> io::Result<()> {
    let sessions: io::Result<Vec<Session>> =
        (0..READERS).map(|_| Session::open(target, &workload, Mode::Prepared)).collect();
    let mut sessions = sessions?;
    let mut poll = Poll::new()?;
    for (token, session) in sessions.iter_mut().enumerate() {
        poll.add(session.stream(), token as u64)?;
        session.ask(&mut workload, Instant::now())?;
    }
    let (mut asked, mut answered, mut heard) = (READERS, 0, Instant::now());
    while answered < READ_BACK {
        let ready = poll.wait(COARSE)?;
        patient(ready, &mut heard)?;
        for token in ready {
            let session = &mut sessions[*token as usize];
            if let Answer::Whole { checked, .. } = session.hear(&mut workload)? {
                answered += 1;
                if let Err(error) = checked {
                    tally.wrong(format!("read again, a cell that was put: {error}"));
                }
                if asked < READ_BACK {
                    asked += 1;
                    session.ask(&mut workload, Instant::now())?;
                }
            }
        }
    }
    Ok(())
}
