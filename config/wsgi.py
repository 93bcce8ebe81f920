"""What gunicorn serves."""

import os

from django.core.wsgi import get_wsgi_application

from config import telemetry

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

application = get_wsgi_application()

# In the worker process, which has forked by now.
telemetry.start("web")
