//! Numbers: their types, their digits and their bounds.

use super::failure;
use crate::error::SqlError;
use crate::testing::{Session, cell, read, read_with, rows, run, shown};
use crate::value::{ColumnType, Value};

#[test]
fn a_quotient_is_computed_with_more_digits_than_it_shows() {
    for (expression, expected) in [
        ("1 / 3", "0.3333"),
        ("2.00000 / 3", "0.666666666"),
        ("1 / 3 * 3", "1.0000"),
        ("(1 / 3) * 9", "3.0000"),
        ("1 / 7 * 7", "1.0000"),
        ("20 / 7 / 7", "0.40816327"),
        ("-(1 / 3) * 3", "-1.0000"),
        ("1 / 3 = 0.3333", "1"),
        ("1 / 3 = 0.333333333", "0"),
        ("1 % (255 / 9999999999)", "0.0000"),
        ("7 DIV (1 / 3)", "21"),
        ("FLOOR(1 / 3 * 3)", "0"),
        ("ROUND(1 / 3 * 3)", "1"),
        ("ROUND(2 / 3, 6)", "0.666667"),
        ("IF(1, 1 / 3, 2) * 3", "1.0000"),
        ("COALESCE(NULL, 1 / 3) * 3", "1.0000"),
        ("CASE WHEN 1 THEN 1 / 3 END * 3", "1.0000"),
        ("CONCAT(1 / 3, '')", "0.3333"),
        ("CAST(1 / 3 AS DECIMAL(20, 10))", "0.3333333330"),
        ("CAST(2 / 3 AS DOUBLE)", "0.666666666"),
        ("1 / 3 + 0e0", "0.333333333"),
        ("123456789012345678901234567890 / 3 * 3", "123456789012345678901234567890.0000"),
        ("1 / 0 * 3", "NULL"),
    ] {
        assert_eq!(rows(&format!("SELECT {expression}"), &[]), [expected], "{expression}");
    }
}

#[test]
fn what_is_computed_with_a_decimal_is_one() {
    for (expression, expected) in [
        ("18446744073709551616 + 0", "18446744073709551616"),
        ("CAST(20000000000000000000 AS DECIMAL(20)) + 1", "20000000000000000001"),
        ("99999999999999999999 - 1", "99999999999999999998"),
        ("CAST(9223372036854775807 AS DECIMAL(20)) + 0 + 1", "9223372036854775808"),
        ("-CAST(9223372036854775808 AS DECIMAL(20)) - 1", "-9223372036854775809"),
        ("12345678901234567890.123 * 18446744073709551615", "227737579107269814012484978631242917198.645"),
        ("999999999999999999999999999999999999999.1 = 999999999999999999999999999999999999999.2", "0"),
        ("FLOOR(12345678901234567890.5)", "12345678901234567890"),
        ("CEILING(-12345678901234567890.5) - 1", "-12345678901234567891"),
        ("ROUND(5.5, 2)", "5.50"),
        ("ROUND(5, 2)", "5"),
        ("ROUND(5.55, -1)", "10"),
    ] {
        assert_eq!(rows(&format!("SELECT {expression}"), &[]), [expected], "{expression}");
    }
    let nines = "9".repeat(65);
    assert_eq!(failure(&format!("{nines} * {nines}")), SqlError::OutOfRange("DECIMAL"));
    assert_eq!(failure("ROUND(9223372036854775807, -1)"), SqlError::OutOfRange("BIGINT"));
}

