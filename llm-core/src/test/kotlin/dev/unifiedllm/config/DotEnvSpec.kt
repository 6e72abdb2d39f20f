package dev.unifiedllm.config

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.Protocols
import dev.unifiedllm.chat.ApiKey
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.client
import dev.unifiedllm.docs.runJava
import dev.unifiedllm.docs.testClassPath
import dev.unifiedllm.provider.Environment
import dev.unifiedllm.provider.ProviderRegistry
import dev.unifiedllm.provider.ProviderSettings
import dev.unifiedllm.provider.TargetResolver
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.string.shouldNotContain
import java.nio.file.Files
import java.nio.file.Path
import java.nio.file.attribute.PosixFilePermissions
import kotlin.io.path.createDirectories
import kotlin.io.path.createSymbolicLinkPointingTo
import kotlin.io.path.exists
import kotlin.io.path.setPosixFilePermissions
import kotlin.io.path.writeBytes
import kotlin.io.path.writeText

private const val SECRET = "sk-SECRET-0123456789"

private fun private(file: Path) = file.setPosixFilePermissions(PosixFilePermissions.fromString("rw-------"))

class DotEnvSpec : FunSpec({
    val folder = tempdir().toPath()

    fun read(text: String): DotEnv = folder.resolve(".env").let { file ->
        file.writeText(text)
        private(file)
        DotEnv.read(file) { it.endsWith("_KEY") }!!
    }

    fun values(text: String): Map<String, String?> = read(text).let { env -> env.names.associateWith { env.layer(false).lookup(it) } }

    context("a line gives a variable:") {
        withData<Pair<String, String?>>(
            { (line) -> line.map { if (it < ' ' || it > '~') "\\u%04x".format(it.code) else "$it" }.joinToString("") },
            "A=1" to "1",
            "A = 1 " to "1",
            "export A=1" to "1",
            "  export\tA=1" to "1",
            "A=" to "",
            "A= # nothing" to "",
            "A=1 # a comment" to "1",
            "A=1#no-comment" to "1#no-comment",
            "A='1 # 2' # a comment" to "1 # 2",
            "A=\"1 # 2\"" to "1 # 2",
            "A='\\n\$HOME'" to "\\n\$HOME",
            "A=\"a\\nb\\t\\\"c\\\"\\\\\"" to "a\nb\t\"c\"\\",
            "A=\"\\x\"" to "\\x",
            "A='two\nlines'" to "two\nlines",
            "A=\"two\nlines\"" to "two\nlines",
            "A=\$(touch made) `touch made` \${HOME}" to "\$(touch made) `touch made` \${HOME}",
            "A=it's" to "it's",
            "A=a=b==" to "a=b==",
            "A=ключ" to "ключ",
            "\uFEFFA=1" to "1",
            "A=1\r" to "1",
            "A=1\nA=2" to "2",
            "# A=1" to null,
            "A" to null,
            "export A" to null,
            "1A=1" to null,
            "A B=1" to null,
            "=1" to null,
            "A='1" to null,
            "A='1' 2" to null,
        ) { (text, value) ->
            values(text)["A"] shouldBe value
            folder.resolve("made").exists() shouldBe false
        }
    }

    test("lines that are wrong are left out and named by their numbers, and the others count") {
        val env = read("A=1\n\nnothing\nB='open\nC=3\nD=\"x\ny\"\nE F\nG=7\n")
        env.names shouldBe setOf("A", "C", "D", "G")
        env.warnings.single() shouldContain ".env has lines that are not of the form NAME=value, and were left out: 3, 4, 8."
        env.layer(false).place("G") shouldBe ".env, line 9"
        read(List(9) { "wrong $SECRET" }.joinToString("\n")).warnings.single().let {
            it shouldContain "1, 2, 3, 4, 5 and 4 more"
            it shouldNotContain SECRET
        }
    }

    // fault 218
    test("a file that is huge, binary, a link, a folder, missing or open to others is a warning, and no failure") {
        val file = folder.resolve("odd.env")
        fun warning(): String = DotEnv.read(file) { it.endsWith("_KEY") }!!.also { env -> env.names.shouldBeEmpty() }.warnings.single()
        file.writeText("A_KEY=$SECRET\n".repeat(80_000))
        warning() shouldContain "odd.env was not read: it is larger than 1 MB"
        file.writeBytes(byteArrayOf(0x7F, 'E'.code.toByte(), 'L'.code.toByte(), 'F'.code.toByte(), 0, 0, 1))
        warning() shouldContain "it is no text in UTF-8"
        file.writeBytes("A=".encodeToByteArray() + byteArrayOf(-1, -2))
        warning() shouldContain "it is no text in UTF-8"
        Files.delete(file)
        DotEnv.read(file) { true }.shouldBeNull()
        DotEnv.read(file, isExpected = true) { true }!!.warnings.single() shouldContain "there is no such file"
        file.createDirectories()
        warning() shouldContain "it is no regular file"
        Files.delete(file)
        file.createSymbolicLinkPointingTo(Path.of("/dev/zero"))
        warning() shouldContain "it is no regular file"
        Files.delete(file)
        val real = folder.resolve("real.env").also { it.writeText("A=1") }
        file.createSymbolicLinkPointingTo(real)
        DotEnv.read(file) { false }!!.let {
            it.layer(false).lookup("A") shouldBe "1"
            it.warnings.single() shouldContain "is a symbolic link"
        }
        Files.delete(file)
        file.createSymbolicLinkPointingTo(folder.resolve("nowhere"))
        warning() shouldContain "there is no such file"
        Files.delete(file)
        file.writeText("A_KEY=$SECRET")
        file.setPosixFilePermissions(PosixFilePermissions.fromString("rw-r--r--"))
        DotEnv.read(file) { it.endsWith("_KEY") }!!.warnings.single() shouldContain "every user of this machine can read it. Make it private: chmod 600 odd.env"
        DotEnv.read(file) { false }!!.warnings.shouldBeEmpty() // it has no key
    }

    test("its variables count after those of the process, also after one that is empty there; a wrong value is told with the line") {
        val file = folder.resolve("of.env").also { it.writeText("MODEL=demo/echo\nOPENAI_API_KEY=$SECRET\nMAX_RETRY=many\n") }.also(::private)
        client("MAX_RETRY" to "1") { dotEnv(file) }.use { llm ->
            llm.chat { user("hi") }.await().model.toString() shouldBe "demo/echo"
            llm.providers().first { it.id == "openai" }.isReady shouldBe true
        }
        client("MAX_RETRY" to "1", "OPENAI_API_KEY" to "") { dotEnv(file) }.use { llm -> llm.providers().first { it.id == "openai" }.isReady shouldBe false }
        client("MAX_RETRY" to "1", "MODEL" to "demo/storyteller") { dotEnv(file) }.use {
            it.chat { user("hi") }.await().model.toString() shouldBe "demo/storyteller"
        }
        shouldThrow<LlmException.Configuration> { Llm.builder().environment { null }.dotEnv(file).build() }.message!! shouldContain
            "The variable MAX_RETRY in of.env, line 3 must be"
        client { dotEnv(file).dotEnv(false) }.use { llm -> llm.providers().first { it.id == "openai" }.isReady shouldBe false }
    }

    test("its warnings are told once: with the first response of the client") {
        val file = folder.resolve("told.env").also { it.writeText("nonsense") }
        client { dotEnv(file) }.use { llm ->
            llm.chat("demo/echo", "hi").await().warnings.single() shouldContain "told.env has lines that are not of the form NAME=value"
            llm.chat("demo/echo", "hi").await().warnings.shouldBeEmpty()
            llm.doctor().await().single { it.subject == "told.env" }.finding shouldContain "NAME=value"
        }
    }

    test("without a key the failure names the variable and the file that was read") {
        val file = folder.resolve("keyless.env").also { it.writeText("") }
        client { dotEnv(file) }.use { llm ->
            shouldThrow<LlmException.Configuration> { llm.chat("openai/gpt-4o", "hi").await() }.message!! shouldContain
                "Set the variable OPENAI_API_KEY, or write it to ${file.toAbsolutePath().normalize()}"
        }
    }

    context("a base URL in the working folder's .env gets no key from elsewhere, unless it is the provider's own host or this machine:") {
        fun resolve(process: Map<String, String>, file: Map<String, String>, model: String = "openai/m", own: ProviderSettings? = null) = TargetResolver(
            ProviderRegistry.packed,
            Protocols,
            Environment(listOf(Environment.Layer(process::get), Environment.Layer(file::get, isOfFolder = true) { ".env, line 1" })),
            own?.let { mapOf("openai" to it) }.orEmpty(),
        ).resolve(ModelId.parse(model))
        val elsewhere = mapOf("OPENAI_BASE_URL" to "https://elsewhere.example.com/v1")
        val key = mapOf("OPENAI_API_KEY" to SECRET)
        test("the failure says which is where") {
            shouldThrow<LlmException.Configuration> { resolve(key, elsewhere) }.message!!.let {
                it shouldContain "The base URL for openai/m is set by OPENAI_BASE_URL in .env, line 1, a file in the working folder"
                it shouldContain "so OPENAI_API_KEY is not sent to elsewhere.example.com"
                it shouldNotContain SECRET
            }
            shouldThrow<LlmException.Configuration> {
                resolve(mapOf("AZURE_API_KEY" to SECRET), mapOf("AZURE_RESOURCE_NAME" to "evil.example.com/x"), "azure/m")
            }.message!! shouldContain "is not sent to evil.example.com"
            shouldThrow<LlmException.Configuration> {
                resolve(mapOf("VERTEXAI_PROJECT" to "p"), mapOf("VERTEXAI_API_BASE" to "https://evil.example.com"), "vertex_ai/gemini-3-flash")
            }.message!! shouldContain "so a token of Google is not sent"
            for (own in listOf(ProviderSettings(ApiKey.of(SECRET)), ProviderSettings(keyVariable = "TEAM_KEY"))) {
                shouldThrow<LlmException.Configuration> { resolve(mapOf("TEAM_KEY" to SECRET), elsewhere, own = own) }.message!! shouldContain
                    "Set both in that file"
            }
        }
        test("both in the file, both of the process, or a harmless host") {
            resolve(emptyMap(), elsewhere + key).key.shouldNotBeNull()
            resolve(elsewhere + key, emptyMap()).key.shouldNotBeNull()
            resolve(elsewhere, key).key.shouldNotBeNull()
            for (url in listOf("http://localhost:4000/v1", "https://api.openai.com/v1")) resolve(key, mapOf("OPENAI_BASE_URL" to url)).key.shouldNotBeNull()
            resolve(mapOf("AZURE_API_KEY" to SECRET), mapOf("AZURE_RESOURCE_NAME" to "acme"), "azure/m").key.shouldNotBeNull()
        }
    }

    context("a process reads .env in its working folder, unless it is told not to:") {
        val room = tempdir().toPath()
        room.resolve(".env").also { it.writeText("MODEL=demo/echo\n") }

        fun printed(arguments: List<String>, vararg variables: Pair<String, String>): String {
            val (status, output) = runJava(listOf("-cp", testClassPath, DefaultModelOf::class.java.name) + arguments, room, variables.toMap())
            status shouldBe 0
            return output.trim()
        }
        test("by create, fromEnv and builder") {
            for (way in listOf("create", "fromEnv", "builder")) printed(listOf(way)) shouldBe "demo/echo"
        }
        test("variables of the process count before it") { printed(listOf("create"), "MODEL" to "demo/storyteller") shouldBe "demo/storyteller" }
        test("not with UNIFIED_LLM_DOTENV=false") { printed(listOf("create"), "UNIFIED_LLM_DOTENV" to "false") shouldBe "none" }
        test("not with dotEnv(false)") { printed(listOf("off")) shouldBe "none" }
        test("not with variables of the program's own") { printed(listOf("own")) shouldBe "none" }
    }

    test("no test of this project reads a .env of the checkout") {
        System.getenv("UNIFIED_LLM_DOTENV")?.let { it shouldBe "false" }
        DotEnv.usual.toAbsolutePath().exists() shouldBe false
        DotEnv.usual.shouldNotBeNull()
    }
})

/** A program that prints the default model of a client. */
internal object DefaultModelOf {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val llm = when (arguments.single()) {
            "create" -> Llm.create()
            "fromEnv" -> Llm.fromEnv()
            "off" -> Llm.builder().dotEnv(false).build()
            "own" -> Llm.builder().environment { null }.build()
            else -> Llm.builder().build()
        }
        println(
            try {
                llm.chat { user("hi") }.get().model
            } catch (_: LlmException.Configuration) {
                "none"
            },
        )
        Runtime.getRuntime().halt(0)
    }
}
