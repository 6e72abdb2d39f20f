package dev.unifiedllm.jupyter

import dev.unifiedllm.CostEstimate
import dev.unifiedllm.LlmException
import dev.unifiedllm.chat.ChatRequest
import dev.unifiedllm.chat.ModelId
import dev.unifiedllm.chat.Usd
import dev.unifiedllm.defaultEstimate
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.nio.charset.CharacterCodingException
import java.nio.file.Files
import java.nio.file.NoSuchFileException
import java.nio.file.Path

/**
 * A call of a model in the code of a notebook.
 *
 * @property cell the position of its cell among the code cells, from 1
 * @property function as in `chat`
 * @property model "provider/model"; null if the code does not have it as a text
 * @property estimate what the call costs if it runs once; null if that cannot be read from the code
 * @property remark what the estimate does not know; null for nothing
 */
public class NotebookCall internal constructor(
    public val cell: Int,
    public val function: String,
    public val model: String?,
    public val estimate: CostEstimate?,
    public val remark: String?,
) {
    override fun toString(): String =
        "cell $cell: $function ${model ?: "?"}: ${estimate?.costText ?: "not estimated"}" + remark?.let { " ($it)" }.orEmpty()
}

/** What the calls in a notebook cost if each runs once, as far as that can be read from its code. Made by [estimateNotebook]. */
public class NotebookEstimate internal constructor(private val calls: List<NotebookCall>) : List<NotebookCall> by calls {
    private val known: List<CostEstimate> = calls.mapNotNull { it.estimate }.filter { !it.isDemo }

    /** The sum of the inputs whose price is known, without demo models. */
    public val lowest: Usd = known.mapNotNull { it.lowest }.fold(Usd.ZERO, Usd::plus)

    /** The sum with the longest outputs, where their limit is known; else that of the inputs. */
    public val highest: Usd = known.mapNotNull { it.highest ?: it.lowest }.fold(Usd.ZERO, Usd::plus)

    /** How many calls are not in the sums, because their text, model or price is not known. */
    public val unknown: Int = calls.count { it.estimate == null || it.estimate.lowest == null }

    override fun toString(): String = if (calls.isEmpty()) "No call of a model was found in the code." else calls.joinToString("\n")
}

/**
 * Reads the notebook [path] and estimates what its calls cost. Nothing is run and nothing is sent.
 *
 * It sees calls whose model is a text in the code, or a value that is one. It does not know how often code runs, what other values hold, the history of
 * conversations, the steps of tools, and what people type into widgets: see [NotebookCall.remark].
 *
 * @throws IllegalArgumentException if the file is no notebook
 * @throws java.io.IOException if it cannot be read
 */
public fun estimateNotebook(path: Path): NotebookEstimate {
    val constants = mutableMapOf<String, String>()
    return NotebookEstimate(
        codeCells(path).flatMapIndexed { index, code ->
            constants += CallReader.constants(code)
            callsIn(index + 1, code, constants)
        },
    )
}

/** Reads the notebook [path] and estimates what its calls cost: see the form with a [Path]. */
public fun estimateNotebook(path: String): NotebookEstimate = estimateNotebook(Path.of(path))

/** @param constants values that are texts in this cell or an earlier one */
internal fun callsIn(cell: Int, code: String, constants: Map<String, String> = emptyMap()): List<NotebookCall> =
    CallReader(code, constants).calls().flatMap { call ->
        when {
            call.models.isNotEmpty() -> call.models.map { model -> if (model == null) withoutModel(cell, call) else estimated(cell, call, model) }
            !call.firstIsText -> listOf(withoutModel(cell, call))
            call.function == "chat" -> listOf(estimated(cell, call, call.arguments.first()))
            else -> listOf(NotebookCall(cell, call.function, call.arguments.first(), null, NOT_ESTIMATED.getValue(call.function)))
        }
    }

private fun withoutModel(cell: Int, call: CodeCall) = NotebookCall(cell, call.function, null, null, "the model is not a text in the code")

private fun estimated(cell: Int, call: CodeCall, model: String): NotebookCall {
    val remarks = listOfNotNull(
        "in a block: it may run more than once, or never".takeIf { call.isInBlock },
        "its text has values in it".takeIf { call.isTemplate },
        "its text is not in the code".takeIf { call.texts.isEmpty() },
    )
    return try {
        val request = ChatRequest.build(ModelId.parse(model)) {
            user(call.texts.joinToString("\n"))
            maxTokens = call.maxTokens
        }
        NotebookCall(cell, call.function, model, defaultEstimate(request), remarks.joinToString("; ").ifEmpty { null })
    } catch (unknown: LlmException.Configuration) {
        NotebookCall(cell, call.function, model, null, unknown.message)
    } catch (wrong: IllegalArgumentException) { // no name of a model, or no number of tokens
        NotebookCall(cell, call.function, model, null, wrong.message)
    }
}

private fun codeCells(path: Path): List<String> {
    if (!Files.exists(path)) throw NoSuchFileException("$path", null, "there is no such file in ${Path.of("").toAbsolutePath()}")
    val cells = try {
        (Json.parseToJsonElement(Files.readString(path)) as? JsonObject)?.get("cells") as? JsonArray
    } catch (wrong: SerializationException) {
        throw notJson(path, wrong)
    } catch (binary: CharacterCodingException) {
        throw notJson(path, binary)
    } catch (deep: StackOverflowError) {
        throw notJson(path, deep)
    }
    requireNotNull(cells) { "$path is no notebook: it has no cells. Name a file that ends in .ipynb, of format 4." }
    return cells.filterIsInstance<JsonObject>().filter { (it["cell_type"] as? JsonPrimitive)?.content == "code" }.map { cell ->
        when (val source = cell["source"]) {
            is JsonArray -> source.joinToString("") { (it as? JsonPrimitive)?.content.orEmpty() }
            is JsonPrimitive -> source.content
            else -> ""
        }
    }
}

private fun notJson(path: Path, cause: Throwable) = IllegalArgumentException("$path is no notebook: it is not JSON. Name a file that ends in .ipynb.", cause)

private val NOT_ESTIMATED = mapOf(
    "conversation" to "each turn sends the history",
    "chatWidget" to "it costs what people type",
    "embed" to "texts are not counted",
    "image" to "prices of images are not estimated",
)
