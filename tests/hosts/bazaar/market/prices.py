from decimal import Decimal

from django.conf import settings

from .models import ExchangeRate


def currency_of(request):
    return request.session.get("currency", settings.DEFAULT_CURRENCY)


def rate_of(currency):
    if currency == settings.DEFAULT_CURRENCY:
        return Decimal(1)
    return ExchangeRate.objects.get(currency=currency).rate


def in_currency(price, rate):
    return (price * rate).quantize(Decimal("0.01"))
