package dev.unifiedllm.protocol

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.protocol.bedrock.awsEvent
import dev.unifiedllm.protocol.bedrock.awsException
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import kotlin.reflect.KClass
import kotlin.time.Duration.Companion.seconds

/**
 * How one wire sends an error.
 *
 * @param body of an error response
 * @param content the beginning of a stream, with the text `Hel`
 * @param late the error inside of the stream
 */
private class ErrorForm(
    val model: String,
    val body: (Fault) -> String,
    val content: LoopbackExchange.() -> Unit,
    val late: LoopbackExchange.(Fault) -> Unit,
) {
    override fun toString(): String = model
}

/** @param name of the error in OpenAI's, Google's, Anthropic's and AWS's spelling */
private class Fault(val title: String, val status: Int, val words: String, val type: KClass<out LlmException>, vararg val name: String) {
    override fun toString(): String = title
}

private val faults = listOf(
    Fault(
        "a context that is too short",
        400,
        "This model's maximum context length is 1024 tokens",
        LlmException.ContextLengthExceeded::class,
        "BadRequestError",
        "INVALID_ARGUMENT",
        "invalid_request_error",
        "validationException",
    ),
    Fault(
        "an invalid request",
        400,
        "No such field",
        LlmException.InvalidRequest::class,
        "invalid_request_error",
        "INVALID_ARGUMENT",
        "invalid_request_error",
        "validationException",
    ),
    Fault(
        "too many requests",
        429,
        "Please try again in 7s",
        LlmException.RateLimited::class,
        "rate_limit_exceeded",
        "RESOURCE_EXHAUSTED",
        "rate_limit_error",
        "throttlingException",
    ),
    Fault("broken", 500, "It broke", LlmException.ServerError::class, "server_error", "INTERNAL", "api_error", "internalServerException"),
)

private const val OPENAI = 0
private const val GOOGLE = 1
private const val ANTHROPIC = 2
private const val AWS = 3

private fun event(json: String) = "data: $json\n\n"

private fun LoopbackExchange.stream(vararg events: String, type: String = "text/event-stream") {
    head(200, "Content-Type" to type)
    events.forEach(::write)
}

private fun openAi(model: String, error: (Fault) -> String) = ErrorForm(
    model,
    error,
    { stream(event("""{"id":"1","model":"m","choices":[{"index":0,"delta":{"content":"Hel"},"finish_reason":null}]}""")) },
    { write(event(error(it))) },
)

private val claude: LoopbackExchange.() -> Unit = {
    stream(
        event("""{"type":"message_start","message":{"id":"1","model":"m","content":[],"usage":{"input_tokens":1,"output_tokens":1}}}"""),
        event("""{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"""),
        event("""{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}"""),
    )
}

private val response: LoopbackExchange.() -> Unit = {
    stream(event("""{"type":"response.output_text.delta","output_index":0,"content_index":0,"delta":"Hel"}"""))
}

private fun claudeError(fault: Fault) = """{"type":"error","error":{"type":"${fault.name[ANTHROPIC]}","message":"${fault.words}"}}"""

private fun googleError(fault: Fault) = """{"error":{"code":${fault.status},"message":"${fault.words}","status":"${fault.name[GOOGLE]}"}}"""

