package dev.unifiedllm.cache

import dev.unifiedllm.ContractSubject
import dev.unifiedllm.Model
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingResponse
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ImageResponse
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.demo.DemoModel
import dev.unifiedllm.linkFlow
import dev.unifiedllm.middleware.AttemptTarget
import dev.unifiedllm.middleware.TargetState
import dev.unifiedllm.modelContract
import dev.unifiedllm.protocol.Recording
import dev.unifiedllm.protocol.answer
import dev.unifiedllm.requestForm
import dev.unifiedllm.shape
import dev.unifiedllm.with
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainAll
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.runBlocking
import java.time.Instant
import java.time.LocalDate
import java.util.concurrent.atomic.AtomicInteger
import kotlin.time.Duration

/** Says the same deltas again and again. */
private class Repeated(override val id: ModelId, private val deltas: List<Delta>) : Model {
    val calls = AtomicInteger()

    override fun stream(request: Request): Flow<Delta> = linkFlow {
        calls.incrementAndGet()
        deltas.forEach { emit(it) }
    }
}

private fun target(id: ModelId) = AttemptTarget(id, { TargetState() }, isUsers = false, isFree = false, canonical = { requestForm(it) }) { null }

private class CountedStore(private val store: CacheStore, val reads: AtomicInteger = AtomicInteger()) : CacheStore by store {
    override suspend fun get(key: String, warnings: MutableList<String>): ByteArray? {
        reads.incrementAndGet()
        return store.get(key, warnings)
    }

    override suspend fun put(key: String, entry: ByteArray, ttl: Duration?, warnings: MutableList<String>) = store.put(key, entry, ttl, warnings)
}

/** Everything of a response that its reader sees, but for its cost and its identity. */
private fun seen(deltas: List<Delta>): List<Any?> {
    val chat = dev.unifiedllm.chat.ChatResponse.of(deltas)
    return listOf(
        chat.parts, chat.alternatives, chat.media, chat.sources, chat.finishReason, chat.usage, chat.usage?.billing,
        chat.model, chat.reportedModel, chat.responseId, chat.warnings,
        chat.requestId, EmbeddingResponse.of(deltas).vectors.map { it.toList() }, ImageResponse.of(deltas).images.map { it.url },
    )
}

class CacheReplaySpec : FunSpec({
    test("each recorded response of every wire is the same from the cache") {
        var complete = 0
        val wires = mutableSetOf<String>()
        val wrong = mutableListOf<String>()
        for (recording in (Recording.all() + Recording.synthetic()).filter { it.wire != null && it.query == null }) {
            val answer = recording.play()
            val finish = answer.deltas.lastOrNull() as? Delta.Finish
            val isStored = answer.failure == null && finish != null && finish.reason.kind in setOf(FinishReason.Kind.STOP, FinishReason.Kind.TOOL_CALLS) &&
                answer.deltas.any { it.isContent } && answer.deltas.none { it is Delta.Media && !it.url.startsWith("data:") }
            if (answer.failure != null) continue
            val model = Repeated(recording.target().id, answer.deltas)
            val link = model.with(ResponseCache(Cache(listOf(MemoryCache(10, 100_000_000)), anyTemperature = true), target(model.id), null))
            answer(link)
            val replayed = answer(link).deltas
            if (model.calls.get() != if (isStored) 1 else 2) wrong += "${recording.name}: ${model.calls} requests"
            if (!isStored) continue
            complete++
            wires += recording.wire!!
            if (seen(replayed) != seen(answer.deltas)) wrong += "${recording.name}:\n${seen(answer.deltas)}\n${seen(replayed)}"
            if (!Regex("w*S[cw]*F").matches(shape(replayed))) wrong += "${recording.name}: ${shape(replayed)}"
        }
        println("cache: $complete recorded responses of ${wires.sorted()} replayed")
        wrong.shouldBeEmpty()
        complete shouldBeGreaterThan 100
        wires shouldContainAll
            listOf("openai-chat", "openai-responses", "anthropic-messages", "gemini-generate", "bedrock-converse", "cohere-chat", "ollama-chat")
    }

    test("every delta of a response survives, with all its fields") {
        val id = ModelId("p", "m/n:1")
        val usage = Usage.build {
            inputTokens = 1
            outputTokens = Long.MAX_VALUE
            cacheReadTokens = 2
            cacheWriteTokens = 3
            cacheWrite5mTokens = 4
            cacheWrite1hTokens = 5
            reasoningTokens = 6
            audioInputTokens = 7
            audioOutputTokens = 8
            imageTokens = 9
            billedInputTokens = 10
            billedOutputTokens = 11
            estimated = true
        }
        val deltas = listOf(
            Delta.Warning("topK was left out"),
            Delta.Start("r1", id, "m-2026"),
            Delta.Reasoning("thinking \uD83D\uDE00 \u0000\n", "sig", 1),
            Delta.Reasoning("", "encrypted", 0, isRedacted = true),
            Delta.Text("a\"\\", 2),
            Delta.ToolCallDelta(3, "id", "name", "{\"a\":", 1, "sig"),
            Delta.Raw("web_search_call", """{"b": 1.50}""", "openai-responses", 1),
            Delta.Source("https://a", "t"),
            Delta.Source("doc-1"),
            Delta.Media("image/png", "data:image/png;base64,AAAA", false, "a cat"),
            Delta.Embedding(4, floatArrayOf(1.5f, Float.MIN_VALUE, -0.0f)),
            Delta.Warning("odd"),
        )
        val costs = listOf(Cost.Free, Cost.Unknown("no price"), Cost.Known(Usd.of("0.00000000123"), "table", LocalDate.of(2026, 1, 2), true))
        for (cost in costs) {
            val all = deltas + Delta.Finish(FinishReason(FinishReason.Kind.TOOL_CALLS, "tool_use"), usage, cost)
            CacheEntry.of("k", CacheEntry(all, null, Instant.EPOCH, null).toBytes("k"))!!.deltas shouldBe all
        }
    }

    test("an entry with any byte changed, cut anywhere, or of another key is none") {
        val bytes = CacheEntry(
            listOf(Delta.Start(null, ModelId("p", "m")), Delta.Text("hello"), Delta.Finish(FinishReason.STOP, null)),
            null,
            Instant.EPOCH,
            null,
        )
            .toBytes("k")
        (CacheEntry.of("k", bytes) != null) shouldBe true
        CacheEntry.of("l", bytes) shouldBe null
        for (index in bytes.indices) {
            withClue("$index") {
                CacheEntry.of("k", bytes.copyOf().also { it[index] = (it[index] + 1).toByte() }) shouldBe null
                CacheEntry.of("k", bytes.copyOf(index)) shouldBe null
            }
        }
    }

    modelContract("a cached response") {
        val demo = DemoModel("echo")
        val store = CountedStore(MemoryCache(100, 1_000_000))
        val link = demo.with(ResponseCache(Cache(listOf(store), anyTemperature = true), target(demo.id), null))
        runBlocking {
            // the response that the contract gets from the cache
            answer(
                link,
                dev.unifiedllm.chat.ChatRequest.build(demo) {
                    user("Say something")
                    providerOptions { put("tokensPerSecond", 0) }
                },
            )
        }
        store.reads.set(0)
        ContractSubject(link, { store.reads.get() })
    }
})