#[test]
fn sums_of_quotients_are_of_all_their_digits() {
    let ones = [cell("a", "c", 1, "1", 1), cell("b", "c", 1, "1", 2), cell("c", "c", 1, "1", 3)];
    for (expression, expected) in [
        ("SUM(ref_key / 3)", "1.0000"),
        ("SUM(ref_key) / 7 * 7", "3.0000"),
        ("AVG(ref_key / 3)", "0.33333333"),
        ("AVG(ref_key / 3) * 3", "1.00000000"),
        ("SUM(ref_key / 7) * 7", "3.0000"),
        ("SUM(ref_key / 7) + SUM(ref_key / 7)", "0.8571"),
        ("IF(1, AVG(ref_key / 3), 0) * 3", "1.00000000"),
        ("ref_key * (1 / 3) * 3", "1.0000"),
        ("SUM(99999999999999999999999999999999.123456789 * ref_key)", "299999999999999999999999999999997.370370367"),
    ] {
        assert_eq!(rows(&format!("SELECT {expression} FROM trips LIMIT 1"), &ones), [expected], "{expression}");
    }
}

#[test]
fn what_a_limit_hides_need_not_be_computable() {
    let cells = [cell("a", "x", 1, "1", 1), cell("a", "y", i64::MAX, "1", 2), cell("a", "z", 2, "1", 3)];
    let select = "SELECT ref_key + 1 FROM trips WHERE row_key = 'a' ORDER BY ref_key LIMIT";
    assert_eq!(rows(&format!("{select} 2"), &cells), ["2", "3"]);
    let all = run(&read(&format!("{select} 3")), &cells);
    assert_eq!(all, Err(SqlError::OutOfRange("BIGINT")));
}

#[test]
fn text_is_cast_to_the_integer_it_begins_with() {
    for (expression, expected) in [
        ("CAST('1e1' AS SIGNED)", "1"),
        ("CONVERT('2e3', SIGNED)", "2"),
        ("CAST(' -18.9x' AS SIGNED)", "-18"),
        ("CAST('.9' AS SIGNED)", "0"),
        ("CAST('-5' AS UNSIGNED)", "18446744073709551611"),
        ("CAST('99999999999999999999' AS SIGNED)", "-1"),
        ("CAST('1e400' AS DECIMAL(5))", "99999"),
        ("CAST('-1e400' AS DECIMAL(5, 2))", "-999.99"),
        ("CAST('1e400' AS DOUBLE)", "1.7976931348623157e308"),
        ("'1e400' + 0", "1.7976931348623157e308"),
        ("CAST('1e40' AS DECIMAL(65))", "10000000000000000000000000000000000000000"),
    ] {
        assert_eq!(rows(&format!("SELECT {expression}"), &[]), [expected], "{expression}");
    }
    let nines = "9".repeat(5000);
    assert_eq!(rows(&format!("SELECT CAST('{nines}' AS DECIMAL(3, 2))"), &[]), ["9.99"]);
}

#[test]
fn an_interval_without_an_end_leaves_no_time() {
    for (expression, expected) in [
        ("'2023-11-14' + INTERVAL 1000000000 DAY", "NULL"),
        ("'2023-11-14' + INTERVAL 9223372036854775807 SECOND", "NULL"),
        ("'2023-11-14' - INTERVAL CAST(5 AS UNSIGNED) DAY", "2023-11-09"),
        ("'2023-11-14' - INTERVAL CAST(5 AS UNSIGNED) SECOND", "2023-11-13 23:59:55"),
    ] {
        assert_eq!(rows(&format!("SELECT {expression}"), &[]), [expected], "{expression}");
    }
    let bound = read_with(&Session::new(), "SELECT '2023-11-14' - INTERVAL ? SECOND", &[Value::UInt(5)]);
    let moved: Vec<_> = run(&bound, &[]).unwrap().iter().map(shown).collect();
    assert_eq!(moved, ["2023-11-13 23:59:55"]);
}

