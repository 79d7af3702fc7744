//! What a program printed, judged.

use super::steps::{REFUSALS, Refusal, Standing};
use super::table::StockClient;

/// How a step went.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Well.
    Passed,
    /// The client has no way to do it.
    Skipped(String),
    /// Cellgate refuses it, as expected.
    Refused(&'static str),
    /// Cellgate cannot, and it is known.
    NotYet(&'static str),
    /// Not well.
    Failed(String),
}

/// How a program fared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it says it is.
    pub version: String,
    /// Each step.
    pub steps: Vec<(&'static str, Outcome)>,
    /// What it printed, if anything went wrong.
    pub output: Option<String>,
}

/// Who is asked: Cellgate may refuse, a MariaDB may not.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// A MariaDB: the program is on trial.
    Program,
    /// Cellgate.
    Cellgate,
}

impl Report {
    /// Judges what a program printed: every step must be there, so that one that stops early cannot pass, and it must have
    /// ended by itself behind its last line. `code` is what it exited with, `None` if it had to be killed or a signal ended it.
    pub(super) fn of(client: &StockClient, judged: Judged, code: Option<i32>, output: &str) -> Self {
        let steps: Vec<_> = client.family.steps().iter().map(|step| (step.name, said(output, step.name))).collect();
        let steps: Vec<_> =
            steps.into_iter().map(|(step, outcome)| (step, excused(client, judged, step, outcome))).collect();
        let failed = steps.iter().any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)));
        let version = output.lines().find_map(|line| line.strip_prefix("version ")).unwrap_or_default();
        Self {
            version: version.to_owned(),
            steps,
            output: (failed || !is_ended(code, output) || version.is_empty()).then(|| output.to_owned()),
        }
    }

    /// How many steps went well.
    pub fn passed(&self) -> usize {
        self.steps.iter().filter(|(_, outcome)| *outcome == Outcome::Passed).count()
    }

    /// Whether nothing went wrong.
    pub fn is_good(&self) -> bool {
        self.output.is_none()
    }

    /// The steps that went wrong, and why.
    pub fn failures(&self) -> Vec<String> {
        let failure = |(step, outcome): &(&str, Outcome)| match outcome {
            Outcome::Failed(why) => Some(format!("{step}: {why}")),
            Outcome::Passed | Outcome::Skipped(_) | Outcome::Refused(_) | Outcome::NotYet(_) => None,
        };
        self.steps.iter().filter_map(failure).collect()
    }
}

/// Whether a program ended as all do, also behind a step that failed, as those do that Cellgate refuses: with the line
/// `1 passed, 0 failed` as its last, and the code 0, or 1 if a step failed.
fn is_ended(code: Option<i32>, output: &str) -> bool {
    let last = output.lines().rfind(|line| !line.trim().is_empty()).unwrap_or_default();
    let failed = last.split_once(" passed, ").and_then(|(_, rest)| rest.strip_suffix(" failed")?.parse::<u32>().ok());
    failed.is_some_and(|failed| code == Some(i32::from(failed > 0)))
}

/// What the output says about a step.
fn said(output: &str, step: &str) -> Outcome {
    let after = |word: &str| {
        let prefix = format!("{word} {step}");
        output.lines().find_map(|line| {
            let rest = line.strip_prefix(&prefix)?;
            (rest.is_empty() || rest.starts_with(':')).then(|| rest.trim_start_matches(':').trim().to_owned())
        })
    };
    if let Some(why) = after("FAIL") {
        return Outcome::Failed(why);
    }
    if let Some(why) = after("skip") {
        return Outcome::Skipped(why);
    }
    after("ok").map_or(Outcome::Failed("not reached".to_owned()), |_| Outcome::Passed)
}

fn excused(client: &StockClient, judged: Judged, step: &'static str, outcome: Outcome) -> Outcome {
    let expected = |refusal: &&Refusal| {
        refusal.step == step && refusal.client.is_none_or(|name| name == client.name) && judged == Judged::Cellgate
    };
    let Some(refusal) = REFUSALS.iter().find(expected) else { return outcome };
    match (outcome, refusal.standing) {
        (Outcome::Failed(why), Standing::OnPurpose) if why.contains(refusal.error) => Outcome::Refused(refusal.why),
        (Outcome::Failed(why), Standing::NotYet) if why.contains(refusal.error) => Outcome::NotYet(refusal.why),
        (Outcome::Passed, Standing::OnPurpose) => Outcome::Failed("it passed: take it out of REFUSALS".to_owned()),
        (outcome, Standing::OnPurpose | Standing::NotYet) => outcome,
    }
}

#[cfg(test)]
mod tests {
    use super::super::table::CLIENTS;
    use super::*;

    fn output(other: &str, line: &str) -> String {
        let steps = CLIENTS[0].family.steps();
        let lines = steps
            .iter()
            .map(|step| if step.name == other { format!("{line}\n") } else { format!("ok {}\n", step.name) });
        let failed = u32::from(line.starts_with("FAIL"));
        format!("version x 1\n{}{} passed, {failed} failed\n", lines.collect::<String>(), steps.len())
    }

    fn judge(judged: Judged, code: i32, output: &str) -> Report {
        Report::of(&CLIENTS[0], judged, Some(code), output)
    }

    #[test]
    fn a_client_that_does_every_step_passes() {
        let report = judge(Judged::Program, 0, &output("", ""));
        assert!(report.is_good());
        assert_eq!(report.passed(), CLIENTS[0].family.steps().len());
        assert!(judge(Judged::Program, 0, &output("reset", "skip reset: no call")).is_good());
    }

    #[test]
    fn a_client_that_leaves_out_a_step_or_fails_at_the_end_does_not_pass() {
        assert_eq!(judge(Judged::Program, 0, &output("latest", "")).failures(), ["latest: not reached"]);
        assert!(!judge(Judged::Program, 1, &output("", "")).is_good());
        assert!(!judge(Judged::Program, 1, &output("latest", "FAIL latest: x")).is_good());
    }

    #[test]
    fn what_cellgate_refuses_is_no_failure_there_and_one_elsewhere() {
        let refused = output("update", "FAIL update: 1235 UPDATE is not supported: cells");
        assert!(judge(Judged::Cellgate, 1, &refused).is_good());
        assert!(!judge(Judged::Program, 1, &refused).is_good());
        assert!(!judge(Judged::Cellgate, 1, &output("update", "FAIL update: 1054")).is_good());
    }

    #[test]
    fn a_client_that_hangs_or_breaks_behind_its_last_step_does_not_pass() {
        let refused = output("update", "FAIL update: 1235 UPDATE is not supported: cells");
        let summary = refused.lines().next_back().unwrap().to_owned();
        assert!(!Report::of(&CLIENTS[0], Judged::Cellgate, None, &refused).is_good(), "killed");
        assert!(!judge(Judged::Cellgate, 0, &refused).is_good(), "it takes its failure for none");
        assert!(!judge(Judged::Cellgate, 134, &refused).is_good(), "broken off");
        assert!(!judge(Judged::Cellgate, 1, &refused.replace(&summary, "")).is_good(), "not at its end");
        assert!(!judge(Judged::Cellgate, 1, &format!("{refused}Traceback: x\n")).is_good(), "broken at its end");
    }

    #[test]
    fn what_is_no_longer_refused_must_leave_the_list() {
        assert!(!judge(Judged::Cellgate, 0, &output("", "")).is_good());
    }
}
