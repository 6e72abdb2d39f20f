package dev.unifiedllm.docs

import dev.unifiedllm.Llm
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempdir
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonObject

private val kotlinPage = """
    # A page

    ```kotlin
    @file:DependsOn("a script's line")
    import kotlin.time.Duration

    /** A place. */
    @Serializable
    data class City(
        val name: String,
    )

    val paris = City("Paris")

    suspend fun main() {
        println(paris)
    }
    ```

    ```sh
    this is not compiled
    ```

    ```kotlin
    // needs a key
    val city = City("Rome")
    println(
        city,
    )
    fun City.shout() = name.uppercase()
    println(city.shout())
    ```

    ```kotlin
    class City
    println(City())
    ```
""".trimIndent().lines()

private val javaPage = """
    ```java
    import java.util.function.Function;

    /** A place. */
    record City(String name) {
        City {
            Objects.requireNonNull(name);
        }
    }

    static String shout(City city) {
        return city.name().toUpperCase();
    }

    for (City city : List.of(new City("Rome"))) {
        System.out.println(shout(city));
    }
    ```

    ```java
    public class Main {
        public static void main(String[] args) {
            System.out.println(shout(new City("Paris")) + " " + llm.chat("openai/gpt-4o-mini", "Hi").get().text());
        }
    }
    ```

    ```java
    // needs a key
    System.out.println(new City("Oslo").name());
    ```

    ```java
    int wrong = "text";
    ```
""".trimIndent().lines()

private fun SnippetSource.lineOf(text: String) = lines.indexOfFirst { it.text == text } + 1

class SnippetsSpec : FunSpec({
    val server = SnippetServer()
    val folder = tempdir().toPath()
    afterSpec { server.close() }

    test("the blocks of a page are those of Kotlin and Java") {
        val blocks = snippets("page", kotlinPage)
        blocks.map { it.line } shouldContainExactly listOf(4, 25, 35)
        blocks.map { it.needsKey } shouldContainExactly listOf(false, true, false)
        snippets("page", javaPage).map { it.language }.distinct() shouldBe listOf(SnippetLanguage.JAVA)
    }

    test("declarations are outside of the function, statements inside") {
        val source = sources(snippets("page", kotlinPage))[1]
        val function = source.lineOf("private suspend fun statements() {")
        (source.lineOf("fun City.shout() = name.uppercase()") < function) shouldBe true
        (source.lineOf("val city = City(\"Rome\")") > function) shouldBe true
        source.text shouldContain "import docs.page.kotlin1.City\n"
    }

    test("a declaration hides an earlier one of that name") {
        val source = sources(snippets("page", kotlinPage))[2]
        source.lineOf("import docs.page.kotlin1.City") shouldBe 0
        source.lineOf("import docs.page.kotlin2.shout") shouldBe 3 + 5 // after the package and the imports of all blocks
    }

    test("a main function is called") {
        val source = sources(snippets("page", kotlinPage))[0]
        val function = source.lineOf("private suspend fun statements() {")
        (source.lineOf("main()") > function) shouldBe true
        (source.lineOf("val paris = City(\"Paris\")") < function) shouldBe true
        source.lineOf("@file:DependsOn(\"a script's line\")") shouldBe 0
    }

    test("an error is told with its place in the page") {
        val source = sources(snippets("page", kotlinPage))[1]
        source.place(source.lineOf("    city,")) shouldBe "docs/page.md:28"
    }

    test("Java blocks compile and run, with the declarations of the blocks before them") {
        val compiler = SnippetCompiler(folder.resolve("good"))
        val good = sources(snippets("page", javaPage).dropLast(1))
        compiler.compile(good) shouldBe emptyMap()
        val runs = compiler.run(good.filter { !it.snippet.needsKey }, server.url)
        runs.mapNotNull { it.failure }.shouldBeEmpty()
        runs.map { it.printed } shouldContainExactly listOf("ROME\n", "PARIS This is a prepared response.\n")
    }

    test("a Java block that does not compile is an error of its page, at its line") {
        val found = SnippetCompiler(folder.resolve("wrong")).compile(sources(snippets("page", javaPage)))
        found.keys shouldContainExactly setOf("page")
        found.getValue("page") shouldContain "docs/page.md:34: incompatible types"
    }

    test("a block that throws is a failure with its trace") {
        val compiler = SnippetCompiler(folder.resolve("throws"))
        val source = sources(snippets("page", listOf("```java", "System.out.println(List.of().get(0));", "```")))
        compiler.compile(source) shouldBe emptyMap()
        compiler.run(source, server.url).single().failure.shouldNotBeNull() shouldContain "IndexOutOfBoundsException"
    }

    context("the server answers a chat of") {
        val schema = Json.parseToJsonElement("""{"type":"object","properties":{"city":{"type":"string"}}}""").jsonObject
        withData("openai/gpt-4o-mini", "openai/o1-pro", "anthropic/claude-sonnet-4-5", "gemini/gemini-2.5-flash", "ollama/llama3", "groq/llama3") { model ->
            val variables = providerVariables(server.url)
            Llm.builder().environment { variables[it] }.build().use { llm ->
                val text = llm.chat(model, "Hi").get()
                text.text shouldBe "This is a prepared response."
                text.usage.shouldNotBeNull().inputTokens shouldBe 12
                val call = llm.chat(model) {
                    user("Hi")
                    tool("weather", "The weather in a city", schema)
                }.get().toolCalls.single()
                call.name shouldBe "weather"
                Json.parseToJsonElement(call.arguments) shouldBe Json.parseToJsonElement("""{"city":"Paris"}""")
            }
        }
    }
})
