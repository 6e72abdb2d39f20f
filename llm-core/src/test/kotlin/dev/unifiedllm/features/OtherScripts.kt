package dev.unifiedllm.features

import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.features.Served.Companion.json
import dev.unifiedllm.features.Served.Companion.recorded

private val bedrock = Wire("bedrock-converse", "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0") { url ->
    mapOf("AWS_BEDROCK_RUNTIME_ENDPOINT" to url, "AWS_BEARER_TOKEN_BEDROCK" to "made-up", "AWS_REGION" to "us-east-1")
}

private val cohere = Wire("cohere-chat", "cohere/command-a-03-2025") { url -> mapOf("COHERE_API_BASE" to "$url/v2", "COHERE_API_KEY" to "made-up") }

private val ollama = Wire("ollama-chat", "ollama/llama3") { url -> mapOf("OLLAMA_API_BASE" to url) }

private val replicate = Wire("replicate-predictions", "replicate/meta/meta-llama-3-8b-instruct") { url ->
    mapOf("REPLICATE_API_BASE" to "$url/v1", "REPLICATE_API_TOKEN" to "made-up")
}

private val stability = Wire("stability-image", "stability/stable-image-core") { url ->
    mapOf("STABILITY_API_BASE" to "$url/v2beta", "STABILITY_API_KEY" to "made-up")
}

private fun converse(content: String) = json(
    """{"output":{"message":{"role":"assistant","content":[$content]}},"stopReason":"end_turn",
        "usage":{"inputTokens":12,"outputTokens":5,"totalTokens":17}}""",
)

private const val TOOL_USE = """{"role":"assistant","content":[{"toolUse":{"toolUseId":"call_1","name":"weather","input":{"city":"Paris"}}}]}"""
private const val CONVERSE_IMAGE = """{"image":{"format":"png","source":{"bytes":"$PIXEL"}}}"""

