# One image, three processes: web (the default), worker, beat. docs/deploy.md.
FROM python:3.11-slim-bookworm AS build
COPY requirements.txt .
RUN python -m venv /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir --require-hashes -r requirements.txt

FROM python:3.11-slim-bookworm
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DJANGO_SETTINGS_MODULE=config.settings \
    WEB_BIND=0.0.0.0:8000 \
    STATIC_ROOT=/opt/static
RUN useradd --system --no-create-home giftcards
COPY --from=build /opt/venv /opt/venv
COPY manage.py /opt/giftcards/
COPY config /opt/giftcards/config
COPY giftcard_provider /opt/giftcards/giftcard_provider
COPY loyalty /opt/giftcards/loyalty
COPY templates /opt/giftcards/templates
WORKDIR /opt/giftcards
# Nothing secret: these values are gone after this line, and no database is asked.
RUN SECRET_KEY=only-to-collect-static-files LOYALTY_CODE_KEYS=none \
    DATABASE_URL=postgres://nobody@127.0.0.1/none REDIS_URL=redis://127.0.0.1:9/0 \
    python manage.py collectstatic --noinput
USER giftcards
EXPOSE 8000
CMD ["gunicorn", "--config", "python:config.gunicorn"]
