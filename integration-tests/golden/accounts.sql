-- common
-- Accounts: made, changed, renamed, dropped, and what of it is an error. Privileges of their own are another script's.
CREATE USER golden_a@'10.0.0.1' IDENTIFIED BY 'secret';
CREATE USER golden_a@'10.0.0.1' IDENTIFIED BY 'secret';
CREATE USER IF NOT EXISTS golden_a@'10.0.0.1' IDENTIFIED BY 'other';
CREATE USER golden_b@'10.0.0.1', golden_c@'10.%';
ALTER USER golden_a@'10.0.0.1' IDENTIFIED BY 'changed';
ALTER USER golden_nobody@'10.0.0.1' IDENTIFIED BY 'changed';
ALTER USER IF EXISTS golden_nobody@'10.0.0.1' IDENTIFIED BY 'changed';
ALTER USER golden_b@'10.0.0.1' REQUIRE SSL;
ALTER USER golden_b@'10.0.0.1' ACCOUNT LOCK;
ALTER USER golden_b@'10.0.0.1' ACCOUNT UNLOCK;
GRANT SELECT, INSERT ON golden_accounts.* TO golden_a@'10.0.0.1';
REVOKE INSERT ON golden_accounts.* FROM golden_a@'10.0.0.1';
REVOKE SELECT ON golden_other.* FROM golden_a@'10.0.0.1';
SHOW GRANTS FOR golden_nobody@'10.0.0.1';
RENAME USER golden_b@'10.0.0.1' TO golden_d@'10.0.0.2';
RENAME USER golden_b@'10.0.0.1' TO golden_e@'10.0.0.2';
RENAME USER golden_d@'10.0.0.2' TO golden_a@'10.0.0.1';
DROP USER golden_nobody@'10.0.0.1';
DROP USER IF EXISTS golden_nobody@'10.0.0.1';
DROP USER golden_a@'10.0.0.1', golden_c@'10.%', golden_d@'10.0.0.2';
DROP USER golden_a@'10.0.0.1';
CREATE USER golden_f@localhost IDENTIFIED WITH no_such_plugin AS 'x';
FLUSH PRIVILEGES;
