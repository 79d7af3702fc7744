// The steps of every stock client, for Node's drivers. A driver is an object with
//   connect() -> connection
//   rows(connection, sql, values) -> array of rows as objects, by the text protocol
//   change(connection, sql, values) -> affected rows, by the text protocol
//   prepared_rows, prepared_change -> the same by prepared statements
//   begin, commit, rollback, close (connection)

import assert from 'node:assert/strict';

export const ADDRESS = {
  host: process.env.MYSQL_HOST,
  port: Number(process.env.MYSQL_PORT),
  user: process.env.MYSQL_USER,
  database: process.env.MYSQL_DATABASE,
};

const CREATE = `CREATE TABLE trips (
    added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))`;
const INSERT = 'INSERT INTO trips (row_key, column_key, ref_key, body) VALUES (?, ?, ?, ?)';
const GET = 'SELECT body FROM trips WHERE row_key = ? AND column_key = ? AND ref_key = ?';
const LATEST = 'SELECT ref_key, body FROM trips WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1';
const LIST = 'SELECT column_key, ref_key, body FROM trips WHERE row_key = ? ORDER BY column_key, ref_key';
const COUNT = 'SELECT COUNT(*) AS n FROM trips WHERE row_key = ?';

const TEXT_KEY = 'Zürich-東京-🚕';
const TEXT_BODY = { city: 'Zürich', note: '日本 🚕 "quoted" \\ back \'single\'', n: 1.5, list: [1, null, true] };

// A JSON column arrives parsed, a MariaDB JSON column as text.
const document = (body) => (typeof body === 'string' || Buffer.isBuffer(body) ? JSON.parse(body.toString()) : body);

export async function run(driver) {
  let connection;
  const rows = (sql, values = []) => driver.rows(connection, sql, values);
  const change = (sql, values = []) => driver.change(connection, sql, values);
  const count = async (key) => Number((await rows(COUNT, [key]))[0].n);
  const refused = async (code, promise) => {
    const error = await promise.then(() => undefined, (error) => error);
    assert.ok(error, 'not refused');
    assert.equal(error.errno, code, error.message);
    return error;
  };

  const get = async () => {
    const [{ body }] = await rows(GET, ['trip-1', 'BASE', 1]);
    assert.deepEqual(document(body), { fare: 10 });
    assert.equal((await rows(GET, ['trip-1', 'BASE', 99])).length, 0);
  };
  const latest = async () => {
    const [{ ref_key, body }] = await rows(LATEST, ['trip-1', 'BASE']);
    assert.equal(Number(ref_key), 3);
    assert.deepEqual(document(body), { fare: 30 });
  };

  const steps = {
    async connect() {
      connection = await driver.connect();
      assert.equal(Number((await rows('SELECT 1 + 1 AS two'))[0].two), 2);
    },
    async create() {
      await change('DROP TABLE IF EXISTS trips');
      await change(CREATE);
    },
    async put() {
      for (const ref of [1, 2, 3]) {
        assert.equal(await change(INSERT, ['trip-1', 'BASE', ref, JSON.stringify({ fare: ref * 10 })]), 1);
      }
      assert.equal(await change(INSERT, ['trip-1', 'STATUS', 1, '{"status":"done"}']), 1);
    },
    get,
    latest,
    async list() {
      const cells = (await rows(LIST, ['trip-1'])).map((cell) => [cell.column_key, Number(cell.ref_key)]);
      assert.deepEqual(cells, [['BASE', 1], ['BASE', 2], ['BASE', 3], ['STATUS', 1]]);
    },
    async 'multi-put'() {
      const keys = Array.from({ length: 20 }, (_, n) => `multi-${n}`);
      const values = keys.flatMap((key, n) => [key, 'BASE', 1, JSON.stringify({ n })]);
      const marks = keys.map(() => '(?, ?, ?, ?)').join(', ');
      const insert = `INSERT INTO trips (row_key, column_key, ref_key, body) VALUES ${marks}`;
      assert.equal(await change(insert, values), 20);
      const found = await rows(`SELECT row_key FROM trips WHERE row_key IN (${keys.map(() => '?').join(', ')})`, keys);
      assert.deepEqual(found.map((row) => row.row_key).sort(), keys.sort());
    },
    async duplicate() {
      const error = await refused(1062, change(INSERT, ['trip-1', 'BASE', 1, '{"fare":99}']));
      assert.equal(error.sqlState, '23000');
      await get();
    },
    async prepared() {
      for (const n of [1, 2]) {
        assert.equal(await driver.prepared_change(connection, INSERT, [`prepared-${n}`, 'BASE', n, '{"p":true}']), 1);
      }
      const found = await driver.prepared_rows(connection, GET, ['prepared-2', 'BASE', 2]);
      assert.deepEqual(found.map((row) => document(row.body)), [{ p: true }]);
      assert.equal((await driver.prepared_rows(connection, GET, ['prepared-2', 'BASE', 3])).length, 0);
    },
    async commit() {
      await driver.begin(connection);
      await change(INSERT, ['commit', 'BASE', 1, '{}']);
      await change(INSERT, ['commit', 'BASE', 2, '{}']);
      assert.equal(await count('commit'), 2);
      const other = await driver.connect();
      assert.equal(Number((await driver.rows(other, COUNT, ['commit']))[0].n), 0);
      await driver.commit(connection);
      assert.equal(Number((await driver.rows(other, COUNT, ['commit']))[0].n), 2);
      await driver.close(other);
    },
    async rollback() {
      await driver.begin(connection);
      await change(INSERT, ['rollback', 'BASE', 1, '{}']);
      await driver.rollback(connection);
      assert.equal(await count('rollback'), 0);
    },
    async text() {
      assert.equal(await change(INSERT, [TEXT_KEY, 'BASE', 1, JSON.stringify(TEXT_BODY)]), 1);
      const [{ row_key, body }] = await rows('SELECT row_key, body FROM trips WHERE row_key = ?', [TEXT_KEY]);
      assert.equal(row_key, TEXT_KEY);
      assert.deepEqual(document(body), TEXT_BODY);
    },
    async reconnect() {
      await driver.close(connection);
      connection = await driver.connect();
      await latest();
    },
    async drop() {
      await change('DROP TABLE trips');
      await refused(1146, rows(GET, ['trip-1', 'BASE', 1]));
      await driver.close(connection);
    },
  };

  let passed = 0;
  let failed = 0;
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
      console.log(`ok ${name}`);
      passed += 1;
    } catch (error) {
      console.log(`FAIL ${name}: ${error.message.split('\n').join(' ')}`);
      failed += 1;
      if (!connection) break;
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
