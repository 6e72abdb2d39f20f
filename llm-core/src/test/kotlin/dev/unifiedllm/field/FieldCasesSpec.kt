package dev.unifiedllm.field

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason.Kind
import dev.unifiedllm.chat.Message
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.saying
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldContainExactlyInAnyOrder
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive

private typealias Check = suspend FieldCase.() -> Unit

private fun says(text: String, kind: Kind = Kind.STOP): Check = {
    val response = play().response
    response.text shouldBe text
    response.finishReason?.kind shouldBe kind
}

private fun endsWith(kind: Kind): Check = { play().response.finishReason?.kind shouldBe kind }

private inline fun <reified E : LlmException> fails(vararg words: String, retryable: Boolean? = null): Check = {
    val failure = play().failure.shouldBeInstanceOf<E>()
    for (word in words) failure.message shouldContain word
    if (retryable != null) failure.isRetryable shouldBe retryable
}

private fun costs(amount: String): Check = {
    play().response.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of(amount)
}

private fun isUnpriced(vararg words: String): Check = {
    val why = play().response.cost.shouldBeInstanceOf<Cost.Unknown>().why
    for (word in words) why shouldContain word
}

private fun counts(input: Long, output: Long, then: (ChatResponse) -> Unit = {}): Check = {
    val response = play().response
    response.usage.let { it?.inputTokens to it?.outputTokens } shouldBe (input to output)
    then(response)
}

/** The call of a tool, then its result: what the provider signed in its first response is in the second request. */
private fun sendsBack(vararg words: String): Check = {
    val outcome = play(
        { llm, _ -> llm.chat(model) { user("How warm is it in Paris?") }.await() },
        { llm, given ->
            llm.chat(model) {
                user("How warm is it in Paris?")
                given[0].messages.forEach { message(it) }
                toolResult(given[0].toolCalls.single().id, "weather", "20 C")
            }.await()
        },
    )
    outcome.responses.last().text shouldBe "20 C"
    for (word in words) outcome.requests[1].body shouldContain word
}

private fun shortensIds(longest: Int): Check = {
    val id = "call_" + "x".repeat(101)
    val outcome = play {
        user("How warm is it?")
        message(Message(Role.ASSISTANT, listOf(Part.ToolCall(id, "weather", "{}"))))
        toolResult(id, "weather", "20 C")
    }
    outcome.response.text shouldBe "20 C"
    val messages = Json.parseToJsonElement(outcome.requests.single().body).jsonObject["messages"]!!.jsonArray
    val sent = messages[1].jsonObject["tool_calls"]!!.jsonArray.single().jsonObject["id"]!!.jsonPrimitive.content
    sent.length shouldBeLessThanOrEqual longest
    messages[2].jsonObject["tool_call_id"]!!.jsonPrimitive.content shouldBe sent
}

private val IMAGE = Delta.Media("image/png", "data:image/png;base64,iVBORw0KGgo=")
private val hello = says("Hello")

private val twoCalls: Check = {
    val response = play().response
    response.finishReason?.kind shouldBe Kind.TOOL_CALLS
    response.toolCalls.map { "${it.name} ${it.arguments}" } shouldContainExactly listOf("""weather {"city":"Paris"}""", """time {"zone":"CET"}""")
}

