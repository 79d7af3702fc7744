// Node's drivers, made alike. Each has
//   connect(options) -> connection; options of ADDRESS, and tls, compress, multi
//   rows(connection, sql, values) -> array of rows as objects; change(connection, sql, values) -> affected rows
//   prepared(connection, sql, rows) -> what each execution gave: rows, or a number of affected rows
//   columns(connection, sql) -> [name, type number] of each column
//   foundRows: whether an UPDATE counts rows that were the same already
// What a driver cannot do is skipped.

import { createRequire } from 'node:module';
import { promisify } from 'node:util';
import { ADDRESS, Skip, skip } from './steps.mjs';

const require = createRequire(import.meta.url);
const versionOf = (name) => `${name} ${require(`./node_modules/${name}/package.json`).version}`;
// TLS without asking who the server is: its certificate is its own.
const ANY_CERTIFICATE = { rejectUnauthorized: false };
const results = (found) => found.filter(Array.isArray).map((rows) => rows.map((row) => Object.values(row).map(Number)));

// mysql: callbacks, text only, and no word of authentication plugins.
const mysql = async () => {
  const module = (await import('mysql')).default;
  const query = (connection, sql, values) => promisify(connection.query).call(connection, sql, values);
  const call = (connection, name, ...rest) => promisify(connection[name]).call(connection, ...rest);
  return {
    version: versionOf('mysql'),
    foundRows: true,
    async connect({ tls, compress, multi, ...options } = {}) {
      if (compress) skip('does not compress');
      const connection = module.createConnection({
        charset: 'utf8mb4', ...ADDRESS, ...options, multipleStatements: !!multi, ssl: tls ? ANY_CERTIFICATE : undefined,
      });
      await call(connection, 'connect');
      return connection;
    },
    rows: query,
    change: async (connection, sql, values) => (await query(connection, sql, values)).affectedRows,
    prepared: () => skip('binds on the client\'s side: no prepared statements of the protocol'),
    columns: (connection, sql) => new Promise((resolve, reject) => {
      connection.query(sql, (error, _, fields) =>
        (error ? reject(error) : resolve(fields.map((field) => [field.name, field.type]))));
    }),
    results: async (connection, sql) => results(await query(connection, sql)),
    // Its streams are of the days before asynchronous iteration.
    stream: (connection, sql) => new Promise((resolve, reject) => {
      const rows = [];
      connection.query(sql).on('result', (row) => rows.push(row)).on('error', reject).on('end', () => resolve(rows));
    }),
    begin: (connection) => call(connection, 'beginTransaction'),
    commit: (connection) => call(connection, 'commit'),
    rollback: (connection) => call(connection, 'rollback'),
    ping: (connection) => call(connection, 'ping'),
    selectDatabase: (connection, name) => call(connection, 'changeUser', { database: name }),
    statistics: async (connection) => JSON.stringify(await call(connection, 'statistics')),
    changeUser: (connection, user) => call(connection, 'changeUser', user),
    reset: () => skip('no call for COM_RESET_CONNECTION'),
    close: (connection) => call(connection, 'end'),
  };
};

// mysql2: query() is text, execute() prepares each statement once and keeps it.
const mysql2 = (way) => async () => {
  const module = (await import('mysql2/promise')).default;
  const ask = async (connection, sql, values) => (await connection[way](sql, values))[0];
  return {
    version: versionOf('mysql2'),
    foundRows: true,
    connect: ({ tls, compress, multi, ...options } = {}) => module.createConnection({
      ...ADDRESS, ...options, multipleStatements: !!multi, compress: !!compress, ssl: tls ? ANY_CERTIFICATE : undefined,
    }),
    rows: ask,
    change: async (connection, sql, values) => (await ask(connection, sql, values)).affectedRows,
    async prepared(connection, sql, rows) {
      const statement = await connection.prepare(sql);
      const given = [];
      for (const row of rows) {
        const [result] = await statement.execute(row);
        given.push(Array.isArray(result) ? result : result.affectedRows);
      }
      // Not close(): execute() would find the closed statement in its cache.
      connection.unprepare(sql);
      return given;
    },
    columns: async (connection, sql) =>
      (await connection[way](sql))[1].map((field) => [field.name, field.columnType ?? field.type]),
    results: async (connection, sql) => results((await connection.query(sql))[0]),
    async *stream(connection, sql) {
      yield* connection.connection[way](sql).stream({ highWaterMark: 50 });
    },
    begin: (connection) => connection.beginTransaction(),
    commit: (connection) => connection.commit(),
    rollback: (connection) => connection.rollback(),
    ping: (connection) => connection.ping(),
    selectDatabase: (connection, name) => connection.changeUser({ database: name }),
    statistics: () => skip('no call for COM_STATISTICS'),
    changeUser: (connection, user) => connection.changeUser(user),
    reset: (connection) => (connection.reset ? connection.reset() : skip('no call for COM_RESET_CONNECTION')),
    close: (connection) => connection.end(),
  };
};

// mariadb: query() is text, execute() prepares, batch() prepares once and pipelines, or sends one bulk command to a server that
// is a MariaDB: one result for each row, or one for all.
const mariadb = async () => {
  const module = (await import('mariadb')).default;
  const affected = (result) => [result].flat().reduce((sum, { affectedRows }) => sum + affectedRows, 0);
  return {
    version: versionOf('mariadb'),
    foundRows: true,
    connect: ({ tls, compress, multi, ...options } = {}) => module.createConnection({
      ...ADDRESS, ...options, multipleStatements: !!multi, compress: !!compress, ssl: tls ? ANY_CERTIFICATE : undefined,
    }),
    rows: (connection, sql, values) => connection.query(sql, values),
    change: async (connection, sql, values) => affected(await connection.query(sql, values)),
    async prepared(connection, sql, rows) {
      if (sql.startsWith('INSERT')) {
        const total = affected(await connection.batch(sql, rows));
        return rows.map(() => total / rows.length);
      }
      const statement = await connection.prepare(sql);
      const given = [];
      for (const row of rows) given.push(await statement.execute(row));
      statement.close();
      return given;
    },
    columns: async (connection, sql) => (await connection.query(sql)).meta.map((field) => [field.name(), field.columnType]),
    results: async (connection, sql) => results(await connection.query(sql)),
    async *stream(connection, sql) {
      yield* connection.queryStream(sql);
    },
    begin: (connection) => connection.beginTransaction(),
    commit: (connection) => connection.commit(),
    rollback: (connection) => connection.rollback(),
    ping: (connection) => connection.ping(),
    selectDatabase: (connection, name) => connection.query(`USE ${name}`),
    statistics: () => skip('no call for COM_STATISTICS'),
    changeUser: (connection, user) => connection.changeUser(user).catch((error) => {
      throw error.errno === 45003 ? new Skip('does so with a MariaDB only') : error;
    }),
    reset: (connection) => connection.reset(),
    close: (connection) => connection.end(),
  };
};

export const DRIVERS = {
  mysql,
  'mysql2-query': mysql2('query'),
  'mysql2-execute': mysql2('execute'),
  mariadb,
};