private fun Scripts.converse() {
    val path = "POST /model/anthropic.claude-sonnet-4-5-20250929-v1%3A0"
    on(Feature.TEXT, "$path/converse-stream", answer = recorded("bedrock-converse/s015-text-dd-trace-py"))
    on(Feature.WHOLE, "$path/converse ", answer = recorded("bedrock-converse/u025-filtered-openllmetry"))
    on(Feature.USAGE, "$path/converse ", answer = recorded("bedrock-converse/u019-length-otel-contrib"))
    on(Feature.LENGTH, """{"inferenceConfig":{"maxTokens":16}}""", answer = recorded("bedrock-converse/s035-length-openinference"))
    on(Feature.CACHED_TOKENS, "$path/converse-stream", answer = recorded("bedrock-converse/s011-cached-tokens-dd-trace-py"))
    on(Feature.CACHE_BREAKPOINT, """{"messages":[{"content":[{"text":"Hi"},{"cachePoint":{"type":"default"}}]}]}""")
    on(
        Feature.TOOL_CALL,
        """{"toolConfig":{"tools":[{"toolSpec":{"name":"weather","inputSchema":{"json":{"type":"object"}}}}]}}""",
        answer = recorded("bedrock-converse/s036-tool-call-dd-trace-py"),
    )
    on(Feature.PARALLEL_CALLS, """{"toolConfig":{"tools":[{}]}}""", answer = recorded("bedrock-converse/s033-parallel-tool-calls-otel-contrib"))
    on(
        Feature.TOOL_RESULT,
        """{"messages":[{"role":"user"},$TOOL_USE,{"role":"user","content":[{"toolResult":{"toolUseId":"call_1","content":[{"text":"20 C"}]}}]}]}""",
    )
    on(Feature.TOOL_CHOICE, """{"toolConfig":{"toolChoice":{"any":{}}}}""")
    on(
        Feature.RESULT_IMAGE,
        """{"messages":[{"role":"user"},$TOOL_USE,{"content":[{"toolResult":{"content":[{"text":"a picture"},$CONVERSE_IMAGE]}}]}]}""",
    )
    on(Feature.JSON_SCHEMA, """{"outputConfig":{"textFormat":{"type":"json_schema","structure":{"jsonSchema":{"name":"city"}}}}}""")
    on(Feature.TYPED_ANSWER, """{"outputConfig":{"textFormat":{"type":"json_schema"}}}""")
    on(Feature.REASONING, "$path/converse-stream", answer = recorded("bedrock-converse/s034-reasoning-pydantic-ai"))
    on(Feature.EFFORT, """{"additionalModelRequestFields":{"thinking":{"type":"enabled"}}}""")
    on(Feature.SIGNATURE, "$path/converse ", answer = recorded("bedrock-converse/u012-reasoning-ellmer"))
    on(Feature.IMAGE_DATA, """{"messages":[{"content":[{"text":"What is it?"},$CONVERSE_IMAGE]}]}""")
    on(Feature.PDF, """{"messages":[{"content":[{"text":"What is it?"},{"document":{"format":"pdf","source":{"bytes":"JVBERi0xLjQK"}}}]}]}""")
    on(Feature.AUDIO_IN, """{"messages":[{"content":[{"text":"Who speaks?"},{"audio":{"format":"wav","source":{"bytes":"UklGRg=="}}}]}]}""")
    val grounding = """{"toolConfig":{"tools":[{"systemTool":{"name":"nova_grounding"}}]}}"""
    val cited = converse(
        """{"text":"It is Paris."},{"citationsContent":{"content":[{"text":"It is Paris."}],
            "citations":[{"title":"Paris","location":{"web":{"url":"https://example.com/paris","domain":"example.com"}}}]}}""",
    )
    on(Feature.CITATIONS, grounding, answer = cited, model = "bedrock/us.amazon.nova-premier-v1:0", options = grounding)
    on(Feature.WEB_SEARCH, grounding, answer = cited, model = "bedrock/us.amazon.nova-premier-v1:0", options = grounding)
    on(
        Feature.EMBEDDINGS,
        "POST /model/amazon.titan-embed-text-v2%3A0/invoke",
        """{"inputText":"a"}""",
        answer = json("""{"embedding":[1,2],"inputTextTokenCount":3}"""),
        model = "bedrock/amazon.titan-embed-text-v2:0",
    )
    val image = json("""{"images":["$PIXEL"],"error":null}""")
    on(
        Feature.IMAGES,
        """{"taskType":"TEXT_IMAGE","textToImageParams":{"text":"a red train"}}""",
        answer = image,
        model = "bedrock/amazon.nova-canvas-v1:0",
    )
    on(
        Feature.IMAGE_EDITS,
        """{"taskType":"IMAGE_VARIATION","imageVariationParams":{"text":"a red train","images":["$PIXEL"]}}""",
        answer = image,
        model = "bedrock/amazon.nova-canvas-v1:0",
    )
    on(Feature.COUNT_TOKENS, "$path/count-tokens", """{"input":{"converse":{"messages":[{}]}}}""", answer = json("""{"inputTokens":12}"""))
    on(Feature.MODELS, "GET /foundation-models", answer = json("""{"modelSummaries":[{"modelId":"a-model","modelName":"A model"}]}"""), model = "bedrock")
}

private const val PLAIN_CALL = """{"id":"call_1","type":"function","function":{"name":"weather","arguments":"{\"city\":\"Paris\"}"}}"""

