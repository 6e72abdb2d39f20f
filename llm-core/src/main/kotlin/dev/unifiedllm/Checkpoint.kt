package dev.unifiedllm

import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.protocol.json.JsonSyntaxException
import dev.unifiedllm.protocol.json.jsonElement
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.buildJsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.longOrNull
import kotlinx.serialization.json.put
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.channels.FileChannel
import java.nio.channels.OverlappingFileLockException
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.StandardOpenOption.CREATE
import java.nio.file.StandardOpenOption.READ
import java.nio.file.StandardOpenOption.WRITE
import java.nio.file.attribute.PosixFilePermissions
import java.security.MessageDigest

/**
 * The results of a bulk in a file: one JSON object a line, the first one with the version of the format. A failed item has a line, too, with its cost alone,
 * if it has cost anything. A line that was cut when the process was killed is taken off. Thread-safe; the file is locked while it is open.
 *
 * @property spent the sum of the costs in the file when it was opened
 */
internal class Checkpoint private constructor(val file: Path, private val channel: FileChannel) : AutoCloseable {
    private class Row(val key: String, val from: Long, val length: Int)

    private val rows = HashMap<Long, Row>() // as the file was when it was opened
    private var end = 0L
    private var isBroken = false
    var spent: Usd = Usd.ZERO
        private set

    /** What is wrong with the file, though it can be used; null: nothing. */
    var warning: String? = null
        private set

    /** One more than the place of the last item that the file had a result of when it was opened. */
    var size = 0L
        private set

    private fun load() {
        requireOurs()
        var from = 0L
        lines { bytes ->
            if (from > 0) index(bytes.decodeToString(), from, bytes.size)
            from += bytes.size + 1
        }
        channel.truncate(from)
        end = from
        if (from == 0L) append(FIRST_LINE)
    }

    /** Nothing of a file that is not a checkpoint is changed: neither of one whose first line is another, nor of one without any whole line. */
    private fun requireOurs() {
        val bytes = ByteBuffer.allocate(HEAD)
        while (bytes.hasRemaining()) if (channel.read(bytes, bytes.position().toLong()) < 0) break
        val head = bytes.array().copyOf(bytes.position()).decodeToString()
        val isCut = '\n' !in head && channel.size() < HEAD && FIRST_LINE.startsWith(head) // by a kill, when it was made
        if (!isCut) requireVersion(head.substringBefore('\n'))
    }

    /** Hands each whole line to [action]. */
    private fun lines(action: (ByteArray) -> Unit) {
        val buffer = ByteBuffer.allocate(BUFFER)
        val line = java.io.ByteArrayOutputStream()
        channel.position(0)
        while (channel.read(buffer) >= 0) {
            buffer.flip()
            while (buffer.hasRemaining()) {
                val byte = buffer.get()
                if (byte == NEWLINE) {
                    action(line.toByteArray())
                    line.reset()
                } else {
                    line.write(byte.toInt())
                }
            }
            buffer.clear()
        }
    }

    private fun requireVersion(line: String) {
        val version = (parsed(line)?.get(VERSION_FIELD) as? JsonPrimitive)?.longOrNull
        if (version == VERSION) return
        val what = if (version == null) "is no checkpoint of a bulk" else "was written by another release of this library, in version $version of the format"
        throw LlmException.Configuration("The file $file $what. Name another file for the checkpoint; nothing was changed in this one.")
    }

    /** Null if only the owner of the file can read it, as it should be. */
    private fun restrict(): String? = try {
        val all = if (file.hasPosix) Files.getPosixFilePermissions(file) else emptySet()
        if (all.any { it !in OWNERS }) Files.setPosixFilePermissions(file, all.intersect(OWNERS))
        null
    } catch (failure: IOException) {
        "others than its owner can read the checkpoint $file, and that cannot be changed ($failure)"
    }

    private fun index(line: String, from: Long, length: Int) {
        val json = parsed(line) ?: return // that item is sent again
        (json["cost"] as? JsonPrimitive)?.contentOrNull?.toBigDecimalOrNull()?.let { spent += Usd.of(it) }
        val index = (json["index"] as? JsonPrimitive)?.longOrNull ?: return
        val key = (json["key"] as? JsonPrimitive)?.contentOrNull ?: return
        rows[index] = Row(key, from, length)
        size = maxOf(size, index + 1)
    }

    /** True if the file had a result of the item [index] when it was opened, perhaps of another request. */
    fun has(index: Long): Boolean = index in rows

