// mariadb: query() is the text protocol, execute() prepares, batch() prepares once and pipelines, or sends one bulk command to
// a server that is a MariaDB: one result for each row, or one for all.

import mariadb from 'mariadb';
import { ADDRESS, run } from './steps.mjs';

await run({
  connect: () => mariadb.createConnection(ADDRESS),
  rows: (connection, sql, values) => connection.query(sql, values),
  change: async (connection, sql, values) => (await connection.query(sql, values)).affectedRows,
  prepared_rows: (connection, sql, values) => connection.execute(sql, values),
  prepared_change: async (connection, sql, values) =>
    [await connection.batch(sql, [values])].flat().reduce((sum, result) => sum + result.affectedRows, 0),
  begin: (connection) => connection.beginTransaction(),
  commit: (connection) => connection.commit(),
  rollback: (connection) => connection.rollback(),
  close: (connection) => connection.end(),
});