private fun Scripts.cohere() {
    on(Feature.TEXT, "POST /v2/chat", """{"stream":true}""", answer = recorded("cohere-v2/s019-reasoning-vercel-ai"))
    on(Feature.WHOLE, """{"stream":false}""", answer = recorded("cohere-v2/u015-reasoning-ruby-llm"))
    on(Feature.USAGE, "POST /v2/chat", answer = recorded("cohere-v2/u015-reasoning-ruby-llm"))
    on(Feature.LENGTH, """{"max_tokens":16}""", answer = recorded("cohere-v2/u023-cached-tokens-vercel-ai"))
    on(Feature.CACHED_TOKENS, "POST /v2/chat", answer = recorded("cohere-v2/s019-reasoning-vercel-ai"))
    on(Feature.TOOL_CALL, """{"tools":[{"function":{"name":"weather"}}]}""", answer = recorded("cohere-v2/u010-tool-call-no-args-ruby-llm"))
    on(Feature.PARALLEL_CALLS, """{"tools":[{}]}""", answer = recorded("cohere-v2/s004-parallel-tool-calls-openllmetry"))
    on(
        Feature.TOOL_RESULT,
        """{"messages":[{"role":"user"},{"role":"assistant","tool_calls":[$PLAIN_CALL]},{"role":"tool","tool_call_id":"call_1","content":"20 C"}]}""",
    )
    on(Feature.TOOL_CHOICE, """{"tool_choice":"REQUIRED"}""")
    on(
        Feature.RESULT_IMAGE,
        """{"messages":[{},{},{"role":"tool","content":"a picture"},{"role":"user","content":[{},{"type":"image_url","image_url":{"url":"$PNG"}}]}]}""",
    )
    on(Feature.JSON_SCHEMA, """{"response_format":{"type":"json_object","json_schema":{"type":"object"}}}""")
    on(Feature.JSON_OBJECT, """{"response_format":{"type":"json_object"}}""")
    on(Feature.TYPED_ANSWER, """{"response_format":{"type":"json_object","json_schema":{"type":"object"}}}""")
    on(Feature.REASONING, """{"stream":true}""", answer = recorded("cohere-v2/s019-reasoning-vercel-ai"))
    on(Feature.EFFORT, """{"thinking":{"type":"enabled"}}""", model = "cohere/command-a-reasoning-08-2025")
    on(Feature.IMAGE_URL, """{"messages":[{"content":[{},{"type":"image_url","image_url":{"url":"https://example.com/cat.png"}}]}]}""")
    on(Feature.IMAGE_DATA, """{"messages":[{"content":[{},{"type":"image_url","image_url":{"url":"$PNG"}}]}]}""")
    val documents = """{"documents":[{"id":"d1","data":{"text":"Paris is a city."}}]}"""
    on(Feature.CITATIONS, documents, answer = recorded("cohere-v2/u006-citations-ruby-llm"), options = documents)
    on(
        Feature.EMBEDDINGS,
        "POST /v2/embed",
        """{"texts":["a"]}""",
        answer = json("""{"id":"e1","embeddings":{"float":[[1,2]]},"texts":["a"],"meta":{"billed_units":{"input_tokens":5}}}"""),
        model = "cohere/embed-v4.0",
    )
    on(Feature.MODELS, "GET /v1/models", answer = json("""{"models":[{"name":"a-model","context_length":8192}],"next_page_token":""}"""), model = "cohere")
}

private fun generated(message: String, reason: String = "stop") = json(
    """{"model":"m","created_at":"2026-01-01T00:00:00Z","message":{"role":"assistant",$message},"done":true,"done_reason":"$reason",
        "prompt_eval_count":12,"eval_count":5}""",
)

