# The steps of every driver, for Ruby's mysql2.

require 'bigdecimal'
require 'json'
require 'mysql2'

TABLE = ENV.fetch('MYSQL_TABLE')
DATABASE = ENV.fetch('MYSQL_DATABASE')
APP = { username: ENV.fetch('MYSQL_APP_USER'), password: ENV.fetch('MYSQL_APP_PASSWORD') }.freeze
CREATE = "CREATE TABLE #{TABLE} (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL,
  column_key VARCHAR(64) NOT NULL, ref_key BIGINT NOT NULL, body JSON NOT NULL,
  created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
  PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))".freeze
INTO = "INTO #{TABLE} (row_key, column_key, ref_key, body) VALUES".freeze
PUT = "INSERT #{INTO} (?, ?, ?, ?)".freeze
GET = "SELECT body FROM #{TABLE} WHERE row_key = ? AND column_key = ? AND ref_key = ?".freeze
LATEST = "SELECT ref_key, body FROM #{TABLE} WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1".freeze
MANY = "SELECT ref_key FROM #{TABLE} WHERE row_key = 'many' ORDER BY ref_key".freeze
TEXT_KEY = 'Zürich-東京-🚕'.freeze
TEXT_BODY = { 'city' => 'Zürich', 'note' => "日本 🚕 \"quoted\" \\ back 'single'", 'list' => [1, nil, true] }.freeze
BYTES = "\x00\xFFA'\\\n".b.freeze
MIB = 1 << 20

# What the client has no way to do.
class Skip < StandardError; end

def equal(found, expected)
  raise "#{found.inspect} instead of #{expected.inspect}"[0, 500] unless found == expected
end

def refused(codes)
  yield
rescue Mysql2::Error => error
  raise error unless Array(codes).include?(error.error_number)

  error
else
  raise 'not refused'
end

