//! Clocks of places, from files made here: the same instants as MariaDB gives for them.

use proptest::prelude::*;

use super::posix::Rule;
use super::*;

/// A zoneinfo file of version 2: nothing for readers of version 1, then changes by the number of their type.
fn file(types: &[i32], changes: &[(i64, u8)], rule: &str) -> Vec<u8> {
    let header = |file: &mut Vec<u8>, changes: usize, types: usize| {
        file.extend(b"TZif2");
        file.extend([0; 15]);
        for count in [0, 0, 0, changes, types, 4] {
            file.extend(u32::try_from(count).unwrap().to_be_bytes());
        }
    };
    let mut file = Vec::new();
    header(&mut file, 0, 1);
    file.extend([0; 6]);
    file.extend(b"LMT\0");
    header(&mut file, changes.len(), types.len());
    for (at, _) in changes {
        file.extend(at.to_be_bytes());
    }
    file.extend(changes.iter().map(|(_, kind)| *kind));
    for ahead in types {
        file.extend(ahead.to_be_bytes());
        file.extend([0, 0]);
    }
    file.extend(b"LMT\0");
    file.extend(format!("\n{rule}\n").bytes());
    file
}

fn place(name: &str, file: &[u8]) -> TimeZone {
    TimeZone::Place(Arc::new(Zone::parse(name, file).unwrap_or_else(|e| panic!("{name}: {e}"))))
}

/// Berlin from the end of its table on.
fn berlin() -> TimeZone {
    place("Europe/Berlin", &file(&[3208, 3600], &[(-2_422_054_408, 1)], "CET-1CEST,M3.5.0,M10.5.0/3"))
}

fn micros(text: &str) -> Micros {
    time::parse(text.as_bytes()).unwrap_or_else(|| panic!("{text}"))
}

#[test]
fn offsets_are_mysqls() {
    for (name, hours) in [("+02:00", 2.0), ("-03:30", -3.5), ("+14:00", 14.0), ("-13:59", -13.983_333), ("+0:00", 0.0)]
    {
        let zone = TimeZone::named(name).unwrap_or_else(|| panic!("{name}"));
        let TimeZone::Offset(offset) = zone else { panic!("{zone}") };
        #[allow(clippy::cast_precision_loss)]
        let found = offset as f64 / 3.6e9;
        assert!((found - hours).abs() < 1e-4, "{name}: {found}");
        assert_eq!(zone.utc(zone.local(Micros(5))), Micros(5));
        assert_eq!(TimeZone::named(&zone.to_string()), Some(zone));
    }
    for bad in ["+14:01", "-14:00", "+2", "02:00", "Europe/Paris", "", "+ab:cd", "+02:60"] {
        assert_eq!(TimeZone::named(bad), None, "{bad}");
    }
}

#[test]
fn a_clock_is_put_forward_and_back_by_the_rule() {
    let zone = berlin();
    for (utc, local) in [
        ("2024-01-01 00:00:00", "2024-01-01 01:00:00"),
        ("2024-03-31 00:59:59.999999", "2024-03-31 01:59:59.999999"),
        ("2024-03-31 01:00:00", "2024-03-31 03:00:00"),
        ("2024-10-27 00:59:59", "2024-10-27 02:59:59"),
        ("2024-10-27 01:00:00", "2024-10-27 02:00:00"),
        ("2999-07-01 00:00:00", "2999-07-01 02:00:00"),
        // Before the first change: local mean time.
        ("1893-03-31 00:00:00", "1893-03-31 00:53:28"),
    ] {
        assert_eq!(zone.local(micros(utc)), micros(local), "{utc}");
    }
}

#[test]
fn an_hour_that_comes_twice_is_the_first_and_one_that_does_not_come_is_the_moment_it_is_skipped() {
    let zone = berlin();
    for (local, utc) in [
        ("2024-03-31 01:59:59", "2024-03-31 00:59:59"),
        ("2024-03-31 02:00:00", "2024-03-31 01:00:00"),
        ("2024-03-31 02:30:15.123", "2024-03-31 01:00:00.123"),
        ("2024-03-31 03:00:00", "2024-03-31 01:00:00"),
        ("2024-10-27 02:00:00", "2024-10-27 00:00:00"),
        ("2024-10-27 02:30:15.123", "2024-10-27 00:30:15.123"),
        ("2024-10-27 03:00:00", "2024-10-27 02:00:00"),
    ] {
        assert_eq!(zone.utc(micros(local)), micros(utc), "{local}");
    }
    // A day that was left out: from 10 hours behind to 14 ahead.
    let apia = place("Pacific/Apia", &file(&[-36_000, 50_400], &[(1_325_239_200, 1)], "<+14>-14"));
    assert_eq!(apia.utc(micros("2011-12-30 12:00:00")), micros("2011-12-30 10:00:00"));
    assert_eq!(apia.local(micros("2011-12-30 10:00:00")), micros("2011-12-31 00:00:00"));
}

