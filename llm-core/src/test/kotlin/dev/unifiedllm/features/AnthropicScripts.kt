package dev.unifiedllm.features

import dev.unifiedllm.features.Served.Companion.json
import dev.unifiedllm.features.Served.Companion.recorded

private val direct = Wire("anthropic-messages", "anthropic/claude-sonnet-4-5") { url ->
    mapOf("ANTHROPIC_BASE_URL" to url, "ANTHROPIC_API_KEY" to "made-up")
}

private val vertex = Wire("anthropic-vertex", "vertex_ai/claude-sonnet-4-5", ::vertexVariables)

private val text = json(
    """{"id":"m1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"{\"city\":\"Paris\"}"}],
        "stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":12,"output_tokens":5}}""",
)

private const val CALL = """{"role":"assistant","content":[{"type":"tool_use","id":"call_1","name":"weather","input":{"city":"Paris"}}]}"""
private const val IMAGE = """{"type":"image","source":{"type":"base64","media_type":"image/png","data":"$PIXEL"}}"""
private const val SEARCH = """{"tools":[{"type":"web_search_20250305","name":"web_search"}]}"""

/** What Anthropic's API and Vertex AI have in common. [whole] and [stream] stand in the lines of their requests. */
private fun Scripts.messages(whole: String, stream: String) {
    on(Feature.TEXT, stream, """{"stream":true}""", answer = recorded("anthropic-messages/s039-text-openllmetry"))
    on(Feature.WHOLE, whole, answer = recorded("anthropic-messages/u033-text-activeagent"))
    on(Feature.USAGE, whole, answer = recorded("anthropic-messages/u033-text-activeagent"))
    on(Feature.LENGTH, """{"max_tokens":16}""", answer = recorded("anthropic-messages/s038-length-dd-trace-py"))
    on(Feature.CACHED_TOKENS, whole, answer = recorded("anthropic-messages/u048-cached-tokens-dd-trace-py"))
    on(Feature.CACHE_BREAKPOINT, """{"messages":[{"content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]}""")
    on(
        Feature.TOOL_CALL,
        """{"tools":[{"name":"weather","input_schema":{"type":"object"}}]}""",
        answer = recorded("anthropic-messages/s040-tool-call-fantasy"),
    )
    on(Feature.PARALLEL_CALLS, """{"tools":[{"name":"weather"}]}""", answer = recorded("anthropic-messages/s042-parallel-tool-calls-llm-anthropic"))
    on(
        Feature.TOOL_RESULT,
        """{"messages":[{"role":"user"},$CALL,{"role":"user","content":[{"type":"tool_result","tool_use_id":"call_1","content":"20 C"}]}]}""",
    )
    on(Feature.TOOL_CHOICE, """{"tool_choice":{"type":"any"}}""")
    on(
        Feature.RESULT_IMAGE,
        """{"messages":[{"role":"user"},$CALL,{"content":[{"type":"tool_result","tool_use_id":"call_1","content":[{"type":"text"},$IMAGE]}]}]}""",
    )
    on(Feature.JSON_SCHEMA, """{"output_config":{"format":{"type":"json_schema","schema":{"type":"object"}}}}""")
    on(Feature.TYPED_ANSWER, """{"output_config":{"format":{"type":"json_schema"}}}""")
    on(Feature.REASONING, """{"stream":true}""", answer = recorded("anthropic-messages/s018-reasoning-llm-anthropic"))
    on(Feature.EFFORT, """{"thinking":{"type":"enabled","budget_tokens":4096}}""")
    on(Feature.SIGNATURE, """{"stream":true}""", answer = recorded("anthropic-messages/s018-reasoning-llm-anthropic"))
    on(Feature.IMAGE_DATA, """{"messages":[{"content":[{"type":"text","text":"What is it?"},$IMAGE]}]}""")
    on(
        Feature.PDF,
        """{"messages":[{"content":[{"type":"text"},{"type":"document","title":"a.pdf",
            "source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0xLjQK"}}]}]}""",
    )
    on(Feature.CITATIONS, SEARCH, answer = recorded("anthropic-messages/s028-server-tool-use-llm-anthropic"), options = SEARCH)
    on(Feature.WEB_SEARCH, SEARCH, answer = recorded("anthropic-messages/s028-server-tool-use-llm-anthropic"), options = SEARCH)
}

internal val anthropicScripts: List<Script> = scripts(direct, text) {
    messages("POST /v1/messages", "POST /v1/messages")
    on(
        Feature.IMAGE_URL,
        """{"messages":[{"content":[{"type":"text"},{"type":"image","source":{"type":"url","url":"https://example.com/cat.png"}}]}]}""",
    )
    val code = """{"tools":[{"type":"code_execution_20250825","name":"code_execution"}]}"""
    on(Feature.CODE_EXECUTION, code, answer = recorded("anthropic-messages/s025-server-tool-use-vercel-ai"), options = code)
    on(Feature.COUNT_TOKENS, "POST /v1/messages/count_tokens", answer = json("""{"input_tokens":12}"""))
    on(
        Feature.MODELS,
        "GET /v1/models",
        answer = json("""{"data":[{"type":"model","id":"a-model","display_name":"A model","created_at":"2025-02-19T00:00:00Z"}],"has_more":false}"""),
        model = "anthropic",
    )
} + scripts(vertex, text) {
    val path = "POST /v1/projects/p/locations/us-central1/publishers/anthropic/models/claude-sonnet-4-5"
    messages("$path:rawPredict", "$path:streamRawPredict")
    on(Feature.COUNT_TOKENS, "/publishers/anthropic/models/count-tokens:rawPredict", answer = json("""{"input_tokens":12}"""))
}
