package dev.unifiedllm.tool

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.Reply
import dev.unifiedllm.Scripted
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.Cost
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.ResponseFormat
import dev.unifiedllm.chat.Role
import dev.unifiedllm.chat.ToolChoice
import dev.unifiedllm.chat.Usage
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.client
import dev.unifiedllm.schema.JsonTypes
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.assertions.withClue
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.matchers.collections.shouldContainExactly
import io.kotest.matchers.collections.shouldHaveSize
import io.kotest.matchers.ints.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldBeNull
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import io.kotest.matchers.types.shouldBeInstanceOf
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.flow.toList
import kotlinx.serialization.Serializable
import kotlinx.serialization.json.JsonPrimitive
import java.util.concurrent.CancellationException
import java.util.concurrent.ExecutionException
import java.util.concurrent.TimeUnit.SECONDS
import kotlin.reflect.typeOf

@Serializable
private data class Movie(val title: String, val year: Int)

@Serializable
private enum class Genre { DRAMA, COMEDY }

@Serializable
private data class Node(val name: String, val children: List<Node> = emptyList())

private val ID = ModelId.parse("test/typed")
private const val BRAZIL = """{"title":"Brazil","year":1985}"""
private val brazil = Movie("Brazil", 1985)

/** Gives one text after the other, each with 10 input and 5 output tokens. */
private fun answering(vararg texts: String, reason: FinishReason = FinishReason.STOP): Scripted {
    var index = 0
    return Scripted("test/typed") {
        emit(Delta.Start("r$index", ID))
        texts[index++].chunked(7).forEach { emit(Delta.Text(it)) }
        emit(Delta.Finish(reason, Usage.of(10, 5)))
    }
}

private suspend fun <T> Model.reply(block: ChatRequestBuilder.() -> Unit = {}, use: suspend (Reply) -> T): T = client {
    price("test/typed") {
        inputPerMillion = Usd.of("1")
        outputPerMillion = Usd.of("2")
    }
}.use { llm ->
    use(
        llm.chat(this) {
            user("A movie")
            block()
        },
    )
}

private suspend inline fun <reified T> Model.answerAs(noinline block: ChatRequestBuilder.() -> Unit = {}): T = reply(block) { it.awaitAs<T>() }

