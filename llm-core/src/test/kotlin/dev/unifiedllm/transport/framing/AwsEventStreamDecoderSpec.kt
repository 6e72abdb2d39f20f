package dev.unifiedllm.transport.framing

import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeSameInstanceAs
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.longOrNull
import java.io.ByteArrayOutputStream
import java.io.DataOutputStream
import java.util.Base64
import java.util.zip.CRC32

@Serializable
private data class EventCase(
    val name: String,
    val bytes: String? = null,
    val headers: Map<String, JsonElement>? = null,
    val payload: String? = null,
    val error: String? = null,
)

@Serializable
private data class EventCases(val cases: List<EventCase>)

private val json = Json { ignoreUnknownKeys = true }

private fun cases(): List<EventCase> =
    json.decodeFromString<EventCases>(AwsEventStreamDecoderSpec::class.java.getResource("/aws-eventstream-cases.json")!!.readText()).cases

private val decoder64 = Base64.getDecoder()

/** The words in the message for each class of fault. */
private val FAULTS = mapOf(
    "ChecksumMismatch" to "the checksum of an event's",
    "DuplicateHeader" to "one header twice",
    "InvalidHeadersLength" to "the headers of an event are longer than",
    "InvalidPayloadLength" to "the payload of an event is longer than the limit of 25165824 bytes",
)

/** A message with [headers], all of them strings, and [payload]. */
internal fun awsMessage(payload: ByteArray, vararg headers: Pair<String, String>): ByteArray {
    val encoded = ByteArrayOutputStream().also { out ->
        DataOutputStream(out).run {
            for ((name, value) in headers) {
                writeByte(name.length)
                writeBytes(name)
                writeByte(7)
                writeShort(value.encodeToByteArray().size)
                write(value.encodeToByteArray())
            }
        }
    }.toByteArray()
    return awsMessage(payload, encoded)
}

/** An event of a model's stream, with its type and its JSON. */
internal fun awsEvent(type: String, json: String): ByteArray =
    awsMessage(json.encodeToByteArray(), ":event-type" to type, ":content-type" to "application/json", ":message-type" to "event")

internal fun awsMessage(payload: ByteArray, headers: ByteArray): ByteArray {
    val message = ByteArrayOutputStream()
    fun crc() = CRC32().also { it.update(message.toByteArray()) }.value.toInt()
    DataOutputStream(message).run {
        writeInt(16 + headers.size + payload.size)
        writeInt(headers.size)
        writeInt(crc())
        write(headers)
        write(payload)
        writeInt(crc())
    }
    return message.toByteArray()
}

private class EventMessage(val event: String, val headers: Map<String, JsonElement>, val payload: List<Byte>) {
    override fun equals(other: Any?) = other is EventMessage && event == other.event && headers == other.headers && payload == other.payload

    override fun hashCode(): Int = event.hashCode()

    override fun toString(): String = "$event $headers ${payload.size} bytes"
}

private fun read(pieces: List<ByteArray>): List<EventMessage> = AwsEventStreamDecoder().run(pieces) { frame ->
    EventMessage(frame.event, headers().mapValues { it.value.toJson() }, frame.bytes.copyOfRange(frame.start, frame.end).toList())
}

private fun Any.toJson(): JsonElement = when (this) {
    is Boolean -> JsonPrimitive(this)
    is Number -> JsonPrimitive(toLong())
    is ByteArray -> buildJsonObject { put("base64", JsonPrimitive(Base64.getEncoder().encodeToString(this@toJson))) }
    else -> JsonPrimitive(toString())
}

private fun JsonElement.canonical(): JsonElement = if (this is JsonPrimitive && !isString && booleanOrNull == null) JsonPrimitive(longOrNull) else this

