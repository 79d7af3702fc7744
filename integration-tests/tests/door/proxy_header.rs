//! PROXY headers: whose connection it is, and what becomes of one that says nothing.

use cellgate_integration_tests::raw::Raw;
use cellgate_integration_tests::{Deployment, http, wait};

use super::LIMIT;

#[test]
fn a_proxy_header_says_whose_connection_it_is() {
    let proxy = Deployment::configured("[listen]\nproxy_protocol_from = \"127.0.0.1\"\n").start();
    let connect = |header: &[u8]| {
        let mut raw = Raw::connect(proxy.mysql(), LIMIT).unwrap();
        raw.write_bytes(header).unwrap();
        raw
    };
    // Root has no password, and so may only come from this machine.
    assert!(connect(b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n").log_in().is_ok());
    assert!(connect(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0").log_in().is_ok(), "the sender for itself");
    assert!(connect(b"PROXY TCP4 192.0.2.9 127.0.0.1 1 2\r\n").log_in().is_err());
    proxy.until_logged("the refusal", |log| log.contains("host=\"192.0.2.9\"") || log.contains("host=192.0.2.9"));
    assert!(connect(b"no header\r\n").read_packet().is_err());
    // Health checks that only connect.
    let failures = |reason: &str| {
        let samples = http::metrics(proxy.http()).unwrap();
        samples.iter().filter(|(name, _)| name.contains("login") && name.contains(reason)).map(|(_, n)| *n).sum::<f64>()
    };
    wait::until("the missing header to be counted", LIMIT, || (failures("protocol") >= 1.0).then_some(()));
    let accepted = proxy.metric("cellgate_connections_accepted_total");
    for _ in 0..3 {
        drop(Raw::connect(proxy.mysql(), LIMIT).unwrap());
    }
    wait::until("them to come and go", LIMIT, || {
        let came = proxy.metric("cellgate_connections_accepted_total") - accepted > 2.5;
        (came && proxy.metric("cellgate_connections_open") < 0.5).then_some(())
    });
    assert!((failures("protocol") - 1.0).abs() < 0.5, "{}", failures("protocol"));
}

#[test]
fn who_waits_for_a_greeting_where_a_proxy_header_is_expected_is_in_the_log() {
    let text = "[listen]\nproxy_protocol_from = \"127.0.0.1\"\n[timeouts]\nhandshake = \"2s\"\n";
    let proxy = Deployment::configured(text).start();
    let mut raw = Raw::connect(proxy.mysql(), LIMIT).unwrap();
    assert!(raw.read_packet().is_err(), "no greeting");
    let line = wait::until("its line", LIMIT, || {
        proxy.log().lines().find(|line| line.contains("no PROXY header came")).map(str::to_owned)
    });
    assert!(line.contains("127.0.0.1"), "{line}");
}
