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

const (
	create = `CREATE TABLE trips (
    added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))`
	insert = "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, ?, ?, ?)"
	get    = "SELECT body FROM trips WHERE row_key = ? AND column_key = ? AND ref_key = ?"
	latest = "SELECT ref_key, body FROM trips WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1"
	list   = "SELECT column_key, ref_key, body FROM trips WHERE row_key = ? ORDER BY column_key, ref_key"
	count  = "SELECT COUNT(*) FROM trips WHERE row_key = ?"

	textKey  = "Zürich-東京-🚕"
	textBody = `{"city":"Zürich","note":"日本 🚕 \"quoted\" \\ back 'single'","n":1.5,"list":[1,null,true]}`
)

var ctx = context.Background()

func open() (*sql.DB, error) {
	return sql.Open("mysql", fmt.Sprintf("%s@tcp(%s:%s)/%s",
		os.Getenv("MYSQL_USER"), os.Getenv("MYSQL_HOST"), os.Getenv("MYSQL_PORT"), os.Getenv("MYSQL_DATABASE")))
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
	if _, err := c.db.Exec("DROP TABLE IF EXISTS trips"); err != nil {
		return err
	}
	_, err := c.db.Exec(create)
	return err
}

func (c *client) put() error {
	// Without arguments: the text protocol.
	for ref := 1; ref <= 3; ref++ {
		statement := fmt.Sprintf("INSERT INTO trips (row_key, column_key, ref_key, body) "+
			"VALUES ('trip-1', 'BASE', %d, '{\"fare\":%d}')", ref, ref*10)
		if err := c.change(1, statement); err != nil {
			return err
		}
	}
	return c.change(1, insert, "trip-1", "STATUS", 1, `{"status":"done"}`)
}

func (c *client) get() error {
	var body string
	statement := "SELECT body FROM trips WHERE row_key = 'trip-1' AND column_key = 'BASE' AND ref_key = 1"
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
	if err := c.change(20, "INSERT INTO trips (row_key, column_key, ref_key, body) VALUES "+marks, args...); err != nil {
		return err
	}
	in := strings.TrimSuffix(strings.Repeat("?, ", 20), ", ")
	rows, err := c.db.Query("SELECT row_key FROM trips WHERE row_key IN ("+in+")", keys...)
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
	if err := c.db.QueryRow("SELECT row_key, body FROM trips WHERE row_key = ?", textKey).Scan(&key, &body); err != nil {
		return err
	}
	if key != textKey {
		return errors.New(key)
	}
	return sameJSON(body, textBody)
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
	if _, err := c.db.Exec("DROP TABLE trips"); err != nil {
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
		{"commit", c.commit}, {"rollback", c.rollback}, {"text", c.text}, {"reconnect", c.reconnect},
		{"drop", c.drop},
	}
	passed, failed := 0, 0
	for _, step := range steps {
		if err := step.run(); err != nil {
			fmt.Printf("FAIL %s: %v\n", step.name, err)
			failed++
			if c.db == nil {
				break
			}
			continue
		}
		fmt.Printf("ok %s\n", step.name)
		passed++
	}
	fmt.Printf("%d passed, %d failed\n", passed, failed)
	if failed > 0 {
		os.Exit(1)
	}
}
