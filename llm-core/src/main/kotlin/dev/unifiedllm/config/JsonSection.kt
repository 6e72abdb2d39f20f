package dev.unifiedllm.config

import dev.unifiedllm.provider.nearest
import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import kotlinx.serialization.json.booleanOrNull
import java.math.BigDecimal
import kotlin.time.Duration
import kotlin.time.Duration.Companion.seconds

/** A JSON file of settings. @property keys the paths of all keys that were looked for, `*` for a name of the user's */
internal class JsonDocument(private val text: ConfigText) {
    val keys: MutableSet<String> = linkedSetOf()
    private val lines: JsonLines
    val root: JsonSection

    init {
        val json = try {
            Json.parseToJsonElement(text.text)
        } catch (broken: SerializationException) {
            val message = broken.message.orEmpty().substringBefore("JSON input:").lines().joinToString(" ").trim().trimEnd('.')
            val line = OFFSET.find(message)?.groupValues?.get(1)?.toIntOrNull()?.let { offset -> text.text.take(offset).count { it == '\n' } + 1 }
            text.wrong(line, "it is no JSON. Correct it as the parser says: ${OFFSET.replace(message, "")}".trimEnd(' ', ':'), broken)
        }
        if (json !is JsonObject) text.wrong(1, "it must be a JSON object, which begins with {")
        lines = JsonLines(text.text)
        lines.repeated?.let { text.wrong(lines[it], "${it.joinToString(".")} is set twice. Remove one of them") }
        root = JsonSection(json, emptyList(), this)
    }

    fun place(path: List<String>): String = text.place(lines[path])

    fun wrong(path: List<String>, problem: String, cause: Throwable? = null): Nothing = text.wrong(lines[path], "${path.joinToString(".")} $problem", cause)

    private companion object {
        val OFFSET = Regex("""at offset (\d+):?\s*""")
    }
}

/** An object in a JSON file of settings. A key that was not looked for before [done] is an error. */
internal class JsonSection(private val json: JsonObject, private val path: List<String>, private val document: JsonDocument) {
    private val known = mutableSetOf<String>()

    val isEmpty: Boolean get() = json.isEmpty()

    val place: String get() = document.place(path)

    /** True if there is a value [name], which no setting has. */
    fun has(name: String): Boolean = name in json

    fun text(name: String): Placed<String>? = primitive(name, "a text in quotes") { it.content.takeIf { _ -> it.isString && it.content.isNotBlank() } }

    fun flag(name: String): Placed<Boolean>? = primitive(name, "true or false") { it.takeUnless { _ -> it.isString }?.booleanOrNull }

    fun count(name: String): Placed<Int>? = primitive(name, "a whole number") { it.takeUnless { _ -> it.isString }?.content?.toIntOrNull() }

    fun long(name: String): Placed<Long>? = primitive(name, "a whole number") { it.takeUnless { _ -> it.isString }?.content?.toLongOrNull() }

    fun number(name: String): Placed<Double>? =
        primitive(name, "a number") { it.takeUnless { _ -> it.isString }?.content?.toDoubleOrNull()?.takeIf(Double::isFinite) }

    /** An amount: a number, or a text with one. Exact. */
    fun amount(name: String): Placed<BigDecimal>? = primitive(name, "an amount such as 0.10 that is not negative", ::amount)

    /** A number of seconds, or a text such as `30s` or `1m 30s`. */
    fun duration(name: String): Placed<Duration>? = primitive(name, "a number of seconds, or a text such as \"30s\" or \"1m 30s\"") { value ->
        if (value.isString) Duration.parseOrNull(value.content) else value.content.toDoubleOrNull()?.seconds
    }

    fun texts(name: String): Placed<List<String>>? = list(name, "a list of texts") { it.content.takeIf { _ -> it.isString && it.content.isNotBlank() } }

    fun amounts(name: String): Placed<List<BigDecimal>>? = list(name, "a list of numbers", ::amount)

    /** The object [name]; an empty one if there is none. */
    fun section(name: String): JsonSection = JsonSection(value(name)?.let { it as? JsonObject ?: wrong(name, OBJECT) } ?: EMPTY, path + name, document)

    /** The object [name], or those in the list [name]; an empty one if there is none. */
    fun sectionOrList(name: String, read: (JsonSection) -> Unit) {
        val list = value(name) as? JsonArray ?: return read(section(name))
        JsonSection(EMPTY, path + name, document).also(read) // so that its keys are known
        list.forEachIndexed { index, value ->
            val place = path + name + "$index"
            read(JsonSection(value as? JsonObject ?: document.wrong(place, OBJECT), place, document))
        }
    }

    /** The objects in the object [name], by the names that the user gives them. */
    fun sections(name: String, read: (name: String, section: JsonSection) -> Unit) {
        JsonSection(EMPTY, path + name + "*", document).also { read("*", it) }
        for ((key, value) in section(name).json) {
            if (value !is JsonObject) document.wrong(path + name + key, OBJECT)
            read(key, JsonSection(value, path + name + key, document))
        }
    }

    /** The texts in the object [name], by the names that the user gives them. */
    fun textsByName(name: String): Map<String, Placed<String>> {
        document.keys += (path + name + "*").joinToString(".")
        val section = section(name)
        return section.json.keys.associateWith { section.text(it) ?: section.wrong(it, "must be a text in quotes") }
    }

    /** @throws dev.unifiedllm.LlmException.Configuration if a key was not looked for */
    fun done() {
        val unknown = json.keys.firstOrNull { it !in known } ?: return
        val near = nearest(unknown, known)
        val hint = if (near.isEmpty()) "" else "Did you mean ${near.joinToString(" or ")}? "
        wrong(unknown, "is no setting. ${hint}Known are ${known.sorted().joinToString()}")
    }

    /** Runs [set], which throws if a value is not allowed. */
    inline fun <T> checked(name: String, set: () -> T): T = try {
        set()
    } catch (wrong: IllegalArgumentException) {
        wrong(name, "cannot be used: ${wrong.message?.trimEnd('.')}", wrong)
    }

    fun wrong(name: String, problem: String, cause: Throwable? = null): Nothing = document.wrong(path + name, problem, cause)

    private fun value(name: String): JsonElement? {
        known += name
        document.keys += (path + name).joinToString(".")
        return json[name].takeUnless { it is JsonNull }
    }

    private fun <T : Any> primitive(name: String, wanted: String, read: (JsonPrimitive) -> T?): Placed<T>? {
        val value = value(name) ?: return null
        val read = (value as? JsonPrimitive)?.let(read) ?: wrong(name, "must be $wanted")
        return Placed(read, document.place(path + name))
    }

    private fun <T : Any> list(name: String, wanted: String, read: (JsonPrimitive) -> T?): Placed<List<T>>? {
        val values = value(name)?.let { it as? JsonArray ?: wrong(name, "must be $wanted") } ?: return null
        return Placed(values.map { (it as? JsonPrimitive)?.let(read) ?: wrong(name, "must be $wanted") }, document.place(path + name))
    }

    private fun amount(value: JsonPrimitive): BigDecimal? = value.content.takeIf(AMOUNT::matches)?.let(::BigDecimal)

    private companion object {
        const val OBJECT = "must be an object, which begins with {"
        val EMPTY = JsonObject(emptyMap())
        val AMOUNT = Regex("""\d{1,12}(\.\d{1,18})?""")
    }
}
