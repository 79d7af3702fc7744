// What every Node program here shares: where the server is, and how steps are run and reported.

import assert from 'node:assert/strict';

const env = process.env;

export const ADDRESS = {
  host: env.MYSQL_HOST,
  port: Number(env.MYSQL_PORT),
  user: env.MYSQL_USER,
  database: env.MYSQL_DATABASE,
};
export const TABLE = env.MYSQL_TABLE;
// A user with a password.
export const APP = { user: env.MYSQL_APP_USER, password: env.MYSQL_APP_PASSWORD };

export const CREATE = `CREATE TABLE ${TABLE} (
    added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL, column_key VARCHAR(64) NOT NULL,
    ref_key BIGINT NOT NULL, body JSON NOT NULL, created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))`;

// Thrown by what the client has no way to do.
export class Skip extends Error {}

export function skip(why) {
  throw new Skip(why);
}

// A JSON column arrives parsed, a MariaDB JSON column as text.
export const document = (body) =>
  typeof body === 'string' || Buffer.isBuffer(body) ? JSON.parse(body.toString()) : body;

// Waits for one of these errors.
export async function refused(codes, promise) {
  const error = await promise.then(() => undefined, (error) => error);
  assert.ok(error, 'not refused');
  if (error instanceof Skip) throw error;
  const code = error.errno ?? error.original?.errno ?? error.code;
  assert.ok([codes].flat().includes(code), `${error.message} instead of error ${codes}`);
  return error;
}

// Runs steps, an object of functions by name, and ends the program.
export async function run(version, steps) {
  console.log(`version ${version}`);
  let passed = 0;
  let failed = 0;
  for (const [name, step] of Object.entries(steps)) {
    try {
      await step();
      console.log(`ok ${name}`);
      passed += 1;
    } catch (error) {
      const why = String(error.message).split(/\s+/).join(' ').slice(0, 500);
      if (error instanceof Skip) {
        console.log(`skip ${name}: ${why}`);
        continue;
      }
      console.log(`FAIL ${name}: ${why}`);
      failed += 1;
      if (name === 'connect') break;
    }
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed ? 1 : 0);
}
