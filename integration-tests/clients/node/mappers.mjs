// The steps of every mapper, for Node's: `mappers.mjs knex|sequelize|typeorm`. A mapper has a version and the steps by name;
// what they share is put around them below.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { ADDRESS, CREATE, TABLE, document, run } from './steps.mjs';

const require = createRequire(import.meta.url);
const versionOf = (name) => `${name} ${require(`./node_modules/${name}/package.json`).version}`;
const version = (name) => `${versionOf(name)}, ${versionOf('mysql2')}`;
const COUNT = `SELECT COUNT(*) AS n FROM ${TABLE} WHERE row_key = ?`;
const cell = (row_key, ref_key = 1, body = {}) => ({ row_key, column_key: 'BASE', ref_key, body: JSON.stringify(body) });
const onPurpose = () => {
  throw new Error('on purpose');
};
const ended = (promise) => assert.rejects(promise, /on purpose/);
// MariaDB's JSON is longtext.
const jsonType = (type) => assert.match(type.toLowerCase(), /^(json|longtext)$/);

async function knex() {
  const db = (await import('knex')).default({ client: 'mysql2', connection: ADDRESS, pool: { min: 1, max: 2 } });
  return {
    version: version('knex'),
    query: async (sql, values = []) => (await db.raw(sql, values))[0],
    close: () => db.destroy(),
    async reflect() {
      assert.equal(await db.schema.hasTable(TABLE), true);
      assert.equal(await db.schema.hasTable('no_such_table'), false);
      assert.equal(await db.schema.hasColumn(TABLE, 'ref_key'), true);
      const columns = await db(TABLE).columnInfo();
      assert.deepEqual([columns.row_key.type, columns.ref_key.type], ['varchar', 'bigint']);
      jsonType(columns.body.type);
    },
    async insert() {
      await db(TABLE).insert(cell('one', 1, { n: 1 }));
      await db.batchInsert(TABLE, [1, 2, 3].map((n) => cell('many', n, { n })), 2);
    },
    async select() {
      const refs = await db(TABLE).where({ row_key: 'many' }).orderBy('ref_key', 'desc').limit(2).pluck('ref_key');
      assert.deepEqual(refs.map(Number), [3, 2]);
      const one = await db(TABLE).where({ row_key: 'one', column_key: 'BASE', ref_key: 1 }).first();
      assert.deepEqual(document(one.body), { n: 1 });
    },
    duplicate: () => db(TABLE).insert(cell('one', 1, { n: 2 })),
    async transaction() {
      await db.transaction(async (tx) => {
        await tx(TABLE).insert(cell('done', 1));
        await tx(TABLE).insert(cell('done', 2));
      });
      await ended(db.transaction(async (tx) => {
        await tx(TABLE).insert(cell('failed'));
        onPurpose();
      }));
    },
    savepoint: () => db.transaction(async (tx) => {
      await tx(TABLE).insert(cell('outer', 1));
      await ended(tx.transaction(async (inner) => {
        await inner(TABLE).insert(cell('outer', 2));
        onPurpose();
      }));
    }),
    update: () => db(TABLE).where({ row_key: 'one' }).update({ body: '{"n":9}' }),
    async drop() {
      await db.schema.dropTable(TABLE);
      assert.equal(await db.schema.hasTable(TABLE), false);
    },
  };
}

async function sequelize() {
  const { Sequelize, DataTypes, QueryTypes, UniqueConstraintError } = (await import('sequelize')).default;
  const { host, port, user, database } = ADDRESS;
  const db = new Sequelize(database, user, null, { host, port, dialect: 'mysql', logging: false });
  const Cell = db.define('Cell', {
    added_id: { type: DataTypes.BIGINT, primaryKey: true, autoIncrement: true },
    row_key: DataTypes.STRING,
    column_key: DataTypes.STRING,
    ref_key: DataTypes.BIGINT,
    body: DataTypes.TEXT,
  }, { tableName: TABLE, timestamps: false });
  return {
    version: version('sequelize'),
    query: (sql, values = []) =>
      db.query(sql, { replacements: values, type: /^SELECT/.test(sql) ? QueryTypes.SELECT : QueryTypes.RAW }),
    close: () => db.close(),
    connect: () => db.authenticate(),
    async reflect() {
      const schema = db.getQueryInterface();
      const columns = await schema.describeTable(TABLE);
      assert.match(columns.row_key.type, /^VARCHAR/);
      assert.match(columns.ref_key.type, /^BIGINT/);
      jsonType(columns.body.type);
      assert.ok((await schema.showAllTables()).some((name) => (name.tableName ?? name) === TABLE));
      await schema.showIndex(TABLE);
      assert.equal(await schema.tableExists('no_such_table'), false);
    },
    async insert() {
      await Cell.create(cell('one', 1, { n: 1 }));
      await Cell.bulkCreate([1, 2, 3].map((n) => cell('many', n, { n })));
    },
    async select() {
      const found = await Cell.findAll({ where: { row_key: 'many' }, order: [['ref_key', 'DESC']], limit: 2 });
      assert.deepEqual(found.map((one) => Number(one.ref_key)), [3, 2]);
      const one = await Cell.findOne({ where: { row_key: 'one', column_key: 'BASE', ref_key: 1 } });
      assert.deepEqual(document(one.body), { n: 1 });
    },
    async duplicate() {
      const error = await Cell.create(cell('one', 1, { n: 2 })).then(() => undefined, (error) => error);
      assert.ok(error instanceof UniqueConstraintError, String(error));
      throw error;
    },
    async transaction() {
      await db.transaction(async (transaction) => {
        await Cell.create(cell('done', 1), { transaction });
        await Cell.create(cell('done', 2), { transaction });
      });
      await ended(db.transaction(async (transaction) => {
        await Cell.create(cell('failed'), { transaction });
        onPurpose();
      }));
    },
    savepoint: () => db.transaction(async (transaction) => {
      await Cell.create(cell('outer', 1), { transaction });
      const inner = await db.transaction({ transaction });
      await Cell.create(cell('outer', 2), { transaction: inner });
      await inner.rollback();
    }),
    update: () => Cell.update({ body: '{"n":9}' }, { where: { row_key: 'one' } }),
    drop: () => Cell.drop(),
  };
}

