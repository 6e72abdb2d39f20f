package dev.unifiedllm.transport.framing

import dev.unifiedllm.protocol.Mutations
import dev.unifiedllm.protocol.TEXTS
import dev.unifiedllm.protocol.asBytes
import dev.unifiedllm.protocol.ends
import dev.unifiedllm.protocol.json.JsonCursor
import dev.unifiedllm.protocol.json.JsonNames
import dev.unifiedllm.protocol.json.JsonSyntaxException
import dev.unifiedllm.protocol.json.TextTemplate
import dev.unifiedllm.protocol.json.isWholeJson
import dev.unifiedllm.protocol.json.members
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import kotlin.random.Random
import kotlin.time.measureTime

private const val CASES = 10_000
private val NAMES = JsonNames("t")

/** A frame, and what the decoder states after it. [event] is null for one that was read by comparison: its event is not asked for. */
private data class Seen(val text: String, val event: String?, val state: List<Any?>)

/** Reads frames whose member `t` is a text, those that repeat by comparison if [isFast]. */
private class Reader(private val decoder: FrameDecoder, private val isFast: Boolean) {
    private val json = JsonCursor()
    private val template = TextTemplate()
    private var matched = ""
    private val seen = mutableListOf<Seen>()
    var repeated = 0
        private set

    private val matcher = ValueMatcher { bytes, start, limit ->
        template.end(bytes, start, limit).also { if (it >= 0) matched = utf8(bytes, start, it) }
    }

    fun read(body: ByteArray, ends: List<Int>): List<Seen> {
        try {
            var from = 0
            for (end in ends) {
                val fed = body.copyOfRange(from, minOf(body.size, end + 100))
                decoder.feed(fed, 0, end - from)
                while (true) {
                    repeatNext()
                    take(decoder.next() ?: break)
                }
                fed.fill('"'.code.toByte())
                from = end
            }
            while (true) take(decoder.finish() ?: break)
            seen += Seen("end", null, state() + (decoder as? SseDecoder)?.discardedTail)
        } catch (broken: FramingException) {
            seen += Seen(broken.message!!, null, state())
        }
        return seen
    }

    private fun repeatNext() {
        while (isFast && template.isReady && decoder.nextMatching(matcher)) {
            seen += Seen(matched, null, state())
            repeated++
        }
    }

    private fun take(frame: Frame) {
        template.clear()
        seen += Seen(frame.text(), frame.event, state())
        try {
            var from = -1
            var to = -1
            var count = 0
            json.reset(frame.bytes, frame.start, frame.end).members(NAMES) {
                if (!json.stringOrNull().isNullOrEmpty()) {
                    count++
                    from = json.stringStart
                    to = json.stringEnd
                }
            }
            json.end()
            if (count == 1) template.learn(json, frame.bytes, frame.start, frame.end, from, to)
        } catch (_: JsonSyntaxException) {
            return
        }
    }

    private fun state(): List<Any?> =
        if (decoder is SseDecoder) decoder.run { listOf(lastEventId, retryMillis, hasFields, strayWords) } else emptyList()
}

private class Framing(val name: String, val block: (String) -> String, val decoder: (Int) -> FrameDecoder) {
    override fun toString() = name
}

private val SSE = Framing("sse", { "data: $it\n\n" }) { SseDecoder(it, ::isWholeJson) }
private val STRICT = Framing("strict sse", { "event: x\ndata: $it\n\n" }) { SseDecoder(it) }
private val LINES = Framing("lines", { "$it\n" }) { NdjsonDecoder(it, ::isWholeJson) }
private val PLAIN_LINES = Framing("plain lines", { "$it\n" }) { NdjsonDecoder(it) }

private const val NO_LIMIT = 1 shl 20

private fun json(text: String, number: Int = 5) = """{"s":"x","t":"$text","n":$number}"""

/** The differences of both ways; null if there is none. */
private fun difference(full: List<Seen>, fast: List<Seen>): String? {
    val alike =
        full.size == fast.size &&
            full.zip(fast).all { (one, other) -> one.text == other.text && one.state == other.state && other.event in listOf(null, one.event) }
    return if (alike) null else "fast:\n${fast.joinToString("\n")}\nfull:\n${full.joinToString("\n")}"
}

private fun Framing.repeated(body: ByteArray, ends: List<Int> = listOf(body.size), limit: Int = NO_LIMIT): Int {
    val fast = Reader(decoder(limit), isFast = true)
    difference(Reader(decoder(limit), isFast = false).read(body, ends), fast.read(body, ends)) shouldBe null
    return fast.repeated
}