class TypedAnswerSpec : FunSpec({
    test("an answer as a class: its schema is sent, its text is read") {
        val model = answering(BRAZIL)
        model.answerAs<Movie>() shouldBe brazil
        val format = model.requests.single().responseFormat.shouldBeInstanceOf<ResponseFormat.JsonSchema>()
        format.name shouldBe "Movie"
        format.isStrict shouldBe true
        format.schema["required"].toString() shouldBe """["title","year"]"""
    }

    test("blocking, from Kotlin and as from Java") {
        answering(BRAZIL).reply { it.getAs<Movie>() } shouldBe brazil
        answering(BRAZIL).reply { it.getAs(Movie::class.java) } shouldBe brazil
        answering("""{"value":[$BRAZIL]}""").reply { it.getListOf(Movie::class.java) } shouldContainExactly listOf(brazil)
        answering(BRAZIL).reply { it.toFutureOf(Movie::class.java).get(5, SECONDS) } shouldBe brazil
    }

    context("what is wrong is said with its place and what is allowed:") {
        withData(
            nameFn = { it.first },
            """{"title":"Brazil"}""" to "$.year is missing",
            """{"title":{"en":"Brazil"},"year":1985}""" to "$.title must be a string, but is {\"en\":\"Brazil\"}",
            "[]" to "$ must be an object, but is []",
        ) { (text, words) ->
            shouldThrow<LlmException.MalformedResponse> { answering(text, text).answerAs<Movie>() }.message!! shouldContain words
        }
        test("of an enum") {
            val failure = shouldThrow<LlmException.MalformedResponse> { answering("\"WESTERN\"", "\"WESTERN\"").answerAs<Genre>() }
            failure.message!! shouldContain "must be one of DRAMA, COMEDY"
        }
        test("of a single value that has another name") {
            val failure = shouldThrow<LlmException.MalformedResponse> { answering("""{"n":5}""", """{"n":5}""").answerAs<Int>() }
            failure.message!! shouldContain "must be an integer"
        }
    }

    test("a constant is found in any case") { answering("\"Drama\"").answerAs<Genre>() shouldBe Genre.DRAMA }

    context("an enum is read from a text that is it, without quotes:") {
        withData("DRAMA", "\"DRAMA\"", "DRAMA.", "**DRAMA**", "`DRAMA`\n") { text -> answering(text).answerAs<Genre>() shouldBe Genre.DRAMA }
    }

    test("what was cut behind a whole answer is a cut answer") {
        val cut = answering("Sure:\n```json\n$BRAZIL\n```\nand {\"title\":\"Al", reason = FinishReason(FinishReason.Kind.LENGTH))
        shouldThrow<LlmException.MalformedResponse> { cut.answerAs<Movie>() }.message!! shouldContain "cut at its token limit"
    }

    test("a failed repair keeps the first text and what is known of it") {
        var index = 0
        val model = Scripted("test/typed") {
            if (index++ > 0) throw LlmException.Overloaded("busy", details = LlmException.Details(ID, 529))
            emit(Delta.Start("r", ID))
            emit(Delta.Text("no JSON"))
            emit(Delta.Finish(FinishReason.STOP, Usage.of(10, 5)))
        }
        val failure = shouldThrow<LlmException.Overloaded> { model.answerAs<Movie>() }
        failure.partial?.text shouldBe "no JSON"
        failure.partial?.usage shouldBe Usage.of(10, 5)
    }

    context("JSON is found") {
        withData<Pair<String, String>>(
            { it.first },
            "with odd white space" to "\n\n \t{ \n\n\"title\" \t:\n \"Brazil\"\r\n,\"year\":    1985 }\n\n\n",
            "with a byte order mark" to "\uFEFF$BRAZIL",
            "in a code fence" to "```json\n$BRAZIL\n```",
            "in a code fence without a language" to "```\n$BRAZIL\n```",
            "in a code fence with carriage returns" to "```json\r\n$BRAZIL\r\n```\r\n",
            "in the last of two code fences" to "```json\n{\"title\":\"Alien\"}\n```\nNo:\n```json\n$BRAZIL\n```",
            "in a code fence on one line" to "```json $BRAZIL```",
            "in a code fence that is not closed" to "```json\n$BRAZIL",
            "after reasoning with a draft, of a server that sends the tags as text" to "<think>{\"title\":\"Alien\",\"year\":1979}? No.</think>\n$BRAZIL",
            "after a draft" to "First {\"title\":\"A very long draft of a title\",\"year\":1979}, then: $BRAZIL",
            "before an empty object" to "$BRAZIL (nothing else: {})",
            "between sentences" to "Sure! Here it is: $BRAZIL I hope this helps.",
            "after brackets of sentences" to "As asked [1] (see {curly} and [sic]): $BRAZIL",
            "after an example of another form" to "The schema is {\"type\":\"object\",\"properties\":{\"title\":{},\"year\":{}}}, so: $BRAZIL",
            "with members that are not asked for" to """{"title":"Brazil","year":1985,"director":{"name":"Gilliam"}}""",
        ) { (_, text) -> answering(text).answerAs<Movie>() shouldBe brazil }

        test("with a code fence in a text of it") {
            answering("Here:\n```json\n{\"title\":\"a ```kotlin\\n``` b\",\"year\":1}\n```").answerAs<Movie>().title shouldBe "a ```kotlin\n``` b"
        }
    }

    context("the root of an answer may be") {
        test("a list") { answering("""{"value":[$BRAZIL,$BRAZIL]}""").answerAs<List<Movie>>() shouldHaveSize 2 }

        test("a list without the object around it") { answering("Here:\n[$BRAZIL]").answerAs<List<Movie>>() shouldContainExactly listOf(brazil) }

        test("an enum") { answering("""{"value":"COMEDY"}""").answerAs<Genre>() shouldBe Genre.COMEDY }

        test("an enum without the object around it") { answering("\"COMEDY\"").answerAs<Genre>() shouldBe Genre.COMEDY }

        test("a number") { answering("42").answerAs<Int>() shouldBe 42 }

        test("a number in a code fence") { answering("```\n42\n```").answerAs<Int>() shouldBe 42 }

        test("a boolean") { answering("""{"value":true}""").answerAs<Boolean>() shouldBe true }

        test("a list of texts") { answering("""{"value":["a","b"]}""").answerAs<List<String>>() shouldContainExactly listOf("a", "b") }

        test("null") { answering("""{"value":null}""").answerAs<Movie?>().shouldBeNull() }

        test("a map that has the name of the object around it") {
            answering("""{"value":"x"}""").answerAs<Map<String, String>>() shouldBe mapOf("value" to "x")
        }
    }

    context("a root that is no object is the property of one in the schema that is sent:") {
        data class Root(val name: String, val valueSchema: String, val text: String, val value: Any, val ask: suspend (Reply) -> Any)
        withData<Root>(
            { it.name },
            Root("a number", """{"type":"integer"}""", """{"value":42}""", 42) { it.awaitAs<Int>() },
            Root("a boolean", """{"type":"boolean"}""", """{"value":true}""", true) { it.awaitAs<Boolean>() },
            Root("an enum", """{"type":"string","enum":["DRAMA","COMEDY"]}""", """{"value":"DRAMA"}""", Genre.DRAMA) { it.awaitAs<Genre>() },
            Root("a list", """{"type":"array","items":{"type":"string"}}""", """{"value":["a"]}""", listOf("a")) { it.awaitAs<List<String>>() },
        ) { root ->
            val model = answering(root.text)
            model.reply { root.ask(it) } shouldBe root.value
            val schema = model.requests.single().responseFormat.shouldBeInstanceOf<ResponseFormat.JsonSchema>().schema
            schema["type"] shouldBe JsonPrimitive("object")
            schema["properties"].toString() shouldBe """{"value":${root.valueSchema}}"""
            schema["required"].toString() shouldBe """["value"]"""
        }
    }

    context("a String is the text of the response, for which no schema is sent:") {
        data class Ask(val name: String, val ask: suspend (Reply) -> Any?)
        val text = "Once upon a time, in \"Brazil\" …\n"
        withData<Ask>(
            { it.name },
            Ask("awaitAs<String>()") { it.awaitAs<String>() },
            Ask("awaitAs<String?>()") { it.awaitAs<String?>() },
            Ask("getAs<String>()") { it.getAs<String>() },
            Ask("getAs(String.class)") { it.getAs(String::class.java) },
            Ask("toFutureOf(String.class)") { it.toFutureOf(String::class.java).get(5, SECONDS) },
            Ask("partials<String>()") { it.partials<String>().toList().last() },
        ) { case ->
            val model = answering(text)
            model.reply { case.ask(it) } shouldBe text
            model.requests.single().responseFormat.shouldBeNull()
            model.requests.single().messages.single().text shouldBe "A movie"
        }

        test("an empty one is empty") { answering("").answerAs<String>() shouldBe "" }

        test("its partial values are its beginnings, each once") {
            val beginnings = answering(text).reply { it.partials<String>().toList() }
            beginnings shouldContainExactly beginnings.distinct()
            beginnings.size shouldBeGreaterThan 2
            beginnings.all { text.startsWith(it) } shouldBe true
        }

        test("of a response that calls a tool of the caller's it is none") {
            val model = Scripted("test/typed") {
                emit(Delta.Start("r", ID))
                emit(Delta.ToolCallDelta(0, "c", "look", "{}"))
                emit(Delta.Finish(FinishReason(FinishReason.Kind.TOOL_CALLS), null))
            }
            val failure = shouldThrow<LlmException.MalformedResponse> { model.answerAs<String> { tool("look", "", """{"type":"object"}""") } }
            failure.message!! shouldContain "is not a String: it calls look first"
        }
    }

    context("an answer of another form is asked for once more:") {
        test("with the words of the check, and the first answer is replaced") {
            val model = answering("""{"title":"Brazil"}""", BRAZIL)
            model.reply { reply ->
                reply.awaitAs<Movie>() shouldBe brazil
                val deltas = reply.events().toList()
                deltas.count { it is Delta.Reset } shouldBe 1
                val response = reply.await()
                response.text shouldBe BRAZIL
                response.usage shouldBe Usage.of(20, 10)
                response.cost.shouldBeInstanceOf<Cost.Known>().amount shouldBe Usd.of("0.00004")
                response.warnings.single() shouldContain "asked once again"
            }
            val repair = model.requests[1].messages
            repair.map { it.role } shouldContainExactly listOf(Role.USER, Role.ASSISTANT, Role.USER)
            repair[1].text shouldBe """{"title":"Brazil"}"""
            repair[2].text shouldContain "$.year is missing"
            repair[2].text shouldContain "\"additionalProperties\":false"
        }

        test("an empty one is not repeated in the history") {
            val model = answering("", BRAZIL)
            model.answerAs<Movie>() shouldBe brazil
            model.requests[1].messages.map { it.role } shouldContainExactly listOf(Role.USER, Role.USER)
        }

        test("also one that the class refuses") {
            val model = answering("""{"age":-1}""", """{"age":1}""")
            model.answerAs<Aged>() shouldBe Aged(1)
            model.requests[1].messages.last().text shouldContain "age must not be negative"
        }

        test("also one whose end is missing, of which a part has the form") {
            val cut = """{"name":"a","children":[{"name":"b","children":[]}]"""
            answering(cut, """{"name":"c"}""").answerAs<Node>() shouldBe Node("c")
        }

        test("only once: then the call fails, with the text in partial and a known cost") {
            val model = answering("no JSON", "none either", BRAZIL)
            model.reply { reply ->
                val failure = shouldThrow<LlmException.MalformedResponse> { reply.awaitAs<Movie>() }
                model.calls shouldBe 2
                failure.message shouldContain "Movie"
                failure.message shouldContain "none either"
                val partial = failure.partial.shouldNotBeNull()
                partial.text shouldBe "none either"
                partial.usage shouldBe Usage.of(20, 10)
                partial.cost.shouldBeInstanceOf<Cost.Known>()
                reply.state shouldBe Reply.State.FAILED
                failure.model shouldBe ID
            }
        }
    }

    context("an answer is not asked for again if") {
        test("it was cut at its limit, which the failure says") {
            val model = answering("""{"title":"Bra""", reason = FinishReason(FinishReason.Kind.LENGTH, "length"))
            val failure = shouldThrow<LlmException.MalformedResponse> { model.answerAs<Movie>() }
            model.calls shouldBe 1
            failure.message shouldContain "raise maxTokens"
            failure.partial?.finishReason?.kind shouldBe FinishReason.Kind.LENGTH
        }

        test("it was cut, and a part of it has the form") {
            val model = answering("""[$BRAZIL,{"title":"Al""", reason = FinishReason(FinishReason.Kind.LENGTH))
            shouldThrow<LlmException.MalformedResponse> { model.answerAs<Movie>() }
        }

        for (kind in listOf(FinishReason.Kind.REFUSAL, FinishReason.Kind.CONTENT_FILTER)) {
            test("the model declined: $kind") {
                val model = answering("I cannot help with that.", reason = FinishReason(kind))
                val failure = shouldThrow<LlmException.MalformedResponse> { model.answerAs<Movie>() }
                model.calls shouldBe 1
                failure.message shouldContain "the model declined"
                failure.partial?.text shouldBe "I cannot help with that."
            }
        }
    }

    test("after another terminal the text is read as it is, without a schema and without a second request") {
        val model = answering(BRAZIL)
        model.reply { reply ->
            reply.await()
            reply.awaitAs<Movie>() shouldBe brazil
            shouldThrow<LlmException.MalformedResponse> { reply.awaitAs<Genre>() }.partial?.text shouldBe BRAZIL
            reply.state shouldBe Reply.State.DONE
        }
        model.requests.single().responseFormat.shouldBeNull()
    }

    test("again() is a new call, plain or typed") {
        val model = answering(BRAZIL, BRAZIL, BRAZIL)
        model.reply { reply ->
            reply.awaitAs<Movie>() shouldBe brazil
            reply.again().await().text shouldBe BRAZIL
            reply.again().awaitAs<Movie>() shouldBe brazil
        }
        model.requests.map { it.responseFormat != null } shouldContainExactly listOf(true, false, true)
    }

    test("a type that cannot be read is refused before anything is sent") {
        val model = answering(BRAZIL)
        shouldThrow<IllegalArgumentException> { model.answerAs<Thread>() }.message shouldContain "@Serializable"
        model.calls shouldBe 0
    }

    test("a schema that is open at some place is sent as such, with a warning") {
        val model = answering("""{"value":{"a":1}}""")
        model.reply { reply ->
            reply.awaitAs<Map<String, Int>>() shouldBe mapOf("a" to 1)
            reply.await().warnings.single() shouldContain "open at $"
        }
        model.requests.single().responseFormat.shouldBeInstanceOf<ResponseFormat.JsonSchema>().isStrict shouldBe false
    }

    test("a future that is cancelled cancels the call") {
        val model = Scripted("test/typed") { awaitCancellation() }
        model.reply { reply ->
            val future = reply.toFutureOf(Movie::class.java)
            future.cancel(true)
            shouldThrow<CancellationException> { future.get(5, SECONDS) }
            shouldThrow<LlmException.Cancelled> { reply.await() }
        }
    }

    test("a future fails with what the call fails with") {
        val failure = shouldThrow<ExecutionException> { answering("a", "b").reply { it.toFutureOf(Movie::class.java).get(5, SECONDS) } }
        failure.cause.shouldBeInstanceOf<LlmException.MalformedResponse>()
    }

    context("with tools:") {
        fun calling(vararg ends: String): Scripted {
            val texts = ends.toMutableList()
            return Scripted("test/typed") { request ->
                emit(Delta.Start("r", ID))
                if (request.messages.none { it.role == Role.TOOL }) {
                    emit(Delta.Text("I look at {\"title\":\"Alien\",\"year\":1979}. "))
                    emit(Delta.ToolCallDelta(0, "c1", "search", """{"value":"brazil"}"""))
                    emit(Delta.Finish(FinishReason(FinishReason.Kind.TOOL_CALLS), Usage.of(10, 5)))
                } else {
                    emit(Delta.Text(texts.removeFirst()))
                    emit(Delta.Finish(FinishReason.STOP, Usage.of(10, 5)))
                }
            }
        }

        val search: ChatRequestBuilder.() -> Unit = { tool("search", "Finds movies") { word: String -> "$word: 1985" } }

        test("the tools are run, then the answer is read") {
            val model = calling(BRAZIL)
            model.reply(search) { reply ->
                reply.awaitAs<Movie>() shouldBe brazil
                reply.await().steps shouldHaveSize 1
                reply.await().usage shouldBe Usage.of(20, 10)
            }
        }

        test("the repair keeps the turns of the tools, and requires none of them again") {
            val model = calling("hm", BRAZIL)
            model.answerAs<Movie> {
                search()
                toolChoice = ToolChoice.Required
            } shouldBe brazil
            model.requests[2].messages.map { it.role } shouldContainExactly listOf(Role.USER, Role.ASSISTANT, Role.TOOL, Role.ASSISTANT, Role.USER)
            model.requests[2].toolChoice shouldBe ToolChoice.Auto
        }

        test("the text of a step is no value of partials") {
            calling(BRAZIL).reply(search) { it.partials<Movie>().toList().last() } shouldBe brazil
        }

        test("calls that the caller runs end the call, and the failure names them") {
            val model = calling(BRAZIL)
            model.reply({ tool("search", "run by the caller", """{"type":"object"}""") }) { reply ->
                val failure = shouldThrow<LlmException.MalformedResponse> { reply.awaitAs<Movie>() }
                failure.partial?.toolCalls?.map { it.name } shouldBe listOf("search")
            }
        }
    }

    context("partials:") {
        suspend fun partialsOf(text: String, pieces: (String) -> List<String>): List<Node> {
            val model = Scripted("test/typed") {
                emit(Delta.Start("r", ID))
                pieces(text).forEach { emit(Delta.Text(it)) }
                emit(Delta.Finish(FinishReason.STOP, Usage.of(1, 1)))
            }
            return model.reply { it.partials<Node>().toList() }
        }

        fun Node.isPrefixOf(whole: Node): Boolean =
            whole.name.startsWith(name) && children.size <= whole.children.size && children.zip(whole.children).all { (a, b) -> a.isPrefixOf(b) }

        val documents = listOf(
            """{"name":"Ada","children":[{"name":"Bob","children":[]},{"name":"C 😀 \" \\","children":[{"name":"D"}]}]}""",
            "Sure [1], here:\n```json\n{\n  \"name\": \"Ada Lovelace, \\ud83d\\ude00 countess\",\n  \"children\": [ ]\n}\n```\nDone.",
        )

        for ((index, document) in documents.withIndex()) {
            test("each value of document $index grows towards the last, at whichever place the text is cut") {
                for (at in 0..document.length) {
                    val values = partialsOf(document) { listOf(it.take(at), it.drop(at)) }
                    withClue("at $at: $values") { values.zipWithNext().all { (a, b) -> a.isPrefixOf(b) && a != b } shouldBe true }
                }
                val values = partialsOf(document) { text -> text.map { it.toString() } }
                (values.size > 5) shouldBe true
                values.zipWithNext().all { (a, b) -> a.isPrefixOf(b) && a != b } shouldBe true
                values.last() shouldBe partialsOf(document, ::listOf).single()
            }
        }

        test("an enum with a default value is not guessed from its beginning") {
            val model = answering("""{"title":"a","genre":"COMEDY"}""")
            model.reply { it.partials<Rated>().toList() }.map { it.genre }.distinct() shouldBe listOf(Genre.DRAMA, Genre.COMEDY)
            val values = PartialValues<Rated>(JsonTypes.of(typeOf<Rated>()))
            values.add(Delta.Text("""{"title":"a","genre":"COM""")).shouldBeNull()
        }

        test("after a repair the values are those of the second answer") {
            val model = answering("""{"title":"Alien","year":"?"}""", BRAZIL)
            model.reply { it.partials<Movie>().toList().last() } shouldBe brazil
        }

        test("they fail as awaitAs does, after the values so far") {
            val model = answering("""{"name":"a","children":[{"name":"b"},5]}""", "no")
            val values = mutableListOf<Node>()
            model.reply { reply -> shouldThrow<LlmException.MalformedResponse> { reply.partials<Node>().collect(values::add) } }
            values.last() shouldBe Node("a", listOf(Node("b")))
        }

        test("a list grows by its elements") {
            answering("""{"value":[$BRAZIL,$BRAZIL]}""").reply { it.partials<List<Movie>>().toList() }.map { it.size } shouldContainExactly listOf(0, 1, 2)
        }

        test("the number of parses grows with the logarithm of the length") {
            fun parses(elements: Int): Int {
                val values = PartialValues<List<Int>>(JsonTypes.of(typeOf<List<Int>>()))
                val text = (1..elements).joinToString(",", """{"value":[""", "]}")
                text.forEach { values.add(Delta.Text(it.toString())) }
                return values.parses
            }
            val once = parses(10_000)
            (parses(20_000) - once <= 14) shouldBe true
            (once < 250) shouldBe true
        }

        test("deep JSON is neither parsed nor fails by its depth") {
            val values = PartialValues<Node>(JsonTypes.of(typeOf<Node>()))
            values.add(Delta.Text("""{"name":"a","children":[""".repeat(100_000))).shouldBeNull()
            shouldThrow<LlmException.MalformedResponse> {
                answering("""{"name":"a","children":[""".repeat(100_000), "[".repeat(1_000_000)).answerAs<Node>()
            }.message shouldContain "deeper than"
        }
    }
})

@Serializable
private data class Aged(val age: Int) {
    init {
        check(age >= 0) { "age must not be negative" }
    }
}

@Serializable
private data class Rated(val title: String, val genre: Genre = Genre.DRAMA)
