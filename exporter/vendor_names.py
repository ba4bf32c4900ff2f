"""Providers' many names → the one that price lists and every table here use."""

_NAMES = {
    "azure_ai": "azure",
    "azure_openai": "azure",
    "azure.ai.inference": "azure",
    "azure.ai.openai": "azure",
    "az.ai.inference": "azure",
    "az.ai.openai": "azure",
    "aws.bedrock": "aws",
    "amazon_bedrock": "aws",
    "bedrock": "aws",
    "bedrock_converse": "aws",
    "cohere_chat": "cohere",
    "fireworks_ai": "fireworks",
    "gcp.gemini": "google",
    "gcp.gen_ai": "google",
    "gcp.vertex_ai": "google",
    "gemini": "google",
    "google.ai.studio": "google",
    "google_ai_studio": "google",
    "google_genai": "google",
    "google_vertexai": "google",
    "hugging_face": "huggingface",
    "mistral_ai": "mistral",
    "mistralai": "mistral",
    "moonshot": "moonshotai",
    "moonshot_ai": "moonshotai",
    "together_ai": "together",
    "togetherai": "together",
    "vertex": "google",
    "vertex_ai": "google",
    "vertexai": "google",
    "x_ai": "x-ai",
    "xai": "x-ai",
}
_BEGINNINGS = {
    "gpt-": "openai",
    "o1": "openai",
    "o3": "openai",
    "o4": "openai",
    "text-embedding-": "openai",
    "claude-": "anthropic",
    "gemini-": "google",
    "deepseek-": "deepseek",
    "grok-": "x-ai",
}
UNKNOWN = "unknown"


def provider_named(name: str | None, model: str = "") -> str:
    """Return the provider's name here; without one, what the model's name gives away."""
    said = (name or "").strip().lower().replace("-", "_")
    if said:
        return _NAMES.get(said, said)
    return next(
        (provider for start, provider in _BEGINNINGS.items() if model.startswith(start)), UNKNOWN
    )
