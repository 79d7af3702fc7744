// The steps of every driver, for Node's: `client.mjs DRIVER`.

import assert from 'node:assert/strict';
import { ADDRESS, APP, CREATE, TABLE, document, refused, run, skip } from './steps.mjs';
import { DRIVERS } from './drivers.mjs';

const INSERT = `INSERT INTO ${TABLE} (row_key, column_key, ref_key, body) VALUES (?, ?, ?, ?)`;
const GET = `SELECT body FROM ${TABLE} WHERE row_key = ? AND column_key = ? AND ref_key = ?`;
const LATEST = `SELECT ref_key, body FROM ${TABLE} WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1`;
const LIST = `SELECT column_key, ref_key, body FROM ${TABLE} WHERE row_key = ? ORDER BY column_key, ref_key`;
const COUNT = `SELECT COUNT(*) AS n FROM ${TABLE} WHERE row_key = ?`;

const TEXT_KEY = 'Zürich-東京-🚕';
const TEXT_BODY = { city: 'Zürich', note: '日本 🚕 "quoted" \\ back \'single\'', n: 1.5, list: [1, null, true] };
const BYTES = Buffer.from([0, 255, 65, 39, 92, 10]);

const TYPES = { VAR_STRING: 253, LONGLONG: 8, DATETIME: 12, JSON: 245, BLOB: 252 };
const MIB = 1 << 20;
// The server's word, its closed door, or the client's own limit.
const TOO_LARGE = [1406, 1153, 'ECONNRESET', 'EPIPE', -104, -32, 'PROTOCOL_CONNECTION_LOST', 45012, 45026, 45013, 45009];

const driver = await DRIVERS[process.argv[2]]();
let connection;

const rows = (sql, values = []) => driver.rows(connection, sql, values);
const change = (sql, values = []) => driver.change(connection, sql, values);
const putOne = async (key, ref = 1, body = '{}') => assert.equal(await change(INSERT, [key, 'BASE', ref, body]), 1);
const count = async (key, expected, on = connection) =>
  assert.equal(Number((await driver.rows(on, COUNT, [key]))[0].n), expected);

// A second connection.
async function another(options, use) {
  const other = await driver.connect(options);
  try {
    await use(other);
  } finally {
    await driver.close(other).catch(() => undefined);
  }
}
const othersSee = (key, expected) => another({}, (other) => count(key, expected, other));
const who = async (on) => (await driver.rows(on, 'SELECT CURRENT_USER() AS who', []))[0].who.split('@')[0];
const kept = async (on) => (await driver.rows(on, 'SELECT @kept AS kept', []))[0].kept;

async function get() {
  const [{ body }] = await rows(GET, ['trip-1', 'BASE', 1]);
  assert.deepEqual(document(body), { fare: 10 });
  assert.equal((await rows(GET, ['trip-1', 'BASE', 99])).length, 0);
}

async function latest() {
  const [{ ref_key, body }] = await rows(LATEST, ['trip-1', 'BASE']);
  assert.equal(Number(ref_key), 3);
  assert.deepEqual(document(body), { fare: 30 });
}

