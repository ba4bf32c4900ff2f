"""What AWS and boto3 say went wrong → our errors, by the same table as on the rest of the web."""

from collections.abc import Mapping
from typing import Any

import msgspec

from exporter import http_answer
from exporter.errors import SourceError, TransientError
from exporter.http_answer import Place

# Parts of error codes, and the status that says the same: services spell one error in many ways,
# and most of them with status 400.
_MEANINGS = (
    (429, ("throttl", "limitexceeded", "toomanyrequests", "slowdown")),
    (500, ("internalerror", "internalfailure", "serviceunavailable", "invalidnexttoken")),
    (
        401,
        (
            "authfailure",
            "expiredtoken",
            "incompletesignature",
            "invalidclienttokenid",
            "invalidsignature",
            "missingauthenticationtoken",
            "requestexpired",
            "signaturedoesnotmatch",
            "unrecognizedclient",
        ),
    ),
    (403, ("accessdenied", "notauthorized", "optinrequired", "unauthorizedoperation")),
)
_NO_KEYS = {
    "CredentialRetrievalError",
    "NoAuthTokenError",
    "NoCredentialsError",
    "PartialCredentialsError",
    "TokenRetrievalError",
    "UnauthorizedSSOTokenError",
}


def meaning(response: Mapping[str, Any]) -> int:
    """Return the status that an answer means."""
    code = str(response.get("Error", {}).get("Code", "")).lower()
    status = int(response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
    if 400 <= status <= 499:
        found = (meant for meant, parts in _MEANINGS if any(part in code for part in parts))
        return next(found, status)
    return status


def refusal(response: Mapping[str, Any], place: Place) -> TransientError | SourceError:
    """Return the error that an answer of AWS means; it quotes no key."""
    said, told = response.get("Error", {}), response.get("ResponseMetadata", {})
    headers = {name.title(): value for name, value in told.get("HTTPHeaders", {}).items()}
    words = {"message": f"{said.get('Code', '')}: {said.get('Message', '')}"}
    return http_answer.refusal(meaning(response), headers, msgspec.json.encode(words), place)


def broken(error: Exception, place: Place) -> TransientError | SourceError:
    """Sort what happened before or below an answer, by the name of boto3's error."""
    message = f"{place}: {place.quoted(str(error))}"
    names = {kind.__name__ for kind in type(error).__mro__}
    if names & _NO_KEYS:
        return SourceError(message, reason="key_refused")
    if "ParamValidationError" in names:
        return SourceError(message, reason="request_refused")
    if "CERTIFICATE_VERIFY_FAILED" in message:
        return SourceError(message, reason="certificate_refused")
    return TransientError(message)
