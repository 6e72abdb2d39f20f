package dev.unifiedllm.e2e

import dev.unifiedllm.e2e.OptionalProgram.AIMOCK
import dev.unifiedllm.e2e.OptionalProgram.LITELLM

/**
 * One feature that a real server proves on one wire. [realServerCases] has all of them; RealServersSpec runs each as a test called [title].
 *
 * A case with a [fault] proves nothing: the server fails there, and the test is green while it does. Beside these cases every case of [wireCases] runs on
 * every wire of [wires], in tests called `<wire's name> / <case's name>, <stream or whole>`.
 *
 * @property feature what is proven, in the words of [RealServerFeature]
 * @property wire as the rows of the providers name it, as in `openai-chat` or `anthropic-messages`
 * @property server `llama.cpp`, `aimock` or `LiteLLM`
 * @property place the server and the way to it, as in `the LiteLLM proxy before gemini`
 */
internal class RealServerCase(
    val feature: String,
    val wire: String,
    val server: String,
    val place: String,
    val programs: List<OptionalProgram>,
    val fault: Fault? = null,
    val run: suspend (Servers) -> Unit,
) {
    val title: String get() = "$feature: $place"

    override fun toString(): String = title
}

/** The words for [RealServerCase.feature]. */
internal object RealServerFeature {
    const val TOOL_LOOP = "tool loop"
    const val PARALLEL_TOOLS = "tool loop with two parallel calls"
    const val TEXT_AND_TOOL = "tool loop with text and a call in one turn"
    const val FAILED_TOOL = "tool loop with a tool that fails"
    const val TOOL_USAGE = "usage of a tool loop"
    const val FORCED_TOOL = "tool that the model must call"
    const val TYPED_ANSWER = "typed answer"
    const val PARTIAL_VALUES = "values of a typed answer while it arrives"
    const val REPAIRED_ANSWER = "typed answer after a repair"
    const val REFUSED_SCHEMA = "typed answer of a server that refuses a schema"
    const val REASONING = "reasoning"
    const val VISION = "vision"
    const val IMAGES = "images"
    const val IMAGE_EDITS = "image edits"
    const val EMBEDDINGS = "embeddings"
    const val MODELS = "models"
    const val TOKEN_COUNT = "token count"
}

/** Every feature on every wire that a real server has for it, faults included. */
internal val realServerCases: List<RealServerCase> by lazy { chatCases() + llamaCases + vectorAndImageCases + lookupCases }

/** A feature that a server has not, or that the tests cannot drive there. */
internal class RealServerGap(val feature: String, val server: String, val why: String)

/** What the servers cannot do. The features that are not named here are in [realServerCases] for each server. */
internal val realServerGaps: List<RealServerGap> = listOf(
    RealServerGap(RealServerFeature.PARALLEL_TOOLS, "llama.cpp", "its Python server binds the grammar to one named tool; a random model calls none by itself"),
    RealServerGap(RealServerFeature.TEXT_AND_TOOL, "llama.cpp", "a response that is bound to a tool has no text"),
    RealServerGap(RealServerFeature.REASONING, "llama.cpp", "the tiny model's template has no reasoning"),
    RealServerGap(RealServerFeature.VISION, "llama.cpp", "the tiny model has no image encoder"),
    RealServerGap(RealServerFeature.IMAGES, "llama.cpp", "it makes no images"),
    RealServerGap(RealServerFeature.IMAGES, "aimock: Gemini", "its generateContent has text, tool calls and sound only; Imagen's predict is in the cases"),
    RealServerGap(RealServerFeature.IMAGES, "aimock: Bedrock, Stability, Vertex, Azure deployments", "it has no such endpoints: 404"),
    RealServerGap(RealServerFeature.EMBEDDINGS, "aimock: Bedrock, Vertex, Voyage, Jina", "it has no such endpoints: 404"),
    RealServerGap(RealServerFeature.EMBEDDINGS, "aimock: Gemini", "it has embedContent, but not batchEmbedContents, which the library sends: 404"),
    RealServerGap(RealServerFeature.TOKEN_COUNT, "aimock", "it has no endpoint that counts; the library estimates"),
    RealServerGap("citations", "llama.cpp, aimock, LiteLLM", "none of them has sources to cite; proven by recordings"),
)

internal fun programsOf(wire: Wire): List<OptionalProgram> = if (wire.isProxied) listOf(LITELLM, AIMOCK) else listOf(AIMOCK)
