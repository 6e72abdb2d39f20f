package dev.unifiedllm.protocol

import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ChatRequest
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.doubles.shouldBeGreaterThan
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.shouldBe
import kotlin.random.Random
import kotlin.time.measureTime

private const val CASES = 30_000
private const val DELTAS = 1_000

private fun recordings(): List<Recording> =
    (Recording.all() + if (Recording.areOwn) Recording.synthetic() else emptyList())
        .filter { it.query == null && it.kind == ChatRequest::class && RepeatingWire.isRead(it.wire) }

/** The blocks of short recorded streams; of longer ones the beginning and the end. */
private fun recordedBlocks(wire: RepeatingWire): List<List<String>> = recordings()
    .filter { it.wire == wire.protocol.name && !it.isError }
    .map { String(it.body, Charsets.ISO_8859_1) }
    .filter { it.length < 100_000 && (wire == RepeatingWire.OLLAMA || it.startsWith("data:") || it.startsWith("event:")) }
    .map { body -> body.split(Regex(if (wire == RepeatingWire.OLLAMA) "(?<=\n)" else "(?<=\n\n)|(?<=\r\n\r\n)")).filter { it.isNotEmpty() } }
    .filter { it.size > 5 }
    .map { it.take(12) + it.drop(12).takeLast(4) }

/** A stream of which each block is changed, given its number. */
private class WireCase(val name: String, val wire: RepeatingWire, val repeated: Int, val change: (String, Int) -> String)

class RepeatedFramesSpec : FunSpec({
    context("frames that are read by comparison give what they give read as JSON") {
        val counts = mutableMapOf<String, FrameCounts>()
        withData<Recording>({ it.name }, recordings()) { recording ->
            val wire = Protocols.named(recording.wire!!)
            val counted = counts.getOrPut(wire.name) { FrameCounts() }
            val body = recording.body
            val expected = recording.play(CountedProtocol(wire, isFast = false, FrameCounts()), listOf(body))
            recording.play(CountedProtocol(wire, isFast = true, counted), listOf(body)) shouldBe expected
            for (pieces in body.splits()) {
                withClue({ "cut into ${pieces.map { it.size }.take(40)}" }) {
                    recording.play(CountedProtocol(wire, isFast = true, FrameCounts()), pieces) shouldBe expected
                }
            }
        }
        test("and frames of each wire are") {
            for ((wire, counted) in counts) println("repeated frames of $wire: ${counted.repeated} of ${counted.repeated + counted.decoded}")
            for (wire in RepeatingWire.ALL) withClue(wire) { counts.getValue(wire.protocol.name).repeated shouldBeGreaterThan 0 }
        }
    }

    context("nearly all frames of a long stream are read by comparison") {
        withData<RepeatingWire>({ it.protocol.name }, RepeatingWire.ALL) { wire ->
            val body = wire.blocks(List(DELTAS) { TEXTS[it % TEXTS.size] }).joinToString("").encodeToByteArray()
            for (size in listOf(body.size, 16 * 1024, 4 * 1024)) {
                val ends = (size until body.size step size) + body.size
                val counted = FrameCounts()
                val read = wire.read(body, ends, isFast = true, counted)
                read shouldBe wire.read(body, ends, isFast = false, FrameCounts())
                read.answer.failure shouldBe null
                println("repeated frames of $wire in pieces of $size: ${counted.repeated} of $DELTAS")
                counted.repeated.toDouble() / DELTAS shouldBeGreaterThan 0.9
            }
        }
    }

    context("frames that are not read alike both ways by comparison are read as JSON:") {
        withData<WireCase>(
            { it.name },
            WireCase("two lists of choices, of which the last is empty", RepeatingWire.OPENAI, 0) { block, number ->
                block.replace("\"usage\":null", "\"choices\":[],\"message\":\"${if (number < 5) "" else "boom"}\"")
            },
            WireCase("counts before the content, and no counts with it", RepeatingWire.OPENAI, 0) { block, number ->
                if (number == 1) block.replace("\"usage\":null", "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}") else block
            },
            WireCase("counts before the content, and none with it", RepeatingWire.OPENAI, 0) { block, number ->
                val usage = if (number == 1) "\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":4}" else "\"a\":1"
                block.replace("\"usage\":null", usage)
            },
            WireCase("content without a field name before each event", RepeatingWire.OPENAI, 0) { block, _ ->
                "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"bare\"}}]}\n$block"
            },
            WireCase("such content of another wire", RepeatingWire.ANTHROPIC, 0) { block, _ ->
                "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"bare\"}}\n$block"
            },
            WireCase("the name of a field alone", RepeatingWire.OPENAI, TEXTS.size - 3) { block, number ->
                if (number == 4) "data\n\n" + block.replace("data: ", "data") else block
            },
        ) { case ->
            val body = case.wire.blocks(TEXTS).mapIndexed { number, block -> case.change(block, number) }.joinToString("").encodeToByteArray()
            val counted = FrameCounts()
            for (end in 1..body.size) {
                val ends = listOf(end, body.size)
                case.wire.read(body, ends, isFast = true, FrameCounts()) shouldBe case.wire.read(body, ends, isFast = false, FrameCounts())
            }
            case.wire.read(body, listOf(body.size), isFast = true, counted)
            counted.repeated shouldBe case.repeated
        }
    }

    context("streams that are changed at random are read alike both ways") {
        val others = RepeatingWire.ALL.flatMap { wire -> wire.blocks(TEXTS).map { it.asBytes() } }
        withData<RepeatingWire>({ it.protocol.name }, RepeatingWire.ALL) { wire ->
            val counted = FrameCounts()
            val recorded = recordedBlocks(wire)
            var failed = 0
            val wrong = mutableListOf<String>()
            val time = measureTime {
                for (seed in 0 until CASES / RepeatingWire.ALL.size) {
                    val random = Random(seed)
                    val made = wire.blocks(List(random.nextInt(2, 12)) { TEXTS.random(random) }).map { it.asBytes() }
                    val blocks = if (random.nextInt(3) == 0) recorded.random(random) else made
                    val body = Mutations(random).changed(blocks, others).joinToString("").toByteArray(Charsets.ISO_8859_1)
                    val ends = random.ends(body.size)
                    val fast = wire.read(body, ends, isFast = true, counted)
                    val full = wire.read(body, ends, isFast = false, FrameCounts())
                    if (full.answer.failure != null) failed++
                    if (fast != full) wrong += "seed $seed:\n${body.decodeToString()}\npieces end at ${ends.take(40)}\nfast: $fast\nfull: $full"
                }
            }
            val each = CASES / RepeatingWire.ALL.size
            println("changed streams of $wire: $each in $time, $failed failed; ${counted.repeated} frames repeated, ${counted.decoded} decoded")
            withClue({ "${wrong.size} cases differ" }) { wrong.take(5).shouldBeEmpty() }
            counted.repeated shouldBeGreaterThan each
            failed shouldBeGreaterThan each / 10
        }
    }
})
