package dev.unifiedllm.field

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import dev.unifiedllm.transport.framing.awsEvent

/**
 * An exchange that was rebuilt from a public bug report: the model, and the responses of its server in the order in which they are sent.
 *
 * The file has the model, then each response: the status line, the headers, an empty line, the body, `<<end>>`. In a body, `<<pause N ms>>` waits,
 * `<<cut…>>` drops the connection, `<<repeat X N>>` is X N times. The body of a binary event stream has an event a line: its type and its JSON.
 */
class FieldCase private constructor(val id: String, val model: String, private val responses: List<String>) {
    private val provider = model.substringBeforeLast('/').let { if (it.endsWith("/responses")) it else model.substringBefore('/') }

    /** What a call gave: a response or a failure, and what the server received. */
    class Outcome(val responses: List<ChatResponse>, val failure: LlmException?, val requests: List<LoopbackRequest>) {
        val response: ChatResponse get() = responses.firstOrNull() ?: throw AssertionError("the call failed", failure)
    }

    /** Plays the exchange. The [calls] run one after the other, and the first that fails is the last. */
    suspend fun play(vararg calls: suspend (Llm, List<ChatResponse>) -> ChatResponse): Outcome {
        var next = 0
        return LoopbackServer { answer(responses[minOf(next++, responses.lastIndex)]) }.use { server ->
            client(server.url).use { llm ->
                val given = mutableListOf<ChatResponse>()
                val failure = try {
                    for (call in calls) given += call(llm, given)
                    null
                } catch (failure: LlmException) {
                    failure
                }
                Outcome(given, failure, server.requests.toList())
            }
        }
    }

    suspend fun play(block: ChatRequestBuilder.() -> Unit = { user("Hi") }): Outcome = play({ llm, _ -> llm.chat(model, block).await() })

    private fun client(url: String): Llm = Llm.builder().retry { maxRetries = 0 }.environment { VARIABLES[it] }.apply {
        provider(provider) {
            baseUrl = url
            apiKey = "key-of-the-tests"
            if (provider == "gw2") protocol = "anthropic-messages"
        }
    }.build()

    private fun LoopbackExchange.answer(response: String) {
        val (head, body) = response.split("\n\n", limit = 2).let { it[0] to it.getOrElse(1) { "" } }
        val lines = head.trim().lines()
        val headers = lines.drop(1).map { it.substringBefore(':') to it.substringAfter(':').trim() }
        head(lines[0].split(' ')[1].toInt(), *headers.toTypedArray())
        if (headers.any { (_, value) -> value.contains("eventstream") }) {
            for (line in body.lines().filter { it.isNotBlank() }) write(awsEvent(line.substringBefore(' '), line.substringAfter(' ')))
            return
        }
        var rest = body
        while (true) {
            val mark = MARK.find(rest) ?: break
            write(rest.substring(0, mark.range.first))
            rest = rest.substring(mark.range.last + 1)
            val (word, first, second) = mark.destructured
            when (word) {
                "pause" -> Thread.sleep(first.toLong())
                "repeat" -> write(first.repeat(second.toInt()))
                else -> return reset()
            }
        }
        write(rest)
    }

    override fun toString(): String = id

    companion object {
        private val MARK = Regex("<<(pause|repeat|cut)[: ]+(\\S+) ?([^ >]*)[^>]*>>")
        private const val FOLDER = "/corpus/field"

        private val VARIABLES = mapOf("AWS_REGION" to "us-east-1", "AZURE_API_VERSION" to "2024-10-21", "VERTEXAI_PROJECT" to "p", "VERTEXAI_LOCATION" to "l")

        /** The cases in the test resources. */
        fun all(): List<FieldCase> {
            val folder = java.nio.file.Path.of(FieldCase::class.java.getResource(FOLDER)!!.toURI())
            return java.nio.file.Files.list(folder).use { files -> files.sorted().toList() }.filter { "$it".endsWith(".txt") }.map { file ->
                val text = java.nio.file.Files.readString(file)
                val model = text.lineSequence().first().removePrefix("model: ").trim()
                val responses = text.substringAfter("\n\n").split("<<end>>\n").map { it.trimStart('\n') }.filter { it.isNotBlank() }
                FieldCase("${file.fileName}".removeSuffix(".txt"), model, responses)
            }
        }
    }
}
