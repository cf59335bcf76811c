"""What the shop remembers of its visitors, and their say in it."""

from django.http import HttpRequest
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from ecomrec_django.conf import conf
from ecomrec_django.tracking.consent import agree, chosen, signalled, withdraw

from ..addresses import own_address


@require_safe
def privacy(request):
    return render(request, "shop/privacy.html", {"agreed": conf.CONSENT(request), "signalled": signalled(request)})


@require_POST
def consent(request):
    response = redirect(own_address(request, "privacy"))
    change = agree if request.POST.get("agree") == "yes" else withdraw
    change(request, response)
    return response


def context(request: HttpRequest) -> dict[str, object]:
    """``ask_consent`` for every template: whether a visitor has said nothing yet, by hand or by browser."""
    return {"ask_consent": not chosen(request) and not signalled(request)}
