package dev.unifiedllm.features

import dev.unifiedllm.features.Served.Companion.json
import dev.unifiedllm.features.Served.Companion.recorded

private val gemini = Wire("gemini-generate", "gemini/gemini-2.5-flash") { url ->
    mapOf("GEMINI_API_BASE" to "$url/v1beta", "GEMINI_API_KEY" to "made-up")
}

private val vertex = Wire("vertex-gemini", "vertex_ai/gemini-2.5-flash", ::vertexVariables)

private fun answer(part: String, reason: String = "STOP") = json(
    """{"candidates":[{"content":{"role":"model","parts":[$part]},"finishReason":"$reason","index":0}],
        "usageMetadata":{"promptTokenCount":12,"candidatesTokenCount":5,"totalTokenCount":17},"modelVersion":"m","responseId":"r1"}""",
)

private val text = answer("""{"text":"{\"city\":\"Paris\"}"}""")
private const val CALL = """{"role":"model","parts":[{"functionCall":{"name":"weather","args":{"city":"Paris"}}}]}"""
private const val IMAGE = """{"inlineData":{"mimeType":"image/png","data":"$PIXEL"}}"""
private const val SEARCH = """{"tools":[{"googleSearch":{}}]}"""
private const val CODE = """{"tools":[{"codeExecution":{}}]}"""
private const val IMAGES_WANTED = """{"generationConfig":{"responseModalities":["TEXT","IMAGE"]}}"""
private const val SOUND_WANTED = """{"generationConfig":{"responseModalities":["AUDIO"]}}"""

/** What the Gemini API and Vertex AI have in common. [models] is the path of the models, [provider] the beginning of their names. */
private fun Scripts.generate(models: String, provider: String) {
    on(Feature.TEXT, "POST $models/gemini-2.5-flash:streamGenerateContent?alt=sse", answer = recorded("gemini-generate/s026-text-pydantic-ai"))
    on(Feature.WHOLE, "POST $models/gemini-2.5-flash:generateContent", answer = recorded("gemini-generate/u034-text-openllmetry"))
    on(Feature.USAGE, ":generateContent", answer = recorded("gemini-generate/u034-text-openllmetry"))
    on(Feature.LENGTH, """{"generationConfig":{"maxOutputTokens":16}}""", answer = answer("""{"text":"Stopped"}""", "MAX_TOKENS"))
    on(Feature.CACHED_TOKENS, ":generateContent", answer = recorded("gemini-generate/u004-citations-ruby-llm"))
    on(Feature.TOOL_CALL, """{"tools":[{"functionDeclarations":[{"name":"weather"}]}]}""", answer = recorded("gemini-generate/s031-tool-call-llm-gemini"))
    on(Feature.PARALLEL_CALLS, """{"tools":[{}]}""", answer = recorded("gemini-generate/s036-parallel-tool-calls-openinference"))
    on(
        Feature.TOOL_RESULT,
        """{"contents":[{"role":"user"},$CALL,{"role":"user","parts":[{"functionResponse":{"name":"weather","response":{"output":"20 C"}}}]}]}""",
    )
    on(Feature.TOOL_CHOICE, """{"toolConfig":{"functionCallingConfig":{"mode":"ANY"}}}""")
    on(
        Feature.RESULT_IMAGE,
        """{"contents":[{"role":"user"},$CALL,{"parts":[{"functionResponse":{"response":{"output":"a picture"},"parts":[$IMAGE]}}]}]}""",
        model = "$provider/gemini-3-pro-preview",
    )
    on(Feature.JSON_SCHEMA, """{"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"object"}}}""")
    on(Feature.JSON_OBJECT, """{"generationConfig":{"responseMimeType":"application/json"}}""")
    on(Feature.TYPED_ANSWER, """{"generationConfig":{"responseMimeType":"application/json","responseSchema":{"type":"object"}}}""")
    on(Feature.REASONING, ":streamGenerateContent", answer = recorded("gemini-generate/s019-parallel-tool-calls-vercel-ai"))
    on(Feature.EFFORT, """{"generationConfig":{"thinkingConfig":{"includeThoughts":true,"thinkingBudget":4096}}}""")
    on(Feature.SIGNATURE, ":streamGenerateContent", answer = recorded("gemini-generate/s019-parallel-tool-calls-vercel-ai"))
    on(
        Feature.IMAGE_URL,
        """{"contents":[{"parts":[{"text":"What is it?"},{"fileData":{"mimeType":"image/png","fileUri":"https://example.com/cat.png"}}]}]}""",
    )
    on(Feature.IMAGE_DATA, """{"contents":[{"parts":[{"text":"What is it?"},$IMAGE]}]}""")
    on(Feature.PDF, """{"contents":[{"parts":[{"text":"What is it?"},{"inlineData":{"mimeType":"application/pdf","data":"JVBERi0xLjQK"}}]}]}""")
    on(Feature.AUDIO_IN, """{"contents":[{"parts":[{"text":"Who speaks?"},{"inlineData":{"mimeType":"audio/wav","data":"UklGRg=="}}]}]}""")
    on(Feature.IMAGE_OUT, IMAGES_WANTED, answer = answer(IMAGE), model = "$provider/gemini-2.5-flash-image", options = IMAGES_WANTED)
    on(
        Feature.AUDIO_OUT,
        SOUND_WANTED,
        answer = answer("""{"inlineData":{"mimeType":"audio/L16;codec=pcm;rate=24000","data":"AAAA"}}"""),
        model = "$provider/gemini-2.5-flash-preview-tts",
        options = SOUND_WANTED,
    )
    on(Feature.CITATIONS, SEARCH, answer = recorded("gemini-generate/u004-citations-ruby-llm"), options = SEARCH)
    on(Feature.WEB_SEARCH, SEARCH, answer = recorded("gemini-generate/s043-citations-pydantic-ai"), options = SEARCH)
    on(Feature.CODE_EXECUTION, CODE, answer = recorded("gemini-generate/s028-codeexecutionresult-openinference"), options = CODE)
    on(Feature.COUNT_TOKENS, "POST $models/gemini-2.5-flash:countTokens", answer = json("""{"totalTokens":12}"""))
}

