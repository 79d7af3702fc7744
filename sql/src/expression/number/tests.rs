//! What numbers are worth, in which order, and how they are written.

use std::cmp::Ordering;

use super::*;

pub(in super::super) fn text(number: Number) -> String {
    match number.value() {
        Value::Int(n) => n.to_string(),
        Value::UInt(n) => n.to_string(),
        Value::Decimal(text) => text,
        Value::Double(d) => double_text(d),
        other => format!("{other:?}"),
    }
}

#[test]
fn an_integer_wraps_and_then_saturates() {
    for (n, taken) in
        [(5, 5), (-1, u64::MAX), (i128::from(i64::MIN), 1 << 63), (-(1 << 70), 1 << 63), (1 << 70, u64::MAX)]
    {
        assert_eq!(wrapping_u64(n), taken, "{n}");
    }
}

#[test]
fn what_is_beyond_i128_keeps_its_order_and_its_text() {
    let read = |text: &str| Number::parse(text.as_bytes());
    let rising = [
        "-999999999999999999999999999999999999999.2",
        "-999999999999999999999999999999999999999.1",
        "-1",
        "170141183460469231731687303715884105727",
        "170141183460469231731687303715884105728",
        "999999999999999999999999999999999999999.1",
        "999999999999999999999999999999999999999.2",
    ];
    for (i, a) in rising.iter().enumerate() {
        assert_eq!(text(read(a)), *a);
        assert_eq!(text(read(a).negated().negated()), *a);
        for (j, b) in rising.iter().enumerate() {
            assert_eq!(read(a).compare(read(b)), i.cmp(&j), "{a} {b}");
            assert_eq!(read(a).total_order(read(b)), i.cmp(&j), "{a} {b}");
        }
    }
    let large = read("-999999999999999999999999999999999999999.5");
    assert_eq!(text(large.whole(false)), "-1000000000000000000000000000000000000000");
    assert_eq!(text(large.whole(true)), "-999999999999999999999999999999999999999");
    assert_eq!(text(large.rounded(0)), "-1000000000000000000000000000000000000000");
    assert_eq!(text(read("95").rounded(-1)), "100");
    assert_eq!(large.decimal(3), "-999999999999999999999999999999999999999.500");
    assert_eq!(large.floor(), (i128::MIN, false));
    assert_eq!(large.canonical(), "-999999999999999999999999999999999999999.5");
    assert_eq!(Number::int(i128::MAX).decimal(2), format!("{}.00", i128::MAX));
}

#[test]
fn text_is_read_up_to_where_it_stops_being_a_number() {
    assert_eq!(Number::parse(b" 12abc"), Number::int(12));
    assert_eq!(Number::parse(b"abc"), Number::int(0));
    assert_eq!(Number::parse(b"-1.50x"), Number::Exact { mantissa: -150, scale: 2 });
    assert_eq!(Number::parse(b"1e3"), Number::Double(1000.0));
    assert_eq!(Number::parse(b"1e"), Number::int(1));
    assert_eq!(Number::parse(b"."), Number::int(0));
    assert_eq!(Number::parse(b"-1e400"), Number::Double(f64::MIN));
    assert_eq!(Number::parse("9".repeat(400).as_bytes()), Number::Double(f64::MAX));
}

#[test]
fn integers_and_doubles_compare_exactly() {
    let big = 9_007_199_254_740_993_i64;
    assert_eq!(Number::int(big).compare(Number::Double(9_007_199_254_740_992.0)), Ordering::Greater);
    assert_eq!(Number::Double(1.5).compare(Number::int(1)), Ordering::Greater);
    assert_eq!(Number::int(2).compare(Number::Double(1.5)), Ordering::Greater);
    assert_eq!(Number::int(i64::MAX).compare(Number::Double(f64::INFINITY)), Ordering::Less);
}

#[test]
fn doubles_print_as_mysql_prints_them() {
    for (d, text) in [(1.5, "1.5"), (100.0, "100"), (1e20, "1e20"), (0.1, "0.1"), (-0.0, "0"), (1e-7, "0.0000001")] {
        assert_eq!(double_text(d), text);
    }
}

#[test]
fn halves_of_doubles_go_to_the_even_number() {
    for (d, digits, rounded) in [
        (2.5, 0, 2.0),
        (3.5, 0, 4.0),
        (-0.5, 0, 0.0),
        (0.25, 1, 0.2),
        (1.5, 100, 1.5),
        (1.5, 400, 1.5),
        (1e300, -400, 0.0),
        (25.0, -1, 20.0),
    ] {
        assert_eq!(Number::Double(d).rounded(digits), Number::Double(rounded), "{d} to {digits}");
    }
}

#[test]
fn rounding_goes_away_from_zero() {
    assert_eq!(text(Number::parse(b"2.5").rounded(0)), "3");
    assert_eq!(text(Number::parse(b"-2.5").rounded(0)), "-3");
    assert_eq!(text(Number::parse(b"1.298").rounded(1)), "1.3");
    assert_eq!(text(Number::parse(b"155").rounded(-1)), "160");
    assert_eq!(Number::parse(b"-1.5").floor(), (-2, false));
}