#[test]
fn every_kind_of_rule_is_read() {
    for rule in [
        "EST5EDT,M3.2.0,M11.1.0",
        "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0",
        "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
        "IST-2IDT,M3.4.4/26,M10.5.0",
        "AAA3BBB,J60/2,J300/2:30:15",
        "AAA3BBB,59,300/167",
        "UTC0",
    ] {
        assert!(Rule::parse(rule).is_some(), "{rule}");
    }
    for bad in
        ["", "CE-1", "CET", "CET-25", "CET-1CEST", "CET-1CEST,M13.1.0,M1.1.0", "CET-1CEST,J0,J1", "<A-1", "EST5 "]
    {
        assert_eq!(Rule::parse(bad), None, "{bad}");
    }
    // All the year round: what begins where the last ends.
    let summer = place("x", &file(&[-10_800], &[], "XXX3EDT4,0/0,J365/23"));
    for at in ["2023-12-31 23:59:59", "2024-01-01 03:00:00", "2024-07-01 00:00:00", "2024-12-31 23:00:00"] {
        assert_eq!(summer.local(micros(at)).0, micros(at).0 - 4 * 3_600_000_000, "{at}");
    }
}

#[test]
fn what_is_no_zone_is_refused_by_what_is_wrong() {
    let good = file(&[0, 3600], &[(0, 1), (10, 0)], "UTC0");
    let parse = |file: &[u8]| Zone::parse("x", file).err();
    assert_eq!(parse(&good), None);
    assert_eq!(parse(b"zone"), Some(ZoneError::Format));
    assert_eq!(parse(&vec![0; 70_000]), Some(ZoneError::Size));
    for end in 4..good.len() {
        let error = parse(good.get(..end).unwrap());
        assert!(matches!(error, Some(ZoneError::Short | ZoneError::Format)), "{end}: {error:?}");
    }
    assert_eq!(parse(&file(&[0], &[(0, 1)], "")), Some(ZoneError::Contents), "a type that is not there");
    assert_eq!(parse(&file(&[0], &[(1, 0), (1, 0)], "")), Some(ZoneError::Contents), "not in order");
    assert_eq!(parse(&file(&[100_000], &[], "")), Some(ZoneError::Contents), "more than 26 hours");
    assert_eq!(parse(&file(&[0], &[], "nonsense")), Some(ZoneError::Contents), "the rule");
    let mut leaps = good.clone();
    leaps[54 + 31] = 1;
    assert_eq!(parse(&leaps), Some(ZoneError::LeapSeconds));
    let mut newer = good;
    newer[4] = b'4';
    newer[54 + 4] = b'4';
    assert_eq!(parse(&newer), None, "version 4 is read as version 2");
}

proptest! {
    #[test]
    fn no_bytes_break_the_reader(
        damage in prop::collection::vec((0_usize..200, any::<u8>()), 0..6),
        noise in prop::collection::vec(any::<u8>(), 0..200),
        at in any::<i64>(),
    ) {
        let mut damaged = file(&[3208, 3600, 7200], &[(-5_000_000, 1), (7, 2)], "CET-1CEST,M3.5.0,M10.5.0/3");
        for (place, byte) in damage {
            if let Some(slot) = damaged.get_mut(place) {
                *slot = byte;
            }
        }
        for bytes in [damaged, noise.clone(), [b"TZif2".as_slice(), &noise].concat()] {
            if let Ok(zone) = Zone::parse("x", &bytes) {
                let zone = TimeZone::Place(Arc::new(zone));
                zone.utc(zone.local(Micros(at)));
            }
        }
        // What a client sends as bytes may begin as a packed zone does.
        let packed = [b"\0zone".as_slice(), &noise].concat();
        if let Some(clock) = Clock::packed(&packed) {
            clock.utc(clock.local(Micros(at)));
        }
    }

    #[test]
    fn no_text_breaks_a_rule(rule in "[A-Z<>+,./:MJ0-9-]{0,40}", at in -100_000_000_000_i64..100_000_000_000) {
        if let Some(rule) = Rule::parse(&rule) {
            let period = rule.period(at);
            prop_assert!(period.from <= at && at < period.until);
        }
    }

    #[test]
    fn what_a_clock_shows_leads_back_to_the_first_time_it_shows_it(seconds in 0_i64..8_000_000_000) {
        let zone = berlin();
        let utc = Micros(seconds * 1_000_000);
        let back = zone.utc(zone.local(utc));
        prop_assert!(back == utc || back.0 == utc.0 - 3_600_000_000);
        prop_assert_eq!(zone.local(back), zone.local(utc));
    }
}