private val checks: Map<String, Check> = mapOf(
    "01-empty-data" to hello,
    "01d-data-ping-word" to hello,
    "01e-empty-data-anthropic" to hello,
    "01g-empty-data-gemini" to hello,
    "01h-empty-data-cohere" to hello,
    "02-done-trailing-space" to hello,
    "02c-done-space-no-finish" to says("Hello", Kind.UNKNOWN),
    "02d-done-tab" to hello,
    "02g-done-after-stop-word-end" to hello,
    "03-json-then-done-whole" to hello,
    "03c-json-then-done-no-newline" to hello,
    "04-moonshot-choice-usage" to counts(19, 13) { it.usage?.cacheReadTokens shouldBe 8 },
    "04d-real-usage-then-zero" to counts(1000, 100),
    "04e-usage-strings" to counts(1000, 100),
    "05b-empty-finish-tools-length" to endsWith(Kind.LENGTH),
    "05d-empty-finish-tools-cut" to fails<LlmException.StreamInterrupted>(),
    "05f-stop-in-every-chunk-pause6" to hello,
    "05h-string-null-finish" to hello,
    "05i-string-null-finish-cut" to fails<LlmException.StreamInterrupted>(),
    "06-flex" to costs("0.1125"),
    "06d-responses-flex" to costs("0.1125"),
    "06e-deepinfra-estimated" to costs("0.000008775"),
    "06g-anthropic-fast" to costs("6.00"),
    "06h-anthropic-geo" to costs("3.30"),
    "06j-responses-web-search" to isUnpriced("web searches"),
    "06k-gemini-grounding" to costs("0.03555"),
    "07-openrouter-byok-zero" to costs("0.0360795"),
    "07d-openrouter-byok-unlisted" to costs("0.0000044"),
    "08-azure-model-router" to costs("0.00129104"),
    "09-fine-tuned" to costs("0.15"),
    "10-openrouter-delta-images" to { play().response.media shouldContainExactly listOf(IMAGE) },
    "10c-content-list-image" to { play().response.let { it.text to it.media } shouldBe ("Here" to listOf(IMAGE)) },
    "10d-litellm-images" to { play().response.media shouldContainExactly listOf(IMAGE) },
    "11-choice-error-whole" to fails<LlmException.ServerError>("Upstream idle timeout exceeded", retryable = true),
    "11c-choice-error-after-text" to {
        val failure = play().failure.shouldBeInstanceOf<LlmException.ServerError>()
        failure.message shouldContain "Upstream idle timeout exceeded"
        failure.partial?.text shouldBe "Half an ans"
    },
    "11d-finish-error-only-after-text" to {
        val failure = play().failure.shouldBeInstanceOf<LlmException.ServerError>()
        failure.partial?.text shouldBe "Half an ans"
    },
    "12-flat-error-then-done" to fails<LlmException.ServerError>("EngineCore died"),
    "12c-event-error-details-then-done" to fails<LlmException.InvalidRequest>("Requested sample logprobs of 21"),
    "12d-error-type-message-choices-null" to fails<LlmException>("prompt too long for this deployment"),
    "12g-done-only" to fails<LlmException.MalformedResponse>(),
    "12h-event-error-plain-text" to fails<LlmException.ServerError>("upstream connect error or disconnect/reset before headers"),
    "12j-flat-error-then-done-fallback" to {
        val response = play {
            user("Hi")
            fallback(saying("test/b", "from the fallback"))
        }.response
        response.text shouldBe "from the fallback"
        response.attempts.first().error?.message shouldContain "EngineCore died"
    },
    "13-trt-context-in-stream" to fails<LlmException.ContextLengthExceeded>(),
    "13c-lmstudio-keep-first-in-stream" to fails<LlmException.ContextLengthExceeded>(),
    "13d-lmstudio-tokens-to-keep" to fails<LlmException.ContextLengthExceeded>(),
    "13f-vllm-prompt-too-long" to fails<LlmException.ContextLengthExceeded>(),
    "13g-vllm-decoder-prompt" to fails<LlmException.ContextLengthExceeded>(),
    "13j-zhipu-1261" to fails<LlmException.ContextLengthExceeded>(),
    "13k-vllm-int-code-in-stream" to fails<LlmException.ContextLengthExceeded>(),
    "14-gemini-key-expired" to fails<LlmException.Authentication>("expired"),
    "14d-gemini-key-not-found" to fails<LlmException.Authentication>(),
    "15-groq-498" to fails<LlmException.RateLimited>(retryable = true),
    "16-groq-413-tpm" to fails<LlmException.RateLimited>(),
    "17-gemini-499" to fails<LlmException.ServerError>(retryable = true),
    "18-openrouter-metadata-raw" to fails<LlmException.InvalidRequest>("at most 1 image per prompt"),
    "18c-openrouter-raw-context" to fails<LlmException.ContextLengthExceeded>(),
    "18d-openrouter-raw-in-stream" to fails<LlmException.ServerError>("upstream said: GPU on fire"),
    "20-gemini-openai-extra-content" to sendsBack(""""extra_content":{"google":{"thought_signature":"SIGNATURE-AB12"}}"""),
    "20c-litellm-provider-specific" to sendsBack(""""provider_specific_fields":{"thought_signature":"SIGNATURE-AB12"}"""),
    "21-litellm-thinking-blocks" to sendsBack(
        """"thinking_blocks":[{"type":"thinking","thinking":"Let me look.","signature":"SIGNATURE-AB12"}]""",
    ),
    "22-moonshot-reasoning-content" to sendsBack(""""reasoning_content":"Let me look.""""),
    "26-no-message-stop" to hello,
    "26c-no-message-stop-tool" to endsWith(Kind.TOOL_CALLS),
    "27-delta-input-zero" to counts(1000, 100) { it.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.0045") },
    "28b-vertex-event-late" to counts(1000, 100),
    "33c-details-only" to { play().response.reasoning shouldBe "The end" },
    "39-responses-same-output-index-calls" to twoCalls,
    "39d-responses-no-output-index" to twoCalls,
    "41-nan-logprobs" to hello,
    "42-upper-case-finish" to endsWith(Kind.TOOL_CALLS),
    "43-gemini-20mb-line" to { play().response.media.single().let { it.mediaType to it.url.length } shouldBe ("image/png" to 20_971_542) },
    "50-price-bedrock-converse-alias" to costs("0.00495"),
    "50-price-bedrock-nova-lite" to costs("0.000084"),
    "50-price-bedrock-r1" to costs("0.00189"),
    "50-price-bedrock-us-nova-lite" to costs("0.000084"),
    "50-price-bedrock-us-sonnet45" to costs("0.00495"),
    "50-price-vertex-gemini25flash" to costs("0.00055"),
    "51-finish-SAFETY" to endsWith(Kind.CONTENT_FILTER),
    "51-finish-insufficient_system_resource" to endsWith(Kind.ERROR),
    "51-finish-max_output_tokens" to endsWith(Kind.LENGTH),
    "51-finish-network_error" to endsWith(Kind.ERROR),
    "51-finish-sensitive" to endsWith(Kind.CONTENT_FILTER),
    "R23-long-id-openai" to shortensIds(40),
    "R23c-long-id-azure" to shortensIds(40),
)

/** Exchanges of public bug reports: each gives what a user needs. */
class FieldCasesSpec : FunSpec({
    val cases = FieldCase.all()

    test("every case has its expectation") {
        cases.map { it.id } shouldContainExactlyInAnyOrder checks.keys
    }

    context("the exchange of a bug report gives what its reporter needed") {
        withData<FieldCase>({ it.id }, cases.filter { it.id in checks }) { case -> checks.getValue(case.id)(case) }
    }
})
