package dev.unifiedllm.protocol

import kotlin.random.Random

/** Changes streams at random. A stream is a list of blocks, in which each character is a byte. */
internal class Mutations(private val random: Random) {
    /** Changes some of [blocks]; others in the same way, so that frames still repeat. [others] are blocks of other streams. */
    fun changed(blocks: List<String>, others: List<String>): List<String> {
        var all = blocks
        if (random.nextInt(2) == 0) {
            val seed = random.nextInt()
            val change = random.nextInt(4)
            all = all.map { Mutations(Random(seed)).changedAs(change, it) }
        }
        if (random.nextInt(3) == 0) all = all.map { ending(it, ENDINGS[seedOf(all)]) }
        val changed = all.toMutableList()
        repeat(random.nextInt(4)) { changeOne(changed, others) }
        return changed
    }

    private fun seedOf(all: List<String>) = (all.size + all.first().length) % ENDINGS.size

    private fun changeOne(blocks: MutableList<String>, others: List<String>) {
        if (blocks.isEmpty()) return
        val at = random.nextInt(blocks.size)
        val other = random.nextInt(blocks.size)
        when (random.nextInt(15)) {
            0 -> blocks[at] = blocks[other].also { blocks[other] = blocks[at] }
            1 -> blocks.add(at, blocks[other])
            2 -> blocks.removeAt(at)
            3 -> blocks[at] = spliced(blocks[at], blocks[other])
            4 -> blocks[at] = spliced(blocks[at], others.random(random))
            5 -> blocks.add(at, others.random(random))
            6 -> blocks[at] = ending(blocks[at], ENDINGS.random(random))
            7 -> blocks[at] = framed(blocks[at])
            8, 9 -> blocks[at] = withValue(blocks[at])
            10, 11 -> blocks[at] = withMember(blocks[at])
            12 -> blocks[at] = withText(blocks[at])
            else -> blocks[at] = withBytes(blocks[at])
        }
    }

    private fun changedAs(change: Int, block: String): String = when (change) {
        0 -> withMember(block)
        1 -> withValue(block)
        2 -> framed(block)
        else -> withMember(withMember(block))
    }

    private fun spliced(one: String, other: String): String = one.take(random.nextInt(one.length + 1)) + other.drop(random.nextInt(other.length + 1))

    private fun ending(block: String, ending: String): String = block.replace("\r\n", "\n").replace("\n", ending)

    /** Adds a line before the data or behind it, or changes how the data begins. */
    private fun framed(block: String): String = when (random.nextInt(6)) {
        0 -> block.replace("data: ", "data:")
        1 -> block.replace("data: ", "data: data: ")
        2 -> block.replace("data: ", "data:  ")
        3 -> block.trimEnd('\n') + "\n" + LINES.random(random) + "\n\n"
        4 -> LINES.random(random) + LINES.random(random) + "\n" + block
        else -> LINES.random(random) + "\n" + block
    }

    /** Replaces a value of any member. */
    private fun withValue(block: String): String = replaced(block, VALUE, random.nextInt(), VALUES.random(random))

    /** Replaces the value of a member that is a text. */
    private fun withText(block: String): String = replaced(block, TEXT, 0, VALUES.random(random))

    private fun replaced(block: String, pattern: Regex, choice: Int, value: String): String {
        val found = pattern.findAll(block).toList()
        val range = found[(if (found.isEmpty()) return block else choice.mod(found.size))].groups[1]!!.range
        return block.replaceRange(range, value)
    }

    /** Adds a member to an object, at its beginning or its end. */
    private fun withMember(block: String): String {
        val isFirst = random.nextBoolean()
        val places = block.indices.filter { block[it] == if (isFirst) '{' else '}' }
        val choice = random.nextInt()
        val member = "\"${NAMES.random(random)}\":${VALUES.random(random)}"
        if (places.isEmpty()) return block
        val at = places[choice.mod(places.size)]
        return if (isFirst) block.replaceRange(at, at + 1, "{$member,") else block.replaceRange(at, at + 1, ",$member}")
    }

    private fun withBytes(block: String): String {
        if (block.isEmpty()) return block
        val at = random.nextInt(block.length)
        val end = minOf(block.length, at + random.nextInt(1, 6))
        return when (random.nextInt(4)) {
            0 -> block.removeRange(at, end)
            1 -> block.replaceRange(at, at + 1, BYTES.random(random))
            2 -> block.replaceRange(at, at, block.substring(at, end))
            else -> block.replaceRange(at, at, BYTES.random(random))
        }
    }

