-- After each `migrate`, as giftcards_owner:
--   psql --dbname giftcards --file deploy/grants.sql
--
-- The application may read and add everywhere, and change and delete only where no trigger refuses it
-- anyway. It owns nothing, so that it cannot switch a trigger off.
GRANT USAGE ON SCHEMA public TO giftcards_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO giftcards_app;
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO giftcards_app;
REVOKE INSERT, UPDATE, DELETE ON django_migrations FROM giftcards_app;

DO $$
DECLARE
    guarded record;
BEGIN
    FOR guarded IN
        -- Row triggers without a condition: 16 is UPDATE, 8 is DELETE (pg_trigger.h).
        SELECT tgrelid::regclass AS name,
               bool_or(tgtype & 16 > 0) AS refuses_update,
               bool_or(tgtype & 8 > 0) AS refuses_delete
        FROM pg_trigger
        WHERE tgfoid = 'loyalty_refuse'::regproc AND tgtype & 1 = 1 AND tgqual IS NULL
        GROUP BY tgrelid
    LOOP
        IF guarded.refuses_update THEN
            EXECUTE format('REVOKE UPDATE ON %s FROM giftcards_app', guarded.name);
        END IF;
        IF guarded.refuses_delete THEN
            EXECUTE format('REVOKE DELETE ON %s FROM giftcards_app', guarded.name);
        END IF;
    END LOOP;
END $$;
