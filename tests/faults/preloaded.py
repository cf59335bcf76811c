"""For ``gunicorn --preload``: the parent has counted something and made its sink before it forks."""

from example_shop.wsgi import application

__all__ = ["application"]


def be_busy() -> None:
    from ecomrec_django.tracking.omissions import Reason, count_omitted
    from ecomrec_django.tracking.sinks import sink

    count_omitted(Reason.BURST, 7)
    sink()


be_busy()
