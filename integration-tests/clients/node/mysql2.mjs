// mysql2: query() is the text protocol, execute() prepares.

import mysql from 'mysql2/promise';
import { ADDRESS, run } from './steps.mjs';

await run({
  connect: () => mysql.createConnection(ADDRESS),
  rows: async (connection, sql, values) => (await connection.query(sql, values))[0],
  change: async (connection, sql, values) => (await connection.query(sql, values))[0].affectedRows,
  prepared_rows: async (connection, sql, values) => (await connection.execute(sql, values))[0],
  prepared_change: async (connection, sql, values) => (await connection.execute(sql, values))[0].affectedRows,
  begin: (connection) => connection.beginTransaction(),
  commit: (connection) => connection.commit(),
  rollback: (connection) => connection.rollback(),
  close: (connection) => connection.end(),
});
