#!/usr/bin/env perl
# The steps of every driver, for Perl's DBI: `client.pl mysql|MariaDB`.
use strict;
use warnings;
use utf8;
use DBI;
use Encode qw(decode_utf8);
use JSON::PP ();

binmode STDOUT, ':encoding(UTF-8)';

sub env { my ($name) = @_; return $ENV{$name} // die "$name is not set\n" }

my $DRIVER = shift @ARGV;
my $TABLE = env('MYSQL_TABLE');
my $CREATE = "CREATE TABLE $TABLE (added_id BIGINT NOT NULL AUTO_INCREMENT, row_key VARCHAR(255) NOT NULL,
    column_key VARCHAR(64) NOT NULL, ref_key BIGINT NOT NULL, body JSON NOT NULL,
    created_at DATETIME(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6),
    PRIMARY KEY (added_id), UNIQUE KEY (row_key, column_key, ref_key))";
my $INTO = "INTO $TABLE (row_key, column_key, ref_key, body) VALUES";
my $PUT = "INSERT $INTO (?, ?, ?, ?)";
my $GET = "SELECT body FROM $TABLE WHERE row_key = ? AND column_key = ? AND ref_key = ?";
my $COUNT = "SELECT COUNT(*) FROM $TABLE WHERE row_key = ?";
my $TEXT_KEY = 'Zürich-東京-🚕';
my $TEXT_BODY = q({"city":"Zürich","note":"日本 🚕 \"quoted\" \\\\ back 'single'"});
my $MIB = 1 << 20;

our $connection;

# The drivers name their attributes after themselves.
my $PREFIX = lc $DRIVER;