await run(driver.version, {
  async connect() {
    connection = await driver.connect();
    assert.equal(Number((await rows('SELECT 1 + 1 AS two'))[0].two), 2);
  },
  async create() {
    await change(`DROP TABLE IF EXISTS ${TABLE}`);
    await change(CREATE);
  },
  async put() {
    for (const ref of [1, 2, 3]) await putOne('trip-1', ref, JSON.stringify({ fare: ref * 10 }));
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
    const insert = `INSERT INTO ${TABLE} (row_key, column_key, ref_key, body) VALUES ${marks}`;
    assert.equal(await change(insert, values), 20);
    const found = await rows(`SELECT row_key FROM ${TABLE} WHERE row_key IN (${keys.map(() => '?').join(', ')})`, keys);
    assert.deepEqual(found.map((row) => row.row_key).sort(), keys.sort());
  },
  async duplicate() {
    const error = await refused(1062, change(INSERT, ['trip-1', 'BASE', 1, '{"fare":99}']));
    assert.equal(error.sqlState ?? error.sqlStateMarker ?? '23000', '23000');
    await get();
  },
  async prepared() {
    const inserts = [1, 2].map((n) => [`prepared-${n}`, 'BASE', n, '{"p":true}']);
    assert.deepEqual(await driver.prepared(connection, INSERT, inserts), [1, 1]);
    const found = await driver.prepared(connection, GET, [['prepared-2', 'BASE', 2], ['prepared-2', 'BASE', 3]]);
    assert.deepEqual(found.map((cells) => cells.map((cell) => document(cell.body))), [[{ p: true }], []]);
  },
  async limit() {
    const page = `SELECT ref_key FROM ${TABLE} WHERE row_key = ? AND column_key = 'BASE' ORDER BY ref_key LIMIT ?`;
    const refs = async (sql, values) => (await rows(sql, values)).map((cell) => Number(cell.ref_key));
    assert.deepEqual(await refs(page, ['trip-1', 2]), [1, 2]);
    assert.deepEqual(await refs(`${page} OFFSET ?`, ['trip-1', 2, 2]), [3]);
  },
  async quoted() {
    await putOne('quoted', '7');
    const found = await rows(`SELECT ref_key FROM ${TABLE} WHERE row_key = 'quoted' AND ref_key = '7'`);
    assert.deepEqual(found.map((cell) => Number(cell.ref_key)), [7]);
    assert.equal((await rows(GET, ['quoted', 'BASE', '7'])).length, 1);
  },
  async null() {
    const [{ one, two, three }] = await rows('SELECT NULL AS one, ? AS two, COALESCE(?, 5) AS three', [null, null]);
    assert.deepEqual([one, two, Number(three)], [null, null, 5]);
  },
  async text() {
    assert.equal(await change(INSERT, [TEXT_KEY, 'BASE', 1, JSON.stringify(TEXT_BODY)]), 1);
    const [{ row_key, body }] = await rows(`SELECT row_key, body FROM ${TABLE} WHERE row_key = ?`, [TEXT_KEY]);
    assert.equal(row_key, TEXT_KEY);
    assert.deepEqual(document(body), TEXT_BODY);
  },
  async binary() {
    const hex = `X'${BYTES.toString('hex')}'`;
    const [{ literal, same }] = await rows(`SELECT ${hex} AS literal, ? = ${hex} AS same`, [BYTES]);
    assert.ok(BYTES.equals(literal));
    assert.equal(Number(same), 1);
  },
  async large() {
    await putOne('large', 1, JSON.stringify('x'.repeat(3 * MIB)));
    const [{ body }] = await rows(GET, ['large', 'BASE', 1]);
    // A text that is JSON arrives as it is, or parsed.
    assert.ok(body.length >= 3 * MIB);
  },
  async 'too-large'() {
    const other = await driver.connect();
    // What becomes of the connection is between the two.
    other.on?.('error', () => undefined);
    const values = ['too-large', 'BASE', 1, JSON.stringify('x'.repeat(17 * MIB))];
    await refused(TOO_LARGE, driver.change(other, INSERT, values));
    other.destroy();
    await count('too-large', 0);
  },
  async types() {
    const [{ version }] = await rows('SELECT VERSION() AS version');
    const json = version.includes('MariaDB') ? TYPES.BLOB : TYPES.JSON;
    const columns = `row_key, ref_key AS \`Ref\`, body, created_at FROM ${TABLE} WHERE row_key = 'trip-1'`;
    assert.deepEqual(await driver.columns(connection, `SELECT ${columns}`), [
      ['row_key', TYPES.VAR_STRING], ['Ref', TYPES.LONGLONG], ['body', json], ['created_at', TYPES.DATETIME],
    ]);
    const [{ created_at }] = await rows(`SELECT created_at FROM ${TABLE} WHERE row_key = 'trip-1' LIMIT 1`);
    assert.ok(created_at instanceof Date);
  },
  async errors() {
    for (const [code, statement] of [
      [1064, 'SELEC 1'],
      [1054, `SELECT nonsense FROM ${TABLE} WHERE row_key = 'x'`],
      [1146, "SELECT body FROM no_such_table WHERE row_key = 'x'"],
      [1051, 'DROP TABLE no_such_table'],
      [1050, CREATE],
    ]) {
      await refused(code, rows(statement));
    }
    await refused(1049, driver.connect({ database: 'no_such_database' }));
    await get();
  },
  async warnings() {
    const ignored = "VALUES ('trip-1', 'BASE', 1, '{}')";
    assert.equal(await change(`INSERT IGNORE INTO ${TABLE} (row_key, column_key, ref_key, body) ${ignored}`), 0);
    const found = (await rows('SHOW WARNINGS')).map((warning) => [warning.Level, Number(warning.Code)]);
    assert.deepEqual(found, [['Warning', 1062]]);
  },
  async update() {
    // Cells are immutable. Where they are not, a row that is the same already counts with CLIENT_FOUND_ROWS only.
    const update = `UPDATE ${TABLE} SET body = '{}' WHERE row_key = 'multi-1'`;
    assert.equal(await change(update), 1);
    assert.equal(await change(update), driver.foundRows ? 1 : 0);
  },
  async commit() {
    await driver.begin(connection);
    await putOne('commit', 1);
    await putOne('commit', 2);
    await count('commit', 2);
    await othersSee('commit', 0);
    await driver.commit(connection);
    await othersSee('commit', 2);
  },
  async rollback() {
    await driver.begin(connection);
    await putOne('rollback');
    await driver.rollback(connection);
    await count('rollback', 0);
  },
  async savepoint() {
    await driver.begin(connection);
    await putOne('savepoint', 1);
    await change('SAVEPOINT one');
    await putOne('savepoint', 2);
    await change('ROLLBACK TO SAVEPOINT one');
    await count('savepoint', 1);
    await change('RELEASE SAVEPOINT one');
    await driver.commit(connection);
    await othersSee('savepoint', 1);
  },
  async autocommit() {
    const state = async () => Number((await rows('SELECT @@autocommit AS state'))[0].state);
    assert.equal(await state(), 1);
    await change('SET autocommit = 0');
    assert.equal(await state(), 0);
    await putOne('autocommit');
    await othersSee('autocommit', 0);
    await driver.commit(connection);
    await othersSee('autocommit', 1);
    await change('SET autocommit = 1');
  },
  async isolation() {
    for (const level of ['READ COMMITTED', 'REPEATABLE READ']) {
      await change(`SET SESSION TRANSACTION ISOLATION LEVEL ${level}`);
      assert.equal((await rows('SELECT @@tx_isolation AS level'))[0].level, level.replace(' ', '-'));
    }
  },
  async 'multi-statement'() {
    await another({ multi: true }, async (other) => {
      const sql = `SELECT 1; SELECT ref_key FROM ${TABLE} WHERE row_key = 'multi-1'; SELECT 3`;
      assert.deepEqual(await driver.results(other, sql), [[[1]], [[1]], [[3]]]);
    });
  },
  async stream() {
    const values = Array.from({ length: 300 }, (_, n) => `('many', 'BASE', ${n + 1}, '{}')`).join(', ');
    assert.equal(await change(`INSERT INTO ${TABLE} (row_key, column_key, ref_key, body) VALUES ${values}`), 300);
    const refs = [];
    const statement = `SELECT ref_key FROM ${TABLE} WHERE row_key = 'many' ORDER BY ref_key`;
    for await (const cell of await driver.stream(connection, statement)) refs.push(Number(cell.ref_key));
    assert.deepEqual(refs, Array.from({ length: 300 }, (_, n) => n + 1));
  },
  cursor: () => skip('opens no cursors on the server'),
  ping: () => driver.ping(connection),
  async 'select-db'() {
    // By COM_CHANGE_USER, mostly.
    await driver.selectDatabase(connection, 'information_schema');
    assert.equal((await rows('SELECT DATABASE() AS name'))[0].name, 'information_schema');
    await driver.selectDatabase(connection, ADDRESS.database);
    await get();
  },
  async statistics() {
    assert.match(await driver.statistics(connection), /Uptime/);
  },
  password: () => another(APP, async (other) => assert.equal(await who(other), APP.user)),
  'wrong-password': () => refused(1045, driver.connect({ ...APP, password: `${APP.password}x` })),
  'change-user': () => another({}, async (other) => {
    await driver.change(other, 'SET @kept = 1', []);
    await driver.changeUser(other, APP);
    assert.equal(await who(other), APP.user);
    assert.equal(await kept(other), null);
  }),
  reset: () => another({}, async (other) => {
    await driver.change(other, 'SET @kept = 1', []);
    assert.equal(Number(await kept(other)), 1);
    await driver.reset(other);
    assert.equal(await kept(other), null);
  }),
  tls: () => another({ ...APP, tls: true }, async (other) => {
    const [{ Value }] = await driver.rows(other, "SHOW STATUS LIKE 'Ssl_cipher'", []);
    assert.ok(Value, 'the connection is not encrypted');
  }),
  compression: () => another({ compress: true }, async (other) => {
    const [{ Value }] = await driver.rows(other, "SHOW STATUS LIKE 'Compression'", []);
    assert.equal(Value, 'ON');
    const [{ body }] = await driver.rows(other, GET, ['large', 'BASE', 1]);
    assert.ok(body.length >= 3 * MIB);
  }),
  async reconnect() {
    await driver.close(connection);
    connection = await driver.connect();
    await latest();
  },
  async drop() {
    await change(`DROP TABLE ${TABLE}`);
    await refused(1146, rows(GET, ['trip-1', 'BASE', 1]));
    await driver.close(connection);
  },
});
