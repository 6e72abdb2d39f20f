package dev.unifiedllm.features

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.Delivery
import dev.unifiedllm.protocol.Recording
import dev.unifiedllm.transport.LoopbackExchange
import dev.unifiedllm.transport.LoopbackRequest
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.withClue
import io.kotest.matchers.booleans.shouldBeTrue
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.jsonObject

/** A protocol of the library at the address of a server. [model] is that of the scripts that name no other. */
internal class Wire(val name: String, val model: String, val variables: (url: String) -> Map<String, String>)

/** What the server of a script answers to each request. */
internal class Served(val delivery: Delivery, val respond: LoopbackExchange.(request: LoopbackRequest, url: String) -> Unit) {
    companion object {
        fun json(body: String) = Served(Delivery.WHOLE) { _, _ -> whole(body) }

        /** The bytes of a recorded response. */
        fun recorded(name: String): Served {
            val recording = Recording.named(name)
            val type = recording.headers["content-type"] ?: typeOf(recording.body.decodeToString())
            val delivery = if (type.startsWith("application/json")) Delivery.WHOLE else Delivery.STREAM
            return Served(delivery) { _, _ ->
                head(200, "Content-Type" to type)
                write(recording.body)
            }
        }

        /** Some recordings have no headers. */
        private fun typeOf(body: String) = when {
            body.startsWith("data:") || body.startsWith("event:") -> "text/event-stream"
            "}\n{" in body -> "application/x-ndjson"
            else -> "application/json"
        }
    }
}

/**
 * A call of the library whose server is on this machine: the proof `loopback:WIRE/FEATURE`.
 *
 * @param sent what the first request must contain: JSON is a part of its body, where a list has all elements; other text stands in its line or its body
 * @param options the provider options of a chat
 */
internal class Script(
    val wire: Wire,
    val feature: Feature,
    val model: String,
    val answer: Served,
    val options: JsonObject?,
    private val sent: List<String>,
) {
    val name: String = "${wire.name}/$feature"

    suspend fun run() {
        lateinit var url: String
        LoopbackServer { request -> answer.respond(this, request, url) }.use { server ->
            url = server.url
            val variables = wire.variables(server.url)
            Llm.builder().retry { maxRetries = 0 }.environment { variables[it] }.build().use { feature.use.call(it, this, server) }
            val request = server.requests.first()
            sent.shouldNotBeEmpty()
            for (part in sent) withClue({ "$request\n${request.body}" }) { request.check(part) }
        }
    }

    private fun LoopbackRequest.check(part: String) = when {
        part.startsWith('{') -> withClue({ "has no $part" }) { Json.parseToJsonElement(body).has(Json.parseToJsonElement(part)).shouldBeTrue() }
        else -> (line + "\n" + body) shouldContain part
    }

    override fun toString(): String = name
}

/** True if this has the members of [part], and the members of these. A list must have as many elements. */
private fun JsonElement?.has(part: JsonElement): Boolean = when (part) {
    is JsonObject -> this is JsonObject && part.all { (name, value) -> this[name].has(value) }
    is JsonArray -> this is JsonArray && size == part.size && part.indices.all { this[it].has(part[it]) }
    is JsonPrimitive -> this == part
}

/** The scripts of one wire. [plain] is the response where a script has no other. */
internal class Scripts(val wire: Wire, private val plain: Served) {
    val all = mutableListOf<Script>()

    /** @param options as JSON */
    fun on(feature: Feature, vararg sent: String, answer: Served = plain, model: String = wire.model, options: String? = null) {
        all += Script(wire, feature, model, answer, options?.let { Json.parseToJsonElement(it).jsonObject }, sent.toList())
    }
}

internal fun scripts(wire: Wire, plain: Served, add: Scripts.() -> Unit): List<Script> = Scripts(wire, plain).apply(add).all

/** All scripts, by their names. */
internal val allScripts: Map<String, Script> by lazy {
    val all = openAiScripts + anthropicScripts + googleScripts + otherScripts
    check(all.map { it.name }.toSet().size == all.size) { "two scripts have one name" }
    all.associateBy { it.name }
}