private const val PREDICTION = """{"predictions":[{"mimeType":"image/png","bytesBase64Encoded":"$PIXEL"}]}"""

internal val googleScripts: List<Script> = scripts(gemini, text) {
    generate("/v1beta/models", "gemini")
    on(
        Feature.EMBEDDINGS,
        "POST /v1beta/models/gemini-embedding-001:batchEmbedContents",
        answer = json("""{"embeddings":[{"values":[1,2]}]}"""),
        model = "gemini/gemini-embedding-001",
    )
    on(
        Feature.IMAGES,
        "POST /v1beta/models/imagen-4.0-generate-001:predict",
        """{"instances":[{"prompt":"a red train"}]}""",
        answer = json(PREDICTION),
        model = "gemini/imagen-4.0-generate-001",
    )
    on(
        Feature.IMAGE_EDITS,
        """{"contents":[{"parts":[{"text":"a red train"},$IMAGE]}],"generationConfig":{"responseModalities":["TEXT","IMAGE"]}}""",
        answer = answer(IMAGE),
        model = "gemini/gemini-2.5-flash-image",
    )
    on(Feature.MODELS, "GET /v1beta/models", answer = json("""{"models":[{"name":"models/a-model","displayName":"A model"}]}"""), model = "gemini")
} + scripts(vertex, text) {
    val models = "/v1/projects/p/locations/us-central1/publishers/google/models"
    generate(models, "vertex_ai")
    on(
        Feature.EMBEDDINGS,
        "POST $models/text-embedding-005:predict",
        answer = json("""{"predictions":[{"embeddings":{"values":[1,2],"statistics":{"token_count":3}}}]}"""),
        model = "vertex_ai/text-embedding-005",
    )
    on(
        Feature.IMAGES,
        "POST $models/imagen-4.0-generate-001:predict",
        """{"instances":[{"prompt":"a red train"}]}""",
        answer = json(PREDICTION),
        model = "vertex_ai/imagen-4.0-generate-001",
    )
    on(
        Feature.IMAGE_EDITS,
        """{"instances":[{"prompt":"a red train","referenceImages":[{"referenceImage":{"bytesBase64Encoded":"$PIXEL"}}]}]}""",
        answer = json(PREDICTION),
        model = "vertex_ai/imagen-3.0-capability-001",
    )
}