/** @property events behind a comment, because the first event of a body is not repeated: a byte order mark may stand before it */
private class FramingCase(val name: String, val framing: Framing, events: String, val repeated: Int) {
    val body = if (events.startsWith('\uFEFF') || framing.name.endsWith("lines")) events else ":\n\n$events"
}

class RepeatedFramingSpec : FunSpec({
    context("frames repeat only if nothing else is in them:") {
        val a = json("a")
        val b = json("b")
        val c = json("c", 77)
        withData<FramingCase>(
            { it.name },
            FramingCase("LF", SSE, "data: $a\n\ndata: $b\n\ndata: $c\n\n", 2),
            FramingCase("CRLF", SSE, "data: $a\r\n\r\ndata: $b\r\n\r\ndata: $c\r\n\r\n", 2),
            FramingCase("CRLF, and a last CR without LF", SSE, "data: $a\r\n\r\ndata: $b\r\n\rdata: $c\r\n\r\n", 2),
            FramingCase("CR", SSE, "data: $a\r\rdata: $b\r\rdata: $c\r\r", 0),
            FramingCase("endings that change", SSE, "data: $a\n\ndata: $b\r\n\r\ndata: $c\n\ndata: $a\r\n\r\n", 0),
            FramingCase("an LF ends the blank line", SSE, "data: $a\r\n\ndata: $b\r\n\ndata: $c\r\n\n", 0),
            FramingCase("no space", SSE, "data:$a\n\ndata:$b\n\ndata: $c\n\n", 1),
            FramingCase("spaces before the data", SSE, "data:  $a\n\ndata:  $b\n\ndata:   $c\n\ndata: $c\n\n", 0),
            FramingCase("a space that another event had not", SSE, "data:$a\n\ndata:  $b\n\ndata: $b\n\ndata:$c\n\ndata:$b\n\n", 1),
            FramingCase("a byte order mark", SSE, "\uFEFFdata: $a\n\ndata: $b\n\n\uFEFFdata: $b\n\ndata: $c\n\n", 0),
            FramingCase("a field name twice", SSE, "data: data: $a\n\ndata: data: $b\n\ndata: $c\n\n", 1),
            FramingCase("a field name twice, by the rules", STRICT, "data: $a\n\ndata: data: $b\n\ndata: $c\n\n", 0),
            FramingCase("event names", SSE, "event: x\ndata: $a\n\nevent: x\ndata: $b\n\nevent: y\ndata: $b\n\nevent: y\ndata: $c\n\n", 2),
            FramingCase("a comment in each event", SSE, ": a\ndata: $a\n\n: a\ndata: $b\n\n: a\ndata: $c\n\n", 2),
            FramingCase("a comment between", SSE, "data: $a\n\n: a\n\ndata: $b\n\n: a\n\ndata: $c\n\n", 0),
            FramingCase("a field behind the data", SSE, "data: $a\n\ndata: $b\nevent: y\n\ndata: $c\nid: 5\n\ndata: $c\n\n", 0),
            FramingCase("more data", SSE, "data: $a\n\ndata: $b\ndata: $b\n\ndata: $c\n\n", 1),
            FramingCase("an id that repeats", SSE, "id: 5\ndata: $a\n\nid: 5\ndata: $b\n\n", 1),
            FramingCase("ids that differ", SSE, "id: 5\ndata: $a\n\nid: 6\ndata: $b\n\nid: 5\ndata: $b\n\n", 0),
            FramingCase("another id without data", SSE, "id: 5\ndata: $a\n\nid: 6\n\nid: 5\ndata: $b\n\n", 0),
            FramingCase("an id before", SSE, "data: $a\n\nid: 6\n\ndata: $b\n\n", 0),
            FramingCase("another time without data", SSE, "retry: 5\ndata: $a\n\nretry: 6\n\nretry: 5\ndata: $b\n\n", 0),
            FramingCase("other words without data", SSE, "first\ndata: $a\n\nsecond\n\nfirst\ndata: $b\n\n", 0),
            FramingCase("JSON without a field name", SSE, "{\"b\":1}\ndata: $a\n\n{\"b\":1}\ndata: $b\n\n{\"b\":1}\ndata: $c\n\n", 0),
            FramingCase("such JSON that belongs to an open text", SSE, "{\"b\":\n\n{\"b\":1}\ndata: $a\n\n{\"b\":1}\ndata: $b\n\n{\"b\":1}\ndata: $c\n\n", 0),
            FramingCase("[DONE] without a field name", SSE, "[DONE]\ndata: $a\n\n[DONE]\ndata: $b\n\n", 0),
            FramingCase("the name of a field alone", SSE, "data: $a\n\ndata\n\ndata$b\n\ndata: $c\n\n", 0),
            FramingCase("a field without data", SSE, "data: $a\n\ndata:\n\ndata:$b\n\ndata: $c\n\n", 0),
            FramingCase("JSON that goes on", SSE, "data: $a\n\ndata: ${b}1\n\ndata: $c\n\n", 0),
            FramingCase("lines", LINES, "$a\n$b\n$c\n", 2),
            FramingCase("lines with CRLF", LINES, "$a\r\n$b\r\n$c\n", 2),
            FramingCase("lines with white space", LINES, "$a\n$b \n$b\n $c\n\n$b\n", 1),
            FramingCase("a last line without an end", LINES, "$a\n$b\n$c", 1),
            FramingCase("lines with a field name", LINES, "data: $a\ndata: $b\n$c\n", 1),
            FramingCase("lines between JSON in several lines", LINES, "$a\n{\n$b\n}\n$c\n", 0),
            FramingCase("plain lines", PLAIN_LINES, "$a\n$b\nx\n$b\n$c\n", 2),
        ) { case ->
            val body = case.body.encodeToByteArray()
            case.framing.repeated(body) shouldBe case.repeated
            for (cut in 0..body.size) withClue({ "cut at $cut" }) { case.framing.repeated(body, listOf(cut, body.size)) }
            case.framing.repeated(body, body.indices.map { it + 1 }) shouldBe 0
        }
    }

    context("an event as long as the limit is read, and a longer one refused:") {
        withData<Framing>({ it.name }, SSE, LINES, PLAIN_LINES) { framing ->
            val body = listOf("a", "b", "ccc", "c").joinToString("") { framing.block(json(it)) }.encodeToByteArray()
            val line = framing.block(json("a")).trimEnd().length
            // The line break of an event counts, too: an event of nearly the most bytes is left to the decoder.
            val most = if (framing == SSE) line + 2 else line
            val begun = (if (framing == SSE) ":\n\n" else "").encodeToByteArray() + body
            for (limit in line - 1..most + 3) {
                val repeated = if (limit < most) {
                    0
                } else if (limit >= most + 2) {
                    3
                } else if (framing == SSE) {
                    2
                } else {
                    1
                }
                withClue(limit) { framing.repeated(begun, limit = limit) shouldBe repeated }
            }
            val crlf = body.decodeToString().replace("\n", "\r\n").encodeToByteArray()
            for (limit in line - 1..line + 4) withClue(limit) { framing.repeated(crlf, limit = limit) }
        }
    }

    context("bodies that are changed at random are split alike both ways") {
        val others = listOf(SSE, STRICT, LINES).flatMap { framing -> TEXTS.map { framing.block(json(it)).asBytes() } }
        withData<Framing>({ it.name }, SSE, STRICT, LINES, PLAIN_LINES) { framing ->
            var repeated = 0
            val wrong = mutableListOf<String>()
            val time = measureTime {
                for (seed in 0 until CASES) {
                    val random = Random(seed)
                    val blocks = List(random.nextInt(3, 12)) { framing.block(json(TEXTS.random(random), random.nextInt(120))).asBytes() }
                    val body = Mutations(random).changed(blocks, others).joinToString("").toByteArray(Charsets.ISO_8859_1)
                    val ends = random.ends(body.size)
                    val limit = if (random.nextInt(4) == 0) random.nextInt(20, 80) else NO_LIMIT
                    val fast = Reader(framing.decoder(limit), isFast = true)
                    val found = difference(Reader(framing.decoder(limit), isFast = false).read(body, ends), fast.read(body, ends))
                    repeated += fast.repeated
                    if (found != null) wrong += "seed $seed, limit $limit:\n${body.decodeToString()}\npieces end at ${ends.take(40)}\n$found"
                }
            }
            println("changed bodies of $framing: $CASES in $time; $repeated frames repeated")
            withClue({ "${wrong.size} cases differ" }) { wrong.take(5).shouldBeEmpty() }
            repeated shouldBeGreaterThan CASES / 2
        }
    }
})
