package dev.unifiedllm.provider

import dev.unifiedllm.Llm
import dev.unifiedllm.LlmException
import dev.unifiedllm.abilities
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.assertions.throwables.shouldThrow
import io.kotest.core.spec.style.FunSpec
import io.kotest.datatest.withData
import io.kotest.engine.spec.tempfile
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import java.nio.file.Path
import kotlin.io.path.writeText

private fun quirks(members: String) = """[{"id":"mine","protocol":"openai-chat","baseUrl":"https://h/v1","auth":"none","quirks":{$members}}]"""

class ProviderFileSpec : FunSpec({
    val file: Path = tempfile("providers", ".json").toPath()

    context("the error names a wrong row and the problem") {
        withData(
            """[{"id":"mine","protocol":"smoke","baseUrl":"https://h/v1","auth":"none"}]""" to "the row \"mine\" names a wire that is none of",
            """[{"id":"mine","protocol":"openai-chat","auth":"none"}]""" to "has neither baseUrl nor baseUrlEnv",
            """[{"id":"mine","protocol":"openai-chat","baseUrl":"ftp://h","auth":"none"}]""" to "does not begin with https://",
            """[{"id":"mine","protocol":"openai-chat","baseUrl":"https://h/v1"}]""" to "names no variable for it in apiKeyEnv",
            """[{"id":"a b","protocol":"openai-chat","baseUrl":"https://h/v1","auth":"none"}]""" to "has an id that is not one or two segments of",
            """[{"id":"mine","protocol":"openai-chat","baseUrl":"https://h/v1","auth":"none","quirk":{}}]""" to "quirk",
            """[{"id":"mine","protocol":"openai-chat","baseUrl":"https://h/v1","auth":"magic"}]""" to "magic",
            quirks(""""noName":true""") to "at path: \$[0].quirks. It must be a JSON list",
            quirks(""""tools":{"strict":true}""") to "at path: \$[0].quirks.tools. It must be a JSON list",
            quirks(""""messages":{"names":"boss"}""") to "cannot be used: there is no value 'boss' at path \$[0].quirks.messages.names",
            quirks(""""tools":{"idMaxLength":15}""") to "the row \"mine\" has a length below 16 in quirks.tools.idMaxLength",
            quirks(""""tools":{"idLength":0}""") to "the row \"mine\" has a length below 1 in quirks.tools.idLength",
            quirks(""""models":[{"pattern":"gpt-(4"}]""") to "the row \"mine\" has a pattern in quirks.models that is not a regular expression",
            """{"id":"mine"}""" to "cannot be used",
            """[{"id":"x","protocol":"openai-chat","baseUrl":"https://h/v1","auth":"none"},
                {"id":"x","protocol":"openai-chat","baseUrl":"https://h/v2","auth":"none"}]""" to "is used twice",
        ) { (text, message) ->
            file.writeText(text)
            shouldThrow<LlmException.Configuration> { Llm.builder().providers(file) }.message shouldContain message
        }
    }

    test("the error names a missing file") {
        shouldThrow<LlmException.Configuration> { Llm.builder().providers(Path.of("nowhere.json")) }.message shouldContain "nowhere.json"
    }

    test("rows of the user are served, and replace rows with the same id or alias") {
        val plain = """{"message":{"content":"ho"},"done":true}"""
        LoopbackServer { whole(plain) }.use { server ->
            file.writeText(
                """[{"id":"mine","protocol":"ollama-chat","baseUrl":"${server.url}","auth":"none","aliases":["my"]},
                    {"id":"groq","protocol":"ollama-chat","baseUrl":"${server.url}/groq","auth":"none"}]""",
            )
            Llm.builder().environment { null }.providers(file).build().use { llm ->
                for (model in listOf("mine/m", "my/m", "groq/m")) llm.chat(model, "hi").await().text shouldBe "ho"
            }
            server.requests.map { it.path } shouldBe listOf("/api/chat", "/api/chat", "/groq/api/chat")
        }
    }

    test("what a model can do is taken from the catalogue, and is unknown otherwise") {
        Llm.builder().environment { null }.build().use { llm ->
            val known = abilities(ModelId.parse("openai/gpt-4o"))!!
            known.vision shouldBe true
            known.tools shouldBe true
            known.jsonSchema shouldBe true
            known.maxInputTokens shouldBe 128_000
            abilities(ModelId.parse("openai/gpt-99")) shouldBe null
        }
    }
})
