# The steps of every mapper, for Ruby's: `mappers.rb sequel|activerecord`, both on mysql2.

require 'json'
require 'mysql2'

TABLE = ENV.fetch('MYSQL_TABLE')
ADDRESS = { adapter: 'mysql2', host: ENV.fetch('MYSQL_HOST'), port: ENV.fetch('MYSQL_PORT').to_i, encoding: 'utf8mb4',
            database: ENV.fetch('MYSQL_DATABASE') }.freeze
USER = ENV.fetch('MYSQL_USER')
CREATE = "CREATE TABLE #{TABLE} (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL,
  column_key VARCHAR(64) NOT NULL, ref_key BIGINT NOT NULL, body JSON NOT NULL,
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))".freeze
STEPS = %w[connect create reflect insert select raw duplicate transaction savepoint update drop].freeze

class OnPurpose < StandardError; end

def equal(found, expected)
  raise "#{found.inspect} instead of #{expected.inspect}"[0, 500] unless found == expected
end

def refused(kind, number)
  yield
rescue kind => error
  cause = error.respond_to?(:wrapped_exception) && error.wrapped_exception || error.cause
  equal(cause.error_number, number)
else
  raise 'not refused'
end

def ended
  yield
rescue OnPurpose
  nil
else
  raise 'the transaction did not end'
end

def cell(key, ref = 1, body = {})
  { row_key: key, column_key: 'BASE', ref_key: ref, body: JSON.generate(body) }
end

class SequelMapper
  def initialize
    require 'sequel'
  end

  def version
    "Sequel #{Sequel.version}, mysql2 #{Mysql2::VERSION}"
  end

  def connect
    @db = Sequel.connect(ADDRESS.merge(user: USER))
    equal(@db.get(Sequel.lit('1 + 1')), 2)
    @cells = @db[TABLE.to_sym]
  end

  def create
    @db.run("DROP TABLE IF EXISTS #{TABLE}")
    @db.run(CREATE)
  end

  def reflect
    equal([@db.table_exists?(TABLE), @db.table_exists?(:no_such_table)], [true, false])
    equal(@db.tables.include?(TABLE.to_sym), true)
    schema = @db.schema(TABLE.to_sym).to_h
    equal(%i[row_key ref_key].map { |name| schema[name][:db_type].split('(')[0] }, %w[varchar bigint])
    @db.indexes(TABLE.to_sym)
  end

  def insert
    @cells.insert(cell('one', 1, { n: 1 }))
    @cells.multi_insert([1, 2, 3].map { |n| cell('many', n, { n: n }) })
  end

  def select
    equal(@cells.where(row_key: 'many').reverse(:ref_key).limit(2).select_map(:ref_key), [3, 2])
    equal(JSON.parse(@cells.first(row_key: 'one', column_key: 'BASE', ref_key: 1)[:body]), { 'n' => 1 })
  end

  def raw
    equal(@db.fetch("SELECT COUNT(*) AS n FROM #{TABLE} WHERE row_key = ?", 'many').first[:n], 3)
  end

  def duplicate
    refused(Sequel::UniqueConstraintViolation, 1062) { @cells.insert(cell('one', 1, { n: 2 })) }
  end

  def count(key)
    @cells.where(row_key: key).count
  end

  def transaction
    @db.transaction { [1, 2].each { |ref| @cells.insert(cell('done', ref)) } }
    ended do
      @db.transaction do
        @cells.insert(cell('failed'))
        raise OnPurpose
      end
    end
    equal([count('done'), count('failed')], [2, 0])
  end

  def savepoint
    @db.transaction do
      @cells.insert(cell('outer', 1))
      ended do
        @db.transaction(savepoint: true) do
          @cells.insert(cell('outer', 2))
          raise OnPurpose
        end
      end
    end
    equal(count('outer'), 1)
  end

  def update
    equal(@cells.where(row_key: 'one').update(body: '{"n":9}'), 1)
  end

  def drop
    @db.drop_table(TABLE.to_sym)
    equal(@db.table_exists?(TABLE), false)
    @db.disconnect
  end
end

class ActiveRecordMapper
  def initialize
    require 'active_record'
  end

  def version
    "ActiveRecord #{ActiveRecord.version}, mysql2 #{Mysql2::VERSION}"
  end

  def connect
    ActiveRecord::Base.establish_connection(ADDRESS.merge(username: USER))
    @db = ActiveRecord::Base.connection
    equal(@db.select_value('SELECT 1 + 1'), 2)
  end

  def create
    @db.execute("DROP TABLE IF EXISTS #{TABLE}")
    @db.execute(CREATE)
  end

  def reflect
    equal([@db.table_exists?(TABLE), @db.table_exists?('no_such_table')], [true, false])
    columns = @db.columns(TABLE).to_h { |column| [column.name, column.type] }
    equal(columns.values_at('row_key', 'ref_key'), %i[string integer])
    equal(%i[json text].include?(columns['body']), true)
    @db.indexes(TABLE)
    @db.primary_keys(TABLE)
    @cell = Class.new(ActiveRecord::Base) do
      self.table_name = TABLE
      # The store gives a cell its time.
      self.record_timestamps = false
      # MariaDB's JSON is longtext.
      attribute :body, :json

      def self.name
        'Cell'
      end
    end
    equal(@cell.column_names.include?('column_key'), true)
  end

  def put(key, ref = 1, body = {})
    @cell.create!(row_key: key, column_key: 'BASE', ref_key: ref, body: body)
  end

  def insert
    put('one', 1, { n: 1 })
    [1, 2, 3].each { |n| put('many', n, { n: n }) }
  end

  def select
    equal(@cell.where(row_key: 'many').order(ref_key: :desc).limit(2).pluck(:ref_key), [3, 2])
    equal(@cell.find_by(row_key: 'one', column_key: 'BASE', ref_key: 1).body, { 'n' => 1 })
    equal(@cell.where(row_key: %w[one none]).exists?, true)
  end

  def raw
    statement = @cell.sanitize_sql_array(["SELECT COUNT(*) FROM #{TABLE} WHERE row_key = ?", 'many'])
    equal(@db.select_value(statement), 3)
  end

  def duplicate
    refused(ActiveRecord::RecordNotUnique, 1062) { put('one', 1, { n: 2 }) }
  end

  def count(key)
    @cell.where(row_key: key).count
  end

  def transaction
    @cell.transaction { [1, 2].each { |ref| put('done', ref) } }
    ended do
      @cell.transaction do
        put('failed')
        raise OnPurpose
      end
    end
    equal([count('done'), count('failed')], [2, 0])
  end

  def savepoint
    @cell.transaction do
      put('outer', 1)
      ended do
        @cell.transaction(requires_new: true) do
          put('outer', 2)
          raise OnPurpose
        end
      end
    end
    equal(count('outer'), 1)
  end

  def update
    equal(@cell.where(row_key: 'one').update_all(body: { n: 9 }), 1)
  end

  def drop
    @db.drop_table(TABLE)
    equal(@db.table_exists?(TABLE), false)
    @db.disconnect!
  end
end

$stdout.sync = true
mapper = { 'sequel' => SequelMapper, 'activerecord' => ActiveRecordMapper }.fetch(ARGV[0]).new
puts "version #{mapper.version}"
passed = failed = 0
STEPS.each do |step|
  mapper.public_send(step)
  puts "ok #{step}"
  passed += 1
rescue StandardError => error
  puts "FAIL #{step}: #{error.class} #{error.message.split.join(' ')[0, 600]}"
  failed += 1
  break if step == 'connect'
end
puts "#{passed} passed, #{failed} failed"
exit(failed.zero?)
