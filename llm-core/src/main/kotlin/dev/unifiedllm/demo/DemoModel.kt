package dev.unifiedllm.demo

import dev.unifiedllm.LlmException
import dev.unifiedllm.Model
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.Delta
import dev.unifiedllm.chat.EmbeddingRequest
import dev.unifiedllm.chat.FinishReason
import dev.unifiedllm.chat.ImageRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Request
import dev.unifiedllm.chat.Usage
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.FlowCollector
import kotlinx.coroutines.flow.flow
import java.util.Base64
import kotlin.time.Duration.Companion.milliseconds

/**
 * Streams prepared responses without a key and without a network. The same request gets the same response, whose text says that no language model runs.
 * Where a JSON schema is asked for, the response is JSON that fits it. An instance serves all attempts of one call.
 *
 * `providerOptions { put("tokensPerSecond", 20) }` sets its speed. The default is 40 but for demo/slow; 0 means without pauses.
 */
internal class DemoModel(name: String) : Model {
    override val id: ModelId = ModelId(PROVIDER, name)

    private val script: DemoScript = DemoScript.named(name)
        ?: throw LlmException.NotFound(
            "There is no demo model \"$name\". The demo models are: ${DemoScript.names.joinToString { "$PROVIDER/$it" }}.",
            details = LlmException.Details(id),
        )

    private val chat = DemoChat(id, script)

    override fun stream(request: Request): Flow<Delta> = flow {
        val kind = when (request) {
            is ChatRequest -> DemoKind.CHAT
            is EmbeddingRequest -> DemoKind.EMBEDDINGS
            is ImageRequest -> DemoKind.IMAGES
        }
        if (kind != script.kind) {
            throw LlmException.InvalidRequest(
                "$id supports ${script.kind.words} only. For ${kind.words} use $PROVIDER/${kind.example}.",
                LlmException.InvalidRequest.Kind.UNSUPPORTED,
                details = LlmException.Details(id),
            )
        }
        when (request) {
            is ChatRequest -> chat.respond(request, this)
            is EmbeddingRequest -> embed(request)
            is ImageRequest -> draw(request)
        }
    }

    private suspend fun FlowCollector<Delta>.embed(request: EmbeddingRequest) {
        emit(Delta.Start(null, id))
        request.inputs.forEachIndexed { index, text -> emit(Delta.Embedding(index, demoVector(text, request.dimensions ?: DEMO_DIMENSIONS))) }
        val usage = Usage.build {
            inputTokens = request.inputs.sumOf { words(it).size }.toLong()
            outputTokens = 0
        }
        emit(Delta.Finish(FinishReason.STOP, usage))
    }

    private suspend fun FlowCollector<Delta>.draw(request: ImageRequest) {
        if (request.sources.isNotEmpty()) {
            throw LlmException.InvalidRequest(
                "$id draws new images; it cannot change one.",
                LlmException.InvalidRequest.Kind.UNSUPPORTED,
                details = LlmException.Details(id),
            )
        }
        emit(Delta.Start(null, id))
        val pixels = request.size?.let { SIZE.matchEntire(it) }?.let { it.groupValues[1].toInt() to it.groupValues[2].toInt() }
        if (request.size != null && pixels == null) emit(Delta.Warning("size ${request.size} was ignored: $id takes one as in 640x400"))
        val (width, height) = pixels ?: (WIDTH to HEIGHT)
        repeat(request.n ?: 1) { number ->
            val previews = request.partialImages ?: 0
            for (step in 1..previews) {
                emit(media(demoImage(request.prompt, seed(request, number), width, height, detail = FINEST_PREVIEW * step / previews), isPartial = true))
                delay(PREVIEW_PAUSE)
            }
            emit(media(demoImage(request.prompt, seed(request, number), width, height)))
        }
        emit(Delta.Finish(FinishReason.STOP, null))
    }

    private fun seed(request: ImageRequest, number: Int) = (request.seed ?: 0) + number

    private fun media(png: ByteArray, isPartial: Boolean = false) =
        Delta.Media("image/png", "data:image/png;base64,${Base64.getEncoder().encodeToString(png)}", isPartial)

    override fun toString(): String = id.toString()

    internal companion object {
        const val PROVIDER: String = "demo"

        /** More output tokens than its own texts have. */
        const val MOST_OUTPUT: Long = 4_096
        private const val WIDTH = 480
        private const val HEIGHT = 300
        private const val FINEST_PREVIEW = 0.2
        private val PREVIEW_PAUSE = 300.milliseconds

        /** Of at most 1999 pixels a side. */
        private val SIZE = Regex("(1?[0-9]{2,3})x(1?[0-9]{2,3})")

        /** A word with the white space before it, and the last one with that behind it. */
        private val WORD = Regex("""\s*\S+\s*$|\s*\S+""")

        /** The tokens of [text]: its words with the white space between them. */
        fun words(text: String): List<String> = WORD.findAll(text).map { it.value }.toList()
    }
}
