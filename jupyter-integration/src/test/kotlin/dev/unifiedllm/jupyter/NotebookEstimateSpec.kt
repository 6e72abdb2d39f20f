package dev.unifiedllm.jupyter

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.Usd
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempfile
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.nio.file.NoSuchFileException
import java.nio.file.Path

private fun notebook(vararg cells: String): JsonObject = JsonObject(
    mapOf(
        "nbformat" to JsonPrimitive(4),
        "cells" to JsonArray(
            listOf(JsonObject(mapOf("cell_type" to JsonPrimitive("markdown"), "source" to JsonPrimitive("chat(\"openai/gpt-4o\", \"in prose\")")))) +
                cells.map { code ->
                    val lines = code.lines().map { JsonPrimitive("$it\n") }
                    JsonObject(mapOf("cell_type" to JsonPrimitive("code"), "source" to JsonArray(lines)))
                },
        ),
    ),
)

class NotebookEstimateSpec : FunSpec({
    val before = Llm.default
    val own = Llm.builder().environment { null }.apply {
        price("openai/gpt-4o") {
            inputPerMillion = Usd.of("10")
            outputPerMillion = Usd.of("20")
        }
    }.build()
    beforeSpec { Llm.default = own }
    afterSpec {
        Llm.default = before
        own.close()
    }

    fun calls(code: String) = callsIn(1, code)

    context("what the code of a cell calls:") {
        withData(
            nameFn = { (code, _) -> code.replace("\n", " ") },
            """chat("openai/gpt-4o", "hi")""" to listOf("chat openai/gpt-4o"),
            """chat("openai/gpt-4o") { user("hi"); maxTokens = 1_000 }.get().text""" to listOf("chat openai/gpt-4o"),
            """val r = chat("openai/gpt-4o", "a"); chat("demo/echo", "b")""" to listOf("chat openai/gpt-4o", "chat demo/echo"),
            """compare("openai/gpt-4o", "demo/echo") { user("hi") }""" to listOf("compare openai/gpt-4o", "compare demo/echo"),
            """compare("openai/gpt-4o", other, pick("a/b", "c/d"),) { user("hi") }""" to listOf("compare openai/gpt-4o", "compare null", "compare null"),
            """compare(models) { user("hi") }""" to listOf("compare null"),
            """// chat("openai/gpt-4o", "no")""" to emptyList(),
            """/* chat("openai/gpt-4o", "no") */ "chat(x)" + 'c'""" to emptyList(),
            """val chatty = 1; mychat("a/b", "c"); user.image("a/b")""" to emptyList(),
            """own.chat("demo/echo", "c")""" to listOf("chat demo/echo"),
            "\"\"\"chat(\"openai/gpt-4o\", \"no\")\"\"\"" to emptyList(),
            """chat(model, "hi")""" to listOf("chat null"),
            "chat(\"\$provider/m\", \"hi\")" to listOf("chat null"),
            """image("openai/dall-e-3", "a train")""" to listOf("image openai/dall-e-3"),
            """chat("openai/gpt-4o", "unfinished""" to listOf("chat openai/gpt-4o"),
            """chat(""" to listOf("chat null"),
            """compare("openai/gpt-4o", "demo/echo"""" to listOf("compare openai/gpt-4o", "compare demo/echo"),
            """compare("openai/gpt-4o", "demo/ec""" to listOf("compare openai/gpt-4o", "compare null"),
            """compare(""" to listOf("compare null"),
        ) { (code, found) -> calls(code).map { "${it.function} ${it.model}" } shouldContainExactly found }
    }

    test("a call costs what its texts cost, once, up to its limit") {
        val text = "word ".repeat(500)
        val call = calls("chat(\"openai/gpt-4o\") {\n system(\"Be short.\")\n user(\"\"\"$text\"\"\")\n maxTokens = 1_000\n}").single()
        val estimate = call.estimate.shouldNotBeNull()
        estimate.inputTokens.count shouldBe own.estimate("openai/gpt-4o", "Be short.\n$text").inputTokens.count
        estimate.maxOutputTokens shouldBe 1_000
        call.remark.shouldBeNull()
    }

    test("a model that is a value of an earlier cell is known") {
        val constants = CallReader.constants("val model = \"openai/gpt-4o\"\nconst val other: String = \"a/b\"\nval n = 3\nval t = \"x\".trim()")
        constants shouldBe mapOf("model" to "openai/gpt-4o", "other" to "a/b")
        callsIn(2, "chat(model, \"hi\"); chat(n, \"hi\")", constants).map { it.model } shouldContainExactly listOf("openai/gpt-4o", null)
        callsIn(2, "compare(model, other, n) { user(\"hi\") }", constants).map { it.model } shouldContainExactly listOf("openai/gpt-4o", "a/b", null)
    }

    test("what cannot be known is said") {
        calls("for (i in 1..3) { chat(\"openai/gpt-4o\", \"hi\") }").single().remark.shouldNotBeNull() shouldContain "more than once, or never"
        calls("chat(\"openai/gpt-4o\", \"about \$topic\")").single().remark.shouldNotBeNull() shouldContain "values"
        calls("chat(\"openai/gpt-4o\", text)").single().remark.shouldNotBeNull() shouldContain "not in the code"
        calls("chat(\"opnai/gpt-4o\", \"hi\")").single().let {
            it.estimate.shouldBeNull()
            it.remark.shouldNotBeNull() shouldContain "openai"
        }
        for (function in listOf("conversation", "chatWidget", "embed", "image")) {
            calls("$function(\"openai/gpt-4o\")").single().let {
                it.estimate.shouldBeNull()
                it.remark.shouldNotBeNull()
            }
        }
    }

    test("a notebook: its code cells, with the sum of what is known") {
        val file = tempfile(suffix = ".ipynb").toPath()
        file.toFile().writeText("${notebook("%use unified-llm", "chat(\"openai/gpt-4o\", \"hi\")\nchat(\"demo/echo\", \"hi\")", "image(\"a/b\", \"x\")")}")
        val notebook = estimateNotebook(file.toString())
        notebook.map { "${it.cell} ${it.model}" } shouldContainExactly listOf("2 openai/gpt-4o", "2 demo/echo", "3 a/b")
        notebook.lowest shouldBe notebook.first().estimate.shouldNotBeNull().lowest
        notebook.highest shouldBe notebook.first().estimate.shouldNotBeNull().highest
        notebook.unknown shouldBe 1
        val rendered = reportTable(notebook).shouldNotBeNull()
        val page = safe(rendered.html)
        val range = "~${notebook.lowest.toDisplayString()} to ${notebook.highest.toDisplayString()}"
        page.texts("caption").single() shouldBe "$range if each call runs once, without 1 call of unknown cost"
        page.texts("tbody th") shouldContainExactly listOf("2", "2", "3")
        rendered.text shouldContain "not run"
    }

    test("a notebook without calls, and a file that is none") {
        val file = tempfile(suffix = ".ipynb").toPath()
        file.toFile().writeText("${notebook("1 + 1")}")
        estimateNotebook(file).shouldBeEmpty()
        reportTable(estimateNotebook(file)).shouldNotBeNull().text shouldBe "No call of a model was found in the code."
        file.toFile().writeText("not JSON")
        shouldThrow<IllegalArgumentException> { estimateNotebook(file) }.message shouldContain ".ipynb"
        file.toFile().writeText("{}")
        shouldThrow<IllegalArgumentException> { estimateNotebook(file) }.message shouldContain "no cells"
        file.toFile().writeBytes(byteArrayOf(-1, -2, 0))
        shouldThrow<IllegalArgumentException> { estimateNotebook(file) }.message shouldContain ".ipynb"
        file.toFile().writeText("[".repeat(200_000))
        shouldThrow<IllegalArgumentException> { estimateNotebook(file) }.message shouldContain ".ipynb"
        shouldThrow<NoSuchFileException> { estimateNotebook(Path.of("no-such-notebook.ipynb")) }.message shouldContain "there is no such file in"
    }

    test("a table shows 500 calls, and says how many more there are") {
        val file = tempfile(suffix = ".ipynb").toPath()
        file.toFile().writeText("${notebook("chat(\"demo/echo\", \"hi\")\n".repeat(600))}")
        val rendered = reportTable(estimateNotebook(file)).shouldNotBeNull()
        safe(rendered.html).all("tbody tr").size shouldBe 500
        rendered.text shouldContain "100 more calls not shown here."
    }
})
