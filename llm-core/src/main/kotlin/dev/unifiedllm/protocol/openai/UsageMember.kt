package dev.unifiedllm.protocol.openai

import dev.unifiedllm.protocol.json.JsonNames

/** The `usage` object of all of OpenAI's wires, and what other providers add to it. */
internal object UsageMember : JsonNames(
    "prompt_tokens",
    "input_tokens",
    "completion_tokens",
    "output_tokens",
    "total_tokens",
    "prompt_tokens_details",
    "completion_tokens_details",
    "prompt_cache_hit_tokens",
    "cost",
    "cost_in_usd_ticks",
    "reasoning_tokens",
    "cached_tokens",
    "cache_read_input_tokens",
    "cache_creation_input_tokens",
    "input_tokens_details",
    "output_tokens_details",
    "estimated_cost",
    "is_byok",
    "cost_details",
    "service_tier",
    "search_context_size",
    "num_search_queries",
    "citation_tokens",
    "num_sources_used",
    "num_server_side_tools_used",
    "server_side_tools_used",
    "server_side_tool_usage_details",
) {
    const val PROMPT_TOKENS = 0
    const val INPUT_TOKENS = 1
    const val COMPLETION_TOKENS = 2
    const val OUTPUT_TOKENS = 3
    const val TOTAL_TOKENS = 4
    const val PROMPT_TOKENS_DETAILS = 5
    const val COMPLETION_TOKENS_DETAILS = 6
    const val PROMPT_CACHE_HIT_TOKENS = 7
    const val COST = 8
    const val COST_IN_USD_TICKS = 9
    const val REASONING_TOKENS = 10
    const val CACHED_TOKENS = 11
    const val CACHE_READ_INPUT_TOKENS = 12
    const val CACHE_CREATION_INPUT_TOKENS = 13
    const val INPUT_TOKENS_DETAILS = 14
    const val OUTPUT_TOKENS_DETAILS = 15
    const val ESTIMATED_COST = 16
    const val IS_BYOK = 17
    const val COST_DETAILS = 18
    const val SERVICE_TIER = 19
    const val SEARCH_CONTEXT_SIZE = 20
    const val NUM_SEARCH_QUERIES = 21
    const val CITATION_TOKENS = 22

    // xAI's
    const val NUM_SOURCES_USED = 23
    const val NUM_SERVER_SIDE_TOOLS_USED = 24
    const val SERVER_SIDE_TOOLS_USED = 25
    const val SERVER_SIDE_TOOL_USAGE_DETAILS = 26
}
