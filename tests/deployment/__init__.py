"""What stands around the project in production: a pooler, a proxy, other roles in the database."""