private fun Scripts.ollama() {
    on(Feature.TEXT, "POST /api/chat", """{"stream":true}""", answer = recorded("ollama-chat/s003-text-openllmetry"))
    on(Feature.WHOLE, """{"stream":false}""", answer = recorded("ollama-chat/u008-text-openllmetry"))
    on(Feature.USAGE, "POST /api/chat", answer = recorded("ollama-chat/u019-text-openllmetry"))
    on(Feature.LENGTH, """{"options":{"num_predict":16}}""", answer = generated(""""content":"Stopped"""", "length"))
    on(Feature.TOOL_CALL, """{"tools":[{"function":{"name":"weather"}}]}""", answer = recorded("ollama-chat/u006-tool-call-openinference"))
    val call = """{"function":{"name":"weather","arguments":{"city":"Paris"}}}"""
    on(Feature.PARALLEL_CALLS, """{"tools":[{}]}""", answer = generated(""""content":"","tool_calls":[$call,$call]"""))
    on(
        Feature.TOOL_RESULT,
        """{"messages":[{"role":"user"},{"role":"assistant","tool_calls":[$call]},{"role":"tool","tool_name":"weather","content":"20 C"}]}""",
    )
    on(Feature.RESULT_IMAGE, """{"messages":[{},{},{"role":"tool","content":"a picture"},{"role":"user","images":["$PIXEL"]}]}""")
    on(Feature.JSON_SCHEMA, """{"format":{"type":"object"}}""")
    on(Feature.JSON_OBJECT, """{"format":"json"}""")
    on(Feature.TYPED_ANSWER, """{"format":{"type":"object"}}""")
    on(Feature.REASONING, """{"stream":true}""", answer = recorded("ollama-chat/s020-reasoning-openinference"))
    on(Feature.EFFORT, """{"think":"high"}""", model = "ollama/gpt-oss")
    on(Feature.IMAGE_DATA, """{"messages":[{"content":"What is it?","images":["$PIXEL"]}]}""")
    on(Feature.EMBEDDINGS, "POST /api/embed", answer = json("""{"embeddings":[[1,2]],"prompt_eval_count":5}"""), model = "ollama/nomic-embed-text")
    on(Feature.MODELS, "GET /api/tags", answer = json("""{"models":[{"name":"a-model","model":"a-model"}]}"""), model = "ollama")
}

private const val DONE = ""","output":["{\"city\":","\"Paris\"}"],"metrics":{"input_token_count":12,"output_token_count":5}"""

private fun prediction(url: String, status: String, more: String) =
    """{"id":"p1","model":"m","version":"v","status":"$status","urls":{"get":"$url/v1/predictions/p1","cancel":"$url/v1/predictions/p1/cancel"$more}"""

private val predicted = Served(Delivery.WHOLE) { _, url -> whole(prediction(url, "succeeded", "}$DONE"), 201) }

private val streamed = Served(Delivery.STREAM) { request, url ->
    when {
        request.line.startsWith("POST") -> whole(prediction(url, "starting", ""","stream":"$url/stream/p1"}"""), 201)
        request.path == "/stream/p1" -> sse("event: output\nid: 1\ndata: Hello\n\n", "event: output\nid: 2\ndata:  you\n\n", "event: done\ndata: {}\n\n")
        else -> whole(prediction(url, "succeeded", "}$DONE"))
    }
}

internal val otherScripts: List<Script> = scripts(bedrock, converse("""{"text":"{\"city\":\"Paris\"}"}""")) {
    converse()
} + scripts(
    cohere,
    json(
        """{"id":"c1","finish_reason":"COMPLETE","message":{"role":"assistant","content":[{"type":"text","text":"{\"city\":\"Paris\"}"}]},
            "usage":{"tokens":{"input_tokens":12,"output_tokens":5}}}""",
    ),
) {
    cohere()
} + scripts(ollama, generated(""""content":"{\"city\":\"Paris\"}"""")) {
    ollama()
} + scripts(replicate, predicted) {
    on(Feature.TEXT, "POST /v1/models/meta/meta-llama-3-8b-instruct/predictions", """{"stream":true,"input":{"prompt":"Hi"}}""", answer = streamed)
    on(Feature.WHOLE, """{"input":{"prompt":"Hi"}}""")
    on(Feature.USAGE, """{"input":{"prompt":"Hi"}}""", answer = streamed)
    on(Feature.TYPED_ANSWER, "The JSON must follow this JSON schema")
} + scripts(stability, json("""{"image":"$PIXEL","finish_reason":"SUCCESS","seed":7}""")) {
    on(Feature.IMAGES, "POST /v2beta/stable-image/generate/core", "a red train")
    on(Feature.IMAGE_EDITS, "POST /v2beta/stable-image/generate/sd3", "image-to-image", model = "stability/sd3.5-large")
}
