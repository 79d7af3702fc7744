-- The meta store's database, beside the one for cells that the image creates from MARIADB_DATABASE.
CREATE DATABASE IF NOT EXISTS cellgate_meta;
GRANT ALL ON cellgate_meta.* TO 'cellgate'@'%';
