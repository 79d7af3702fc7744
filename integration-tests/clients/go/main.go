// The steps of every stock client, for go-sql-driver/mysql. Statements with arguments are prepared statements of
// the protocol, those without are text.
package main

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"reflect"
	"strings"

	"github.com/go-sql-driver/mysql"
)

var (
	table  = os.Getenv("MYSQL_TABLE")
	create = `CREATE TABLE ` + table + ` (
    added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))`
	into   = "INSERT INTO " + table + " (row_key, column_key, ref_key, body) VALUES "
	insert = into + "(?, ?, ?, ?)"
	get    = "SELECT body FROM " + table + " WHERE row_key = ? AND column_key = ? AND ref_key = ?"
	latest = "SELECT ref_key, body FROM " + table + " WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1"
	list   = "SELECT column_key, ref_key, body FROM " + table + " WHERE row_key = ? ORDER BY column_key, ref_key"
	count  = "SELECT COUNT(*) FROM " + table + " WHERE row_key = ?"

	textKey  = "Zürich-東京-🚕"
	textBody = `{"city":"Zürich","note":"日本 🚕 \"quoted\" \\ back 'single'","n":1.5,"list":[1,null,true]}`
)

var ctx = context.Background()

// What the client has no way to do.
type skip string

func (why skip) Error() string { return string(why) }

func openAs(user, database, options string) (*sql.DB, error) {
	return sql.Open("mysql", fmt.Sprintf("%s@tcp(%s:%s)/%s?%s",
		user, os.Getenv("MYSQL_HOST"), os.Getenv("MYSQL_PORT"), database, options))
}

func open() (*sql.DB, error) {
	return openAs(os.Getenv("MYSQL_USER"), os.Getenv("MYSQL_DATABASE"), "")
}

// A user with a password.
func app() string { return os.Getenv("MYSQL_APP_USER") + ":" + os.Getenv("MYSQL_APP_PASSWORD") }

func equal(found, expected interface{}) error {
	if !reflect.DeepEqual(found, expected) {
		return fmt.Errorf("%.300v instead of %.300v", found, expected)
	}
	return nil
}

