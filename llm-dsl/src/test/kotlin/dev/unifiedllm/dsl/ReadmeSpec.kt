@file:Suppress("ktlint") // the code is that of README.md, letter by letter

package dev.unifiedllm.readme

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Reply
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.chat.Effort
import dev.unifiedllm.chat.Part
import dev.unifiedllm.chat.Period
import dev.unifiedllm.dsl.*
import dev.unifiedllm.store.By
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.ktor.client.HttpClient
import kotlinx.serialization.Serializable
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.PrintStream
import java.net.ServerSocket
import java.nio.file.Path
import javax.net.ssl.SSLContext
import kotlin.time.Duration.Companion.minutes

// The Kotlin of README.md, letter by letter but for its indentation.

suspend fun main() {
    val model = firstOf("ollama/llama3", "demo/storyteller")
    val reply = chat(model) {                               // sends nothing yet
        system("Answer in one line.")
        user("Why is the sky blue?")
    }
    reply.deltas().collect(::print)                         // sends the request, and prints the text as it arrives
    val response = reply.await()                            // the same response: the request is sent once
    println("\n${response.model}: ${response.cost}, ${response.usage?.outputTokens} tokens")
    println(costs())                                        // what all calls cost, by model
}

private fun notebook() {
    val model = firstOf("ollama/llama3", "demo/storyteller")
    chat(model) { user("Why is the sky blue?") }    // as the last expression of a cell it streams, then shows tokens, cost and time
    costs()                                         // a table of what the session cost
}

private fun script() {
    println(chat("demo/storyteller", "Why is the sky blue?").get().text)
}

private suspend fun withKeys() {
    val reply = chat("groq/llama-3.3-70b-versatile") {
        system("Answer in one line.")
        user("Why is the sky blue?")
        temperature = 0.2
        fallback("openai/gpt-4o-mini", "ollama/llama3")         // tried in this order if a model fails before its first text
    }
    println(reply.await().run { "$text\n$model, after ${attempts.size - 1} failed attempts: $cost" })
}

/** The Kotlin in the table of settings: each of these lines stands there. It is compiled and not run. */
@Suppress("unused")
private fun settings(key: String, context: SSLContext, client: HttpClient) {
    configure { provider("my-vllm") { baseUrl = "http://gpu-box:8000/v1" } }
    chat("my-vllm/llama-3", "Hi")
    chat("litellm_proxy/gpt-4o", "Hi")
    chat("gpt-4o", "Hi")
    chat { user("Hi") }
    val llm = llm { provider("openai") { apiKey = key } }
    llm.chat("openai/gpt-4o-mini", "Hi")
    configure { sslContext = context }
    configure { httpClient(client) }
}

/** The Kotlin in the table of what you write, outside of the block of a call. It is compiled and not run. */
@Suppress("unused", "UNUSED_VARIABLE", "UNUSED_EXPRESSION")
private suspend fun written(reply: Reply, response: ChatResponse, call: Part.ToolCall, texts: List<String>) {
    val talk = conversation("openai/gpt-4o-mini") { system("Be short.") }
    talk.ask("Why is the sky blue?").await()
    response.toolCalls
    talk.ask { toolResult(call.id, call.name, "21 degrees") }.await()
    response.reasoning
    response.alternatives
    response.media
    response.sources
    reply.deltas().collect(::print)
    reply.events().collect { println(it) }
    costs(By.TASK)
    configure { budget(5.usd, Period.DAY) }
    configure { ledger() }
    costs(days = 7)
    configure { cache { memory() } }
    bulk(texts) { chat("openai/gpt-4o-mini") { user(it) } }.await()
    configure { price("my-vllm/llama-3") { inputPerMillion = 0.10.usd; outputPerMillion = 0.20.usd } }
    val chain = firstOf("openai/gpt-4o-mini", "ollama/llama3")
    val gpt = group("gpt") { target("openai/gpt-4o") { apiKey = System.getenv("KEY_A"); weight = 2 }; target("azure/gpt-4o") }
    configure { limit("groq") { requestsPerMinute = 30 } }
    configure { route { task("summary", "groq/llama-3.1-8b-instant") } }
    configure { httpLog { println(it) } }
    chat("openai/gpt-4o-mini", "A movie about trains").awaitAs<Movie>()
    embed("openai/text-embedding-3-small", texts).await().vectors
    image("openai/gpt-image-1", "A red train").await().save(Path.of("train.png"))
    countTokens("openai/gpt-4o-mini", "Hi").await().count
    models("groq").await()
}

@Serializable
private data class City(val name: String)