    /** The deltas of the item [index], if it is the one called [key]; null if the file has none. */
    fun find(index: Long, key: String): List<Delta>? {
        val row = rows[index]?.takeIf { it.key == key } ?: return null
        val bytes = ByteBuffer.allocate(row.length)
        while (bytes.hasRemaining()) if (channel.read(bytes, row.from + bytes.position()) < 0) return null
        return (parsed(bytes.array().decodeToString())?.get("deltas") as? JsonArray)?.let(KeptDeltas::readAll)
    }

    /** Appends a row, so that it is there when the process is killed next. @return what is wrong, the first time that nothing can be written; else null */
    fun add(index: Long, key: String, cost: Usd, deltas: List<Delta>): String? = add(
        buildJsonObject {
            put("index", index)
            put("key", key)
            put("cost", cost.amount.toPlainString())
            put("deltas", KeptDeltas.writeAll(deltas))
        },
    )

    /** As the other overload, for an item that has failed: its cost counts in the next run, too. */
    fun add(index: Long, cost: Usd): String? = add(
        buildJsonObject {
            put("index", index)
            put("cost", cost.amount.toPlainString())
        },
    )

    private fun add(json: JsonObject): String? {
        val row = json.toString()
        return synchronized(this) {
            if (isBroken) return null
            try {
                append(row)
                null
            } catch (failure: IOException) {
                isBroken = true
                "the checkpoint $file cannot be written ($failure): the results from here on are not in it"
            }
        }
    }

    private fun append(line: String) {
        val bytes = ByteBuffer.wrap("$line\n".encodeToByteArray())
        var at = end
        while (bytes.hasRemaining()) at += channel.write(bytes, at)
        end = at
    }

    override fun close() {
        try {
            channel.force(true)
        } finally {
            channel.close()
        }
    }

    companion object {
        private const val VERSION_FIELD = "unifiedLlmBulk"
        private const val VERSION = 2L
        private const val FIRST_LINE = """{"$VERSION_FIELD":$VERSION}"""

        /** In it the first line ends, whichever version it names. */
        private const val HEAD = 64
        private const val BUFFER = 65_536
        private const val NEWLINE = '\n'.code.toByte()
        private const val KEY_BYTES = 16
        private val OWNERS = PosixFilePermissions.fromString("rwx------")
        private val Path.hasPosix: Boolean get() = "posix" in fileSystem.supportedFileAttributeViews()

        /** @throws LlmException.Configuration if the file cannot be opened, is no checkpoint, or is used by another bulk */
        fun open(file: Path): Checkpoint {
            if (Files.exists(file) && !Files.isRegularFile(file)) {
                throw LlmException.Configuration("The checkpoint $file is no file. Name one that can be written.")
            }
            var channel: FileChannel? = null
            try {
                channel = opened(file)
                val isOurs = try {
                    channel.tryLock() != null
                } catch (_: OverlappingFileLockException) {
                    false
                }
                if (!isOurs) throw LlmException.Configuration("The checkpoint $file is used by another bulk. Wait for its end, or name another file.")
                return Checkpoint(file, channel).also {
                    it.load()
                    it.warning = it.restrict()
                }
            } catch (failure: IOException) {
                channel?.close()
                throw LlmException.Configuration("The checkpoint $file cannot be opened ($failure). Name a file that can be written.", failure)
            } catch (failure: LlmException) {
                channel?.close()
                throw failure
            }
        }

        /** Readable by its owner only, from its creation on. */
        private fun opened(file: Path): FileChannel {
            file.toAbsolutePath().parent?.let(Files::createDirectories)
            val options = setOf(CREATE, READ, WRITE)
            if (!file.hasPosix) return FileChannel.open(file, options)
            return FileChannel.open(file, options, PosixFilePermissions.asFileAttribute(PosixFilePermissions.fromString("rw-------")))
        }

        /** What an item and its request are known by. The text of an item that has none of its own is its address, which says nothing. */
        fun key(item: Any, request: String): String {
            val text = item.toString().takeUnless { it == "${item.javaClass.name}@${Integer.toHexString(item.hashCode())}" }.orEmpty()
            val hash = MessageDigest.getInstance("SHA-256").digest("$text\u0000$request".encodeToByteArray())
            return hash.take(KEY_BYTES).joinToString("") { "%02x".format(it) }
        }

        private fun parsed(line: String): JsonObject? = try {
            jsonElement(line) as? JsonObject
        } catch (_: JsonSyntaxException) {
            null
        }
    }
}
