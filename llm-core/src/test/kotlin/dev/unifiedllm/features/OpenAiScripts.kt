package dev.unifiedllm.features

import dev.unifiedllm.features.Served.Companion.json
import dev.unifiedllm.features.Served.Companion.recorded

private val openAi = Wire("openai-chat", "openai/gpt-4o") { url ->
    mapOf(
        "OPENAI_BASE_URL" to "$url/v1",
        "OPENAI_API_KEY" to "made-up",
        "OPENROUTER_API_BASE" to "$url/api/v1",
        "OPENROUTER_API_KEY" to "made-up",
        "DEEPSEEK_API_BASE" to url,
        "DEEPSEEK_API_KEY" to "made-up",
        "PERPLEXITY_API_BASE" to url,
        "PERPLEXITY_API_KEY" to "made-up",
    )
}

private val responses = Wire("openai-responses", "openai/responses/gpt-4o") { url ->
    mapOf("OPENAI_BASE_URL" to "$url/v1", "OPENAI_API_KEY" to "made-up")
}

private val vertex = Wire("vertex-openai", "vertex_ai/meta/llama-4-maverick-17b-128e-instruct-maas", ::vertexVariables)

private val watsonx = Wire("watsonx-chat", "watsonx/ibm/granite-3-3-8b-instruct") { url ->
    mapOf("WATSONX_URL" to url, "WATSONX_TOKEN" to "made-up", "WATSONX_PROJECT_ID" to "project-1")
}

internal fun vertexVariables(url: String): Map<String, String> =
    mapOf("VERTEXAI_API_BASE" to "$url/v1/projects/p/locations/us-central1", "VERTEX_ACCESS_TOKEN" to "made-up")

private const val USAGE = """"usage":{"prompt_tokens":12,"completion_tokens":5,"total_tokens":17}"""

private fun chat(message: String, reason: String = "stop") = json(
    """{"id":"c1","object":"chat.completion","created":1764115200,"model":"m","choices":[
        {"index":0,"message":{"role":"assistant",$message},"finish_reason":"$reason"}],$USAGE}""",
)

