"""Tells who runs the shop that a training failed or held something back, as ``ECOMREC["NOTIFY"]`` says."""

from __future__ import annotations

import json
from urllib.request import Request, urlopen

from django.core.exceptions import ValidationError
from django.core.mail import send_mail
from django.core.validators import URLValidator, validate_email
from django.utils.module_loading import import_string

from ..conf import conf
from ..failures import note_failure
from ..models import Release, StrategyVerdict, TrainingRun

WEBHOOK_SECONDS = 10


def notify(subject: str, text: str) -> None:
    """Send a notice to every receiver; one that fails is noted, and stops neither the others nor the caller.

    A receiver is an e-mail address, the URL of a webhook, which is sent ``{"subject": …, "text": …}``, or the dotted
    path of a function of ``(subject, text)``.
    """
    for receiver in conf.NOTIFY:
        try:
            _send(receiver, subject, text)
        except Exception as error:
            note_failure("notice", error, "A notice was not sent")


def is_webhook(receiver: str) -> bool:
    """Whether a receiver is the URL of a webhook."""
    return receiver.startswith(("https://", "http://"))


def receiver_problem(receiver: object) -> str:
    """What makes a receiver unusable; "" if nothing does."""
    if not isinstance(receiver, str) or not receiver:
        return "it is no text."
    try:
        if is_webhook(receiver):
            URLValidator(schemes=("http", "https"))(receiver)
        elif "@" in receiver:
            validate_email(receiver)
        elif not callable(import_string(receiver)):
            return "it is no function."
    except ValidationError as error:
        return " ".join(error.messages)
    except ImportError as error:
        return f"{error}."
    return ""


def _send(receiver: str, subject: str, text: str) -> None:
    if is_webhook(receiver):
        data = json.dumps({"subject": subject, "text": text}).encode()
        request = Request(receiver, data, {"Content-Type": "application/json"})  # noqa: S310 - https or http
        with urlopen(request, timeout=WEBHOOK_SECONDS) as response:  # noqa: S310
            response.read(1)
    elif "@" in receiver:
        send_mail(subject, text, None, [receiver])
    else:
        import_string(receiver)(subject, text)


def notify_of_held(release: Release, *, published: bool) -> None:
    """Tell which strategies of a new release were held back and why; nothing if none were."""
    held_back = [
        f"{verdict.strategy}:\n{verdict.reasons}\nShown instead: {_shown_instead(verdict)}."
        for verdict in release.held_back
    ]
    if held_back:
        state = "The other strategies are published." if published else "Nothing of it is published."
        text = "\n\n".join([*held_back, f"{state} The release's page in the admin compares the lists."])
        notify(f"Release {release.pk}: offers were held back", text)


def notify_of_failure(run: TrainingRun) -> None:
    """Tell that a training failed, and where; its message, which may quote the shop's data, stays in the admin."""
    text = (
        f"It failed{f' in stage “{run.stage}”' if run.stage else ''}, and the published release is unchanged. The page "
        f"of training run {run.pk} in the admin says why."
    )
    notify(f"Training run {run.pk} failed", text)


def _shown_instead(verdict: StrategyVerdict) -> str:
    return f"the offers of release {verdict.source_id}" if verdict.source_id is not None else "nothing"