private val forms = listOf(
    openAi("openai/gpt-4o") { """{"error":{"message":"${it.words}","type":"${it.name[OPENAI]}","param":null,"code":null}}""" },
    openAi("hosted_vllm/m") { """{"error":{"message":"${it.words}","type":"some_type","param":null,"code":${it.status}}}""" },
    openAi("litellm_proxy/m") { """{"error":{"message":"litellm.Error: ${it.words}","type":"None","param":"None","code":"${it.status}"}}""" },
    openAi("openrouter/x/y") {
        """{"error":{"code":${it.status},"message":"Provider returned error","metadata":{"raw":"{\"error\":{\"message\":\"${it.words}\"}}"}}}"""
    },
    ErrorForm(
        "openai/responses/gpt-5",
        { """{"error":{"message":"${it.words}","type":"${it.name[OPENAI]}","code":null}}""" },
        response,
        {
            write(event("""{"type":"response.failed","response":{"id":"1","status":"failed","error":{"code":"${it.name[OPENAI]}","message":"${it.words}"}}}"""))
        },
    ),
    ErrorForm(
        "openai/responses/gpt-5.1",
        { """{"error":{"message":"${it.words}","type":"${it.name[OPENAI]}","code":null}}""" },
        response,
        { write("event: error\n" + event("""{"type":"error","code":"${it.name[OPENAI]}","message":"${it.words}","param":null}""")) },
    ),
    ErrorForm("anthropic/claude-sonnet-4-5", ::claudeError, claude) { write("event: error\n" + event(claudeError(it))) },
    ErrorForm(
        "gemini/gemini-2.5-flash",
        { "[${googleError(it)}]" },
        { stream(event("""{"candidates":[{"content":{"role":"model","parts":[{"text":"Hel"}]},"index":0}],"modelVersion":"m"}""")) },
        { write(event(googleError(it))) },
    ),
    ErrorForm(
        "cohere/command-a",
        { """{"message":"${it.words}"}""" },
        {
            stream(
                event("""{"type":"message-start","id":"1","delta":{"message":{"role":"assistant"}}}"""),
                event("""{"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"Hel"}}}}"""),
            )
        },
        { write(event("""{"type":"message-end","delta":{"finish_reason":"ERROR","error":"${it.words}","error_type":"${it.name[OPENAI]}"}}""")) },
    ),
    ErrorForm(
        "bedrock/amazon.nova-lite-v1:0",
        { """{"message":"${it.words}"}""" },
        {
            head(200, "Content-Type" to "application/vnd.amazon.eventstream")
            write(awsEvent("messageStart", """{"role":"assistant"}"""))
            write(awsEvent("contentBlockDelta", """{"contentBlockIndex":0,"delta":{"text":"Hel"}}"""))
        },
        { write(awsException(it.name[AWS], """{"message":"${it.words}"}""")) },
    ),
    ErrorForm(
        "ollama/llama3",
        { """{"error":"${it.words}"}""" },
        { stream("""{"model":"m","message":{"role":"assistant","content":"Hel"},"done":false}""" + "\n", type = "application/x-ndjson") },
        {
            write(
                """{"error":"${if (it.status == 500) it.words else "{\\\"error\\\":{\\\"message\\\":\\\"${it.words}\\\",\\\"code\\\":${it.status}}}"}"}""" +
                    "\n",
            )
        },
    ),
)

private val variables = mapOf("AWS_REGION" to "us-east-1")

private suspend fun failure(model: String, answer: LoopbackExchange.() -> Unit): LlmException = LoopbackServer { answer() }.use { server ->
    val provider = if ("/responses/" in model) model.substringBeforeLast('/') else model.substringBefore('/')
    Llm.builder().retry { maxRetries = 0 }.environment(variables::get).provider(provider) {
        baseUrl = server.url
        apiKey = "key-of-the-tests"
    }.build().use { llm -> shouldThrow<LlmException> { llm.chat(model, "hi").await() } }
}

class ErrorFormsSpec : FunSpec({
    for (fault in faults) {
        context("${fault.title}, in a response and inside of a stream:") {
            withData<ErrorForm>({ it.model }, forms) { form ->
                val early = failure(form.model) { whole(form.body(fault), fault.status) }
                val late = failure(form.model) {
                    form.content(this)
                    form.late(this, fault)
                    hold()
                }
                for (failure in listOf(early, late)) {
                    withClue({ "$failure" }) {
                        failure::class shouldBe fault.type
                        failure.message shouldContain fault.words
                        failure.retryAfter shouldBe if (fault.status == 429) 7.seconds else null
                    }
                }
                late.isRetryable shouldBe early.isRetryable
                late.partial?.text shouldBe "Hel"
                late.message shouldNotContain "fallback"
            }
        }
    }
})