async function typeorm() {
  const { DataSource, EntitySchema } = (await import('typeorm')).default ?? await import('typeorm');
  const text = { type: 'varchar' };
  const Cell = new EntitySchema({
    name: 'Cell',
    tableName: TABLE,
    columns: {
      added_id: { type: 'bigint', primary: true, generated: 'increment' },
      row_key: text,
      column_key: text,
      ref_key: { type: 'bigint' },
      body: { type: 'text' },
    },
  });
  const { user: username, ...address } = ADDRESS;
  const db = new DataSource({ type: 'mysql', ...address, username, entities: [Cell], synchronize: false });
  const cells = () => db.getRepository(Cell);
  const put = (manager, ...values) => manager.insert(Cell, cell(...values));
  return {
    version: version('typeorm'),
    query: (sql, values = []) => db.query(sql, values),
    close: () => db.destroy(),
    connect: () => db.initialize(),
    async reflect() {
      const runner = db.createQueryRunner();
      const table = await runner.getTable(TABLE);
      assert.equal(table.findColumnByName('row_key').type, 'varchar');
      assert.equal(table.findColumnByName('ref_key').type, 'bigint');
      jsonType(table.findColumnByName('body').type);
      assert.equal(await runner.hasTable('no_such_table'), false);
      await runner.release();
    },
    async insert() {
      await put(db.manager, 'one', 1, { n: 1 });
      await cells().insert([1, 2, 3].map((n) => cell('many', n, { n })));
    },
    async select() {
      const found = await cells().find({ where: { row_key: 'many' }, order: { ref_key: 'DESC' }, take: 2 });
      assert.deepEqual(found.map((one) => Number(one.ref_key)), [3, 2]);
      const one = await cells().findOneBy({ row_key: 'one', column_key: 'BASE', ref_key: 1 });
      assert.deepEqual(document(one.body), { n: 1 });
    },
    duplicate: () => put(db.manager, 'one', 1, { n: 2 }),
    async transaction() {
      await db.transaction(async (manager) => {
        await put(manager, 'done', 1);
        await put(manager, 'done', 2);
      });
      await ended(db.transaction(async (manager) => {
        await put(manager, 'failed');
        onPurpose();
      }));
    },
    savepoint: () => db.transaction(async (manager) => {
      await put(manager, 'outer', 1);
      await ended(manager.transaction(async (inner) => {
        await put(inner, 'outer', 2);
        onPurpose();
      }));
    }),
    update: () => cells().update({ row_key: 'one' }, { body: '{"n":9}' }),
    async drop() {
      const runner = db.createQueryRunner();
      await runner.dropTable(TABLE);
      assert.equal(await runner.hasTable(TABLE), false);
      await runner.release();
    },
  };
}

const mapper = await { knex, sequelize, typeorm }[process.argv[2]]();
const count = async (key, expected) => assert.equal(Number((await mapper.query(COUNT, [key]))[0].n), expected);

await run(mapper.version, {
  async connect() {
    await mapper.connect?.();
    assert.equal(Number((await mapper.query('SELECT 1 + 1 AS n'))[0].n), 2);
  },
  async create() {
    await mapper.query(`DROP TABLE IF EXISTS ${TABLE}`);
    await mapper.query(CREATE);
  },
  reflect: mapper.reflect,
  insert: mapper.insert,
  select: mapper.select,
  raw: () => count('many', 3),
  async duplicate() {
    const error = await mapper.duplicate().then(() => undefined, (error) => error);
    assert.equal(error?.errno ?? error?.original?.errno ?? error?.driverError?.errno, 1062, String(error));
  },
  async transaction() {
    await mapper.transaction();
    await count('done', 2);
    await count('failed', 0);
  },
  async savepoint() {
    await mapper.savepoint();
    await count('outer', 1);
  },
  update: mapper.update,
  async drop() {
    await mapper.drop();
    await mapper.close();
  },
});
