"""What the protocol is measured against, served by the same gunicorn on the same tables."""
