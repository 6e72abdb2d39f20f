package dev.unifiedllm.cache

import dev.unifiedllm.store.StoreException
import dev.unifiedllm.store.sql.Database
import dev.unifiedllm.store.sql.DatabaseUrl
import dev.unifiedllm.store.sql.query
import dev.unifiedllm.store.sql.update
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContain
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.longs.shouldBeLessThanOrEqual
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.nio.file.Files
import java.nio.file.Path
import java.time.Instant
import java.util.concurrent.TimeUnit
import kotlin.random.Random
import kotlin.time.Duration.Companion.seconds

private const val NUMBERS = 200

/** How many processes are killed. */
private val KILLS = Integer.getInteger("cache.kills", 20)

private class Damage(val name: String, val isNoticed: Boolean, val write: (Path) -> Unit)

class DiskCacheSpec : FunSpec({
    val folder = Files.createTempDirectory("disk")
    afterSpec { folder.toFile().deleteRecursively() }
    var number = 0
    fun newFile() = folder.resolve("${number++}/cache.db")

    suspend fun filled(file: Path, entries: Int = 50) = DiskCache(file, 1000, 100_000_000).use { cache ->
        repeat(entries) { cache.put(keyOf(it), numbered(it), null, mutableListOf()) }
    }

    test("entries are there in another process's eyes, until they expire") {
        val file = newFile()
        var clock = Instant.parse("2026-01-01T00:00:00Z")
        DiskCache(file, 10, 1_000_000) { clock }.use { one ->
            DiskCache(file, 10, 1_000_000) { clock }.use { two ->
                val warnings = mutableListOf<String>()
                one.put("a", byteArrayOf(1), 10.seconds, warnings)
                one.put("b", byteArrayOf(2), null, warnings)
                two.get("a", warnings)!!.toList() shouldBe listOf<Byte>(1)
                clock += java.time.Duration.ofSeconds(11)
                two.get("a", warnings) shouldBe null
                two.get("b", warnings)!!.toList() shouldBe listOf<Byte>(2)
                two.remove("b")
                one.get("b", warnings) shouldBe null
                warnings.shouldBeEmpty()
            }
        }
    }

    test("fault 192: never more than 10,000 entries, nor more bytes than the limit; those used last stay") {
        var clock = Instant.parse("2026-01-01T00:00:00Z")
        val file = newFile()
        DiskCache(file, 10_000, 1_000_000) { clock }.use { cache ->
            Database.open(DatabaseUrl.of(file)).use { database ->
                fun totals() = database.read { it.query("SELECT entries, bytes FROM response_totals") { row -> row.getLong(1) to row.getLong(2) } }.single()
                fun counted() = database.read { it.query("SELECT COUNT(*), SUM(size) FROM responses") { row -> row.getLong(1) to row.getLong(2) } }.single()
                repeat(10_300) {
                    clock += java.time.Duration.ofMinutes(2)
                    cache.put("$it", ByteArray(10), null, mutableListOf())
                    if (it >= 100) cache.get("0", mutableListOf())!!.size shouldBe 10 // used again and again
                    if (it % 500 == 0 || it > 10_200) totals().first shouldBeLessThanOrEqual 10_000
                }
                totals() shouldBe counted()
                cache.get("1", mutableListOf()) shouldBe null
                cache.get("10299", mutableListOf())!!.size shouldBe 10
                cache.put("big", ByteArray(600_000), null, mutableListOf())
                cache.put("bigger", ByteArray(700_000), null, mutableListOf())
                totals().second shouldBeLessThanOrEqual 1_000_000
                totals() shouldBe counted()
                cache.put("too big", ByteArray(1_000_001), null, mutableListOf())
                cache.get("too big", mutableListOf()) shouldBe null
                cache.get("bigger", mutableListOf())!!.size shouldBe 700_000
            }
        }
        val memory = MemoryCache(3, 1000)
        repeat(10) { memory.put("$it", ByteArray(10), null, mutableListOf()) }
        memory.size shouldBe 3
        memory.put("a", ByteArray(995), null, mutableListOf())
        memory.size shouldBe 1
        memory.put("b", ByteArray(1001), null, mutableListOf())
        memory.get("b", mutableListOf()) shouldBe null
    }

    context("fault 184: a file that is not a cache is a miss, is moved aside, and a new one begins:") {
        withData<Damage>(
            { it.name },
            Damage("zero bytes", false) { Files.write(it, ByteArray(0)) },
            Damage("half of it", true) { Files.write(it, Files.readAllBytes(it).let { bytes -> bytes.copyOf(bytes.size / 2) }) },
            Damage("other text", true) { Files.writeString(it, "not a database ".repeat(1000)) },
            Damage("a header that is changed", true) { Files.write(it, Files.readAllBytes(it).also { bytes -> bytes[3] = 0 }) },
            Damage("pages of chance", true) { file ->
                val bytes = Files.readAllBytes(file)
                Random(1).nextBytes(bytes, 4096, bytes.size)
                Files.write(file, bytes)
            },
            Damage("tables of another program", true) { file ->
                Files.delete(file)
                Database.open(DatabaseUrl.of(file)).use { database -> database.write { it.update("CREATE TABLE responses (other TEXT)") } }
            },
            Damage("a folder", false) { file ->
                Files.delete(file)
                Files.createDirectory(file)
            },
        ) { damage ->
            val file = newFile()
            filled(file)
            listOf("-wal", "-shm").forEach { Files.deleteIfExists(file.resolveSibling("${file.fileName}$it")) }
            damage.write(file)
            DiskCache(file, 1000, 100_000_000).use { cache ->
                val warnings = mutableListOf<String>()
                repeat(50) { n -> cache.get(keyOf(n), warnings)?.let { it.toList() shouldBe numbered(n).toList() } }
                cache.put(keyOf(1), numbered(1), null, warnings)
                cache.get(keyOf(1), warnings)!!.toList() shouldBe numbered(1).toList()
                if (damage.isNoticed) warnings.single() shouldContain "was damaged" else warnings.shouldBeEmpty()
            }
            if (damage.isNoticed) Files.exists(file.resolveSibling("cache.db.damaged")) shouldBe true
        }
    }

    test("fault 184: a bit that is flipped anywhere gives no wrong entry") {
        val file = newFile()
        filled(file, 20)
        val sound = Files.readAllBytes(file)
        val random = Random(7)
        repeat(60) {
            val bytes = sound.copyOf()
            val place = random.nextInt(bytes.size)
            bytes[place] = (bytes[place].toInt() xor (1 shl random.nextInt(8))).toByte()
            val own = newFile()
            Files.createDirectories(own.parent)
            Files.write(own, bytes)
            DiskCache(own, 1000, 100_000_000).use { cache ->
                for (n in 0 until 20) {
                    val entry = try {
                        cache.get(keyOf(n), mutableListOf())?.let { CacheEntry.of(keyOf(n), it) }
                    } catch (_: StoreException) {
                        null
                    }
                    if (entry != null) entry.deltas shouldBe CacheEntry.of(keyOf(n), numbered(n))!!.deltas
                }
            }
        }
    }

    test("fault 184: a file of a later release is left alone, and cannot be used") {
        val file = newFile()
        filled(file)
        Database.open(DatabaseUrl.of(file)).use { database -> database.write { it.update("UPDATE unified_llm_schema SET version = 99") } }
        val before = Files.readAllBytes(file).toList()
        DiskCache(file, 1000, 100_000_000).use { cache ->
            shouldThrow<StoreException> { cache.get(keyOf(1), mutableListOf()) }.message!! shouldContain "later release"
        }
        Files.exists(file.resolveSibling("cache.db.damaged")) shouldBe false
        Files.size(file) shouldBe before.size.toLong()
    }

    test("fault 184: a damaged entry is a miss, is told, and is written again") {
        val file = newFile()
        val cache = Cache(listOf(DiskCache(file, 10, 1_000_000)))
        val use = Cache.Use(reads = true, stores = true, null, "")
        cache.store(keyOf(1), numbered(1).copyOf(500), use, mutableListOf())
        val warnings = mutableListOf<String>()
        cache.find(keyOf(1), use, warnings) shouldBe null
        warnings.single() shouldContain "damaged"
        cache.find(keyOf(1), use, warnings) shouldBe null
        warnings.size shouldBe 1
        cache.store(keyOf(1), numbered(1), use, warnings)
        cache.find(keyOf(1), use, warnings)!!.deltas shouldBe CacheEntry.of(keyOf(1), numbered(1))!!.deltas
        cache.close()
    }

    test("fault 186: $KILLS processes that are killed while they write leave no entry that is wrong, and a file that works") {
        val file = newFile()
        val random = Random(3)
        var isKilled = 0
        while (isKilled < KILLS) {
            val running = List(minOf(4, KILLS - isKilled)) { writer(file, NUMBERS) }
            for (process in running) {
                process.inputStream.bufferedReader().lineSequence().first { !it.startsWith("SLF4J") }.let {
                    withClue(it) {
                        it.startsWith("written") shouldBe
                            true
                    }
                }
            }
            TimeUnit.MILLISECONDS.sleep(random.nextLong(150)) // at any place of a write
            for (process in running) {
                process.destroyForcibly().waitFor()
                isKilled++
            }
            DiskCache(file, 100_000, Long.MAX_VALUE).use { cache ->
                val warnings = mutableListOf<String>()
                var found = 0
                for (n in 0 until NUMBERS) {
                    cache.get(keyOf(n), warnings)?.let {
                        it.contentEquals(numbered(n)) shouldBe true
                        found++
                    }
                }
                warnings.shouldBeEmpty()
                found shouldBeGreaterThan 0
            }
        }
        Database.open(DatabaseUrl.of(file)).use { database ->
            database.read { connection -> connection.query("PRAGMA integrity_check") { it.getString(1) } } shouldBe listOf("ok")
            val counted = database.read { it.query("SELECT COUNT(*), SUM(size) FROM responses") { row -> row.getLong(1) to row.getLong(2) } }
            database.read { it.query("SELECT entries, bytes FROM response_totals") { row -> row.getLong(1) to row.getLong(2) } } shouldBe counted
        }
    }

    test("fault 187: processes that write the same entries at a time lose none and tear none") {
        val file = newFile()
        val all = List(3) { writer(file, of = 10, count = 300) }
        for (process in all) {
            val lines = process.inputStream.bufferedReader().readLines().filterNot { it.startsWith("SLF4J") }
            withClue(lines) {
                lines.filterNot { it.startsWith("written") || it == "done" }.shouldBeEmpty()
                lines shouldContain "done"
            }
        }
        DiskCache(file, 1000, Long.MAX_VALUE).use { cache ->
            for (n in 0 until 10) cache.get(keyOf(n), mutableListOf())!!.contentEquals(numbered(n)) shouldBe true
        }
    }

    test("fault 185: where the disk is full, puts fail, and what is there can be read") {
        val file = newFile()
        filled(file, 3)
        val process = writer(file, of = 2_000, count = 1_500, limit = 4096)
        val lines = process.inputStream.bufferedReader().readLines().filterNot { it.startsWith("SLF4J") }
        withClue(lines.take(10)) {
            lines.any { it.startsWith("failed") } shouldBe true
            lines shouldContain "done"
            lines.filter { it.startsWith("WARNING") }.shouldBeEmpty()
        }
        DiskCache(file, 1000, Long.MAX_VALUE).use { cache ->
            for (n in 0 until 3) cache.get(keyOf(n), mutableListOf())!!.contentEquals(numbered(n)) shouldBe true
        }
    }
})