#[test]
fn a_column_has_the_type_of_its_values() {
    use ColumnType as C;
    for (expression, ty, decimals) in [
        ("-CAST(3 AS UNSIGNED)", C::BigInt, 0),
        ("-(5 & 3)", C::BigInt, 0),
        ("-b'101'", C::BigInt, 0),
        ("18446744073709551615 DIV 1", C::UnsignedBigInt, 0),
        ("5 DIV 1", C::BigInt, 0),
        ("CAST(7 AS UNSIGNED) % 3", C::UnsignedBigInt, 0),
        ("7 % CAST(3 AS UNSIGNED)", C::BigInt, 0),
        ("NOW() MOD NOW()", C::BigInt, 0),
        ("MOD(NOW(6), NOW(6))", C::Decimal, 6),
        ("FLOOR(1.5)", C::BigInt, 0),
        ("FLOOR(12345678901234567890.5)", C::Decimal, 0),
        ("CEILING(CAST(1 AS DECIMAL(10, 2)))", C::BigInt, 0),
        ("FLOOR(1 / 3)", C::Decimal, 0),
        ("ROUND(5.5, 2)", C::Decimal, 2),
        ("UNIX_TIMESTAMP(NOW())", C::BigInt, 0),
        ("UNIX_TIMESTAMP('2023-11-14')", C::BigInt, 0),
        ("UNIX_TIMESTAMP('2023-11-14 10:00:00.5')", C::Decimal, 1),
        ("UNIX_TIMESTAMP(NOW(3))", C::Decimal, 3),
        ("UNIX_TIMESTAMP(CONCAT('2023-11-14', ''))", C::Decimal, 6),
        ("IF(0, UNIX_TIMESTAMP(NOW()), 1)", C::BigInt, 0),
    ] {
        let read = read(&format!("SELECT {expression}"));
        let column = &read.shape.columns()[0];
        assert_eq!((column.ty, column.decimals), (ty, decimals), "{expression}");
    }
    for (expression, expected) in [
        ("UNIX_TIMESTAMP('2023-11-14 10:00:00')", "1699956000"),
        ("UNIX_TIMESTAMP('2023-11-14 10:00:00.5')", "1699956000.5"),
        ("UNIX_TIMESTAMP(CONCAT('2023-11-14 10:00:00', '.25'))", "1699956000.250000"),
        ("UNIX_TIMESTAMP(20231114100000)", "1699956000"),
        ("UNIX_TIMESTAMP('x')", "NULL"),
        ("IF(0, UNIX_TIMESTAMP(NOW()), 1)", "1"),
    ] {
        assert_eq!(rows(&format!("SELECT {expression}"), &[]), [expected], "{expression}");
    }
}

#[test]
fn arithmetic_beyond_a_type_is_out_of_range() {
    for (expression, ty) in [
        ("9223372036854775807 + 1", "BIGINT"),
        ("9223372036854775807 * 2", "BIGINT"),
        ("-9223372036854775808 - 1", "BIGINT"),
        ("-9223372036854775808 DIV -1", "BIGINT"),
        ("ABS(-9223372036854775808)", "BIGINT"),
        ("- -9223372036854775808", "BIGINT"),
        ("18446744073709551615 + 1", "BIGINT UNSIGNED"),
        ("18446744073709551615 * 18446744073709551615", "BIGINT UNSIGNED"),
        ("1 - CAST(2 AS UNSIGNED)", "BIGINT UNSIGNED"),
        ("CAST(5 AS UNSIGNED) * -1", "BIGINT UNSIGNED"),
        ("CAST(1 AS UNSIGNED) + 1 - 3", "BIGINT UNSIGNED"),
        ("18446744073709551615 DIV -1", "BIGINT UNSIGNED"),
        ("1e308 * 10", "DOUBLE"),
        ("POW(10, 400)", "DOUBLE"),
    ] {
        assert_eq!(failure(expression), SqlError::OutOfRange(ty), "{expression}");
    }
    assert_eq!(
        rows("SELECT 9223372036854775808 + 1, 9223372036854775807 + 0.5, -5 % CAST(3 AS UNSIGNED)", &[]),
        ["9223372036854775809|9223372036854775807.5|-2"]
    );
}