class AwsEventStreamDecoderSpec : FunSpec({
    test("the suite has 16 cases") { cases().size shouldBe 16 }

    context("a message is the same however it is split, and a malformed one is refused") {
        withData<EventCase>({ it.name }, cases()) { case ->
            val isMade = case.bytes == null
            val bytes = case.bytes?.let(decoder64::decode) ?: awsMessage(ByteArray(25_165_825) { 0x30 })
            for (pieces in if (isMade) {
                sequenceOf(
                    listOf(bytes),
                    listOf(bytes.copyOf(11), bytes.copyOfRange(11, 4096)),
                    bytes.copyOf(40).bytewise(),
                )
            } else {
                bytes.arrivals()
            }) {
                withClue({ pieces.map { it.size }.take(50) }) {
                    if (case.error != null) {
                        shouldThrow<FramingException> { read(pieces) }.message shouldContain FAULTS.getValue(case.error)
                    } else {
                        val message = read(pieces).single()
                        message.headers shouldBe case.headers!!.mapValues { it.value.canonical() }
                        val isError = case.headers[":message-type"] == JsonPrimitive("error")
                        message.payload shouldBe (if (isError) "message".encodeToByteArray() else decoder64.decode(case.payload)).toList()
                        message.event shouldBe if (isError) "error:code" else "message"
                    }
                }
            }
        }
    }

    test("all messages of a body are frames, in order, however the body is split") {
        val bodies = listOf(
            "messageStart" to "{}",
            "contentBlockDelta" to "{\"a\":\"ü\"}",
            "contentBlockDelta" to "",
            "throttlingException" to "{\"message\":\"x\"}",
        )
        val body = bodies.map { (type, text) ->
            val key = if (type.endsWith("Exception")) ":exception-type" else ":event-type"
            awsMessage(text.encodeToByteArray(), ":message-type" to "x", key to type, ":content-type" to "application/json")
        }.reduce(ByteArray::plus)
        for (pieces in body.arrivals()) {
            withClue({ pieces.map { it.size }.take(50) }) {
                read(pieces).map { it.event to it.payload } shouldContainExactly
                    bodies.map { (type, text) -> (if (type.endsWith("Exception")) "exception:$type" else type) to text.encodeToByteArray().toList() }
            }
        }
    }

    test("a message in one piece is a slice of the array that was fed") {
        val fed = awsMessage("{}".encodeToByteArray(), ":event-type" to "a")
        val decoder = AwsEventStreamDecoder()
        decoder.feed(fed, 0, fed.size)
        decoder.next()!!.bytes shouldBeSameInstanceAs fed
        decoder.next().shouldBeNull()
    }

    test("a cut message is not a frame, and not a failure") {
        val whole = awsMessage("{}".encodeToByteArray(), ":event-type" to "a")
        for (length in 0 until whole.size) read(listOf(whole.copyOf(length))) shouldBe emptyList()
    }

    test("a length of 0, and a length too small for the headers, are refused") {
        fun prelude(total: Int, headers: Int) = ByteArrayOutputStream().also { out ->
            DataOutputStream(out).run {
                writeInt(total)
                writeInt(headers)
                writeInt(CRC32().also { it.update(out.toByteArray()) }.value.toInt())
            }
        }.toByteArray()
        for (bytes in listOf(prelude(0, 0), prelude(15, 0), prelude(20, 5), prelude(-1, 4))) {
            shouldThrow<FramingException> { read(listOf(bytes)) }.message shouldContain if (bytes[0] < 0) "limit" else "shorter than its own headers"
        }
    }

    context("malformed headers are refused") {
        withData(
            mapOf(
                "an unknown type" to byteArrayOf(1, 'a'.code.toByte(), 10),
                "a name past the end" to byteArrayOf(9, 'a'.code.toByte()),
                "no type" to byteArrayOf(1, 'a'.code.toByte()),
                "a text past the end" to byteArrayOf(1, 'a'.code.toByte(), 7, 0, 9, 'b'.code.toByte()),
                "a text without its length" to byteArrayOf(1, 'a'.code.toByte(), 7, 0),
                "a number past the end" to byteArrayOf(1, 'a'.code.toByte(), 5, 0),
            ),
        ) { headers ->
            val bytes = awsMessage(ByteArray(0), headers)
            for (pieces in bytes.arrivals()) shouldThrow<FramingException> { read(pieces) }
        }
    }
})
