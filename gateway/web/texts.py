"""What people read in error answers, by code and language."""

LANGUAGES = ("pt-BR", "en")

# The first two are part of the contract with existing clients: never change them.
TEXTS: dict[str, tuple[str, str]] = {
    "monitor_not_found": (
        "Monitor não encontrado ou token inválido",
        "Monitor not found or invalid token",
    ),
    "signature_invalid": ("Assinatura webhook inválida", "Invalid webhook signature"),
    "payload_malformed": ("Payload inválido", "Invalid payload"),
    "rate_limited": ("Muitas requisições", "Too many requests"),
    "delivery_failed": (
        "Não foi possível processar o webhook; tente novamente",
        "The webhook could not be processed; try again",
    ),
    "unavailable": (
        "Serviço temporariamente indisponível; tente novamente",
        "Service temporarily unavailable; try again",
    ),
    "body_too_large": ("Corpo da requisição grande demais", "Request body too large"),
    "body_timeout": (
        "Tempo esgotado ao ler o corpo da requisição",
        "Timed out reading the request body",
    ),
    "body_incomplete": ("Corpo da requisição incompleto", "Incomplete request body"),
    "invalid_request": ("Requisição inválida", "Invalid request"),
    "not_found": ("Não encontrado", "Not found"),
    "method_not_allowed": ("Método não permitido", "Method not allowed"),
    "unauthorized": ("Token de API ausente ou inválido", "Missing or invalid API token"),
    "forbidden": ("Sem permissão para este time", "No permission for this team"),
    "internal": ("Erro interno", "Internal error"),
}


def text_of(code: str, language: str) -> str:
    """The text for a code; every ``signature_*`` code reads the same."""
    if code.startswith("signature_"):
        code = "signature_invalid"
    return TEXTS[code][LANGUAGES.index(language)]


def negotiate(accept_language: str | None, default: str) -> str:
    """The language of ``Accept-Language`` that we speak and the client likes best."""
    best, quality = default, 0.0
    for part in (accept_language or "").split(","):
        name, _, parameter = part.partition(";")
        weight = _quality(parameter)
        spoken = _spoken(name.strip().lower())
        if spoken is not None and weight > quality:
            best, quality = spoken, weight
    return best


def _spoken(name: str) -> str | None:
    primary = name.split("-", maxsplit=1)[0]
    return next((known for known in LANGUAGES if known.lower().split("-")[0] == primary), None)


def _quality(parameter: str) -> float:
    _, _, value = parameter.partition("q=")
    try:
        return float(value) if value else 1.0
    except ValueError:
        return 0.0
