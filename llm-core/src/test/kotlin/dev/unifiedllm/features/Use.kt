package dev.unifiedllm.features

import dev.unifiedllm.Llm
import dev.unifiedllm.chat.ChatRequestBuilder
import dev.unifiedllm.chat.ChatResponse
import dev.unifiedllm.protocol.Answer
import dev.unifiedllm.protocol.Query
import dev.unifiedllm.protocol.Recording
import dev.unifiedllm.transport.LoopbackServer
import io.kotest.matchers.collections.shouldBeEmpty
import io.kotest.matchers.collections.shouldNotBeEmpty
import io.kotest.matchers.longs.shouldBeGreaterThan
import io.kotest.matchers.nulls.shouldNotBeNull
import io.kotest.matchers.shouldBe
import io.kotest.matchers.string.shouldContain
import kotlinx.coroutines.flow.toList

/** How a feature is used. */
internal interface Use {
    /** Makes the calls of [script], whose server is [server], and asserts what came back. */
    suspend fun call(llm: Llm, script: Script, server: LoopbackServer)

    /** Reads a recorded response, and asserts that it has the feature. */
    suspend fun play(recording: Recording): Unit = error("no recording shows this feature")
}

/**
 * A chat.
 *
 * @param check of the response
 * @param sentBack what of the response must stand in the request of the second turn; null: there is no second turn
 * @param prompt the user's message; null: [build] adds it
 */
internal class ChatUse(
    private val check: ((Answer) -> Unit)? = null,
    private val sentBack: ((Answer) -> List<String>)? = null,
    private val prompt: String? = "Hi",
    private val build: ChatRequestBuilder.() -> Unit = {},
) : Use {
    override suspend fun call(llm: Llm, script: Script, server: LoopbackServer) {
        val first = ask(llm, script, null)
        check?.invoke(first)
        first.response.warnings.filter { "left out" in it && "file name" !in it }.shouldBeEmpty()
        if (sentBack == null) return
        ask(llm, script, first.response)
        for (text in sentBack.invoke(first).flatMap(::longTexts)) server.requests.last().body shouldContain text
    }

    private suspend fun ask(llm: Llm, script: Script, before: ChatResponse?): Answer {
        val reply = llm.chat(script.model) {
            prompt?.let { user(it) }
            this@ChatUse.build(this)
            delivery = script.answer.delivery
            if (script.options != null) providerOptions { for ((name, value) in script.options) put(name, value) }
            if (before == null) return@chat
            message(before.toMessage())
            for (call in before.toolCalls) toolResult(call.id, call.name, "20 C")
            user("And now?")
        }
        return Answer(reply.events().toList(), null)
    }

    override suspend fun play(recording: Recording) {
        val answer = recording.play()
        answer.failure shouldBe null
        checkNotNull(check) { "a recorded response does not show what was sent" }(answer)
    }

    private companion object {
        val LONG = Regex("[A-Za-z0-9+/=_-]{16,}")

        /** A signature that is JSON is written anew: the texts in it that no field's name can be. */
        fun longTexts(signature: String): List<String> =
            if (signature.startsWith('{') || signature.startsWith('[')) LONG.findAll(signature).map { it.value }.toList() else listOf(signature)
    }
}

internal object TypedUse : Use {
    override suspend fun call(llm: Llm, script: Script, server: LoopbackServer) {
        llm.chat(script.model) {
            user("Where?")
            delivery = script.answer.delivery
        }.awaitAs<City>() shouldBe City("Paris")
    }
}

internal object EmbeddingUse : Use {
    override suspend fun call(llm: Llm, script: Script, server: LoopbackServer) {
        llm.embed(script.model, "a").await().vectors.single().toList() shouldBe listOf(1f, 2f)
    }

    override suspend fun play(recording: Recording) {
        recording.play().response.embeddings.shouldNotBeEmpty()
    }
}

internal class ImageUse(private val hasSource: Boolean) : Use {
    override suspend fun call(llm: Llm, script: Script, server: LoopbackServer) {
        val response = llm.image(script.model) {
            prompt = "a red train"
            if (hasSource) image(PNG)
        }.await()
        response.images.single().bytes().decodeToString().drop(1).take(3) shouldBe "PNG"
    }

    override suspend fun play(recording: Recording) {
        check(!hasSource) { "a recorded response does not show what was sent" }
        recording.play().response.media.shouldNotBeEmpty()
    }
}

internal object CountUse : Use {
    override suspend fun call(llm: Llm, script: Script, server: LoopbackServer) {
        val count = llm.countTokens(script.model, "Hello").await()
        count.count shouldBe 12
        count.isEstimated shouldBe false
    }

    override suspend fun play(recording: Recording) {
        recording.query shouldBe Query.COUNT
        recording.count().shouldNotBeNull() shouldBeGreaterThan 0
    }
}

/** The model of the script is the name of the provider. */
internal object ModelsUse : Use {
    override suspend fun call(llm: Llm, script: Script, server: LoopbackServer) {
        llm.models(script.model).await().single().id.name shouldBe "a-model"
    }

    override suspend fun play(recording: Recording) {
        recording.query shouldBe Query.MODELS
        recording.models().shouldNotBeEmpty()
    }
}