# Statements without values are text, those with values are prepared.
class Client
  def initialize
    @connection = nil
  end

  def open(**options)
    Mysql2::Client.new(host: ENV.fetch('MYSQL_HOST'), port: ENV.fetch('MYSQL_PORT').to_i, username: ENV.fetch('MYSQL_USER'),
                       database: DATABASE, encoding: 'utf8mb4', **options)
  end

  def rows(sql, *values)
    result = values.empty? ? @connection.query(sql, as: :array) : @connection.prepare(sql).execute(*values, as: :array)
    result.to_a
  end

  def one(sql, *values)
    rows(sql, *values)[0][0]
  end

  def change(sql, *values)
    return @connection.query(sql) && 0 || @connection.affected_rows if values.empty?

    statement = @connection.prepare(sql)
    statement.execute(*values)
    statement.affected_rows
  end

  def put_one(key, ref = 1, body = '{}')
    equal(change(PUT, key, 'BASE', ref, body), 1)
  end

  def count(key, expected)
    equal(one("SELECT COUNT(*) FROM #{TABLE} WHERE row_key = ?", key), expected)
  end

  # Runs a block with another connection in place of ours.
  def another(**options)
    ours = @connection
    @connection = open(**options)
    yield
    @connection.close
  ensure
    @connection = ours
  end

  def others_see(key, expected)
    another { count(key, expected) }
  end

  def who
    one('SELECT CURRENT_USER()').split('@')[0]
  end

  def status(name)
    rows("SHOW STATUS LIKE '#{name}'")[0][1]
  end

  def connect
    @connection = open
    equal(one('SELECT 1 + 1'), 2)
  end

  def create
    change("DROP TABLE IF EXISTS #{TABLE}")
    change(CREATE)
  end

  def put
    [1, 2, 3].each { |ref| put_one('trip-1', ref, JSON.generate({ fare: ref * 10 })) }
    equal(change("INSERT #{INTO} ('trip-1', 'STATUS', 1, '{\"status\":\"done\"}')"), 1)
  end

  def get
    equal(JSON.parse(one(GET, 'trip-1', 'BASE', 1)), { 'fare' => 10 })
    equal(rows(GET, 'trip-1', 'BASE', 99), [])
  end

  def latest
    ref, body = rows(LATEST, 'trip-1', 'BASE')[0]
    equal([ref, JSON.parse(body)], [3, { 'fare' => 30 }])
  end

  def list
    cells = rows("SELECT column_key, ref_key FROM #{TABLE} WHERE row_key = ? ORDER BY column_key, ref_key", 'trip-1')
    equal(cells, [['BASE', 1], ['BASE', 2], ['BASE', 3], ['STATUS', 1]])
  end

  def multi_put
    keys = (0...20).map { |n| "multi-#{n}" }
    values = keys.flat_map { |key| [key, 'BASE', 1, '{"n":1}'] }
    equal(change("INSERT #{INTO} #{(['(?, ?, ?, ?)'] * 20).join(', ')}", *values), 20)
    found = rows("SELECT row_key FROM #{TABLE} WHERE row_key IN (#{(['?'] * 20).join(', ')})", *keys).flatten
    equal(found.sort, keys.sort)
  end

  def duplicate
    error = refused(1062) { put_one('trip-1', 1, '{"fare":99}') }
    equal(error.sql_state, '23000')
    get
  end

  def prepared
    put = @connection.prepare(PUT)
    [1, 2].each do |n|
      put.execute("prepared-#{n}", 'BASE', n, '{"p":true}')
      equal(put.affected_rows, 1)
    end
    get = @connection.prepare(GET)
    equal(get.execute('prepared-2', 'BASE', 2, as: :array).to_a, [['{"p":true}']])
    equal(get.execute('prepared-2', 'BASE', 3, as: :array).to_a, [])
    [put, get].each(&:close)
  end

  def limit
    page = "SELECT ref_key FROM #{TABLE} WHERE row_key = ? AND column_key = 'BASE' ORDER BY ref_key LIMIT ?"
    equal(rows(page, 'trip-1', 2), [[1], [2]])
    equal(rows("#{page} OFFSET ?", 'trip-1', 2, 2), [[3]])
    # As a decimal.
    equal(rows(page, 'trip-1', BigDecimal('1')), [[1]])
  end

  def quoted
    put_one('quoted', '7')
    equal(one("SELECT ref_key FROM #{TABLE} WHERE row_key = 'quoted' AND ref_key = '7'"), 7)
    equal(rows(GET, 'quoted', 'BASE', '7').length, 1)
  end

  def null
    equal(rows('SELECT NULL, ?, COALESCE(?, 5)', nil, nil)[0][0, 2], [nil, nil])
  end

  def text
    put_one(TEXT_KEY, 1, JSON.generate(TEXT_BODY))
    key, body = rows("SELECT row_key, body FROM #{TABLE} WHERE row_key = ?", TEXT_KEY)[0]
    equal([key, JSON.parse(body)], [TEXT_KEY, TEXT_BODY])
  end

  def binary
    hex = "X'#{BYTES.unpack1('H*')}'"
    equal(one("SELECT #{hex}"), BYTES)
    equal(one("SELECT ? = #{hex}", BYTES), 1)
  end

  def large
    put_one('large', 1, JSON.generate('x' * 3 * MIB))
    equal(one(GET, 'large', 'BASE', 1).bytesize, 3 * MIB + 2)
  end

  def too_large
    # The server's word, or its closed door.
    refused([1406, 1153, 2006, 2013, 2020]) { another { put_one('too-large', 1, JSON.generate('x' * 17 * MIB)) } }
    count('too-large', 0)
  end

  def types
    result = @connection.query("SELECT row_key, ref_key AS `Ref`, body, created_at FROM #{TABLE} WHERE row_key = 'trip-1'")
    equal(result.fields, %w[row_key Ref body created_at])
    equal([result.first['Ref'].class, result.first['created_at'].class], [Integer, Time])
  end

  def errors
    refused(1064) { rows('SELEC 1') }
    refused(1054) { rows("SELECT nonsense FROM #{TABLE} WHERE row_key = 'x'") }
    refused(1146) { rows("SELECT body FROM no_such_table WHERE row_key = 'x'") }
    refused(1051) { change('DROP TABLE no_such_table') }
    refused(1050) { change(CREATE) }
    refused(1049) { @connection.select_db('no_such_database') }
    get
  end

  def warnings
    equal(change("INSERT IGNORE #{INTO} ('trip-1', 'BASE', 1, '{}')"), 0)
    equal(@connection.warning_count, 1)
    equal(rows('SHOW WARNINGS')[0][0, 2], ['Warning', 1062])
  end

  def update
    # Cells are immutable. Where they are not, a row that is the same already is no affected row.
    update = "UPDATE #{TABLE} SET body = '{}' WHERE row_key = 'multi-1'"
    equal([change(update), change(update)], [1, 0])
  end

  def commit
    change('BEGIN')
    [1, 2].each { |ref| put_one('commit', ref) }
    count('commit', 2)
    others_see('commit', 0)
    change('COMMIT')
    others_see('commit', 2)
  end

  def rollback
    change('BEGIN')
    put_one('rollback')
    change('ROLLBACK')
    count('rollback', 0)
  end

  def savepoint
    change('BEGIN')
    put_one('savepoint', 1)
    change('SAVEPOINT one')
    put_one('savepoint', 2)
    change('ROLLBACK TO SAVEPOINT one')
    count('savepoint', 1)
    change('RELEASE SAVEPOINT one')
    change('COMMIT')
    others_see('savepoint', 1)
  end

  def autocommit
    change('SET autocommit = 0')
    equal(one('SELECT @@autocommit'), 0)
    put_one('autocommit')
    others_see('autocommit', 0)
    change('COMMIT')
    others_see('autocommit', 1)
    change('SET autocommit = 1')
  end

  def isolation
    ['READ COMMITTED', 'REPEATABLE READ'].each do |level|
      change("SET SESSION TRANSACTION ISOLATION LEVEL #{level}")
      equal(one('SELECT @@tx_isolation'), level.tr(' ', '-'))
    end
  end

  def multi_statement
    another(flags: Mysql2::Client::MULTI_STATEMENTS) do
      found = [one("SELECT 1; SELECT ref_key FROM #{TABLE} WHERE row_key = 'multi-1'; SELECT 3")]
      found << @connection.store_result.to_a[0][0] while @connection.next_result
      equal(found, [1, 1, 3])
    end
  end

  def stream
    values = (1..300).map { |n| "('many', 'BASE', #{n}, '{}')" }.join(', ')
    equal(change("INSERT #{INTO} #{values}"), 300)
    equal(@connection.query(MANY, as: :array, stream: true, cache_rows: false).map(&:first), [*1..300])
  end

  def cursor
    # A streamed prepared statement opens one.
    statement = @connection.prepare(MANY)
    equal(statement.execute(as: :array, stream: true, cache_rows: false).map(&:first), [*1..300])
    statement.close
  end

  def ping
    raise 'no answer' unless @connection.ping
  end

  def select_db
    @connection.select_db('information_schema')
    equal(one('SELECT DATABASE()'), 'information_schema')
    @connection.select_db(DATABASE)
    get
  end

  def statistics
    raise Skip, 'no call for COM_STATISTICS'
  end

  def password
    another(**APP) { equal(who, APP[:username]) }
  end

  def wrong_password
    refused(1045) { open(username: APP[:username], password: 'wrong') }
  end

  def change_user
    raise Skip, 'no call for COM_CHANGE_USER'
  end

  def reset
    raise Skip, 'no call for COM_RESET_CONNECTION'
  end

  def tls
    another(**APP, ssl_mode: :required, sslverify: false) do
      raise 'the connection is not encrypted' if status('Ssl_cipher').empty?
    end
  end

  def compression
    another(flags: Mysql2::Client::COMPRESS) do
      equal(status('Compression'), 'ON')
      equal(one(GET, 'large', 'BASE', 1).bytesize, 3 * MIB + 2)
    end
  end

  def reconnect
    @connection.close
    @connection = open
    latest
  end

  def drop
    change("DROP TABLE #{TABLE}")
    refused(1146) { rows(GET, 'trip-1', 'BASE', 1) }
    @connection.close
  end

  STEPS = %w[connect create put get latest list multi-put duplicate prepared limit quoted null text binary large too-large types
             errors warnings update commit rollback savepoint autocommit isolation multi-statement stream cursor ping select-db
             statistics password wrong-password change-user reset tls compression reconnect drop].freeze

  def run
    puts "version mysql2 #{Mysql2::VERSION}, Ruby #{RUBY_VERSION}, client library #{Mysql2::Client.info[:version]}"
    passed = failed = 0
    STEPS.each do |step|
      public_send(step.tr('-', '_'))
      puts "ok #{step}"
      passed += 1
    rescue Skip => why
      puts "skip #{step}: #{why.message}"
    rescue StandardError => error
      puts "FAIL #{step}: #{error.class} #{error.message.split.join(' ')}"
      failed += 1
      break unless @connection
    end
    puts "#{passed} passed, #{failed} failed"
    failed.zero?
  end
end

$stdout.sync = true
exit(Client.new.run)
