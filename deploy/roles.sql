-- Once, as a superuser:
--   psql --set owner_password=… --set application_password=… --file deploy/roles.sql
--
-- giftcards_owner owns the tables and migrates them; giftcards_app is what web, worker and beat use.
\set ON_ERROR_STOP on

CREATE ROLE giftcards_owner LOGIN PASSWORD :'owner_password';
CREATE ROLE giftcards_app LOGIN PASSWORD :'application_password';

-- What the application gives itself as start-up options, for when a pooler stands in between.
ALTER ROLE giftcards_app SET lock_timeout = '3s';
ALTER ROLE giftcards_app SET statement_timeout = '30s';
ALTER ROLE giftcards_app SET idle_in_transaction_session_timeout = '10s';

CREATE DATABASE giftcards OWNER giftcards_owner ENCODING 'UTF8' TEMPLATE template0;
REVOKE ALL ON DATABASE giftcards FROM PUBLIC;
GRANT CONNECT ON DATABASE giftcards TO giftcards_app;
