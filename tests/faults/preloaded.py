"""For ``gunicorn --preload``: the parent has counted something and made its sink before it forks."""

from example_shop.wsgi import application

__all__ = ["application"]


def be_busy() -> None:
    from ecomrec_django.tracking.sinks import sink
    from ecomrec_django.tracking.tally import Reason, leave_out

    leave_out(Reason.BURST, 7)
    sink()


be_busy()
