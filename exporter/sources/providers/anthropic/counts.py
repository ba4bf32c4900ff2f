"""Anthropic's counts of tokens, the same in its newer and its older report."""

import msgspec

from exporter.sources.polling.wire import Count


class _CacheCreation(msgspec.Struct):
    ephemeral_5m_input_tokens: Count
    ephemeral_1h_input_tokens: Count


class _ServerToolUse(msgspec.Struct):
    web_search_requests: Count


class Counts(msgspec.Struct, kw_only=True):
    """What was used: of the counts of input none includes another."""

    uncached_input_tokens: Count
    cache_read_input_tokens: Count
    cache_creation: _CacheCreation
    output_tokens: Count
    server_tool_use: _ServerToolUse | None = None
    requests: Count | None = None

    @property
    def cache_write_tokens(self) -> int:
        """What was written to the cache, for five minutes or an hour."""
        written = self.cache_creation
        return written.ephemeral_5m_input_tokens + written.ephemeral_1h_input_tokens

    @property
    def input_tokens(self) -> int:
        """All input."""
        return self.uncached_input_tokens + self.cache_read_input_tokens + self.cache_write_tokens

    @property
    def quantities(self) -> dict[str, int]:
        """What has a price of its own."""
        found = {"cache_write_1h_tokens": self.cache_creation.ephemeral_1h_input_tokens}
        if self.server_tool_use is not None:
            found["web_searches"] = self.server_tool_use.web_search_requests
        return {name: amount for name, amount in found.items() if amount}