sub open_connection {
    my (%options) = @_;
    my $source = "DBI:$DRIVER:database=" . ($options{database} // env('MYSQL_DATABASE')) . ';host=' . env('MYSQL_HOST')
        . ';port=' . env('MYSQL_PORT') . join('', map { ";${PREFIX}_$_=1" } @{ $options{with} // [] });
    my $dbh = DBI->connect($source, $options{user} // env('MYSQL_USER'), $options{password} // '',
        { RaiseError => 1, PrintError => 0, AutoCommit => 1, $DRIVER eq 'mysql' ? (mysql_enable_utf8mb4 => 1) : () });
    return $dbh;
}

sub skip { my ($why) = @_; die { skip => $why } }

sub equal {
    my ($found, $expected) = @_;
    my ($one, $other) = map { JSON::PP->new->canonical->allow_nonref->encode($_) } $found, $expected;
    die substr("$one instead of $other", 0, 500) . "\n" if $one ne $other;
}

sub rows {
    my ($sql, @values) = @_;
    return $connection->selectall_arrayref($sql, undef, @values);
}

sub one { return rows(@_)->[0][0] }

sub change { my ($sql, @values) = @_; return 0 + $connection->do($sql, undef, @values) }

sub put_one { my ($key, $ref, $body) = @_; equal(change($PUT, $key, 'BASE', $ref // 1, $body // '{}'), 1) }

sub count { my ($key, $expected) = @_; equal(0 + one($COUNT, $key), $expected) }

# Runs something with another connection in place of ours.
sub another {
    my ($options, $use) = @_;
    local $connection = open_connection(%$options);
    $use->();
    $connection->disconnect;
}

sub others_see { my ($key, $expected) = @_; another({}, sub { count($key, $expected) }) }

sub refused {
    my ($codes, $call) = @_;
    my %expected = map { $_ => 1 } ref $codes ? @$codes : $codes;
    if (eval { $call->(); 1 }) { die "not refused\n" }
    my $code = $DBI::err // 0;
    die "$code $@ instead of error @{[sort keys %expected]}\n" unless $expected{$code};
}

sub app { return (user => env('MYSQL_APP_USER'), password => env('MYSQL_APP_PASSWORD')) }

sub who { return (split /@/, one('SELECT CURRENT_USER()'))[0] }

sub status { my ($name) = @_; return rows("SHOW STATUS LIKE '$name'")->[0][1] // die "no $name in SHOW STATUS\n" }

sub get {
    equal(JSON::PP::decode_json(one($GET, 'trip-1', 'BASE', 1)), { fare => 10 });
    equal(rows($GET, 'trip-1', 'BASE', 99), []);
}

sub latest {
    my $found = rows("SELECT ref_key, body FROM $TABLE WHERE row_key = ? AND column_key = ? ORDER BY ref_key DESC LIMIT 1",
        'trip-1', 'BASE');
    equal([0 + $found->[0][0], JSON::PP::decode_json($found->[0][1])], [3, { fare => 30 }]);
}

my $MANY = "SELECT ref_key FROM $TABLE WHERE row_key = 'many' ORDER BY ref_key";

my @STEPS = (
    connect => sub { $connection = open_connection(); equal(0 + one('SELECT 1 + 1'), 2) },
    create => sub { change("DROP TABLE IF EXISTS $TABLE"); change($CREATE) },
    put => sub {
        put_one('trip-1', $_, sprintf '{"fare":%d}', $_ * 10) for 1 .. 3;
        equal(change($PUT, 'trip-1', 'STATUS', 1, '{"status":"done"}'), 1);
    },
    get => \&get,
    latest => \&latest,
    list => sub {
        my $cells = rows("SELECT column_key, ref_key FROM $TABLE WHERE row_key = ? ORDER BY column_key, ref_key", 'trip-1');
        equal([map { "@$_" } @$cells], ['BASE 1', 'BASE 2', 'BASE 3', 'STATUS 1']);
    },
    'multi-put' => sub {
        my @keys = map { "multi-$_" } 0 .. 19;
        equal(change("INSERT $INTO " . join(', ', ('(?, ?, ?, ?)') x 20), map { ($_, 'BASE', 1, '{"n":1}') } @keys), 20);
        my $found = rows("SELECT row_key FROM $TABLE WHERE row_key IN (" . join(', ', ('?') x 20) . ')', @keys);
        equal([sort map { $_->[0] } @$found], [sort @keys]);
    },
    duplicate => sub {
        refused(1062, sub { put_one('trip-1', 1, '{"fare":99}') });
        equal($connection->state, '23000');
        get();
    },
    prepared => sub {
        another({ with => ['server_prepare'] }, sub {
            my $put = $connection->prepare($PUT);
            equal(0 + $put->execute("prepared-$_", 'BASE', $_, '{"p":true}'), 1) for 1, 2;
            my $get = $connection->prepare($GET);
            $get->execute('prepared-2', 'BASE', 2);
            equal($get->fetchall_arrayref, [['{"p":true}']]);
            $get->execute('prepared-2', 'BASE', 3);
            equal($get->fetchall_arrayref, []);
        });
    },
    limit => sub {
        my $page = "SELECT ref_key FROM $TABLE WHERE row_key = ? AND column_key = 'BASE' ORDER BY ref_key LIMIT ?";
        equal([map { 0 + $_->[0] } @{ rows($page, 'trip-1', 2) }], [1, 2]);
        equal([map { 0 + $_->[0] } @{ rows("$page OFFSET ?", 'trip-1', 2, 2) }], [3]);
    },
    quoted => sub {
        # DBI quotes every parameter that was a text.
        put_one('quoted', '7');
        equal(0 + one("SELECT ref_key FROM $TABLE WHERE row_key = 'quoted' AND ref_key = '7'"), 7);
        equal(scalar @{ rows($GET, 'quoted', 'BASE', '7') }, 1);
    },
    null => sub {
        my $found = rows('SELECT NULL, ?, COALESCE(?, 5)', undef, undef)->[0];
        equal([$found->[0], $found->[1], 0 + $found->[2]], [undef, undef, 5]);
    },
    text => sub {
        equal(change($PUT, $TEXT_KEY, 'BASE', 1, $TEXT_BODY), 1);
        my $found = rows("SELECT row_key, body FROM $TABLE WHERE row_key = ?", $TEXT_KEY)->[0];
        # MySQL's JSON is a binary type to DBI: its text arrives as bytes.
        my ($key, $body) = map { utf8::is_utf8($_) ? $_ : decode_utf8($_) } @$found;
        equal([$key, $body], [$TEXT_KEY, $TEXT_BODY]);
    },
    binary => sub {
        my $bytes = "\x00\xffA'\\\n";
        equal(one("SELECT X'" . unpack('H*', $bytes) . "'"), $bytes);
    },
    large => sub {
        put_one('large', 1, '"' . 'x' x (3 * $MIB) . '"');
        equal(length one($GET, 'large', 'BASE', 1), 3 * $MIB + 2);
    },
    'too-large' => sub {
        # The server's word, or its closed door.
        refused([1406, 1153, 2006, 2013], sub {
            another({}, sub { put_one('too-large', 1, '"' . 'x' x (17 * $MIB) . '"') });
        });
        count('too-large', 0);
    },
    types => sub {
        my $statement = $connection->prepare("SELECT row_key, ref_key AS `Ref`, body, created_at FROM $TABLE WHERE row_key = 'trip-1'");
        $statement->execute;
        my $types = $statement->{"${PREFIX}_type"};
        my $json = one('SELECT VERSION()') =~ /MariaDB/ ? 252 : 245;
        equal($statement->{NAME}, ['row_key', 'Ref', 'body', 'created_at']);
        equal([map { 0 + $_ } @$types], [253, 8, $json, 12]);
        $statement->finish;
    },
    errors => sub {
        refused(1064, sub { rows('SELEC 1') });
        refused(1054, sub { rows("SELECT nonsense FROM $TABLE WHERE row_key = 'x'") });
        refused(1146, sub { rows("SELECT body FROM no_such_table WHERE row_key = 'x'") });
        refused(1051, sub { change('DROP TABLE no_such_table') });
        refused(1050, sub { change($CREATE) });
        refused(1049, sub { open_connection(database => 'no_such_database') });
        get();
    },
    warnings => sub {
        equal(change("INSERT IGNORE $INTO ('trip-1', 'BASE', 1, '{}')"), 0);
        my $found = rows('SHOW WARNINGS')->[0];
        equal([$found->[0], 0 + $found->[1]], ['Warning', 1062]);
    },
    update => sub {
        # Cells are immutable. Where they are not: DBI asks for the rows that were found, changed or not.
        my $update = "UPDATE $TABLE SET body = '{}' WHERE row_key = 'multi-1'";
        equal([change($update), change($update)], [1, 1]);
    },
    commit => sub {
        $connection->begin_work;
        put_one('commit', 1);
        put_one('commit', 2);
        count('commit', 2);
        others_see('commit', 0);
        $connection->commit;
        others_see('commit', 2);
    },
    rollback => sub {
        $connection->begin_work;
        put_one('rollback');
        $connection->rollback;
        count('rollback', 0);
    },
    savepoint => sub {
        $connection->begin_work;
        put_one('savepoint', 1);
        change('SAVEPOINT one');
        put_one('savepoint', 2);
        change('ROLLBACK TO SAVEPOINT one');
        count('savepoint', 1);
        change('RELEASE SAVEPOINT one');
        $connection->commit;
        others_see('savepoint', 1);
    },
    autocommit => sub {
        $connection->{AutoCommit} = 0;
        equal(0 + one('SELECT @@autocommit'), 0);
        put_one('autocommit');
        others_see('autocommit', 0);
        $connection->commit;
        others_see('autocommit', 1);
        $connection->{AutoCommit} = 1;
        equal(0 + one('SELECT @@autocommit'), 1);
    },
    isolation => sub {
        for my $level ('READ COMMITTED', 'REPEATABLE READ') {
            change("SET SESSION TRANSACTION ISOLATION LEVEL $level");
            equal(one('SELECT @@tx_isolation'), $level =~ tr/ /-/r);
        }
    },
    'multi-statement' => sub {
        another({ with => ['multi_statements'] }, sub {
            my $statement = $connection->prepare("SELECT 1; SELECT ref_key FROM $TABLE WHERE row_key = 'multi-1'; SELECT 3");
            $statement->execute;
            my @found;
            do { push @found, 0 + $statement->fetchall_arrayref->[0][0] } while $statement->more_results;
            equal(\@found, [1, 1, 3]);
        });
    },
    stream => sub {
        equal(change("INSERT $INTO " . join(', ', map { "('many', 'BASE', $_, '{}')" } 1 .. 300)), 300);
        skip('rows that are not kept are lost by version 1.22') if $DRIVER eq 'MariaDB';
        my $statement = $connection->prepare($MANY, { "${PREFIX}_use_result" => 1 });
        $statement->execute;
        my @refs;
        while (my $row = $statement->fetch) { push @refs, 0 + $row->[0] }
        equal(\@refs, [1 .. 300]);
    },
    cursor => sub { skip('opens no cursors on the server') },
    ping => sub { $connection->ping or die "no answer\n" },
    'select-db' => sub {
        change('USE information_schema');
        equal(one('SELECT DATABASE()'), 'information_schema');
        change('USE ' . env('MYSQL_DATABASE'));
        get();
    },
    statistics => sub { $connection->{"${PREFIX}_stat"} =~ /Uptime/ or die "no uptime in it\n" },
    password => sub { another({ app() }, sub { equal(who(), env('MYSQL_APP_USER')) }) },
    'wrong-password' => sub { refused(1045, sub { open_connection(app(), password => 'wrong') }) },
    'change-user' => sub { skip('no call for COM_CHANGE_USER') },
    reset => sub { skip('no call for COM_RESET_CONNECTION') },
    tls => sub {
        # Asked for, not insisted on: that would need an authority for the certificate.
        another({ app(), with => ['ssl', 'ssl_optional'] }, sub {
            status('Ssl_cipher') or die "the connection is not encrypted\n";
        });
    },
    compression => sub {
        another({ with => ['compression'] }, sub {
            equal(status('Compression'), 'ON');
            equal(length one($GET, 'large', 'BASE', 1), 3 * $MIB + 2);
        });
    },
    reconnect => sub { $connection->disconnect; $connection = open_connection(); latest() },
    drop => sub {
        change("DROP TABLE $TABLE");
        refused(1146, sub { rows($GET, 'trip-1', 'BASE', 1) });
        $connection->disconnect;
    },
);

my $library = "DBD::$DRIVER";
eval "require $library" or die $@;
print "version $library ", $library->VERSION, ", DBI $DBI::VERSION\n";
my ($passed, $failed) = (0, 0);
while (my ($name, $step) = splice @STEPS, 0, 2) {
    if (eval { $step->(); 1 }) {
        print "ok $name\n";
        $passed++;
    }
    elsif (ref $@ eq 'HASH') {
        print "skip $name: $@->{skip}\n";
    }
    else {
        print "FAIL $name: ", ($@ =~ s/\s+/ /gr), "\n";
        $failed++;
        last unless $connection;
    }
}
print "$passed passed, $failed failed\n";
exit($failed ? 1 : 0);
