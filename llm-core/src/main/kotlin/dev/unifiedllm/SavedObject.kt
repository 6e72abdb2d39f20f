package dev.unifiedllm

import dev.unifiedllm.protocol.json.JsonSyntaxException
import dev.unifiedllm.protocol.json.jsonElement
import dev.unifiedllm.schema.JsonPrefix
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.longOrNull

/** An object in a saved conversation. What is missing or of another type is an [LlmException.Configuration], but for the `…OrNull` forms. */
internal class SavedObject private constructor(private val json: JsonObject) {
    fun textOrNull(name: String): String? = (json[name] as? JsonPrimitive)?.contentOrNull

    fun text(name: String): String = textOrNull(name) ?: throw malformed("it has no \"$name\" where one is needed")

    fun numberOrNull(name: String): Long? = (json[name] as? JsonPrimitive)?.longOrNull

    /** A number of things; null if it is missing. */
    fun countOrNull(name: String): Long? = numberOrNull(name)?.also { if (it < 0) throw malformed("its \"$name\" is $it") }

    /** False if it is missing. */
    fun flag(name: String): Boolean = (json[name] as? JsonPrimitive)?.booleanOrNull ?: false

    fun objectOrNull(name: String): SavedObject? = (json[name] as? JsonObject)?.let(::SavedObject)

    fun objects(name: String): List<SavedObject> {
        val list = json[name] as? JsonArray ?: throw malformed("it has no list \"$name\" where one is needed")
        return list.map { SavedObject(it as? JsonObject ?: throw malformed("its list \"$name\" has something else than objects")) }
    }

    /** @param problem a clause about the conversation */
    fun malformed(problem: String): LlmException = failure(problem, null)

    companion object {
        fun of(json: JsonObject): SavedObject = SavedObject(json)

        fun parse(text: String): SavedObject {
            val json: JsonElement = try {
                if (JsonPrefix.isDeep(text)) throw failure("it is nested deeper than ${JsonPrefix.MAX_DEPTH} levels", null)
                jsonElement(text)
            } catch (wrong: JsonSyntaxException) {
                throw failure("it is not JSON", wrong)
            }
            return SavedObject(json as? JsonObject ?: throw failure("it is not a JSON object", null))
        }

        private fun failure(problem: String, cause: Throwable?) = LlmException.Configuration("The text is not a saved conversation: $problem.", cause)
    }
}