// The first error of some checks, each a function.
func all(checks ...func() error) error {
	for _, check := range checks {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

func sameJSON(found, expected string) error {
	var one, two interface{}
	if err := json.Unmarshal([]byte(found), &one); err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(expected), &two); err != nil {
		return err
	}
	if !reflect.DeepEqual(one, two) {
		return fmt.Errorf("%s instead of %s", found, expected)
	}
	return nil
}

func refused(number uint16, err error) error {
	var refusal *mysql.MySQLError
	if !errors.As(err, &refusal) || refusal.Number != number {
		return fmt.Errorf("%v instead of error %d", err, number)
	}
	return nil
}

type client struct {
	db *sql.DB
}

func (c *client) change(rows int64, statement string, args ...interface{}) error {
	result, err := c.db.Exec(statement, args...)
	if err != nil {
		return err
	}
	if affected, err := result.RowsAffected(); err != nil || affected != rows {
		return fmt.Errorf("%d affected rows instead of %d, %v", affected, rows, err)
	}
	return nil
}

func (c *client) count(key string, expected int) error {
	var n int
	if err := c.db.QueryRow(count, key).Scan(&n); err != nil {
		return err
	}
	if n != expected {
		return fmt.Errorf("%d cells instead of %d", n, expected)
	}
	return nil
}

func (c *client) connect() error {
	var err error
	if c.db, err = open(); err != nil {
		return err
	}
	if err := c.db.Ping(); err != nil {
		return err
	}
	var two int
	return c.db.QueryRow("SELECT 1 + 1").Scan(&two)
}

func (c *client) create() error {
	if _, err := c.db.Exec("DROP TABLE IF EXISTS " + table); err != nil {
		return err
	}
	_, err := c.db.Exec(create)
	return err
}

func (c *client) put() error {
	// Without arguments: the text protocol.
	for ref := 1; ref <= 3; ref++ {
		statement := into + fmt.Sprintf("('trip-1', 'BASE', %d, '{\"fare\":%d}')", ref, ref*10)
		if err := c.change(1, statement); err != nil {
			return err
		}
	}
	return c.change(1, insert, "trip-1", "STATUS", 1, `{"status":"done"}`)
}

func (c *client) get() error {
	var body string
	statement := "SELECT body FROM " + table + " WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key = 1"
	if err := c.db.QueryRow(statement).Scan(&body); err != nil {
		return err
	}
	if err := c.db.QueryRow(get, "trip-1", "BASE", 99).Scan(new(string)); err != sql.ErrNoRows {
		return fmt.Errorf("a missing cell answered %v", err)
	}
	return sameJSON(body, `{"fare":10}`)
}

func (c *client) latest() error {
	var ref int64
	var body string
	if err := c.db.QueryRow(latest, "trip-1", "BASE").Scan(&ref, &body); err != nil {
		return err
	}
	if ref != 3 {
		return fmt.Errorf("version %d is not the latest", ref)
	}
	return sameJSON(body, `{"fare":30}`)
}

func (c *client) list() error {
	rows, err := c.db.Query(list, "trip-1")
	if err != nil {
		return err
	}
	defer rows.Close()
	var cells []string
	for rows.Next() {
		var column, body string
		var ref int
		if err := rows.Scan(&column, &ref, &body); err != nil {
			return err
		}
		cells = append(cells, fmt.Sprint(column, ref))
	}
	if found := strings.Join(cells, " "); found != "BASE1 BASE2 BASE3 STATUS1" {
		return errors.New(found)
	}
	return rows.Err()
}

func (c *client) multiPut() error {
	var args, keys []interface{}
	for n := 0; n < 20; n++ {
		key := fmt.Sprintf("multi-%d", n)
		keys = append(keys, key)
		args = append(args, key, "BASE", 1, fmt.Sprintf(`{"n":%d}`, n))
	}
	marks := strings.TrimSuffix(strings.Repeat("(?, ?, ?, ?), ", 20), ", ")
	if err := c.change(20, into+marks, args...); err != nil {
		return err
	}
	in := strings.TrimSuffix(strings.Repeat("?, ", 20), ", ")
	rows, err := c.db.Query("SELECT row_key FROM "+table+" WHERE row_key IN ("+in+")", keys...)
	if err != nil {
		return err
	}
	defer rows.Close()
	found := map[string]bool{}
	for rows.Next() {
		var key string
		if err := rows.Scan(&key); err != nil {
			return err
		}
		found[key] = true
	}
	if len(found) != 20 {
		return fmt.Errorf("%d of 20 rows are there", len(found))
	}
	return rows.Err()
}

func (c *client) duplicate() error {
	_, err := c.db.Exec(insert, "trip-1", "BASE", 1, `{"fare":99}`)
	if err := refused(1062, err); err != nil {
		return err
	}
	return c.get()
}

func (c *client) prepared() error {
	put, err := c.db.Prepare(insert)
	if err != nil {
		return err
	}
	defer put.Close()
	for n := 1; n <= 2; n++ {
		if _, err := put.Exec(fmt.Sprintf("prepared-%d", n), "BASE", n, `{"p":true}`); err != nil {
			return err
		}
	}
	read, err := c.db.Prepare(get)
	if err != nil {
		return err
	}
	defer read.Close()
	var body string
	if err := read.QueryRow("prepared-2", "BASE", 2).Scan(&body); err != nil {
		return err
	}
	if err := read.QueryRow("prepared-2", "BASE", 3).Scan(&body); err != sql.ErrNoRows {
		return fmt.Errorf("a missing cell answered %v", err)
	}
	return sameJSON(body, `{"p":true}`)
}

func (c *client) commit() error {
	tx, err := c.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for ref := 1; ref <= 2; ref++ {
		if _, err := tx.Exec(insert, "commit", "BASE", ref, "{}"); err != nil {
			return err
		}
	}
	var n int
	if err := tx.QueryRow(count, "commit").Scan(&n); err != nil || n != 2 {
		return fmt.Errorf("%d of its own cells, %v", n, err)
	}
	// Another connection of the pool.
	if err := c.count("commit", 0); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return c.count("commit", 2)
}

func (c *client) rollback() error {
	tx, err := c.db.Begin()
	if err != nil {
		return err
	}
	if _, err := tx.Exec(insert, "rollback", "BASE", 1, "{}"); err != nil {
		return err
	}
	if err := tx.Rollback(); err != nil {
		return err
	}
	return c.count("rollback", 0)
}

func (c *client) text() error {
	if err := c.change(1, insert, textKey, "BASE", 1, textBody); err != nil {
		return err
	}
	var key, body string
	if err := c.db.QueryRow("SELECT row_key, body FROM "+table+" WHERE row_key = ?", textKey).Scan(&key, &body); err != nil {
		return err
	}
	if key != textKey {
		return errors.New(key)
	}
	return sameJSON(body, textBody)
}

// A list of numbers, by a prepared statement if there are arguments.
func (c *client) numbers(statement string, args ...interface{}) ([]int, error) {
	rows, err := c.db.Query(statement, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	found := []int{}
	for rows.Next() {
		var n int
		if err := rows.Scan(&n); err != nil {
			return nil, err
		}
		found = append(found, n)
	}
	return found, rows.Err()
}

func (c *client) areNumbers(expected []int, statement string, args ...interface{}) func() error {
	return func() error {
		found, err := c.numbers(statement, args...)
		if err != nil {
			return err
		}
		return equal(found, expected)
	}
}

func (c *client) isText(expected, statement string, args ...interface{}) func() error {
	return func() error {
		var found string
		if err := c.db.QueryRow(statement, args...).Scan(&found); err != nil {
			return err
		}
		return equal(found, expected)
	}
}

func (c *client) changes(rows int64, statement string, args ...interface{}) func() error {
	return func() error { return c.change(rows, statement, args...) }
}

func (c *client) runs(statement string) func() error {
	return func() error {
		_, err := c.db.Exec(statement)
		return err
	}
}

func (c *client) limit() error {
	page := "SELECT ref_key FROM " + table + " WHERE row_key = ? AND column_key = 'BASE' ORDER BY ref_key LIMIT ?"
	return all(
		c.areNumbers([]int{1, 2}, page, "trip-1", 2),
		c.areNumbers([]int{3}, page+" OFFSET ?", "trip-1", uint64(2), 2),
	)
}

func (c *client) quoted() error {
	return all(
		c.changes(1, insert, "quoted", "BASE", "7", "{}"),
		c.areNumbers([]int{7}, "SELECT ref_key FROM "+table+" WHERE row_key = 'quoted' AND ref_key = '7'"),
		c.isText("{}", get, "quoted", "BASE", "7"),
	)
}

func (c *client) null() error {
	var one, two sql.NullString
	var three int
	if err := c.db.QueryRow("SELECT NULL, ?, COALESCE(?, 5)", nil, nil).Scan(&one, &two, &three); err != nil {
		return err
	}
	return equal([]interface{}{one.Valid, two.Valid, three}, []interface{}{false, false, 5})
}

func (c *client) binary() error {
	bytes := []byte("\x00\xffA'\\\n")
	hex := fmt.Sprintf("X'%x'", bytes)
	var found []byte
	if err := c.db.QueryRow("SELECT " + hex).Scan(&found); err != nil {
		return err
	}
	return all(
		func() error { return equal(found, bytes) },
		c.areNumbers([]int{1}, "SELECT ? = "+hex, bytes),
	)
}

const mib = 1 << 20

func (c *client) large() error {
	body := `"` + strings.Repeat("x", 3*mib) + `"`
	return all(c.changes(1, insert, "large", "BASE", 1, body), c.isText(body, get, "large", "BASE", 1))
}

func (c *client) tooLarge() error {
	// Without this option the driver itself refuses more than 4 MiB.
	other, err := openAs(os.Getenv("MYSQL_USER"), os.Getenv("MYSQL_DATABASE"), "maxAllowedPacket=67108864")
	if err != nil {
		return err
	}
	defer other.Close()
	if _, err := other.Exec(insert, "too-large", "BASE", 1, `"`+strings.Repeat("x", 17*mib)+`"`); err == nil {
		return errors.New("not refused")
	}
	return c.count("too-large", 0)
}

func (c *client) types() error {
	var version string
	if err := c.db.QueryRow("SELECT VERSION()").Scan(&version); err != nil {
		return err
	}
	json := "JSON"
	if strings.Contains(version, "MariaDB") {
		json = "TEXT"
	}
	rows, err := c.db.Query("SELECT row_key, ref_key AS `Ref`, body, created_at FROM " + table + " WHERE row_key = 'trip-1'")
	if err != nil {
		return err
	}
	defer rows.Close()
	types, err := rows.ColumnTypes()
	if err != nil {
		return err
	}
	var found []string
	for _, column := range types {
		found = append(found, column.Name()+" "+column.DatabaseTypeName())
	}
	return equal(found, []string{"row_key VARCHAR", "Ref BIGINT", "body " + json, "created_at DATETIME"})
}

func (c *client) errors() error {
	for _, wrong := range []struct {
		number    uint16
		statement string
	}{
		{1064, "SELEC 1"},
		{1054, "SELECT nonsense FROM " + table + " WHERE row_key = 'x'"},
		{1146, "SELECT body FROM no_such_table WHERE row_key = 'x'"},
		{1051, "DROP TABLE no_such_table"},
		{1050, create},
	} {
		if err := refused(wrong.number, c.runs(wrong.statement)()); err != nil {
			return err
		}
	}
	other, err := openAs(os.Getenv("MYSQL_USER"), "no_such_database", "")
	if err != nil {
		return err
	}
	defer other.Close()
	return all(func() error { return refused(1049, other.Ping()) }, c.get)
}

// Runs a function on one connection of the pool.
func (c *client) on(use func(connection *sql.Conn) error) error {
	connection, err := c.db.Conn(ctx)
	if err != nil {
		return err
	}
	defer connection.Close()
	return use(connection)
}

func (c *client) warnings() error {
	return c.on(func(connection *sql.Conn) error {
		ignore := strings.Replace(into, "INSERT", "INSERT IGNORE", 1) + "('trip-1', 'BASE', 1, '{}')"
		if _, err := connection.ExecContext(ctx, ignore); err != nil {
			return err
		}
		var level, message string
		var code int
		if err := connection.QueryRowContext(ctx, "SHOW WARNINGS").Scan(&level, &code, &message); err != nil {
			return err
		}
		return equal(fmt.Sprint(level, code), "Warning1062")
	})
}

func (c *client) update() error {
	// Cells are immutable. Where they are not, a row that is the same already is no affected row.
	update := "UPDATE " + table + " SET body = '{}' WHERE row_key = 'multi-1'"
	return all(c.changes(1, update), c.changes(0, update))
}

func (c *client) savepoint() error {
	tx, err := c.db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	one := into + "('savepoint', 'BASE', 1, '{}')"
	two := into + "('savepoint', 'BASE', 2, '{}')"
	for _, statement := range []string{one, "SAVEPOINT one", two, "ROLLBACK TO SAVEPOINT one", "RELEASE SAVEPOINT one"} {
		if _, err := tx.Exec(statement); err != nil {
			return err
		}
	}
	if err := tx.Commit(); err != nil {
		return err
	}
	return c.count("savepoint", 1)
}

func (c *client) autocommit() error {
	return c.on(func(connection *sql.Conn) error {
		if _, err := connection.ExecContext(ctx, "SET autocommit = 0"); err != nil {
			return err
		}
		var state int
		if err := connection.QueryRowContext(ctx, "SELECT @@autocommit").Scan(&state); err != nil || state != 0 {
			return fmt.Errorf("%d %v", state, err)
		}
		if _, err := connection.ExecContext(ctx, insert, "autocommit", "BASE", 1, "{}"); err != nil {
			return err
		}
		if err := c.count("autocommit", 0); err != nil {
			return err
		}
		for _, statement := range []string{"COMMIT", "SET autocommit = 1"} {
			if _, err := connection.ExecContext(ctx, statement); err != nil {
				return err
			}
		}
		return c.count("autocommit", 1)
	})
}

func (c *client) isolation() error {
	tx, err := c.db.BeginTx(ctx, &sql.TxOptions{Isolation: sql.LevelReadCommitted, ReadOnly: true})
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec(insert, "isolation", "BASE", 1, "{}"); err != nil {
		return refused(1792, err)
	}
	return errors.New("a read only transaction wrote")
}

func (c *client) multiStatement() error {
	other, err := openAs(os.Getenv("MYSQL_USER"), os.Getenv("MYSQL_DATABASE"), "multiStatements=true")
	if err != nil {
		return err
	}
	defer other.Close()
	rows, err := other.Query("SELECT 1; SELECT ref_key FROM " + table + " WHERE row_key = 'multi-1'; SELECT 3")
	if err != nil {
		return err
	}
	defer rows.Close()
	var found []int
	for more := true; more; more = rows.NextResultSet() {
		for rows.Next() {
			var n int
			if err := rows.Scan(&n); err != nil {
				return err
			}
			found = append(found, n)
		}
	}
	return equal(found, []int{1, 1, 3})
}

func (c *client) stream() error {
	// database/sql never keeps a result.
	var values []string
	var expected []int
	for n := 1; n <= 300; n++ {
		values = append(values, fmt.Sprintf("('many', 'BASE', %d, '{}')", n))
		expected = append(expected, n)
	}
	return all(
		c.changes(300, into+strings.Join(values, ", ")),
		c.areNumbers(expected, "SELECT ref_key FROM "+table+" WHERE row_key = 'many' ORDER BY ref_key"),
	)
}

func (c *client) selectDb() error {
	return c.on(func(connection *sql.Conn) error {
		var name string
		if _, err := connection.ExecContext(ctx, "USE information_schema"); err != nil {
			return err
		}
		if err := connection.QueryRowContext(ctx, "SELECT DATABASE()").Scan(&name); err != nil {
			return err
		}
		if _, err := connection.ExecContext(ctx, "USE "+os.Getenv("MYSQL_DATABASE")); err != nil {
			return err
		}
		return equal(name, "information_schema")
	})
}

// Runs checks with another pool in place of ours.
func (c *client) as(user, options string, checks ...func() error) error {
	ours := c.db
	defer func() { c.db = ours }()
	var err error
	if c.db, err = openAs(user, os.Getenv("MYSQL_DATABASE"), options); err != nil {
		return err
	}
	defer c.db.Close()
	return all(checks...)
}

func (c *client) password() error {
	return c.as(app(), "", func() error {
		var user string
		if err := c.db.QueryRow("SELECT CURRENT_USER()").Scan(&user); err != nil {
			return err
		}
		return equal(strings.Split(user, "@")[0], os.Getenv("MYSQL_APP_USER"))
	})
}

func (c *client) wrongPassword() error {
	return c.as(app()+"x", "", func() error { return refused(1045, c.db.Ping()) })
}

func (c *client) tls() error {
	return c.as(app(), "tls=skip-verify", func() error {
		var name, cipher string
		if err := c.db.QueryRow("SHOW STATUS LIKE 'Ssl_cipher'").Scan(&name, &cipher); err != nil {
			return err
		}
		if cipher == "" {
			return errors.New("the connection is not encrypted")
		}
		return nil
	})
}

func cannot(why string) func() error {
	return func() error { return skip(why) }
}

func (c *client) reconnect() error {
	if err := c.db.Close(); err != nil {
		return err
	}
	var err error
	if c.db, err = open(); err != nil {
		return err
	}
	return c.latest()
}

func (c *client) drop() error {
	if _, err := c.db.Exec("DROP TABLE " + table); err != nil {
		return err
	}
	if err := refused(1146, c.db.QueryRow(get, "trip-1", "BASE", 1).Scan(new(string))); err != nil {
		return err
	}
	return c.db.Close()
}

func main() {
	c := &client{}
	steps := []struct {
		name string
		run  func() error
	}{
		{"connect", c.connect}, {"create", c.create}, {"put", c.put}, {"get", c.get}, {"latest", c.latest},
		{"list", c.list}, {"multi-put", c.multiPut}, {"duplicate", c.duplicate}, {"prepared", c.prepared},
		{"limit", c.limit}, {"quoted", c.quoted}, {"null", c.null}, {"text", c.text}, {"binary", c.binary},
		{"large", c.large}, {"too-large", c.tooLarge}, {"types", c.types}, {"errors", c.errors},
		{"warnings", c.warnings}, {"update", c.update}, {"commit", c.commit}, {"rollback", c.rollback},
		{"savepoint", c.savepoint}, {"autocommit", c.autocommit}, {"isolation", c.isolation},
		{"multi-statement", c.multiStatement}, {"stream", c.stream},
		{"cursor", cannot("opens no cursors on the server")},
		{"ping", func() error { return c.db.Ping() }}, {"select-db", c.selectDb},
		{"statistics", cannot("no call for COM_STATISTICS")}, {"password", c.password},
		{"wrong-password", c.wrongPassword}, {"change-user", cannot("no call for COM_CHANGE_USER")},
		{"reset", cannot("no call for COM_RESET_CONNECTION")}, {"tls", c.tls},
		{"compression", cannot("does not compress")}, {"reconnect", c.reconnect}, {"drop", c.drop},
	}
	fmt.Println("version go-sql-driver " + os.Getenv("CLIENT_VERSION"))
	passed, failed := 0, 0
	for _, step := range steps {
		err := step.run()
		var why skip
		switch {
		case err == nil:
			fmt.Printf("ok %s\n", step.name)
			passed++
		case errors.As(err, &why):
			fmt.Printf("skip %s: %s\n", step.name, why)
		default:
			fmt.Printf("FAIL %s: %s\n", step.name, strings.Join(strings.Fields(err.Error()), " "))
			failed++
		}
		if c.db == nil {
			break
		}
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