private val text = chat(""""content":"{\"city\":\"Paris\"}"""")

private fun response(vararg items: String) = json(
    """{"id":"r1","object":"response","created_at":1764115200,"model":"m","status":"completed","output":[${items.joinToString()}],
        "usage":{"input_tokens":12,"output_tokens":5,"total_tokens":17}}""",
)

private const val MESSAGE = """{"type":"message","id":"i2","role":"assistant","status":"completed",
    "content":[{"type":"output_text","text":"{\"city\":\"Paris\"}","annotations":[]}]}"""

private const val CALL = """{"role":"assistant","tool_calls":[
    {"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}]}"""

private const val IMAGE = """{"type":"image_url","image_url":{"url":"$PNG"}}"""
private const val VECTOR = """{"object":"list","model":"m","data":[{"object":"embedding","index":0,"embedding":[1,2]}],
    "usage":{"prompt_tokens":5,"total_tokens":5}}"""
private const val PICTURE = """{"created":1764115200,"data":[{"b64_json":"$PIXEL"}],"usage":{"input_tokens":12,"output_tokens":5,"total_tokens":17}}"""
private const val LIST = """{"object":"list","data":[{"id":"a-model","object":"model","created":1764115200,"owned_by":"system"}]}"""

/** What OpenAI's chat and the wires after it have in common. [limit] and [required] are the names of two of their fields. */
private fun Scripts.chat(stream: String, whole: String, limit: String, required: String) {
    on(Feature.TEXT, stream, answer = recorded("openai-chat/s039-text-otel-contrib"))
    on(Feature.WHOLE, whole, answer = recorded("openai-chat/u036-text-ellmer"))
    on(Feature.USAGE, whole, answer = recorded("openai-chat/u036-text-ellmer"))
    on(Feature.LENGTH, """{"$limit":16}""", answer = recorded("openai-chat/s018-length-dd-trace-py"))
    on(
        Feature.TOOL_CALL,
        """{"tools":[{"type":"function","function":{"name":"weather","parameters":{"type":"object"}}}]}""",
        answer = recorded("openai-chat/s012-tool-call-openinference"),
    )
    on(Feature.PARALLEL_CALLS, """{"tools":[{"function":{"name":"weather"}}]}""", answer = recorded("openai-chat/s019-parallel-tool-calls-pydantic-ai"))
    on(Feature.TOOL_RESULT, """{"messages":[{"role":"user"},$CALL,{"role":"tool","tool_call_id":"call_1","content":"20 C"}]}""")
    on(Feature.TOOL_CHOICE, """{"$required":"required"}""")
    on(Feature.JSON_SCHEMA, """{"response_format":{"type":"json_schema","json_schema":{"name":"city","strict":true,"schema":{"type":"object"}}}}""")
    on(Feature.JSON_OBJECT, """{"response_format":{"type":"json_object"}}""")
    on(Feature.TYPED_ANSWER, """{"response_format":{"type":"json_schema"}}""")
    on(
        Feature.RESULT_IMAGE,
        """{"messages":[{"role":"user"},$CALL,{"role":"tool","content":"a picture"},{"role":"user","content":[{"type":"text"},$IMAGE]}]}""",
    )
    on(Feature.IMAGE_DATA, """{"messages":[{"role":"user","content":[{"type":"text","text":"What is it?"},$IMAGE]}]}""")
    on(
        Feature.IMAGE_URL,
        """{"messages":[{"role":"user","content":[{"type":"text"},{"type":"image_url","image_url":{"url":"https://example.com/cat.png"}}]}]}""",
    )
}

internal val openAiScripts: List<Script> = scripts(openAi, text) {
    chat("""{"stream":true,"stream_options":{"include_usage":true}}""", "POST /v1/chat/completions", "max_completion_tokens", "tool_choice")
    on(Feature.CACHED_TOKENS, "POST /v1/chat/completions", answer = recorded("openai-chat/s028-cached-tokens-dd-trace-py"))
    on(
        Feature.CACHE_BREAKPOINT,
        """{"messages":[{"content":[{"type":"text","text":"Hi","cache_control":{"type":"ephemeral"}}]}]}""",
        model = "openrouter/anthropic/claude-sonnet-4.5",
    )
    on(Feature.STRICT_TOOLS, """{"tools":[{"function":{"name":"weather","strict":true}}]}""")
    on(
        Feature.REASONING,
        "POST /chat/completions",
        answer = recorded("deepseek/s005-reasoning-dd-trace-py"),
        model = "deepseek/deepseek-reasoner",
    )
    on(Feature.EFFORT, """{"reasoning_effort":"high"}""", model = "openai/gpt-5")
    on(
        Feature.SIGNATURE,
        "POST /api/v1/chat/completions",
        answer = recorded("openrouter/u006-reasoning-dd-trace-py"),
        model = "openrouter/anthropic/claude-sonnet-4.5",
    )
    on(
        Feature.PDF,
        """{"messages":[{"content":[{"type":"text"},{"type":"file","file":{"filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjQK"}}]}]}""",
    )
    on(
        Feature.AUDIO_IN,
        """{"messages":[{"content":[{"type":"text"},{"type":"input_audio","input_audio":{"data":"UklGRg==","format":"wav"}}]}]}""",
        model = "openai/gpt-4o-audio-preview",
    )
    on(
        Feature.IMAGE_OUT,
        """{"modalities":["image","text"]}""",
        answer = chat(""""content":"Here it is.","images":[{"type":"image_url","image_url":{"url":"$PNG"}}]"""),
        model = "openrouter/google/gemini-2.5-flash-image",
        options = """{"modalities":["image","text"]}""",
    )
    on(
        Feature.AUDIO_OUT,
        """{"modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"}}""",
        answer = chat(""""content":null,"audio":{"id":"a1","data":"UklGRg==","transcript":"Hello","expires_at":1764115200}"""),
        model = "openai/gpt-4o-audio-preview",
        options = """{"modalities":["text","audio"],"audio":{"voice":"alloy","format":"wav"}}""",
    )
    on(Feature.CITATIONS, "POST /chat/completions", answer = recorded("perplexity/s004-citations-vercel-ai"), model = "perplexity/sonar")
    on(
        Feature.WEB_SEARCH,
        """{"web_search_options":{}}""",
        answer = recorded("openai-chat/u023-citations-ruby-llm"),
        model = "openai/gpt-4o-search-preview",
        options = """{"web_search_options":{}}""",
    )
    on(Feature.EMBEDDINGS, "POST /v1/embeddings", """{"input":["a"]}""", answer = json(VECTOR), model = "openai/text-embedding-3-small")
    on(Feature.IMAGES, "POST /v1/images/generations", """{"prompt":"a red train"}""", answer = json(PICTURE), model = "openai/gpt-image-1")
    on(Feature.IMAGE_EDITS, "POST /v1/images/edits", "a red train", answer = json(PICTURE), model = "openai/gpt-image-1")
    on(Feature.COUNT_TOKENS, "POST /v1/responses/input_tokens", answer = json("""{"object":"response.input_tokens","input_tokens":12}"""))
    on(Feature.MODELS, "GET /v1/models", answer = json(LIST), model = "openai")
} + scripts(vertex, text) {
    chat("POST /v1/projects/p/locations/us-central1/endpoints/openapi/chat/completions", "/endpoints/openapi/chat/completions", "max_tokens", "tool_choice")
    on(
        Feature.REASONING,
        "/endpoints/openapi/",
        answer = recorded("deepseek/s005-reasoning-dd-trace-py"),
        model = "vertex_ai/deepseek-ai/deepseek-r1-0528-maas",
    )
    on(Feature.EFFORT, """{"reasoning_effort":"high"}""", model = "vertex_ai/openai/gpt-oss-120b-maas")
} + scripts(watsonx, text) {
    chat("POST /ml/v1/text/chat_stream?version=", "POST /ml/v1/text/chat?version=", "max_tokens", "tool_choice_option")
    on(Feature.REASONING, "/ml/v1/text/chat", answer = recorded("deepseek/s005-reasoning-dd-trace-py"), model = "watsonx/openai/gpt-oss-120b")
    on(Feature.EFFORT, """{"reasoning_effort":"high"}""", model = "watsonx/openai/gpt-oss-120b")
} + scripts(responses, response(MESSAGE)) {
    responses()
}

private const val FUNCTION = """{"type":"function_call","call_id":"call_1","name":"weather","arguments":"{\"city\":\"Paris\"}"}"""

private fun Scripts.responses() {
    on(Feature.TEXT, """{"stream":true}""", answer = recorded("openai-responses/s031-text-otel-contrib"))
    on(Feature.WHOLE, "POST /v1/responses", answer = recorded("openai-responses/u038-reasoning-activeagent"))
    on(Feature.USAGE, "POST /v1/responses", answer = recorded("openai-responses/u038-reasoning-activeagent"))
    on(Feature.LENGTH, """{"max_output_tokens":16}""", answer = recorded("openai-responses/u009-reasoning-dd-trace-py"))
    on(Feature.CACHED_TOKENS, "POST /v1/responses", answer = recorded("azure/u024-responses-file-search-call-vercel-ai"))
    on(Feature.TOOL_CALL, """{"tools":[{"type":"function","name":"weather"}]}""", answer = recorded("openai-responses/s008-tool-call-pydantic-ai"))
    on(Feature.PARALLEL_CALLS, """{"tools":[{"name":"weather"}]}""", answer = recorded("openai-responses/s013-parallel-tool-calls-fantasy"))
    on(Feature.TOOL_RESULT, """{"input":[{"role":"user"},$FUNCTION,{"type":"function_call_output","call_id":"call_1","output":"20 C"}]}""")
    on(Feature.TOOL_CHOICE, """{"tool_choice":"required"}""")
    on(Feature.STRICT_TOOLS, """{"tools":[{"name":"weather","strict":true}]}""")
    on(
        Feature.RESULT_IMAGE,
        """{"input":[{"role":"user"},$FUNCTION,{"call_id":"call_1","output":[{"type":"input_text"},{"type":"input_image","image_url":"$PNG"}]}]}""",
    )
    on(Feature.JSON_SCHEMA, """{"text":{"format":{"type":"json_schema","name":"city","strict":true,"schema":{"type":"object"}}}}""")
    on(Feature.JSON_OBJECT, """{"text":{"format":{"type":"json_object"}}}""")
    on(Feature.TYPED_ANSWER, """{"text":{"format":{"type":"json_schema"}}}""")
    on(Feature.REASONING, "POST /v1/responses", answer = recorded("deepseek/s013-responses-reasoning-ruby-llm"), model = "openai/responses/gpt-5")
    on(Feature.EFFORT, """{"reasoning":{"effort":"high"}}""", model = "openai/responses/gpt-5")
    on(
        Feature.SIGNATURE,
        """{"store":false,"include":["reasoning.encrypted_content"]}""",
        answer = recorded("openai-responses/u021-tool-call-ellmer"),
        model = "openai/responses/gpt-5",
    )
    on(Feature.IMAGE_URL, """{"input":[{"content":[{"type":"input_text"},{"type":"input_image","image_url":"https://example.com/cat.png"}]}]}""")
    on(Feature.IMAGE_DATA, """{"input":[{"content":[{"type":"input_text"},{"type":"input_image","image_url":"$PNG"}]}]}""")
    on(
        Feature.PDF,
        """{"input":[{"content":[{"type":"input_text"},
            {"type":"input_file","filename":"a.pdf","file_data":"data:application/pdf;base64,JVBERi0xLjQK"}]}]}""",
    )
    on(
        Feature.IMAGE_OUT,
        """{"tools":[{"type":"image_generation"}]}""",
        answer = recorded("openai-responses/s015-image-vercel-ai"),
        options = """{"tools":[{"type":"image_generation"}]}""",
    )
    val search = """{"tools":[{"type":"web_search"}]}"""
    on(Feature.CITATIONS, search, answer = recorded("openai-responses/s025-web-search-call-pydantic-ai"), options = search)
    on(Feature.WEB_SEARCH, search, answer = recorded("openai-responses/s003-web-search-call-pydantic-ai"), options = search)
    on(
        Feature.CODE_EXECUTION,
        """{"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]}""",
        answer = response(
            """{"type":"code_interpreter_call","id":"ci_1","status":"completed","container_id":"cntr_1","code":"print(2)","outputs":null}""",
            MESSAGE,
        ),
        options = """{"tools":[{"type":"code_interpreter","container":{"type":"auto"}}]}""",
    )
    on(Feature.EMBEDDINGS, "POST /v1/embeddings", answer = json(VECTOR), model = "openai/responses/text-embedding-3-small")
    on(Feature.IMAGES, "POST /v1/images/generations", """{"prompt":"a red train"}""", answer = json(PICTURE), model = "openai/responses/gpt-image-1")
    on(Feature.IMAGE_EDITS, "POST /v1/images/edits", "a red train", answer = json(PICTURE), model = "openai/responses/gpt-image-1")
    on(Feature.COUNT_TOKENS, "POST /v1/responses/input_tokens", answer = json("""{"object":"response.input_tokens","input_tokens":12}"""))
    on(Feature.MODELS, "GET /v1/models", answer = json(LIST), model = "openai/responses")
}