    private companion object {
        val VALUE = Regex(""":\s?(null|true|false|-?[0-9][0-9.eE+-]*|"(?:[^"\\]++|\\.)*+")""")
        val TEXT = Regex(""""(?:content|text|thinking|response|reasoning|reasoning_content)":("(?:[^"\\]++|\\.)*+")""")
        val ENDINGS = listOf("\r\n", "\r", "\n")

        /** Lines of an event stream: fields, comments, and what is neither. */
        val LINES = listOf(
            ": keep-alive", ":", "id: 5", "id: 6", "id", "id: a\u0000b", "retry: 10", "retry: 20", "event: x", "event:", "event: error",
            "event: message", "data",
            "data:", "data: ", "data: {", "data: keep-alive", "data: {\"a\":1}", "data: [DONE]", "{\"a\":1}", "{", "[DONE]", "stray",
            "an error: stray", "other",
            "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"bare\"}}]}", "{\"message\":{\"content\":\"bare\"},\"done\":false}",
            "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"text\":\"bare\"}}", "\uFEFF", "", " ", "\u0000",
        ).map { it.asBytes() }

        val VALUES = listOf(
            "null", "true", "false", "0", "1", "2", "-1", "00", "01", "-0", "-01", "1.0", "1.50", "1e0", "1E+2", "1e", "-", "1.", ".5", "+1",
            "NaN", "-Infinity", "0x1",
            "999999999999999999999", "\"\"", "\"a\"", "\"a longer one\"", "\"\\n\"", "\"a\\\"b\"", "\"\\\\\"", "\"\\ud83d\"", "\"\\ude00\"",
            "\"x\\ud83d\"", "\"\\u0041\"",
            "\"\\x\"", "\"\\u12\"", "\"null\"", "\"stop\"", "\"length\"", "\"error\"", "\"text\"", "\"content_block_delta\"",
            "\"message_stop\"", "\"0\"", "\"01\"", "\"open",
            "\"\u0001\"", "\"\u0000\"", "\"\t\"", "\"\u007f\"", "\"é\"", "\"😀\"", "{}", "[]", "[{}]", "[null]",
            "{\"a\":{\"b\":[1,\"x\",null]}}", "[1,[2,{\"c\":\"d\"}]]",
            "{\"message\":\"boom\"}", "{\"message\":\"boom\",\"type\":\"server_error\"}", "{\"prompt_tokens\":3,\"completion_tokens\":4}",
            "[\"https://a\"]",
            "[{\"index\":0,\"id\":\"c1\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]", "[{\"type\":\"text\",\"text\":\"part\"}]",
            "{\"content\":\"b\"}",
            "[{\"index\":0,\"delta\":{\"content\":\"b\"}}]", "[{\"index\":1,\"delta\":{\"content\":\"c\"}}]",
            "[{\"index\":0,\"delta\":{}},{\"index\":1,\"delta\":{}}]",
            "{\"type\":\"text_delta\",\"text\":\"t\"}", "{\"role\":\"assistant\"}", " \"a\" ", "\"\u0080\"",
        ).map { it.asBytes() } + listOf("\"\u00ed\u00a0\u0080\"", "\"\u00ff\"", "\"\u00c3\"")

        val NAMES = listOf(
            "choices", "id", "model", "usage", "error", "x_groq", "citations", "search_results", "object", "service_tier", "index", "delta",
            "message", "finish_reason",
            "text", "content", "reasoning_content", "reasoning", "tool_calls", "refusal", "annotations", "function_call", "reasoning_details",
            "images", "extra_content",
            "audio", "type", "content_block", "request_id", "stop_reason", "thinking", "signature", "partial_json", "citation", "response",
            "done", "done_reason",
            "eval_count", "image", "role", "created", "created_at", "obfuscation", "logprobs", "detail", "code", "status", "cont\\u0065nt", "x",
        )

        val BYTES = listOf(
            "\"", "\\", "{", "}", "[", "]", ",", ":", " ", "\t", "\r", "\n", "\n\n", "\r\n", "0", "7", "9", "-", "e", "a", "\u0000", "\u0001",
            "\u001f", "\u007f", "\u0080",
            "\u00c3", "\u00e9", "\u00ed\u00a0\u0080", "\u00ef\u00bb\u00bf", "\u00ff", "\\u", "\\n", "\\ud83d", "\\ude00", "data: ", "null",
        )
    }
}
