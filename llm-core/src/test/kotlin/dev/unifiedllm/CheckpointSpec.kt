package dev.unifiedllm

import dev.unifiedllm.BulkResult.State.DONE
import dev.unifiedllm.BulkResult.State.NOT_STARTED
import dev.unifiedllm.cache.CachedServer
import dev.unifiedllm.cache.MODEL
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Tool
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.Serializable
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermissions
import java.util.concurrent.atomic.AtomicInteger
import kotlin.io.path.fileSize
import kotlin.io.path.readLines
import kotlin.io.path.readText
import kotlin.io.path.writeText

@Serializable
data class Plain(val text: String)

@Serializable
data class Translated(val text: String, val language: String = "none")

/** Accepts texts of [shortest] letters. */
@Serializable
data class Checked(val text: String) {
    init {
        require(text.length >= shortest) { "too short" }
    }

    companion object {
        var shortest = 1
    }
}

/** Says [text] for [usd]. */
private fun priced(usd: String, text: (String) -> String = { it }) = Scripted("test/priced") { request ->
    emit(Delta.Start("r1", ModelId("test", "priced")))
    emit(Delta.Text(text(request.messages.last().text)))
    emit(Delta.Finish(FinishReason.STOP, Usage.of(1, 1), Cost.Known(Usd.of(usd), "test")))
}

