import os

from django.core.asgi import get_asgi_application

from ecomrec_django.tracking.asgi import with_lifespan

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "example_shop.settings")

application = with_lifespan(get_asgi_application())