@Serializable
private data class Movie(val title: String, val year: Int)

private fun lookup(city: String) = "21 degrees in $city"


/** The Kotlin in the table of what you write, inside of the block of a call. It is compiled and not run. */
@Suppress("unused")
private fun ChatRequestBuilder.writtenInside(schema: String) {
    tool("weather", "The weather in a city") { city: City -> lookup(city.name) }
    tool("clock", "The time in a city", schema)
    reasoning = Effort.HIGH
    n = 3
    user("What is this?") { image(Path.of("cat.png")) }
    providerOptions { putJson("tools", """[{"type":"web_search"}]""") }
    delivery = Delivery.WHOLE
    task = "summary"
    tag("nightly")
    budget(0.05.usd)
    cache(true)
    fallback("ollama/llama3")
    timeouts { total = 5.minutes }
    retry { maxRetries = 4 }
}

private val readme = File("../README.md").readText()
private val source = File("src/test/kotlin/dev/unifiedllm/dsl/ReadmeSpec.kt").readLines()

private fun String.withoutIndentation() = lines().joinToString("\n") { it.trim() }.trim()

/** A block of Kotlin in the README, without what only a notebook, a script or a file has at its beginning. */
private class Block(text: String) {
    val code = text.lines().dropWhile { it.isBlank() || it.startsWith("%use") || it.startsWith("@file:") || it.startsWith("import ") }.joinToString("\n")
        .withoutIndentation()
    val imports = text.lines().filter { it.startsWith("import ") }
}

/** A client on a machine without keys and without Ollama, whose demo models do not pause. */
private fun strangersClient(): Llm {
    val closedPort = ServerSocket(0).use { it.localPort }
    return llm {
        environment { if (it == "OLLAMA_API_BASE") "http://127.0.0.1:$closedPort" else null }
        intercept { request, next -> next.stream((request as ChatRequest).with { providerOptions { put("tokensPerSecond", 0) } }) }
    }
}

private inline fun printed(block: () -> Unit): String {
    val before = System.out
    val bytes = ByteArrayOutputStream()
    System.setOut(PrintStream(bytes, true, Charsets.UTF_8))
    try {
        block()
    } finally {
        System.setOut(before)
    }
    return bytes.toString(Charsets.UTF_8)
}

class ReadmeSpec : FunSpec({
    val before = Llm.default
    beforeTest { Llm.default = strangersClient() }
    afterSpec { Llm.default = before }

    val blocks = Regex("```(?:kotlin|kts)\n(.*?)```", RegexOption.DOT_MATCHES_ALL).findAll(readme).map { it.groupValues[1] }
        .filterNot { it.startsWith("repositories") } // Gradle's
        .map(::Block).filter { it.code.isNotEmpty() }.toList()

    test("the README has four blocks of Kotlin") { blocks shouldHaveSize 4 }

    context("a block of the README is compiled here:") {
        withData<Block>({ it.code.lines().first() }, blocks) { block ->
            source.joinToString("\n").withoutIndentation() shouldContain block.code
            for (line in block.imports) source.joinToString("\n") shouldContain "\n$line\n"
        }
    }

    context("a line of the tables that is compiled here stands in the README:") {
        val lines = listOf("private fun settings(", "private suspend fun written(", "private fun ChatRequestBuilder.writtenInside(").flatMap { function ->
            val from = source.indexOfFirst { it.startsWith(function) } + 1
            source.drop(from).takeWhile { it != "}" }.map { it.trim() }
        }
        withData(lines) { readme shouldContain "`$it`" }
    }

    test("each Kotlin line in the table of what you write is compiled here") {
        val table = readme.substringAfter("| you want | you write in Kotlin |").substringBefore("\n\n").lines().drop(2)
        val compiled = source.map { it.trim() }.toSet()
        val lines = table.flatMap { row -> Regex("`([^`]+)`").findAll(row.split(" | ")[1]).map { it.groupValues[1] } }
        (lines.size > table.size) shouldBe true
        lines.filterNot { it in compiled }.shouldBeEmpty()
    }

    test("the program runs on a machine without keys and without Ollama") {
        val output = printed { main() }
        output shouldContain "This is the demo model"
        output shouldContain Regex("demo/storyteller: \\$\\S+ \\(demo\\), \\d+ tokens")
        output shouldContain "ollama/llama3"
    }

    test("the notebook and the script run there") {
        notebook()
        printed { script() } shouldContain "This is the demo model"
    }

    test("the example with keys names the variable of the missing key") {
        shouldThrow<LlmException.Configuration> { withKeys() }.message!! shouldContain "GROQ_API_KEY"
    }
})