class CheckpointSpec : FunSpec({
    val llm = client()
    afterSpec { llm.close() }
    val folder = tempdir().toPath()
    val files = AtomicInteger()
    fun file(): Path = folder.resolve("checkpoint-${files.incrementAndGet()}.jsonl")
    val letters = listOf("a", "b", "c")

    fun bulk(at: Path, model: Model, items: List<String> = letters, block: BulkOptions.() -> Unit = {}) =
        llm.map(items, concurrency = 1, options = {
            checkpoint = at
            block()
        }) { chat(model, it) }

    test("a file of the user's is refused and stays as it is, with and without lines") {
        val model = priced("0.01")
        val first = """{"unifiedLlmBulk":2}"""
        val older = first.replace('2', '1').dropLast(1)
        for (text in listOf("""{"my":"minified"}""", "sk-key", "[]", older, "$first trailing", "x".repeat(1_000_000), "\n", " ")) {
            val at = file()
            at.writeText(text)
            shouldThrow<LlmException.Configuration> { bulk(at, model).await() }.message shouldContain "nothing was changed in this one"
            at.readText() shouldBe text
        }
        model.calls shouldBe 0
    }

    test("a file that is empty, or whose first line was cut by a kill, is used") {
        val first = """{"unifiedLlmBulk":2}"""
        for (text in listOf("", "{", first.dropLast(1), first)) {
            val at = file()
            at.writeText(text)
            bulk(at, priced("0.01")).await().map { it.state }.toSet() shouldBe setOf(DONE)
            at.readLines().run { first() to size } shouldBe (first to 4)
        }
    }

    test("a file of an earlier format is refused, so that nobody pays again without knowing it") {
        val at = file()
        at.writeText("""{"unifiedLlmBulk":1}""" + "\n")
        val failure = shouldThrow<LlmException.Configuration> { bulk(at, priced("0.01")).await() }
        failure.message shouldContain "version 1 of the format. Name another file"
        at.fileSize() shouldBe 21
    }

    test("a file that others could read is its owner's from then on") {
        val at = Files.createFile(file())
        Files.setPosixFilePermissions(at, PosixFilePermissions.fromString("rw-rw-r--"))
        bulk(at, priced("0.01")).await()
        PosixFilePermissions.toString(Files.getPosixFilePermissions(at)) shouldBe "rw-------"
        val mine = file()
        mine.writeText("a list of mine\n")
        Files.setPosixFilePermissions(mine, PosixFilePermissions.fromString("rw-r--r--"))
        shouldThrow<LlmException.Configuration> { bulk(mine, priced("0.01")).await() }
        PosixFilePermissions.toString(Files.getPosixFilePermissions(mine)) shouldBe "rw-r--r--"
    }

    test("a finished bulk that cost its maxCost gives its results again, for nothing; what is not in the file is not started") {
        val at = file()
        val model = priced("0.01")
        fun limited(items: List<String>) = bulk(at, model, items) { maxCost = Usd.of("0.03") }
        limited(letters).await().map { it.state } shouldContainExactly List(3) { DONE }
        limited(letters).await().map { it.value?.text to it.isResumed } shouldContainExactly letters.map { it to true }
        val longer = limited(listOf("a", "x", "c", "d"))
        longer.await().map { it.state } shouldContainExactly listOf(DONE, NOT_STARTED, DONE, NOT_STARTED)
        longer.progress.cost shouldBe Usd.of("0.03")
        val taken = AtomicInteger()
        val endless = llm.map(generateSequence("a") { "${it[0] + 1}" }.onEach { taken.incrementAndGet() }, concurrency = 1, options = {
            checkpoint = at
            maxCost = Usd.of("0.02")
        }) { chat(model, it) }
        endless.await().map { it.value?.text } shouldContainExactly letters
        taken.get() shouldBe 3
        model.calls shouldBe 3
    }

    test("the costs of items that failed count in later runs, too") {
        val at = file()
        val model = priced("0.25") { "no json" }
        suspend fun run() = llm.map(listOf("a"), options = {
            checkpoint = at
            maxCost = Usd.of("0.60")
        }) { chat(model, it).typed<Plain>() }.let { it.await().single().state to it.progress.cost }
        run() shouldBe (BulkResult.State.FAILED to Usd.of("0.50")) // asked for once more
        run() shouldBe (BulkResult.State.FAILED to Usd.of("1.00"))
        run() shouldBe (NOT_STARTED to Usd.of("1.00"))
        model.calls shouldBe 4
    }

    test("a typed result has its cost") {
        val at = file()
        val model = priced("0.01") { """{"text":"x"}""" }
        fun run() = llm.map(listOf("a"), options = { checkpoint = at }) { chat(model, it).typed<Plain>() }
        run().await().single().cost?.usd() shouldBe Usd.of("0.01")
        val again = run()
        again.await().single().run { isResumed to cost?.usd() } shouldBe (true to Usd.of("0.01"))
        again.progress.run { cost to unpriced } shouldBe (Usd.of("0.01") to 0L)
    }

    context("sends again what is asked for in another way:") {
        test("another type of the answer") {
            val at = file()
            val model = priced("0.01") { """{"text":"x","language":"fr"}""" }
            llm.map(listOf("a"), options = { checkpoint = at }) { chat(model, it).typed<Plain>() }.await().single().value shouldBe Plain("x")
            repeat(2) { run ->
                val second = llm.map(listOf("a"), options = { checkpoint = at }) { chat(model, it).typed<Translated>() }.await().single()
                second.run { value to isResumed } shouldBe (Translated("x", "fr") to (run == 1))
            }
            llm.map(listOf("a"), options = { checkpoint = at }) { chat(model, it) }.await().single().isResumed shouldBe false
            model.calls shouldBe 3
        }

        test("a result that cannot be read any more") {
            val at = file()
            var text = "x"
            val model = priced("0.01") { """{"text":"$text"}""" }
            fun run() = llm.map(listOf("a"), options = { checkpoint = at }) { chat(model, it).typed<Checked>() }
            run().await().single().value?.text shouldBe "x"
            Checked.shortest = 2
            text = "xx"
            val second = run()
            second.await().single().run { value?.text to isResumed } shouldBe ("xx" to false)
            second.progress.warnings.single() shouldContain "cannot be read any more"
            run().await().single().run { value?.text to isResumed } shouldBe ("xx" to true)
            model.calls shouldBe 2
        }

        test("other settings of the client") {
            CachedServer().use { server ->
                CachedServer().use { other ->
                    suspend fun resumed(at: Path, model: String?, by: CachedServer = server, block: LlmBuilder.() -> Unit): Boolean =
                        by.client(block = block).use {
                            it.map(listOf("a"), options = { checkpoint = at }) { item ->
                                if (model == null) chat { user(item) } else chat(model) { user(item) }
                            }.await().single().isResumed
                        }
                    val settings = listOf<Triple<String?, LlmBuilder.() -> Unit, LlmBuilder.() -> Unit>>(
                        Triple(MODEL, { defaults { temperature = 0.0 } }, { defaults { temperature = 1.0 } }),
                        Triple(MODEL, { }, { defaults { maxTokens = 100 } }),
                        Triple("fast", { alias("fast", "openai/gpt-4o-mini") }, { alias("fast", "openai/gpt-4o") }),
                        Triple(null, { defaultModel = "openai/gpt-4o-mini" }, { defaultModel = "openai/gpt-4o" }),
                        Triple(MODEL, { }, { provider("openai") { baseUrl = "${other.url}/v1" } }),
                    )
                    for ((model, before, after) in settings) {
                        val at = file()
                        resumed(at, model, block = before) shouldBe false
                        resumed(at, model, block = before) shouldBe true
                        resumed(at, model, block = after) shouldBe false
                        resumed(at, model, block = after) shouldBe true
                    }
                    val at = file()
                    resumed(at, MODEL) { } shouldBe false
                    // The same request, whoever pays and however it is called.
                    resumed(at, MODEL) { provider("openai") { apiKey = "sk-other" } } shouldBe true
                    resumed(at, "mini") { alias("mini", MODEL) } shouldBe true
                    resumed(at, null) { defaultModel = MODEL } shouldBe true
                    resumed(at, MODEL) { fallback("openai/gpt-4o") } shouldBe true
                    resumed(at, MODEL, other) { } shouldBe false
                }
            }
        }

        test("other fields of the request") {
            val schema = """{"type":"object"}"""
            fun tool(description: String) = Tool.of("weather", description, schema)
            val changes = listOf<ChatRequestBuilder.() -> Unit>(
                { },
                { serviceTier = "flex" },
                { tool(tool("now")) },
                { tool(tool("tomorrow")) },
                {
                    tool(tool("now"))
                    toolChoice = ToolChoice.None
                },
                { extraHeader("x-route", "a") },
                { extraQuery("route", "a") },
                { endUser = "u" },
                { parallelToolCalls = false },
                { logprobs = true },
            )
            val at = file()
            val model = priced("0.01")
            fun run(change: ChatRequestBuilder.() -> Unit): Bulk<String, ChatResponse> = llm.map(listOf("a"), options = { checkpoint = at }) { item ->
                chat(model) {
                    user(item)
                    change()
                }
            }
            for (change in changes) {
                run(change).await().single().isResumed shouldBe false
                run(change).await().single().isResumed shouldBe true
            }
            model.calls shouldBe changes.size
        }
    }

    test("a call that cannot be sent fails as it does without a checkpoint") {
        client().use { local ->
            val bulk = local.map(listOf("a"), options = { checkpoint = file() }) { chat { user(it) } }
            bulk.await().single().failure.shouldNotBeNull().message shouldContain "no default model"
        }
    }
})
